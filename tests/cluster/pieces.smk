# Many small jobs in batches, each of a downloaded piece; downloads stay on this host.
PIECES = range(int(config["pieces"]))


localrules:
    fetch,
    count,


rule all:
    default_target: True
    input:
        leftovers.settle,
        expand("made/{piece}", piece=PIECES),


rule fetch:
    output:
        "fetched",
    shell:
        "echo ${{SLURM_JOB_ID:-here}} > {output}"


rule count:
    input:
        "fetched",
    output:
        "made/{piece}",
    resources:
        batch=1,
        mem_mb=memory(400),
        runtime=minutes(1),
    shell:
        "echo {wildcards.piece} $SLURM_JOB_ID >> journal/count; echo {wildcards.piece} > {output}"
