# Each rule meets one misfortune at its first run and has to end well at its second.
ENDINGS = ["time_out", "out_of_memory", "cancelled", "requeued", "preempted", "node_down"]


rule all:
    default_target: True
    input:
        leftovers.settle,
        expand("made/{ending}", ending=ENDINGS),


rule hopeless:
    output:
        "made/hopeless",
    log:
        "logs/hopeless.log",
    shell:
        "(echo 'no such column: text'; exit 3) |& tee {log}; exit 3"


# goes on from its checkpoint, which is no output: Snakemake deletes those before it tries again
rule time_out:
    output:
        "made/time_out",
    resources:
        runtime=lambda wildcards, attempt: 2 if attempt == 1 else 20,
        attempt=lambda wildcards, attempt: attempt,
    shell:
        "echo {resources.attempt} $SLURM_JOB_ID $(cat checkpoint 2>/dev/null) >> journal/time_out;"
        " [ -e checkpoint ] || (echo half > {output}; echo 500 > checkpoint; sleep 1000);"
        " echo from $(cat checkpoint) > {output}"


rule out_of_memory:
    output:
        "made/out_of_memory",
    resources:
        mem_mb=memory(700),
        attempt=lambda wildcards, attempt: attempt,
    shell:
        "echo {resources.attempt} {resources.mem_mb} >> journal/out_of_memory;"
        " python -c 'import time; x = b\"x\" * (900 << 20); time.sleep(5)';"
        " echo {resources.mem_mb} > {output}"


rule cancelled:
    output:
        "made/cancelled",
    resources:
        attempt=lambda wildcards, attempt: attempt,
    shell:
        "echo {resources.attempt} $SLURM_JOB_ID >> journal/cancelled; echo half > {output};"
        " [ {resources.attempt} -gt 1 ] || sleep 1000;"
        " echo whole > {output}"


rule requeued:
    output:
        "made/requeued",
    resources:
        attempt=lambda wildcards, attempt: attempt,
    shell:
        "echo {resources.attempt} $SLURM_JOB_ID >> journal/requeued; echo half > {output};"
        " [ $(wc -l < journal/requeued) -gt 1 ] || sleep 1000;"
        " echo whole > {output}"


# goes on from its checkpoint too, under the same id
rule preempted:
    output:
        "made/preempted",
    resources:
        slurm_partition="spot",
        attempt=lambda wildcards, attempt: attempt,
    shell:
        "echo {resources.attempt} $SLURM_JOB_ID $(cat preempted.checkpoint 2>/dev/null) >> journal/preempted;"
        " [ -e preempted.checkpoint ] || (echo half > {output}; echo 700 > preempted.checkpoint; sleep 1000);"
        " echo from $(cat preempted.checkpoint) > {output}"


rule node_down:
    output:
        "made/node_down",
    resources:
        slurm_partition="gpu",
        attempt=lambda wildcards, attempt: attempt,
    shell:
        "echo {resources.attempt} $SLURM_JOB_ID $SLURM_JOB_NODELIST >> journal/node_down; echo half > {output};"
        " [ $(wc -l < journal/node_down) -gt 1 ] || sleep 1000;"
        " echo whole > {output}"
