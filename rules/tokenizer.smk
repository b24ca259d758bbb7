"""A tokenizer: merges learned from summed counts, and the artifacts that other tools read."""


rule train_tokenizer:
    """Learn the merges. One job whatever the size of the corpus: it needs the summed counts alone."""
    input:
        **graph.code("train_tokenizer.py", "train"),
        counts=graph.merged_counts,
    output:
        merges=f"{TOKENIZER}/merges.arrow",
        times=f"{TOKENIZER}/training.json",
    log:
        text="logs/{dataset}/{tokenizer}/merges.log",
        record="logs/{dataset}/{tokenizer}/merges.json",
    benchmark:
        "logs/{dataset}/{tokenizer}/merges.tsv"
    conda:
        "../envs/nanosnake.yaml"
    threads: 8
    resources:
        mem_mb=memory(4000, per_input_mb=30),
        runtime=minutes(60, per_input_gb=120),
    params:
        merges=graph.num_merges,
    shell:
        "NANOSNAKE_RECORD={log.record:q}"
        " python {input.script:q} --counts {input.counts:q} --merges {params.merges} --output {output.merges:q}"
        " --times {output.times:q} --threads {threads} |& tee -i {log.text:q}"


rule export_tokenizer:
    """Write what other tools read: Hugging Face's format, tiktoken's ranks, and where it all came from."""
    input:
        **graph.code("export_tokenizer.py"),
        merges=f"{TOKENIZER}/merges.arrow",
        counts=graph.merged_counts,
        metadata=graph.training_metadata,
    output:
        hugging_face=f"{TOKENIZER}/tokenizer/tokenizer.json",
        hugging_face_config=f"{TOKENIZER}/tokenizer/tokenizer_config.json",
        tiktoken=f"{TOKENIZER}/tokenizer/tokenizer.tiktoken",
        meta=f"{TOKENIZER}/tokenizer/meta.json",
    log:
        text="logs/{dataset}/{tokenizer}/export.log",
        record="logs/{dataset}/{tokenizer}/export.json",
    benchmark:
        "logs/{dataset}/{tokenizer}/export.tsv"
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=2000,
    params:
        shard_folder=SHARDS,
        folder=f"{TOKENIZER}/tokenizer",
        shards=graph.training_names,
        pattern=lookup("tokenizers/{tokenizer}/pattern", within=SETTINGS),
        vocab_size=lookup("tokenizers/{tokenizer}/vocab_size", within=SETTINGS),
        special_tokens=graph.special_tokens,
    shell:
        "NANOSNAKE_RECORD={log.record:q}"
        " python {input.script:q} --name {wildcards.tokenizer:q} --merges {input.merges:q}"
        " --counts {input.counts:q} --pattern {params.pattern:q} --vocab-size {params.vocab_size}"
        " --special-tokens {params.special_tokens:q} --folder {params.shard_folder:q}"
        " --shards {params.shards:q} --output {params.folder:q} |& tee -i {log.text:q}"


rule export_nanochat:
    """Write nanochat's two files, where the configuration asks for them."""
    input:
        **graph.code("export_nanochat.py"),
        tokenizer=rules.export_tokenizer.output,
    output:
        pickle=f"{TOKENIZER}/tokenizer/tokenizer.pkl",
        token_bytes=f"{TOKENIZER}/tokenizer/token_bytes.pt",
    log:
        text="logs/{dataset}/{tokenizer}/export_nanochat.log",
        record="logs/{dataset}/{tokenizer}/export_nanochat.json",
    benchmark:
        "logs/{dataset}/{tokenizer}/export_nanochat.tsv"
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=2000,
    params:
        folder=folder_of("tokenizer"),
    shell:
        "NANOSNAKE_RECORD={log.record:q}"
        " python {input.script:q} --tokenizer {params.folder:q} --output {params.folder:q} |& tee -i {log.text:q}"
