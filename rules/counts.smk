"""Counts of pre-tokens: per shard, in parallel; then summed for each selection of shards."""

from count_pretokens import CountPretokens
from merge_counts import MergeCounts
from mix_counts import MixCounts


rule count_pretokens:
    """Count the pre-tokens of a shard: nearly all of a tokenizer's work, done once per shard and pattern."""
    input:
        code=code(CountPretokens),
        shard=layout.SHARD,
    output:
        layout.SHARD_COUNTS,
    log:
        log_of(layout.SHARD_COUNTS),
    benchmark:
        benchmark_of(layout.SHARD_COUNTS)
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=memory(1000, per_input_mb=12),
        runtime=minutes(0.5, per_input_gb=3),
    params:
        options=tokenizers.count,
    shell:
        command(CountPretokens, "{params.options}", shard="input.shard", output="output", threads="threads")


rule merge_counts:
    """Sum the counts of a selection of shards."""
    input:
        code=code(MergeCounts),
        counts=tokenizers.counts,
        shards=tokenizers.shards_to_recount,
    output:
        layout.MERGED_COUNTS,
    log:
        log_of(layout.MERGED_COUNTS),
    benchmark:
        benchmark_of(layout.MERGED_COUNTS)
    wildcard_constraints:
        dataset=any_of(datasets.plain()),
    conda:
        "../envs/nanosnake.yaml"
    threads: 4
    resources:
        mem_mb=memory(4000, per_input_mb=1),
        runtime=minutes(30, per_input_gb=5),
    params:
        options=tokenizers.merge_counts,
    shell:
        command(MergeCounts, "{params.options}", output="output", threads="threads")


rule mix_counts:
    """Sum the counts of a mixture's parts, each weighted to have its share; nothing is recounted."""
    input:
        code=code(MixCounts),
        counts=tokenizers.counts_of_parts,
    output:
        counts=layout.MERGED_COUNTS,
        record=layout.MIXED,
    log:
        log_of(layout.MERGED_COUNTS),
    benchmark:
        benchmark_of(layout.MERGED_COUNTS)
    wildcard_constraints:
        dataset=any_of(datasets.mixtures()),
    conda:
        "../envs/nanosnake.yaml"
    threads: 4
    resources:
        mem_mb=memory(4000, per_input_mb=1),
        runtime=minutes(30, per_input_gb=5),
    params:
        options=tokenizers.mix_counts,
    shell:
        command(
            MixCounts,
            "{params.options}",
            counts="input.counts",
            output="output.counts",
            record="output.record",
            threads="threads",
        )
