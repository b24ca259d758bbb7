# Jobs that end when a file appears: one alone, two in a batch.
localrules:
    batched,


rule all:
    default_target: True
    input:
        leftovers.settle,
        "made/alone",
        "made/a.batched",
        "made/b.batched",


rule alone:
    output:
        "made/alone",
    shell:
        "echo alone $SLURM_JOB_ID >> journal/work;"
        " until [ -e release ]; do sleep 0.2; done;"
        " echo whole > {output}"


rule batched:
    output:
        "made/{name}.batched",
    resources:
        batch=1,
    shell:
        "echo {wildcards.name} $SLURM_JOB_ID >> journal/work;"
        " until [ -e release ]; do sleep 0.2; done;"
        " echo whole > {output}"
