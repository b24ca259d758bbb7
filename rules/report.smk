"""The report: one page per tokenizer that opens from disk. It is made whether or not the gate opens."""

from compare_tokenizers import CompareTokenizers
from make_model_report import MakeModelReport
from make_report import MakeReport
from measure_vocabulary_curve import MeasureVocabularyCurve
from train_model import TrainModel


rule measure_vocabulary_curve:
    """Measure smaller vocabularies, which are prefixes of the merges, on the validation documents."""
    input:
        code=code(MeasureVocabularyCurve),
        tokenizer=rules.export_tokenizer.output,
        samples=datasets.of_parts(*expand(layout.SAMPLES, split="validation", allow_missing=True)),
    output:
        layout.CURVE,
    log:
        log_of(layout.CURVE),
    benchmark:
        benchmark_of(layout.CURVE)
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=2000,
    params:
        folder=folder_of("tokenizer"),
        baselines=layout.BASELINES,
    shell:
        command(
            MeasureVocabularyCurve,
            tokenizer="params.folder",
            samples="input.samples",
            baseline_cache="params.baselines",
            output="output",
        )


rule make_report:
    """Write the page. From existing results this takes seconds and trains nothing."""
    input:
        code=code(MakeReport),
        texts=tokenizers.texts(),
        tokenizer=rules.export_tokenizer.output,
        verdicts=rules.decide_gate.input.verdicts,
        figures=rules.record_figures.output,
        curve=rules.measure_vocabulary_curve.output,
        shards=datasets.of_parts(layout.SHARD_TABLE),
    output:
        report(
            layout.TOKENIZER_PAGE,
            caption="../report/tokenizer.rst",
            category="{dataset}",
            labels={"tokenizer": "{tokenizer}"},
        ),
    log:
        log_of(layout.TOKENIZER_PAGE),
    benchmark:
        benchmark_of(layout.TOKENIZER_PAGE)
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=2000,
    params:
        folder=folder_of("tokenizer"),
        history=layout.HISTORY,
        benchmarks=layout.log_folder("results/{dataset}"),
        record=layout.record_of(log_of(layout.MERGES)),
        texts=CONFIG.evaluation.text_folders,
        baselines=layout.BASELINES,
    shell:
        command(
            MakeReport,
            dataset="wildcards.dataset",
            tokenizer="params.folder",
            verdicts="input.verdicts",
            curve="input.curve",
            shards="input.shards",
            history="params.history",
            benchmarks="params.benchmarks",
            record="params.record",
            texts="params.texts",
            baseline_cache="params.baselines",
            output="output",
        )


rule compare_tokenizers:
    """Write the page that compares tokenizers, such as those of a sweep, on the same texts."""
    input:
        code=code(CompareTokenizers),
        texts=tokenizers.texts(),
        tokenizers=tokenizers.compared,
        samples=datasets.of_parts(*expand(layout.SAMPLES, split="validation", allow_missing=True)),
    output:
        report(
            layout.COMPARISON,
            caption="../report/comparison.rst",
            category="{dataset}",
            labels={"comparison": "{comparison}"},
        ),
    log:
        log_of(layout.COMPARISON),
    benchmark:
        benchmark_of(layout.COMPARISON)
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=3000,
    params:
        options=tokenizers.compare,
        texts=CONFIG.evaluation.text_folders,
    shell:
        command(
            CompareTokenizers,
            "{params.options}",
            dataset="wildcards.dataset",
            samples="input.samples",
            texts="params.texts",
            output="output",
        )


rule make_model_report:
    """Write the page of a model: what it learned, the training run, what it writes."""
    input:
        code=code(MakeModelReport),
        trainer=code(TrainModel),
        training=rules.train_model.output.summary,
        metrics=rules.train_model.output.metrics,
        evaluation=rules.evaluate_model.output.evaluation,
        answers=rules.evaluate_model.output.answers,
    output:
        report(
            layout.MODEL_PAGE,
            caption="../report/model.rst",
            category="{dataset}",
            labels={"tokenizer": "{tokenizer}", "model": "{model}"},
        ),
    log:
        log_of(layout.MODEL_PAGE),
    benchmark:
        benchmark_of(layout.MODEL_PAGE)
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=2000,
    params:
        model=folder_of("evaluation"),
        benchmarks=layout.log_folder(layout.MODEL),
    shell:
        command(
            MakeModelReport,
            dataset="wildcards.dataset",
            tokenizer="wildcards.tokenizer",
            model="params.model",
            benchmarks="params.benchmarks",
            trainer="input.trainer",
            output="output",
        )
