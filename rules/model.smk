"""A model: trained on token shards, evaluated on the pinned validation shards, exported on request."""

from check_contamination import CheckContamination
from convert_core import ConvertCore
from convert_task import ConvertTask
from evaluate_model import EvaluateModel
from export_model import ExportModel
from find_overlap import FindOverlap
from keep_weights import KeepWeights
from nanosnake.exports.formats import MODEL_FILES
from plan_mixture import PlanMixture


rule find_overlap:
    """Find the items of a task that a training shard also contains; a new task needs no search for the others."""
    input:
        code=code(FindOverlap),
        tokenizer=models.tokenizer_files,
        tokens=layout.TOKEN_SHARD.replace("{split}", "train"),
        index=layout.TOKEN_INDEX.replace("{split}", "train"),
        task=models.task,
    output:
        layout.OVERLAP,
    log:
        log_of(layout.OVERLAP),
    benchmark:
        benchmark_of(layout.OVERLAP)
    wildcard_constraints:
        task=any_of(models.task_files),
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=memory(1000),
        runtime=minutes(1, per_input_gb=2),
    params:
        folder=folder_of("tokenizer"),
        options=models.find_overlap,
    shell:
        command(
            FindOverlap,
            "{params.options}",
            tokens="input.tokens",
            tokenizer="params.folder",
            output="output",
        )


rule check_contamination:
    """Sum up which task items are in the training text; with mode `block`, too many of them prevent the training."""
    input:
        code=code(CheckContamination),
        overlap=models.overlap,
    output:
        layout.CONTAMINATION,
    log:
        log_of(layout.CONTAMINATION),
    benchmark:
        benchmark_of(layout.CONTAMINATION)
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=1000,
    params:
        options=models.check_contamination,
    shell:
        command(CheckContamination, "{params.options}", output="output")


rule plan_mixture:
    """Plan what a model is trained on: the order of the blocks of a mixture's parts."""
    input:
        code=code(PlanMixture),
        tokenizer=models.tokenizer_files,
        train=models.train_tokens,
    output:
        layout.PLAN,
    log:
        log_of(layout.PLAN),
    benchmark:
        benchmark_of(layout.PLAN)
    wildcard_constraints:
        model=any_of(models.of_mixtures()),
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=minutes(30),
    params:
        options=models.plan_mixture,
        folder=folder_of("tokenizer"),
    shell:
        command(PlanMixture, "{params.options}", tokenizer="params.folder", output="output")


rule train_model:
    """Train a GPT. Its rolling checkpoints are not among the outputs, which Snakemake deletes before a rerun:
    a job that is killed and restarted resumes from the last one.

    A change to the trainer's code or this rule's text does not retrain; see `keeping.py` for what does.
    """
    input:
        recipe=layout.RECIPE,
        code=models.followed_code,
        gate=ancient(tokenizers.gate),
        tokenizer=models.tokenizer_files,
        train=models.train_tokens,
        validation=models.validation_tokens,
        plan=of_model(models.plan_of),
        parent=of_model(models.parent_of),
        contamination=ancient(of_model(models.contamination_of)),
    output:
        weights=layout.WEIGHTS,
        model=f"{layout.MODEL}/model.json",
        metrics=f"{layout.MODEL}/metrics.jsonl",
        summary=f"{layout.MODEL}/training.json",
    log:
        log_of(f"{layout.MODEL}/train"),
    benchmark:
        benchmark_of(f"{layout.MODEL}/train")
    conda:
        "../envs/nanosnake.yaml"
    threads: 64
    resources:
        mem_mb=memory(16000),
        runtime=minutes(1440),
        nodes=1,
        processes=1,
    params:
        command=models.train,
    shell:
        RECORDED.format("{params.command}")


rule keep_weights:
    """Take the weights that a training run kept after an intermediate step, for a model that begins with them."""
    input:
        code=code(KeepWeights),
        weights=layout.WEIGHTS,
    output:
        weights=layout.KEPT,
        model=layout.KEPT.replace("model.safetensors", "model.json"),
    log:
        log_of(layout.KEPT),
    benchmark:
        benchmark_of(layout.KEPT)
    wildcard_constraints:
        model=any_of(models.keepers()),
        step=r"\d+",
    localrule: True
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=500,
    params:
        options=models.keep,
        model=folder_of("weights"),
        folder=lambda wildcards, output: str(Path(output.weights).parent),
    shell:
        command(KeepWeights, "{params.options}", model="params.model", output="params.folder")


rule evaluate_model:
    """Measure bits per byte on the pinned validation shards, by document; samples, tasks, rare tokens."""
    input:
        code=code(EvaluateModel),
        weights=layout.WEIGHTS,
        model=rules.train_model.output.model,
        tokenizer=models.tokenizer_files,
        validation=models.validation_tokens,
        train=models.train_tokens,
        plan=of_model(models.plan_of),
        contamination=of_model(models.contamination_of),
        parent=of_model(models.parent_in_conversations),
        extra=models.evaluation_inputs,
    output:
        evaluation=layout.EVALUATION,
        nats=layout.NATS,
        answers=layout.ANSWERS,
    log:
        log_of(layout.EVALUATION),
    benchmark:
        benchmark_of(layout.EVALUATION)
    conda:
        "../envs/nanosnake.yaml"
    threads: 64
    resources:
        mem_mb=memory(16000),
        runtime=minutes(120),
        nodes=1,
        processes=1,
    params:
        options=models.evaluate,
        folder=folder_of("tokenizer"),
        model=folder_of("weights"),
    shell:
        command(
            EvaluateModel,
            "{params.options}",
            launcher=launcher("{resources.nodes}", "{resources.processes}"),
            model="params.model",
            tokenizer="params.folder",
            out="output.evaluation",
        )


if CONFIG.evaluation.core is not None:

    rule convert_core:
        """Convert CORE's bundle to task files, with the items in nanochat's order."""
        input:
            code=code(ConvertCore),
            bundle=models.core_bundle,
        output:
            models.core_tasks(),
        log:
            log_of(f"{layout.CORE_TASKS}/convert"),
        benchmark:
            benchmark_of(f"{layout.CORE_TASKS}/convert")
        localrule: True
        conda:
            "../envs/nanosnake.yaml"
        resources:
            mem_mb=2000,
            downloads=1,
        params:
            options=models.convert_core,
            folder=layout.CORE_TASKS,
        shell:
            command(ConvertCore, "{params.options}", out="params.folder")


rule convert_task:
    """Convert a published data set to a task file."""
    input:
        code=code(ConvertTask),
        files=models.published_files,
    output:
        layout.PUBLISHED_TASK,
    log:
        log_of(layout.PUBLISHED_TASK),
    benchmark:
        benchmark_of(layout.PUBLISHED_TASK)
    wildcard_constraints:
        task=any_of(CONFIG.evaluation.published),
    localrule: True
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=2000,
        downloads=1,
    params:
        options=models.convert_task,
    shell:
        command(ConvertTask, "{params.options}", out="output")


MODELING = repository_path("scripts/nanosnake/exports/modeling_nanosnake.py")

for (format, architecture), files in MODEL_FILES.items():

    rule:
        """Write a model with its tokenizer for another tool, if the configuration asks for it."""
        name:
            f"export_model_{format}_{architecture}"
        input:
            code=code(ExportModel),
            weights=layout.WEIGHTS,
            model=rules.train_model.output.model,
            tokenizer=models.tokenizer_files,
            evaluation=[layout.EVALUATION] if format == "transformers" else [],
            modeling=MODELING if "modeling_nanosnake.py" in files else [],
        output:
            [f"{layout.MODEL_EXPORT.replace('{format}', format)}/{file}" for file in files],
        log:
            log_of(layout.MODEL_EXPORT.replace("{format}", format)),
        benchmark:
            benchmark_of(layout.MODEL_EXPORT.replace("{format}", format))
        wildcard_constraints:
            model=any_of(models.of_architecture(architecture)),
        localrule: True
        conda:
            "../envs/nanosnake.yaml"
        resources:
            mem_mb=memory(2000, per_input_mb=4),
        params:
            folder=folder_of("tokenizer"),
            model=folder_of("weights"),
            export=layout.MODEL_EXPORT.replace("{format}", format),
            format=format,
            options=models.card if format == "transformers" else "",
        shell:
            command(
                ExportModel,
                "{params.options}",
                model="params.model",
                tokenizer="params.folder",
                format="params.format",
                out="params.export",
            )
