"""Token shards: every shard in every tokenizer's ids, made only when the tokenizer's gate is open."""


rule tokenize_shard:
    """Encode a shard's documents, each begun by the tokenizer's first special token.

    The gate stands for the tokenizer: it names the hash of each of its files. With these among the inputs too,
    Snakemake would look through all that the tokenizer was made from once for each file and shard.
    """
    input:
        **graph.code("tokenize_shard.py", "pretokenize", "encode", "encode_shard", "shard"),
        gate=f"{TOKENIZER}/gate.json",
        shard=f"{SHARDS}/{{shard}}.parquet",
    output:
        tokens=f"{TOKENS}/{{shard}}.ds",
        index=f"{TOKENS}/{{shard}}.ds.index",
        facts=f"{TOKENS}/{{shard}}.json",
    log:
        text="logs/{dataset}/{tokenizer}/tokens/{split}/{shard}.log",
        record="logs/{dataset}/{tokenizer}/tokens/{split}/{shard}.json",
    benchmark:
        "logs/{dataset}/{tokenizer}/tokens/{split}/{shard}.tsv"
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=memory(700, per_input_mb=6),
        runtime=minutes(0.5, per_input_gb=15),
    params:
        folder=f"{TOKENIZER}/tokenizer",
        text_column=graph.shard_column,
    shell:
        "NANOSNAKE_RECORD={log.record:q}"
        " python {input.script:q} --shard {input.shard:q} --text-column {params.text_column:q}"
        " --tokenizer {params.folder:q} --output {output.tokens:q} --threads {threads} |& tee -i {log.text:q}"
