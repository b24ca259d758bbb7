"""Token shards: every shard in every tokenizer's ids, made only when the tokenizer's gate is open."""


rule hash_tokenizer:
    """Write the hashes of the tokenizer's files: what needs the tokenizer once for each shard names this one file.

    For the files themselves, Snakemake would look through all that they were made from, once for each shard.
    """
    input:
        **graph.code("hash_tokenizer.py"),
        tokenizer=rules.export_tokenizer.output,
    output:
        f"{TOKENIZER}/tokenizer.sha256",
    log:
        text="logs/{dataset}/{tokenizer}/hash.log",
        record="logs/{dataset}/{tokenizer}/hash.json",
    benchmark:
        "logs/{dataset}/{tokenizer}/hash.tsv"
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=500,
    shell:
        "NANOSNAKE_RECORD={log.record:q}"
        " python {input.script:q} --files {input.tokenizer:q} --output {output:q} |& tee -i {log.text:q}"


rule tokenize_shard:
    """Encode a shard's documents, each begun by the tokenizer's first special token.

    The gate has to be open; one that opens anew, because a check looked at another text, changes no token.
    """
    input:
        **graph.code("tokenize_shard.py", "pretokenize", "encode", "encode_shard", "shard"),
        gate=ancient(f"{TOKENIZER}/gate.json"),
        tokenizer=rules.hash_tokenizer.output,
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
        runtime=minutes(0.5, per_input_gb=3),
    params:
        folder=graph.tokenizer_folder,
        text_column=graph.shard_column,
    shell:
        "NANOSNAKE_RECORD={log.record:q}"
        " python {input.script:q} --shard {input.shard:q} --text-column {params.text_column:q}"
        " --tokenizer {params.folder:q} --output {output.tokens:q} --threads {threads} |& tee -i {log.text:q}"
