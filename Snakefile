# nanosnake: from text shards to a validated BPE tokenizer, every step a file.
from snakemake.utils import min_version

min_version("9.19")


if not workflow.overwrite_configfiles:

    configfile: "config/config.yaml"


include: "rules/common.smk"
include: "rules/shards.smk"
include: "rules/counts.smk"
include: "rules/tokenizer.smk"
include: "rules/validation.smk"
include: "rules/report.smk"


rule all:
    input:
        manifests(),
        tokenizers(),
        gates(),
        reports(),
    default_target: True


rule shards:
    """Only the shards, for instance to fetch them where there is a network."""
    input:
        manifests(),
