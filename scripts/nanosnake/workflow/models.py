"""Models: the tokens that each is trained and evaluated on, and how."""

from __future__ import annotations

import shlex
from functools import cached_property
from pathlib import Path
from typing import Any

from check_contamination import CheckContamination
from convert_core import ConvertCore
from convert_task import ConvertTask
from evaluate_model import EvaluateModel
from export_model import ExportModel
from find_overlap import FindOverlap
from keep_weights import KeepWeights
from nanosnake import layout
from nanosnake.config import GPT, Config
from nanosnake.config.models import CORE_TASKS
from nanosnake.evaluation.items import data_file
from nanosnake.exports.formats import MODEL_FILES
from nanosnake.naming import compact, expand, short_hash
from nanosnake.stages import words
from nanosnake.training.config import TrainOptions
from nanosnake.training.recipe import DECISIVE
from nanosnake.workflow.shell import Wildcards, from_anywhere, launcher, script
from nanosnake.workflow.tokenizers import Tokenizers
from plan_mixture import PlanMixture
from train_model import TrainModel

OF_A_MODEL = (
    *("model.safetensors", "model.json", "metrics.jsonl", "training.json", "evaluation.json"),
    *("nats.parquet", "answers.parquet", "report/index.html"),
)

NOT_OPTIONS = {"tokenizer", "dataset", "parent", "options", "prompts", "tasks", "exports", "contamination"}
"""Keys of a model that are not options of its training."""


class Models:
    """Provides what the rules of models need."""

    def __init__(self, config: Config, tokenizers: Tokenizers) -> None:
        self.config, self.tokenizers = config, tokenizers

    def of(self, wildcards: Wildcards) -> GPT:
        """Return the settings of a model."""
        return self.config.models[wildcards.model]

    def each(self, pattern: str) -> list[str]:
        """Return a file of each model."""
        return [self._path(pattern, name) for name in self.config.models]

    def evaluated(self, pattern: str) -> list[str]:
        """Return a file of each model that was trained and evaluated."""
        results = zip(self.each(pattern), self.each(layout.EVALUATION), strict=True)
        return [file for file, evaluation in results if Path(evaluation).exists()]

    def home(self, name: str) -> str:
        """Return the folder of a model."""
        return self._path(layout.MODEL, name)

    def checkpoints_of(self, name: str) -> str:
        """Return the folder of a model's checkpoints."""
        return self._path(layout.CHECKPOINTS, name)

    def recipe_of(self, name: str) -> str:
        """Return the file of the options that were given for a model."""
        return self._path(layout.RECIPE, name)

    def _path(self, pattern: str, name: str) -> str:
        tokenizer = self.config.models[name].tokenizer
        return pattern.format(dataset=self.config.dataset_of(name), tokenizer=tokenizer, model=name)

    def token_files(self, name: str, split: str) -> list[str]:
        """Return the token shards of a split that a model is trained or evaluated on."""
        return self.tokenizers.token_shards(
            self.config.models[name].tokenizer, self.config.dataset_of(name), split
        )

    def files(self, name: str) -> list[str]:
        """Return all that is made from a model."""
        kept = [f"steps/{step}/{file}" for step in self.config.models[name].keep for file in OF_A_MODEL[:2]]
        files = [f"{self.home(name)}/{file}" for file in (*OF_A_MODEL, *kept)]
        return [*files, *self.plan_of(name), *self.contamination_of(name), *self.export(name)]

    def of_mixtures(self) -> list[str]:
        """Return the names of the models that are trained on a mixture."""
        return [name for name in self.config.models if self.plan_of(name)]

    def plan_of(self, name: str) -> list[str]:
        """Return the plan that a model is trained by, if it is trained on a mixture."""
        return [self._path(layout.PLAN, name)] if self.config.mixture(self.config.dataset_of(name)) else []

    def plan_mixture(self, wildcards: Wildcards) -> str:
        """Return the options that plan what a model is trained on."""
        model, mixture = self.of(wildcards), self.config.mixture(wildcards.dataset)
        assert mixture is not None
        return words(
            PlanMixture,
            parts=mixture.part_names,
            shares=mixture.shares,
            temperature=mixture.temperature,
            max_epochs=mixture.max_epochs,
            train=self._words(wildcards, "train"),
            **vars(model.shape),
            **model.options.model_dump(include={"steps", "global_batch", "tokens_per_parameter"}),
            seed=TrainOptions(**model.options.model_dump()).seed_of_order,
        )

    def export(self, name: str) -> list[str]:
        """Return the files of a model's folder for others, where the configuration asks for one."""
        model = self.config.models[name]
        return [
            f"{self.home(name)}/export/{format}/{file}"
            for format in model.exports
            for file in MODEL_FILES[format, model.shape.architecture]
        ]

    def of_architecture(self, architecture: str) -> list[str]:
        """Return the names of the models of an architecture."""
        return [
            name for name, model in self.config.models.items() if model.shape.architecture == architecture
        ]

    def parent_of(self, name: str) -> list[str]:
        """Return the weights that a model begins with, unless they are random."""
        begins = self.config.models[name].begins
        if begins is None:
            return []
        parent, step = begins
        return [
            self._path(layout.WEIGHTS if step is None else layout.KEPT.replace("{step}", str(step)), parent)
        ]

    def keepers(self) -> list[str]:
        """Return the names of the models that keep weights of intermediate steps."""
        return [name for name, model in self.config.models.items() if model.keep]

    def keep(self, wildcards: Wildcards) -> str:
        """Return the options that take the weights of a step."""
        return words(
            KeepWeights, checkpoints=Path(self.checkpoints_of(wildcards.model)), step=int(wildcards.step)
        )

    def parent_in_conversations(self, name: str) -> list[str]:
        """Return the same if it is trained on conversations, because the answers of the two are compared."""
        return self.parent_of(name) if self.config.has_conversations(self.config.dataset_of(name)) else []

    def train_tokens(self, wildcards: Wildcards) -> list[str]:
        """Return the token shards that a model is trained on, with their indexes."""
        return self._tokens(wildcards, "train")

    def validation_tokens(self, wildcards: Wildcards) -> list[str]:
        """Return the token shards that a model is evaluated on, with their indexes."""
        return self._tokens(wildcards, "validation")

    def _tokens(self, wildcards: Wildcards, split: str) -> list[str]:
        return [
            f"{file}{ending}"
            for part in self.config.parts(wildcards.dataset)
            for file in self.tokenizers.token_shards(wildcards.tokenizer, part, split)
            for ending in ("", ".index", *((".mask",) if self.config.has_conversations(part) else ()))
        ]

    def _words(self, wildcards: Wildcards, split: str) -> tuple[str, ...]:
        return self.tokenizers.token_words(wildcards.tokenizer, wildcards.dataset, split)

    def tokenizer_files(self, wildcards: Wildcards) -> list[str]:
        """Return the files that a tokenizer is loaded from."""
        folder = f"{self.tokenizers.home(wildcards.tokenizer)}/tokenizer"
        names = ("tokenizer.json", "tokenizer_config.json", "tokenizer.tiktoken", "meta.json")
        return [f"{folder}/{name}" for name in names]

    def followed_code(self, wildcards: Wildcards) -> list[str]:
        """Return the file of the trainer's code, if a model is retrained when that has changed."""
        return [f"{layout.CODE}/{TrainModel.__module__}.sha256"] if self.of(wildcards).follow_code else []

    def given(self, name: str) -> set[str]:
        """Return the names of the decisive options that the configuration sets for a model."""
        model = self.config.models[name]
        named: set[str] = model.model_fields_set | model.options.model_fields_set
        return named & set(DECISIVE)

    def train(self, wildcards: Wildcards, input: Any, resources: Any) -> str:
        """Return the command that trains a model.

        Snakemake does not rerun a job for a parameter made from inputs: a change in the words of the command, or in
        the rule, retrains nothing.
        """
        model, name = self.of(wildcards), wildcards.model
        options = words(
            TrainModel,
            train=self._words(wildcards, "train"),
            validation=self._words(wildcards, "validation"),
            plan=next(map(Path, self.plan_of(name)), None),
            parent=next(map(Path, self.parent_of(name)), None),
            tokenizer=Path(input.tokenizer[0]).parent,
            checkpoints=Path(self.checkpoints_of(name)),
            out=Path(self.home(name)),
            given=sorted(self.given(name)),
            recipe=Path(self.recipe_of(name)),
            **model.model_dump(exclude=NOT_OPTIONS),
            **model.options.model_dump(exclude_defaults=True),
        )
        return f"{launcher(resources.nodes, resources.processes)} {shlex.quote(script(TrainModel))} {options}"

    # Items of tasks that are in the training text

    def _tasks(self, name: str) -> dict[str, str]:
        """Return the task files of a model that are looked for in its training text, by what their folder is called."""
        model = self.config.models[name]
        places = [] if model.contamination.mode == "off" else model.tasks
        files = [file for place in places for file in self.config.task_files(place)]
        return {f"{Path(file).stem}-{short_hash(from_anywhere(file))}": file for file in files}

    @cached_property
    def task_files(self) -> dict[str, str]:
        """The task files of all models."""
        return {task: file for name in self.config.models for task, file in self._tasks(name).items()}

    def task(self, wildcards: Wildcards) -> list[str]:
        """Return a task file, and the file of its items if there is one."""
        return self._with_data(self.task_files[wildcards.task])

    def _with_data(self, file: str) -> list[str]:
        made = [self.config.task_place(place) for place in (CORE_TASKS, *self.config.evaluation.published)]
        data = None if file in made or str(Path(file).parent) in made else data_file(Path(file))
        return [file, *([str(data)] if data else [])]

    def find_overlap(self, wildcards: Wildcards) -> str:
        """Return the option that names a task file."""
        return words(FindOverlap, task=Path(self.task_files[wildcards.task]))

    def _overlap_words(self, wildcards: Wildcards) -> list[tuple[str, str]]:
        """Return the name of a task and the overlap files of it in a word, for each part of the training text.

        What the models were trained on that a model began with is training text of its own.
        """
        datasets = self._trained_on(wildcards.model)
        parts = dict.fromkeys(part for dataset in datasets for part in self.config.parts(dataset))
        return [
            (
                Path(file).stem,
                layout.OVERLAP.format(
                    dataset=part,
                    tokenizer=wildcards.tokenizer,
                    task=task,
                    shard=compact(self.config.datasets[part].train_shards),
                ),
            )
            for task, file in self._tasks(wildcards.model).items()
            for part in parts
        ]

    def overlap(self, wildcards: Wildcards) -> list[str]:
        """Return the overlap files of all tasks and training shards of a model."""
        paths = [Path(word) for _, word in self._overlap_words(wildcards)]
        return [
            str(path.with_name(f"{name}.json"))
            for path in paths
            for name in expand(path.name.removesuffix(".json"))
        ]

    def check_contamination(self, wildcards: Wildcards) -> str:
        """Return the options that sum up which items the training text contains."""
        pairs, settings = self._overlap_words(wildcards), self.of(wildcards).contamination
        return words(
            CheckContamination,
            **settings.model_dump(),
            tasks=[task for task, _ in pairs],
            overlap=[word for _, word in pairs],
        )

    def contamination_of(self, name: str) -> list[str]:
        """Return the file of what is in the training text, if a model has tasks that are looked for."""
        return [self._path(layout.CONTAMINATION, name)] if self._tasks(name) else []

    def evaluate(self, wildcards: Wildcards) -> str:
        """Return the options of what a model is evaluated on."""
        model, name, evaluation = self.of(wildcards), wildcards.model, self.config.evaluation
        return words(
            EvaluateModel,
            validation=self._words(wildcards, "validation"),
            # how often a model saw each token is not in its own shards, if it began with another's weights
            train=() if self.parent_of(name) else self._words(wildcards, "train"),
            plan=next(map(Path, self.plan_of(name)), None),
            parts=self.config.parts(wildcards.dataset) if self.config.mixture(wildcards.dataset) else (),
            parent=next((Path(path).parent for path in self.parent_in_conversations(name)), None),
            prompts=model.prompts,
            tasks=[Path(self.config.task_place(place)) for place in model.tasks],
            contamination=next(map(Path, self.contamination_of(name)), None),
            max_items=evaluation.max_items if model.tasks else 0,
            task_context=evaluation.task_context if model.tasks else 0,
        )

    def card(self, wildcards: Wildcards) -> str:
        """Return the option with what the card of an exported model says about its data and tokenizer."""
        config = self.config.model_dump(mode="json")
        trained_on = self._trained_on(wildcards.model)
        datasets = dict.fromkeys(name for one in trained_on for name in (one, *self.config.parts(one)))
        said = {
            "name": wildcards.model,
            "datasets": [{"name": name, "settings": config["datasets"][name]} for name in datasets],
            "tokenizer": {
                "name": wildcards.tokenizer,
                "settings": config["tokenizers"][wildcards.tokenizer],
            },
        }
        return words(ExportModel, settings=said)

    def _trained_on(self, model: str) -> list[str]:
        """Return the data sets that a model and those it began with were trained on, the newest first."""
        return [self.config.dataset_of(name) for name in self.config.lineage(model)]

    def evaluation_inputs(self, wildcards: Wildcards) -> list[str]:
        """Return the files of prompts and tasks that a model is evaluated with."""
        model = self.of(wildcards)
        files = [file for place in model.tasks for file in self.config.task_files(place)]
        return [
            *([model.prompts] if model.prompts else []),
            *(path for file in files for path in self._with_data(file)),
        ]

    def core_tasks(self) -> list[str]:
        """Return the files of CORE's tasks."""
        return self.config.task_files(CORE_TASKS)

    def published_files(self, wildcards: Wildcards) -> list[str]:
        """Return the files on this machine that a task is made from."""
        return [file for file in self.config.evaluation.published[wildcards.task].files if "://" not in file]

    def convert_task(self, wildcards: Wildcards) -> str:
        """Return the options that make a task of a published data set."""
        task = self.config.evaluation.published[wildcards.task]
        downloads = {} if self.published_files(wildcards) else self.config.downloads.model_dump()
        given = task.model_dump(exclude={"source"})
        return words(ConvertTask, files=task.files, sha256=task.sha256, **given, **downloads)

    def core_bundle(self, wildcards: Wildcards) -> list[str]:
        """Return the files on this machine that CORE's task files are made from."""
        core = self.config.evaluation.core
        assert core is not None
        inside = sorted(str(path) for path in Path(core.bundle).rglob("*") if path.is_file())
        return [*([] if core.is_url else inside or [core.bundle]), *core.table]

    def convert_core(self, wildcards: Wildcards) -> str:
        """Return the options that make CORE's task files."""
        core = self.config.evaluation.core
        assert core is not None
        downloads = self.config.downloads.model_dump() if core.is_url else {}
        return words(ConvertCore, **core.model_dump(), **downloads)
