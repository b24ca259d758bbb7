# A probe on two GPUs of one node, and on two GPUs of each of two nodes.
rule all:
    default_target: True
    input:
        leftovers.settle,
        "made/one_node",
        "made/two_nodes",


rule one_node:
    output:
        "made/one_node",
    threads: 2
    resources:
        slurm_partition="gpu",
        gres="gpu:h200:2",
        tasks_per_gpu=0,
        nodes=1,
        processes=2,
        mem_mb=memory(3000),
    shell:
        "python launch.py --nodes {resources.nodes} --processes {resources.processes} probe.py {output} journal/one_node"


rule two_nodes:
    output:
        "made/two_nodes",
    threads: 2
    resources:
        slurm_partition="gpu",
        gres="gpu:h200:2",
        tasks_per_gpu=0,
        processes=2,
        nodes=2,
        tasks=2,
        mpi="srun",
        mem_mb=memory(3000),
    shell:
        "python launch.py --nodes {resources.nodes} --processes {resources.processes} probe.py {output} journal/two_nodes"
