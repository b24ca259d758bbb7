"""A tokenizer: merges learned from summed counts, and the artifacts that other tools read."""

from convert_tokenizer import ConvertTokenizer
from cut_merges import CutMerges
from export_tokenizer import ExportTokenizer
from nanosnake.exports.formats import TOKENIZER_FILES
from take_merges import TakeMerges
from train_tokenizer import TrainTokenizer


rule take_merges:
    """Take the merges of a tokenizer that was made elsewhere."""
    input:
        code=code(TakeMerges),
        source=tokenizers.source,
    output:
        layout.GIVEN,
    log:
        log_of(layout.GIVEN),
    benchmark:
        benchmark_of(layout.GIVEN)
    wildcard_constraints:
        tokenizer=any_of(tokenizers.taken()),
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=2000,
    params:
        options=tokenizers.take,
    shell:
        command(TakeMerges, "{params.options}", output="output")


rule train_tokenizer:
    """Learn the merges. One job whatever the size of the corpus: it needs only the summed counts.

    The merges of a base come first; for a tokenizer that was made elsewhere, no others are learned.
    """
    input:
        code=code(TrainTokenizer),
        counts=tokenizers.merged_counts,
        base=tokenizers.base,
    output:
        layout.MERGES,
    log:
        log_of(layout.MERGES),
    benchmark:
        benchmark_of(layout.MERGES)
    wildcard_constraints:
        tokenizer=any_of(tokenizers.trained()),
    conda:
        "../envs/nanosnake.yaml"
    threads: 8
    resources:
        mem_mb=memory(4000, per_input_mb=30),
        runtime=minutes(60, per_input_gb=120),
    params:
        options=tokenizers.train,
    shell:
        command(TrainTokenizer, "{params.options}", counts="input.counts", output="output", threads="threads")


rule cut_merges:
    """Take a smaller tokenizer of a sweep from the merges of its largest."""
    input:
        code=code(CutMerges),
        larger=tokenizers.larger_merges,
    output:
        layout.MERGES,
    log:
        log_of(layout.MERGES),
    benchmark:
        benchmark_of(layout.MERGES)
    wildcard_constraints:
        tokenizer=any_of(set(CONFIG.tokenizers) - set(tokenizers.trained())),
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=1000,
    params:
        options=tokenizers.cut,
    shell:
        command(CutMerges, "{params.options}", larger="input.larger", output="output")


rule export_tokenizer:
    """Write what other tools read: Hugging Face's format, tiktoken's ranks, and where it all came from."""
    input:
        code=code(ExportTokenizer),
        merges=layout.MERGES,
        counts=tokenizers.merged_counts,
        metadata=tokenizers.training_metadata,
        chat_template=tokenizers.chat_template,
    output:
        hugging_face=f"{layout.TOKENIZER_FOLDER}/tokenizer.json",
        hugging_face_config=f"{layout.TOKENIZER_FOLDER}/tokenizer_config.json",
        tiktoken=f"{layout.TOKENIZER_FOLDER}/tokenizer.tiktoken",
        meta=f"{layout.TOKENIZER_FOLDER}/meta.json",
    log:
        log_of(f"{layout.TOKENIZER}/export"),
    benchmark:
        benchmark_of(f"{layout.TOKENIZER}/export")
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=2000,
    params:
        options=tokenizers.export,
        folder=layout.TOKENIZER_FOLDER,
    shell:
        command(
            ExportTokenizer,
            "{params.options}",
            merges="input.merges",
            counts="input.counts",
            output="params.folder",
        )


for format, files in TOKENIZER_FILES.items():

    rule:
        """Write a tokenizer for another tool, if the configuration asks for it."""
        name:
            f"convert_tokenizer_{format}"
        input:
            code=code(ConvertTokenizer),
            tokenizer=rules.export_tokenizer.output,
        output:
            [f"{layout.TOKENIZER_FOLDER}/{file}" for file in files],
        log:
            log_of(f"{layout.TOKENIZER}/export_{format}"),
        benchmark:
            benchmark_of(f"{layout.TOKENIZER}/export_{format}")
        localrule: True
        conda:
            "../envs/nanosnake.yaml"
        resources:
            mem_mb=2000,
        params:
            folder=folder_of("tokenizer"),
            format=format,
        shell:
            command(
                ConvertTokenizer, tokenizer="params.folder", format="params.format", output="params.folder"
            )
