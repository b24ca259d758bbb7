"""Validation: sampled documents, one verdict file per check, and a gate before the expensive stages."""

from check_tokenizer import CheckTokenizer
from decide_gate import DecideGate
from record_figures import RecordFigures
from sample_documents import SampleDocuments


rule sample_documents:
    """Draw documents of a split; every check looks at the same ones."""
    input:
        code=code(SampleDocuments),
        shards=datasets.sampled,
    output:
        layout.SAMPLES,
    log:
        log_of(layout.SAMPLES),
    benchmark:
        benchmark_of(layout.SAMPLES)
    wildcard_constraints:
        dataset=any_of(datasets.plain()),
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=1000,
    params:
        options=datasets.sample,
    shell:
        command(SampleDocuments, "{params.options}", output="output")


rule check_tokenizer:
    """Run one check on a tokenizer; only the gate acts on its verdict."""
    input:
        code=code.of_each(CheckTokenizer, "nanosnake.checks.{check}", check=tokenizers.checks()),
        tokenizer=rules.export_tokenizer.output,
        texts=tokenizers.texts(),
        samples=datasets.of_parts(*expand(layout.SAMPLES, split=["train", "validation"], allow_missing=True)),
        others=tokenizers.check_inputs,
    output:
        report(
            layout.VERDICT,
            caption="../report/verdict.rst",
            category="{dataset}",
            subcategory="{tokenizer}",
            labels={"check": "{check}"},
        ),
    log:
        log_of(layout.VERDICT),
    benchmark:
        benchmark_of(layout.VERDICT)
    wildcard_constraints:
        check=any_of(tokenizers.checks_of_texts()),
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=2000,
    params:
        options=tokenizers.check,
        folder=folder_of("tokenizer"),
        texts=CONFIG.evaluation.text_folders,
    shell:
        command(
            CheckTokenizer,
            "{params.options}",
            tokenizer="params.folder",
            texts="params.texts",
            samples="input.samples",
            output="output",
        )


# Looks at the counts of the whole training text, so it is not a light job.
use rule check_tokenizer as check_corpus with:
    wildcard_constraints:
        check=any_of(tokenizers.checks_of_the_corpus()),
    threads: 2
    resources:
        mem_mb=by_name("check", {"stability": memory(4000, per_input_mb=60)}, memory(2000)),
        runtime=by_name("check", {"stability": minutes(60, per_input_gb=2000)}, minutes(30)),


rule decide_gate:
    """Open the gate to the expensive stages, unless a blocking check has failed."""
    input:
        code=code(DecideGate),
        tokenizer=rules.export_tokenizer.output,
        verdicts=expand(layout.VERDICT, check=tokenizers.checks(), allow_missing=True),
    output:
        layout.GATE,
    log:
        log_of(layout.GATE),
    benchmark:
        benchmark_of(layout.GATE)
    conda:
        "../envs/nanosnake.yaml"
    params:
        folder=folder_of("tokenizer"),
    shell:
        command(DecideGate, tokenizer="params.folder", verdicts="input.verdicts", output="output")


rule record_figures:
    """Collect the figures of this state, and add them to the history, which no run deletes."""
    input:
        code=code(RecordFigures),
        tokenizer=rules.export_tokenizer.output,
        verdicts=rules.decide_gate.input.verdicts,
    output:
        layout.FIGURES,
    log:
        log_of(layout.FIGURES),
    benchmark:
        benchmark_of(layout.FIGURES)
    conda:
        "../envs/nanosnake.yaml"
    params:
        folder=folder_of("tokenizer"),
        history=layout.HISTORY,
    shell:
        command(
            RecordFigures,
            dataset="wildcards.dataset",
            tokenizer="params.folder",
            verdicts="input.verdicts",
            history="params.history",
            output="output",
        )
