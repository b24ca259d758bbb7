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


rule all:
    default_target: True
    """Everything that the configuration describes."""
    input:
        expand("results/{dataset}/shards.csv", dataset=CONFIG.datasets),
        graph.of_each_tokenizer(f"{TOKENIZER}/gate.json"),
        graph.exports(),


rule shards:
    """Only the shards, for instance to fetch them where there is a network."""
    input:
        expand("results/{dataset}/shards.csv", dataset=CONFIG.datasets),


onsuccess:
    graph.say_verdicts()


onerror:
    graph.say_verdicts()
