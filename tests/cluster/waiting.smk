# Two jobs that end when a file appears.
rule all:
    default_target: True
    input:
        "made/a",
        "made/b",


rule work:
    output:
        "made/{name}",
    shell:
        "echo {wildcards.name} $SLURM_JOB_ID >> journal/work;"
        " until [ -e release ]; do sleep 0.2; done;"
        " echo whole > {output}"
