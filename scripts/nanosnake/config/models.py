"""What a user studies: datasets, tokenizers, checks. Threads, memory and partitions are set elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, PrivateAttr, ValidationInfo, field_validator, model_validator

from nanosnake import layout
from nanosnake.config.base import FilePath, Model, Name, find_path, wrong
from nanosnake.config.bases import with_bases
from nanosnake.config.checks import Checks
from nanosnake.config.datasets import Dataset
from nanosnake.config.ladders import Comparison, Ladder, ladder_models, whole
from nanosnake.config.parents import with_parents
from nanosnake.config.s3 import Publish
from nanosnake.config.sources import HubSource, LocalSource, MixtureSource
from nanosnake.config.sweeps import expand
from nanosnake.config.tokenizers import AnyTokenizer, TokenizerComparison
from nanosnake.config.training import GPT
from nanosnake.evaluation.core import BUNDLED, CORE, Bundled
from nanosnake.naming import selection_name
from nanosnake.provenance.code import REPOSITORY
from nanosnake.tokenizer import conversations

CORE_TASKS = "core"
"""The value of `tasks` for the tasks of CORE's bundle."""


def _url_or_path(value: str) -> str:
    return value if "://" in value else find_path(value)


class CoreBundle(Model):
    """The published bundle of CORE's tasks."""

    bundle: Annotated[str, Field(min_length=1), AfterValidator(_url_or_path)]
    """URL, zip file or folder."""
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    """SHA-256 of the zip file behind a URL."""
    baselines: Bundled | FilePath = "corrected"
    """Random baselines: the bundle's with DCLM's corrections, the bundle's as in nanochat, or a table of your own."""

    @property
    def is_url(self) -> bool:
        """Whether the bundle is downloaded."""
        return self.bundle.startswith(("https://", "http://"))

    @property
    def table(self) -> list[str]:
        """The table of random baselines, if it is not the bundle's."""
        return [] if self.baselines in BUNDLED else [self.baselines]

    @model_validator(mode="after")
    def _a_download_has_a_hash(self) -> Self:
        if self.is_url and self.sha256 is None:
            raise wrong(
                "sha256", None, "a bundle behind a URL needs its SHA-256; download it once to compute that"
            )
        return self


class PublishedTask(Model):
    """A task made from a published data set."""

    source: Annotated[HubSource | LocalSource, Field(discriminator="kind")]
    """Its parquet files: a whole split, or a folder."""
    form: Literal["gsm8k", "arc", "mmlu"]
    """Kind of the data set's rows."""
    chat: bool = False
    """Ask in conversations, as nanochat does, instead of in text that a base model continues."""
    few_shot: Annotated[int, Field(ge=0)] = 0
    """Number of solved items shown before each question, drawn from the others."""
    max_items: Annotated[int, Field(ge=0)] = 0
    """Number of items to ask, the first ones in nanochat's order; 0: all."""
    max_tokens: Annotated[int, Field(ge=1)] = 512
    """Maximum length of a written answer, in tokens."""

    @property
    def files(self) -> list[str]:
        """URLs or paths of the parquet files."""
        every = "*" if isinstance(self.source, LocalSource) else [*range(len(self.source.listing.files))]
        return list(self.source.locations(every).values())

    @property
    def sha256(self) -> list[str]:
        """Hash of each file, if the hub provides them."""
        listed = [] if isinstance(self.source, LocalSource) else self.source.listing.files
        found = [file.sha256 for file in listed if file.sha256]
        return found if len(found) == len(listed) else []

    @model_validator(mode="after")
    def _can_be_made(self) -> Self:
        if self.chat and self.few_shot:
            raise wrong(
                "few_shot",
                self.few_shot,
                "a conversation has no solved items before it; leave one of the two out",
            )
        if not self.files:
            raise wrong("source", self.source, "has no files")
        return self


class Evaluation(Model):
    """What the checks look at, and the tasks that models answer."""

    texts: FilePath | None = None
    """Folder of your own .txt files, in addition to the built-in ones."""
    built_in_texts: bool = True
    """Whether the checks use the texts that come with the workflow."""
    parallel: FilePath | None = None
    """Folder of parallel text for the check of languages: one file per language, such as `deu_Latn.txt`, one sentence
    per line, in the same order in all; null: Django's message catalogues, if that package is installed."""
    sampled_documents: Annotated[int, Field(ge=1, le=100_000)] = 200
    """Number of documents sampled from the training shards, and from the validation shards."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed that decides which documents are sampled."""

    max_items: Annotated[int, Field(ge=0)] = 0
    """Items that a model answers of each task, the first ones, as in nanochat; 0: all."""
    task_context: Annotated[int, Field(ge=0)] = 0
    """Last tokens of a task's prompt that a model sees; 0: all, as nanochat's own models, even beyond the sequence
    length of training."""
    core: CoreBundle | None = None
    """CORE's bundle: models with `tasks: core` are evaluated on it."""
    published: dict[Name, PublishedTask] = Field(default_factory=dict)
    """Tasks that are made from published data sets, by the name that models give in `tasks`."""

    @property
    def text_folders(self) -> list[str]:
        """Folders of evaluation texts, the built-in ones first."""
        ours = os.path.relpath(REPOSITORY / "resources/texts")
        folders = [ours] if self.built_in_texts else []
        if self.texts is not None and Path(self.texts).resolve() != Path(ours).resolve():
            folders.append(self.texts)
        return folders


class Downloads(Model):
    """How downloads behave; the Snakemake resource `downloads` limits how many run at a time."""

    connect_timeout: Annotated[float, Field(gt=0)] = 10.0
    """Seconds to wait for a connection."""
    read_timeout: Annotated[float, Field(gt=0)] = 60.0
    """Seconds without data before an attempt fails."""
    retries: Annotated[int, Field(ge=0)] = 8
    """Retries after the first attempt."""


class Config(Model):
    """The whole configuration."""

    datasets: Annotated[dict[Name, Dataset], Field(min_length=1)]
    """Datasets by name."""
    tokenizers: Annotated[dict[Name, AnyTokenizer], Field(min_length=1)]
    """Tokenizers by name."""
    models: Annotated[dict[Name, GPT], Field(default_factory=dict)]
    """Models by name; if there are none, the run ends with the tokenizers."""
    ladders: Annotated[dict[Name, Ladder], Field(default_factory=dict)]
    """Ladders by name: models of several depths and seeds, which share all other settings."""
    comparisons: Annotated[dict[Name, Comparison], Field(default_factory=dict)]
    """Comparisons of two ladders by name, each with a claim."""
    tokenizer_comparisons: Annotated[dict[Name, TokenizerComparison], Field(default_factory=dict)]
    """Pages that compare tokenizers, by name; the documents are those of the first one's dataset."""
    evaluation: Evaluation = Field(default_factory=Evaluation)
    checks: Checks = Field(default_factory=Checks)
    downloads: Downloads = Downloads()
    publish: Publish | None = None
    """Where results are published; if absent, nothing is."""
    _members: dict[str, list[str]] = PrivateAttr(default_factory=dict)
    _made: set[str] = PrivateAttr(default_factory=set)

    @field_validator("tokenizers", mode="before")
    @classmethod
    def _lists_are_sweeps(cls, value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, dict):
            return value
        datasets = list(info.data.get("datasets", ()))
        return with_bases(expand(value), datasets[0] if len(datasets) == 1 else None)

    @field_validator("models", mode="before")
    @classmethod
    def _parents_are_followed(cls, value: Any) -> Any:
        return with_parents(value) if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _ladders_make_models(self) -> Self:
        """Add the models of the ladders, which are models like any other."""
        added, members = ladder_models(self.whole_ladders, self.models)
        self.models.update(added)
        self._members.update(members)
        self._made.update(added)
        return self

    @property
    def members(self) -> dict[str, list[str]]:
        """Names of the models of each ladder."""
        return self._members

    @property
    def made_by_ladders(self) -> set[str]:
        """Names of the models that are not in the configuration itself."""
        return self._made

    def task_place(self, place: str) -> str:
        """Return the file or folder of tasks that a model's `tasks` names."""
        if place in self.evaluation.published:
            return layout.PUBLISHED_TASK.format(task=place)
        return layout.CORE_TASKS if place == CORE_TASKS and self.evaluation.core is not None else place

    def task_files(self, place: str) -> list[str]:
        """Return the task files that a model's `tasks` names; some are made by rules."""
        path = Path(self.task_place(place))
        if str(path) == layout.CORE_TASKS:
            return [f"{path}/{name}.json" for name in sorted(CORE)]
        return [str(path)] if path.suffix == ".json" else sorted(map(str, path.glob("*.json")))

    def task_problems(self, places: Sequence[str], tokenizer: str | None) -> Iterator[str]:
        """Yield what is wrong with the `tasks` of a model with this tokenizer."""
        stems = [Path(file).stem for place in places for file in self.task_files(place)]
        for place in places:
            if self.task_place(place) == place and not Path(place).exists():
                hint = "; for CORE's tasks, set evaluation.core" if place == CORE_TASKS else ""
                if known := ", ".join(self.evaluation.published):
                    hint += f"; evaluation.published has {known}"
                yield f"{Path(place).resolve()} does not exist{hint}; got {place!r}"
            elif not self.task_files(place):
                yield f"{Path(place).resolve()} holds no task: neither NAME.json nor a folder of such; got {place!r}"
        if twice := sorted({stem for stem in stems if stems.count(stem) > 1}):
            yield f"two tasks are called {twice[0]!r}; rename one of them; got {list(places)}"
        published, own = self.evaluation.published, self.tokenizers.get(tokenizer or "")
        problem = own and conversations.problem(str(tokenizer), own.special_tokens)
        for place in places:
            if problem and place in published and published[place].chat:
                yield f"{problem}, or leave out chat; got {place!r}"

    @cached_property
    def whole_ladders(self) -> dict[str, Ladder]:
        """The ladders, completed with what they take from others."""
        return whole(self.ladders)

    @cached_property
    def sweeps(self) -> dict[str, list[str]]:
        """Names of the tokenizers of each sweep."""
        found: dict[str, list[str]] = {}
        for name, tokenizer in self.tokenizers.items():
            if tokenizer.sweep is not None:
                found.setdefault(tokenizer.sweep, []).append(name)
        return found

    @cached_property
    def compared(self) -> dict[str, TokenizerComparison]:
        """All comparisons of tokenizers by name: one for each sweep of several tokenizers, and those of the configuration."""
        found = {
            sweep: TokenizerComparison(tokenizers=names)
            for sweep, names in self.sweeps.items()
            if len(names) > 1
        }
        for name, comparison in self.tokenizer_comparisons.items():
            names = [one for given in comparison.tokenizers for one in self.sweeps.get(given, [given])]
            found[name] = comparison.model_copy(update={"tokenizers": list(dict.fromkeys(names))})
        return found

    def trained_as(self, name: str) -> str:
        """Return the tokenizer whose first merges a tokenizer takes: the largest of its sweep and pattern."""
        tokenizer = self.tokenizers[name]
        alike = [
            other
            for other in self.sweeps.get(tokenizer.sweep or "", [name])
            if self.tokenizers[other].pattern == tokenizer.pattern
        ]
        return max(alike, key=lambda other: self.tokenizers[other].num_merges)

    @cached_property
    def sources(self) -> dict[str, list[str]]:
        """Data sets of the same source and text column, by the name of the first of them: they share its shards.

        A mixture has no shards of its own and is not among them.
        """
        found: dict[str, list[str]] = {}
        for name in [one for one in self.datasets if not self.mixture(one)]:
            dataset = self.datasets[name]
            same = (first for first in found if self.datasets[first].reads_as(dataset))
            found.setdefault(next(same, name), []).append(name)
        return found

    def source_of(self, dataset: str) -> str:
        """Return the name of the source that a data set reads."""
        return self._source_of[dataset]

    @cached_property
    def _source_of(self) -> dict[str, str]:
        return {name: first for first, names in self.sources.items() for name in names}

    def mixture(self, dataset: str) -> MixtureSource | None:
        """Return what a data set mixes; None if it has shards of its own."""
        source = self.datasets[dataset].source
        return source if isinstance(source, MixtureSource) else None

    def parts(self, dataset: str) -> list[str]:
        """Return the data sets whose shards a data set has: itself, or those that it mixes."""
        mixture = self.mixture(dataset)
        return [dataset] if mixture is None else mixture.part_names

    def has_conversations(self, dataset: str) -> bool:
        """Return whether a data set, or a part of a mixture, has conversations."""
        return any(
            self.datasets[part].content == "conversations"
            for part in self.parts(dataset)
            if part in self.datasets
        )

    def dataset_of(self, model: str) -> str:
        """Return the name of the data set that a model is trained on."""
        settings = self.models[model]
        return settings.dataset or self.tokenizers[settings.tokenizer].dataset

    def lineage(self, model: str) -> list[str]:
        """Return the name of a model, and those of the models that it began with, the newest first."""
        begins = self.models[model].begins
        return [model, *([] if begins is None else self.lineage(begins[0]))]

    def dataset_of_ladder(self, ladder: str) -> str:
        """Return the name of the data set that a ladder's models are trained on."""
        settings = self.whole_ladders[ladder]
        return settings.dataset or self.tokenizers[str(settings.tokenizer)].dataset

    def training_shards(self, tokenizer: str) -> list[str]:
        """Return the names of the shards that a tokenizer learns from; none of its own if it learns from a mixture."""
        settings = self.tokenizers[tokenizer]
        dataset = self.datasets[settings.dataset]
        return dataset.train_shards if settings.shards is None else dataset.source.names(settings.shards)

    def selection(self, tokenizer: str) -> str:
        """Return the name of the merged counts that a tokenizer is trained on."""
        settings = self.tokenizers[tokenizer]
        return selection_name(
            None if settings.shards is None else self.training_shards(tokenizer),
            max_chars=settings.max_chars,
            min_count=settings.min_count,
        )
