

# The second job asks for what no partition allows; how much is known when the first is made.
rule all:
    default_target: True
    input:
        leftovers.settle,
        "made/second",


rule first:
    output:
        "made/first",
    shell:
        "echo $SLURM_JOB_ID >> journal/first; echo first > {output}"


rule second:
    input:
        "made/first",
    output:
        "made/second",
    resources:
        runtime=minutes(10_000_000, 1.0),
    shell:
        "cat {input} > {output}"
