"""Token shards: every shard in every tokenizer's ids, made only when the tokenizer's gate is open."""


rule tokenize_shard:
    """Encode a shard's documents, each begun by the tokenizer's first special token."""
    input:
        **graph.code("tokenize_shard.py", "pretokenize", "encode", "encode_shard", "shard"),
        gate=f"{TOKENIZER}/gate.json",
        tokenizer=rules.export_tokenizer.output,
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
        runtime=minutes(2, per_input_gb=30),
    params:
        folder=folder_of("tokenizer"),
        text_column=lookup("datasets/{dataset}/text_column", within=SETTINGS),
    shell:
        "NANOSNAKE_RECORD={log.record:q}"
        " python {input.script:q} --shard {input.shard:q} --text-column {params.text_column:q}"
        " --tokenizer {params.folder:q} --output {output.tokens:q} --threads {threads} |& tee -i {log.text:q}"
