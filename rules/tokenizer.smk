"""A tokenizer: merges learned from summed counts, and the artifacts that other tools read."""


def merged_counts(wildcards):
    counting = CONFIG.tokenizers[wildcards.tokenizer].counting
    selection = CONFIG.selection(wildcards.tokenizer)
    return f"results/{wildcards.dataset}/counts/{counting}/merged/{selection}.arrow"


def num_merges(wildcards):
    return CONFIG.tokenizers[wildcards.tokenizer].num_merges


rule train_tokenizer:
    """Learn the merges. One job whatever the size of the corpus: it needs the summed counts alone."""
    input:
        **code("train_tokenizer.py", "train"),
        counts=merged_counts,
    output:
        f"{TOKENIZER}/merges.arrow",
    log:
        "logs/{dataset}/{tokenizer}/merges.log",
    benchmark:
        "logs/{dataset}/{tokenizer}/merges.tsv"
    conda:
        "../envs/nanosnake.yaml"
    threads: 8
    resources:
        mem_mb=4000,
    params:
        merges=num_merges,
    shell:
        "python {input.script:q} --counts {input.counts:q} --merges {params.merges} --output {output:q}"
        " --threads {threads} |& tee -i {log:q}"
