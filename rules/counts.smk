"""Counts of pre-tokens: per shard, in parallel; then summed for each selection of shards."""


def counting_of(wildcards):
    """Return the first tokenizer that counts this way; all that share the folder count alike."""
    return next(
        tokenizer
        for tokenizer in CONFIG.tokenizers.values()
        if tokenizer.dataset == wildcards.dataset and tokenizer.counting == wildcards.counting
    )


def pattern(wildcards):
    return counting_of(wildcards).pattern


def doc_cap(wildcards):
    return counting_of(wildcards).doc_cap


def text_column(wildcards):
    return counting_of(wildcards).text_column or CONFIG.datasets[wildcards.dataset].text_column


def selected(wildcards):
    """Return the name of a tokenizer that is trained on this selection of shards."""
    return next(
        name
        for name, tokenizer in CONFIG.tokenizers.items()
        if tokenizer.dataset == wildcards.dataset
        and tokenizer.counting == wildcards.counting
        and CONFIG.selection(name) == wildcards.selection
    )


def selected_shards(wildcards):
    return compact(CONFIG.training_shards(selected(wildcards)))


def selected_counts(wildcards):
    return [
        f"results/{wildcards.dataset}/counts/{wildcards.counting}/{shard}.arrow"
        for shard in CONFIG.training_shards(selected(wildcards))
    ]


def shards_to_recount(wildcards):
    """Return the shards where a limit of characters is set: the one that crosses it is counted in part."""
    if CONFIG.tokenizers[selected(wildcards)].max_chars is None:
        return []
    return [
        f"results/{wildcards.dataset}/shards/{shard}.parquet"
        for shard in CONFIG.training_shards(selected(wildcards))
    ]


def merge_options(wildcards):
    tokenizer = CONFIG.tokenizers[selected(wildcards)]
    limit = "" if tokenizer.max_chars is None else f" --max-chars {tokenizer.max_chars}"
    return f"--min-count {tokenizer.min_count}{limit}"


rule count_pretokens:
    """Count the pre-tokens of a shard: nearly all of a tokenizer's work, done once per shard and pattern."""
    input:
        **code("count_pretokens.py", "parquet", "pretokenize", "count"),
        shard=f"{SHARDS}/{{shard}}.parquet",
    output:
        f"{COUNTS}/{{shard}}.arrow",
    log:
        "logs/{dataset}/counts/{counting}/{shard}.log",
    benchmark:
        "logs/{dataset}/counts/{counting}/{shard}.tsv"
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=2000,
    params:
        pattern=pattern,
        text_column=text_column,
        doc_cap=doc_cap,
    shell:
        "python {input.script:q} --shard {input.shard:q} --text-column {params.text_column:q}"
        " --pattern {params.pattern:q} --doc-cap {params.doc_cap} --output {output:q} --threads {threads}"
        " |& tee -i {log:q}"


rule merge_counts:
    """Sum the counts of a selection of shards."""
    input:
        **code("merge_counts.py", "artifacts"),
        counts=selected_counts,
        shards=shards_to_recount,
    output:
        f"{COUNTS}/merged/{{selection}}.arrow",
    log:
        "logs/{dataset}/counts/{counting}/merged/{selection}.log",
    benchmark:
        "logs/{dataset}/counts/{counting}/merged/{selection}.tsv"
    conda:
        "../envs/nanosnake.yaml"
    threads: 4
    resources:
        mem_mb=4000,
    params:
        counts=COUNTS,
        shard_folder=SHARDS,
        shards=selected_shards,
        options=merge_options,
    shell:
        "python {input.script:q} --counts {params.counts:q} --shards {params.shards:q}"
        " --shard-folder {params.shard_folder:q} {params.options} --output {output:q} --threads {threads}"
        " |& tee -i {log:q}"
