"""Shards: one parquet file each, checked, with a metadata file beside it."""


rule make_demo_shard:
    """Cut one shard out of the corpus that comes with the environment."""
    input:
        **graph.code("make_demo_shard.py", "check_shard", "shard"),
    output:
        shard=f"{SHARDS}/{{shard}}.parquet",
        metadata=f"{SHARDS}/{{shard}}.json",
    log:
        text="logs/{dataset}/shards/{shard}.make.log",
        record="logs/{dataset}/shards/{shard}.make.json",
    benchmark:
        "logs/{dataset}/shards/{shard}.make.tsv"
    wildcard_constraints:
        dataset=any_of(graph.datasets("embedded")),
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=memory(800),
        runtime=minutes(1),
    params:
        number=graph.shard_number,
        total=lookup("datasets/{dataset}/source/shards", within=SETTINGS),
        language=lookup("datasets/{dataset}/source/language", within=SETTINGS),
    shell:
        "NANOSNAKE_RECORD={log.record:q}"
        " python {input.script:q} --shard {params.number} --of {params.total} --language {params.language}"
        " --output {output.shard:q} --metadata {output.metadata:q} |& tee -i {log.text:q}"


rule download_shard:
    """Fetch one shard; nothing stands under its name before size, checksum and text column are right.

    The downloader is no input: a change in it must not fetch a whole dataset again.
    """
    input:
        checksums=graph.checksums,
    output:
        shard=f"{SHARDS}/{{shard}}.parquet",
        metadata=f"{SHARDS}/{{shard}}.json",
    log:
        text="logs/{dataset}/shards/{shard}.download.log",
        record="logs/{dataset}/shards/{shard}.download.json",
    benchmark:
        "logs/{dataset}/shards/{shard}.download.tsv"
    wildcard_constraints:
        dataset=any_of([*graph.datasets("url"), *graph.datasets("s3")]),
    conda:
        "../envs/nanosnake.yaml"
    resources:
        downloads=1,
        mem_mb=memory(500),
        runtime=minutes(5),
    params:
        script=graph.script("download_shard.py"),
        source=graph.download_options,
        patience=graph.patience_options(),
    shell:
        "NANOSNAKE_RECORD={log.record:q}"
        " python {params.script:q} {params.source} {params.patience} --memory-mb {resources.mem_mb}"
        " --output {output.shard:q} --metadata {output.metadata:q} |& tee -i {log.text:q}"


rule link_shard:
    """Check a local parquet file and link to it."""
    input:
        **graph.code("link_shard.py", "check_shard", "shard"),
        file=graph.location,
    output:
        shard=f"{SHARDS}/{{shard}}.parquet",
        metadata=f"{SHARDS}/{{shard}}.json",
    log:
        text="logs/{dataset}/shards/{shard}.link.log",
        record="logs/{dataset}/shards/{shard}.link.json",
    benchmark:
        "logs/{dataset}/shards/{shard}.link.tsv"
    wildcard_constraints:
        dataset=any_of(graph.datasets("local")),
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=memory(700, per_input_mb=4),
        runtime=minutes(0.5, per_input_gb=3),
    params:
        text_column=graph.shard_column,
    shell:
        "NANOSNAKE_RECORD={log.record:q}"
        " python {input.script:q} --input {input.file:q} --text-column {params.text_column:q}"
        " --memory-mb {resources.mem_mb} --output {output.shard:q} --metadata {output.metadata:q}"
        " |& tee -i {log.text:q}"


rule list_shards:
    """Write the table of all shards of a dataset."""
    input:
        **graph.code("list_shards.py"),
        metadata=graph.metadata,
    output:
        report("results/{dataset}/shards.csv", caption="../report/shards.rst", category="{dataset}"),
    log:
        text="logs/{dataset}/shards.log",
        record="logs/{dataset}/shards.json",
    benchmark:
        "logs/{dataset}/shards.tsv"
    conda:
        "../envs/nanosnake.yaml"
    params:
        folder=SHARDS,
        train=graph.train_names,
        validation=graph.validation_names,
    shell:
        "NANOSNAKE_RECORD={log.record:q}"
        " python {input.script:q} --folder {params.folder:q} --train {params.train:q}"
        " --validation {params.validation:q} --output {output:q} |& tee -i {log.text:q}"
