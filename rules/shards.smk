"""Shards: one parquet file each, checked, with a metadata file next to it."""

from download_shard import DownloadShard
from link_shard import LinkShard
from list_shards import ListShards
from make_demo_shard import MakeDemoShard
from make_shards import MakeShards


rule make_demo_shard:
    """Cut one shard out of the corpus that comes with the environment."""
    input:
        code=code(MakeDemoShard),
    output:
        shard=layout.SHARD,
        metadata=layout.SHARD_METADATA,
    log:
        log_of(layout.SHARD),
    benchmark:
        benchmark_of(layout.SHARD)
    wildcard_constraints:
        source=any_of(datasets.of_kind("embedded")),
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=memory(800),
        runtime=minutes(1),
    params:
        options=datasets.cut,
    shell:
        command(MakeDemoShard, "{params.options}", output="output.shard", metadata="output.metadata")


rule download_shard:
    """Fetch one shard; it gets its final name only after its size, checksum and text column have been verified.

    The downloader's code is not an input: a change in it must not refetch a whole data set.
    """
    input:
        checksums=datasets.checksums,
    output:
        shard=layout.SHARD,
        metadata=layout.SHARD_METADATA,
    log:
        log_of(layout.SHARD),
    benchmark:
        benchmark_of(layout.SHARD)
    wildcard_constraints:
        source=any_of(datasets.of_kind("url", "huggingface", "s3")),
    conda:
        "../envs/nanosnake.yaml"
    resources:
        downloads=1,
        mem_mb=memory(500),
        runtime=minutes(5),
    params:
        options=datasets.download,
    shell:
        command(
            DownloadShard,
            "{params.options}",
            memory_mb="resources.mem_mb",
            output="output.shard",
            metadata="output.metadata",
        )


rule link_shard:
    """Check a local parquet file and link to it."""
    input:
        code=code(LinkShard),
        file=datasets.location,
    output:
        shard=layout.SHARD,
        metadata=layout.SHARD_METADATA,
    log:
        log_of(layout.SHARD),
    benchmark:
        benchmark_of(layout.SHARD)
    wildcard_constraints:
        source=any_of(datasets.of_kind("local")),
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=memory(700, per_input_mb=4),
        runtime=minutes(0.5, per_input_gb=3),
    params:
        options=datasets.link,
        state=datasets.state,
    shell:
        command(
            LinkShard,
            "{params.options}",
            input="input.file",
            memory_mb="resources.mem_mb",
            output="output.shard",
            metadata="output.metadata",
        )


rule make_shards:
    """Read a file of text in another form, and write its documents as a shard."""
    input:
        code=code(MakeShards),
        files=datasets.to_read_for,
    output:
        shard=layout.SHARD,
        metadata=layout.SHARD_METADATA,
        records=layout.FILES_READ,
        left_out=layout.FILES_LEFT_OUT,
    log:
        log_of(layout.SHARD),
    benchmark:
        benchmark_of(layout.SHARD)
    wildcard_constraints:
        source=any_of(datasets.of_files(together=False)),
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=memory(1000),
        runtime=minutes(1, per_input_gb=10),
    params:
        options=datasets.make_one,
        state=datasets.state,
    shell:
        command(MakeShards, "{params.options}", records="output.records", left_out="output.left_out")


for source in datasets.of_files(together=True):

    rule:
        """Read the files of a source once, and distribute their documents over all of its shards."""
        name:
            f"make_shards_of_{source}"
        input:
            code=code(MakeShards),
            files=datasets.to_read(source),
        output:
            shards=datasets.made_together(source, layout.SHARD),
            metadata=datasets.made_together(source, layout.SHARD_METADATA),
            records=layout.FILES_READ.format(source=source, shard="all"),
            left_out=layout.FILES_LEFT_OUT.format(source=source, shard="all"),
        log:
            log_of(layout.FILES_READ.format(source=source, shard="all")),
        benchmark:
            benchmark_of(layout.FILES_READ.format(source=source, shard="all"))
        conda:
            "../envs/nanosnake.yaml"
        resources:
            mem_mb=memory(1000),
            runtime=minutes(1, per_input_gb=10),
        params:
            options=as_is(datasets.make(source)),
            state=datasets.state_together(source),
        shell:
            command(MakeShards, "{params.options}", records="output.records", left_out="output.left_out")


rule list_shards:
    """Write the table of all shards of a data set."""
    input:
        code=code(ListShards),
        metadata=datasets.metadata,
    output:
        report(layout.SHARD_TABLE, caption="../report/shards.rst", category="{dataset}"),
    log:
        log_of(layout.SHARD_TABLE),
    benchmark:
        benchmark_of(layout.SHARD_TABLE)
    wildcard_constraints:
        dataset=any_of(datasets.plain()),
    conda:
        "../envs/nanosnake.yaml"
    params:
        options=datasets.table,
    shell:
        command(ListShards, "{params.options}", output="output")
