# Two jobs, one after the other, on a node whose results others see later.
rule all:
    default_target: True
    input:
        leftovers.settle,
        "made/last",


rule first:
    output:
        "made/first",
    resources:
        slurm_partition="far",
    shell:
        "echo $SLURM_JOB_ID >> journal/first; echo first > {output}"


rule last:
    input:
        "made/first",
    output:
        "made/last",
    resources:
        slurm_partition="far",
    shell:
        "echo $SLURM_JOB_ID >> journal/last; cat {input} > {output}"
