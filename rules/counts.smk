"""Counts of pre-tokens: per shard, in parallel; then summed for each selection of shards."""


rule count_pretokens:
    """Count the pre-tokens of a shard: nearly all of a tokenizer's work, done once per shard and pattern."""
    input:
        **graph.code("count_pretokens.py", "pretokenize", "count", "shard", "counting", "counts"),
        shard=f"{SHARDS}/{{shard}}.parquet",
    output:
        f"{COUNTS}/{{shard}}.arrow",
    log:
        text="logs/{dataset}/counts/{counting}/{shard}.log",
        record="logs/{dataset}/counts/{counting}/{shard}.json",
    benchmark:
        "logs/{dataset}/counts/{counting}/{shard}.tsv"
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=memory(700, per_input_mb=12),
        runtime=minutes(0.5, per_input_gb=3),
    params:
        options=graph.counting_options,
    shell:
        "NANOSNAKE_RECORD={log.record:q}"
        " python {input.script:q} --shard {input.shard:q} {params.options} --output {output:q}"
        " --threads {threads} |& tee -i {log.text:q}"


rule merge_counts:
    """Sum the counts of a selection of shards."""
    input:
        **graph.code("merge_counts.py", "merge_counts"),
        counts=graph.selected_counts,
        shards=graph.shards_to_recount,
    output:
        f"{COUNTS}/merged/{{selection}}.arrow",
    log:
        text="logs/{dataset}/counts/{counting}/merged/{selection}.log",
        record="logs/{dataset}/counts/{counting}/merged/{selection}.json",
    benchmark:
        "logs/{dataset}/counts/{counting}/merged/{selection}.tsv"
    conda:
        "../envs/nanosnake.yaml"
    threads: 4
    resources:
        mem_mb=memory(4000, per_input_mb=1),
        runtime=minutes(30, per_input_gb=5),
    params:
        counts=COUNTS,
        shard_folder=SHARDS,
        shards=graph.selected_names,
        options=graph.merge_options,
    shell:
        "NANOSNAKE_RECORD={log.record:q}"
        " python {input.script:q} --counts {params.counts:q} --shards {params.shards:q}"
        " --shard-folder {params.shard_folder:q} {params.options} --output {output:q} --threads {threads}"
        " |& tee -i {log.text:q}"
