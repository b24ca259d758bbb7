"""Shards: one parquet file each, checked, with a metadata file beside it."""


def location(wildcards):
    """Return the URL or the file of a shard."""
    return CONFIG.datasets[wildcards.dataset].locations[wildcards.shard]


def shard_number(wildcards):
    return int(wildcards.shard.removeprefix("shard_"))


def checksums(wildcards):
    return CONFIG.datasets[wildcards.dataset].source.checksums or []


def metadata_of_all(wildcards):
    dataset = CONFIG.datasets[wildcards.dataset]
    return [
        f"results/{wildcards.dataset}/shards/{shard}.json"
        for shard in [*dataset.train_shards, *dataset.validation_shards]
    ]


def train_names(wildcards):
    return compact(CONFIG.datasets[wildcards.dataset].train_shards)


def validation_names(wildcards):
    return compact(CONFIG.datasets[wildcards.dataset].validation_shards)


rule make_demo_shard:
    """Cut one shard out of the corpus that comes with the environment."""
    input:
        **code("make_demo_shard.py"),
    output:
        shard=f"{SHARDS}/{{shard}}.parquet",
        metadata=f"{SHARDS}/{{shard}}.json",
    log:
        "logs/{dataset}/shards/{shard}.make.log",
    benchmark:
        "logs/{dataset}/shards/{shard}.make.tsv"
    wildcard_constraints:
        dataset=any_of(datasets_from("embedded")),
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=500,
    params:
        number=shard_number,
        count=lookup("datasets/{dataset}/source/shards", within=SETTINGS),
        language=lookup("datasets/{dataset}/source/language", within=SETTINGS),
    shell:
        "python {input.script:q} --shard {params.number} --of {params.count} --language {params.language}"
        " --output {output.shard:q} --metadata {output.metadata:q} |& tee -i {log:q}"


rule download_shard:
    """Fetch one shard; nothing stands under its name before size, checksum and text column are right.

    The downloader is no input: a change in it must not fetch a whole dataset again.
    """
    input:
        checksums=checksums,
    output:
        shard=f"{SHARDS}/{{shard}}.parquet",
        metadata=f"{SHARDS}/{{shard}}.json",
    log:
        "logs/{dataset}/shards/{shard}.download.log",
    benchmark:
        "logs/{dataset}/shards/{shard}.download.tsv"
    wildcard_constraints:
        dataset=any_of(datasets_from("url")),
    conda:
        "../envs/nanosnake.yaml"
    resources:
        downloads=1,
        mem_mb=1000,
    params:
        script=SCRIPTS / "download_shard.py",
        url=location,
        revision=lookup("datasets/{dataset}/source/revision", within=SETTINGS),
        text_column=lookup("datasets/{dataset}/text_column", within=SETTINGS),
        checksums=lambda wildcards, input: (),
    shell:
        "python {params.script:q} --url {params.url:q}"


rule link_shard:
    """Check a local parquet file and link to it."""
    input:
        **code("link_shard.py"),
        file=location,
    output:
        shard=f"{SHARDS}/{{shard}}.parquet",
        metadata=f"{SHARDS}/{{shard}}.json",
    log:
        "logs/{dataset}/shards/{shard}.link.log",
    benchmark:
        "logs/{dataset}/shards/{shard}.link.tsv"
    wildcard_constraints:
        dataset=any_of(datasets_from("local")),
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=1000,
    params:
        text_column=lookup("datasets/{dataset}/text_column", within=SETTINGS),
    shell:
        "python {input.script:q} --file {input.file:q} --text-column {params.text_column:q}"
        " --output {output.shard:q} --metadata {output.metadata:q} |& tee -i {log:q}"


rule list_shards:
    """Write the table of all shards of a dataset."""
    input:
        **code("list_shards.py"),
        metadata=metadata_of_all,
    output:
        "results/{dataset}/shards.csv",
    log:
        "logs/{dataset}/shards.log",
    conda:
        "../envs/nanosnake.yaml"
    params:
        folder=SHARDS,
        train=train_names,
        validation=validation_names,
    shell:
        "python {input.script:q} --metadata {params.folder:q} --train {params.train:q}"
        " --validation {params.validation:q} --output {output:q} |& tee -i {log:q}"
