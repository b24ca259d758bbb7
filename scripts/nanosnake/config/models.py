"""What a user studies: datasets, tokenizers, checks. Threads, memory and partitions are set elsewhere."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from nanosnake.config.base import FilePath, Model, Name, find_path, wrong
from nanosnake.config.bases import with_bases
from nanosnake.config.checks import Checks
from nanosnake.config.ladders import Comparison, Ladder, ladder_models, whole
from nanosnake.config.s3 import Publish
from nanosnake.config.sources import (
    FilesSource,
    LocalSource,
    MixtureSource,
    S3Source,
    ShardSpec,
    Source,
    UrlSource,
)
from nanosnake.config.sweeps import expand
from nanosnake.config.training import GPT
from nanosnake.crate import rustbpe
from nanosnake.exports.formats import TokenizerFormat, gguf_problem
from nanosnake.files import NanosnakeError
from nanosnake.naming import counting_name, selection_name
from nanosnake.provenance.code import REPOSITORY
from nanosnake.sources import parquet
from nanosnake.sources.formats import look
from nanosnake.tokenizer import BASELINE_NAMES, BaselineName
from nanosnake.tokenizer.conversion import header

NANOCHAT_SPECIAL_TOKENS = [
    "<|bos|>",
    "<|user_start|>",
    "<|user_end|>",
    "<|assistant_start|>",
    "<|assistant_end|>",
    "<|python_start|>",
    "<|python_end|>",
    "<|output_start|>",
    "<|output_end|>",
]
"""nanochat's nine special tokens."""

CORE_TASKS = "core"
"""The value of `tasks` for the tasks of CORE's bundle."""

VALIDATION = "validation"
"""Name of the shard for documents chosen by a hash."""


class HashSplit(Model):
    """Validation by a hash of each document's text: the same on every machine, whatever else is added."""

    by: Literal["hash"]
    fraction: Annotated[float, Field(gt=0, lt=1)]
    """Fraction of the documents that is not trained on; equal documents are on the same side."""


class Dataset(Model):
    """A named source and an explicit list of its training and validation shards."""

    source: Source
    text_column: Annotated[str, Field(min_length=1)] = "text"
    """Column that holds the documents."""
    license: str | None = None
    """Licence of the text, by Hugging Face's name for it (`cc-by-sa-4.0`), for model cards; known for the embedded
    corpus."""
    train: ShardSpec = Field(default_factory=list)
    """Training shards: numbers, ranges such as "0-239", lists; file names or globs for a local folder. A mixture uses
    those of its parts."""
    validation: Annotated[
        Annotated[HashSplit, Tag("hash")] | Annotated[ShardSpec, Tag("shards")],
        Discriminator(lambda value: "hash" if isinstance(value, dict | HashSplit) else "shards"),
    ] = Field(default_factory=list)
    """Validation shards, pinned: adding training shards never moves them; or {fraction: 0.01, by: hash} of documents."""

    @cached_property
    def validation_shards(self) -> list[str]:
        """Names of the validation shards, in order."""
        if isinstance(self.validation, HashSplit):
            return [VALIDATION]
        return self.source.names(self.validation)

    @cached_property
    def train_shards(self) -> list[str]:
        """Names of the training shards, in order. A glob takes what is not pinned for validation."""
        names = self.source.names(self.train)
        if isinstance(self.source, UrlSource | LocalSource | FilesSource | S3Source) and _has_glob(
            self.train
        ):
            return [name for name in names if name not in set(self.validation_shards)]
        return names

    def shards_of(self, split: str) -> list[str]:
        """Return the names of the shards of `train` or `validation`."""
        return self.train_shards if split == "train" else self.validation_shards

    @cached_property
    def locations(self) -> dict[str, str]:
        """URL or file of every shard, by name; empty for the embedded corpus."""
        if self.source.kind == "embedded":
            return {}
        if isinstance(self.validation, HashSplit):
            return self.source.locations(self.train)
        return self.source.locations(self.train) | self.source.locations(self.validation)

    @property
    def column(self) -> str:
        """Column of the shards that holds the documents."""
        return "text" if isinstance(self.source, FilesSource) else self.text_column

    @property
    def split(self) -> HashSplit | None:
        """How documents are split, if not by shards."""
        return self.validation if isinstance(self.validation, HashSplit) else None

    def look_at_text(self) -> None:
        """Look for the text column in the first file, if it is here.

        Raises:
            NanosnakeError: if the file has no such column.
        """
        if isinstance(self.source, FilesSource):
            from nanosnake.sources.formats.columns import Column  # these import PyArrow
            from nanosnake.sources.formats.peek import peek

            file = next(iter(self.locations.values()), self.source.files[0])
            peek(
                file,
                self.source.format or look.format_of(file),
                Column(self.text_column, self.source.template),
            )
        elif isinstance(self.source, LocalSource):
            file = next(iter(self.locations.values()))
            if Path(file).is_file():
                try:
                    parquet.row_groups(file, self.text_column)
                except parquet.WrongTextColumn:
                    raise
                except NanosnakeError:  # the shard's own job says what is wrong with the file
                    return

    def reads_as(self, other: Dataset) -> bool:
        """Return whether the shards of another data set are the same files, read in the same way."""
        return (self.source, self.text_column, self.split) == (other.source, other.text_column, other.split)

    @model_validator(mode="after")
    def _shards_are_sound(self) -> Self:
        if self.split and not (isinstance(self.source, FilesSource) and self.source.shards):
            raise wrong(
                "validation",
                "by: hash",
                "documents are split where shards are made: set kind: files and shards",
            )
        if isinstance(self.source, MixtureSource):
            for key in ("train", "validation", "text_column"):
                if key in self.model_fields_set:
                    raise wrong(key, getattr(self, key), "a mixture has that of its parts; leave the key out")
            return self
        for key in ("train", "validation"):
            spec = getattr(self, key)
            if key not in self.model_fields_set:
                raise wrong(key, None, "this key is required and absent; name at least one shard")
            try:
                names = getattr(self, f"{key}_shards")
            except PydanticCustomError:
                raise  # of the source's own key
            except ValueError as error:
                raise wrong(key, spec, str(error)) from error
            if not names:
                raise wrong(key, spec, "selects no shard; name at least one")
        if both := sorted(set(self.train_shards) & set(self.validation_shards)):
            raise wrong(
                "train",
                self.train,
                f"{both[0]} is pinned for validation; take it out of one of them, or every figure on "
                "validation text is too good",
            )
        return self


def _has_glob(spec: ShardSpec) -> bool:
    items = spec if isinstance(spec, list) else [spec]
    return any(isinstance(item, str) and any(c in item for c in "*?[") for item in items)


def one_or_list(schema: dict[str, Any]) -> WithJsonSchema:
    """Return the schema of a value that may be a list of values; what sees the model is always one."""
    return WithJsonSchema({"anyOf": [schema, {"type": "array", "items": schema, "minItems": 1}]})


class Counted(Model):
    """What every tokenizer has: text that it is checked with, and special tokens."""

    text_column: Annotated[str, Field(min_length=1)] | None = None
    """Column to learn from, if it is not the dataset's."""
    doc_cap: Annotated[int, Field(ge=0)] = 0
    """Characters of each document to learn from; 0 for all."""
    max_chars: Annotated[int, Field(ge=1)] | None = None
    """Stop learning after the document that takes the total past this many characters."""
    min_count: Annotated[int, Field(ge=1)] = 1
    """Leave out pre-tokens seen fewer times: saves memory, and is the only option that is not exact."""
    shards: ShardSpec | None = None
    """Shards to learn from, if not all training shards."""
    special_tokens: list[Annotated[str, Field(min_length=1)]] = NANOCHAT_SPECIAL_TOKENS
    """Special tokens: added after the merges, never learned."""
    bos: str | None = None
    """Special token that begins every document; the first if absent."""
    eos: str | None = None
    """Special token that ends generation; `bos` if absent, since a document ends only where the next one begins."""
    pad: str | None = None
    """Special token that fills rows of a batch; `eos` if absent."""
    chat_template: FilePath | None = None
    """File with a Jinja template of conversations; if absent, nanochat's, provided its special tokens exist."""
    exports: Annotated[list[TokenizerFormat], Field(default_factory=list)]
    """Further formats: nanochat's tokenizer.pkl and token_bytes.pt, llama.cpp's tokenizer.gguf."""
    sweep: SkipJsonSchema[str | None] = None
    """Name of the settings whose lists made this one."""

    if TYPE_CHECKING:
        dataset: str
        pattern: str
        vocab_size: int

    @property
    def regex(self) -> str:
        """The split pattern as a regex."""
        return str(rustbpe.PATTERNS.get(self.pattern, self.pattern))

    @property
    def counting(self) -> str:
        """Folder of the counts that every tokenizer with the same options shares."""
        return counting_name(
            self.pattern,
            known=self.pattern in rustbpe.PATTERNS,
            doc_cap=self.doc_cap,
            text_column=self.text_column,
        )

    @property
    def num_merges(self) -> int:
        """Merges in total, including those of a base and of seeds."""
        return self.vocab_size - 256 - len(self.special_tokens)

    @field_validator("pattern", check_fields=False)
    @classmethod
    def _pattern_compiles(cls, value: str) -> str:
        if value not in rustbpe.PATTERNS:
            try:
                rustbpe.Encoder([bytes([byte]) for byte in range(256)], pattern=value)
            except rustbpe.PatternError as error:
                names = ", ".join(rustbpe.PATTERNS)
                raise ValueError(f"neither a name ({names}) nor a regex that compiles: {error}") from error
        return value

    @field_validator("special_tokens")
    @classmethod
    def _special_tokens_differ(cls, value: list[str]) -> list[str]:
        if not value:
            raise ValueError("name at least one special token: the first begins every document")
        if len(set(value)) < len(value):
            raise ValueError(f"a special token is given twice: {max(value, key=value.count)!r}")
        if dashed := next((token for token in value if token.startswith("-")), None):
            raise ValueError(f"{dashed!r} begins with a dash, which a command line reads as an option")
        return value

    @model_validator(mode="after")
    def _roles_are_special_tokens(self) -> Self:
        for role in ("bos", "eos", "pad"):
            token = getattr(self, role)
            if token is not None and token not in self.special_tokens:
                raise wrong(role, token, "is not among special_tokens; add it there, at the end")
        return self

    @model_validator(mode="after")
    def _formats_know_the_pattern(self) -> Self:
        if "gguf" in self.exports and (problem := gguf_problem(self.regex)):
            raise wrong("exports", self.exports, problem)
        return self


class Tokenizer(Counted):
    """What a tokenizer is trained on, and how."""

    dataset: str
    """Name of the dataset."""
    vocab_size: Annotated[int, Field(le=2**31), one_or_list({"type": "integer", "maximum": 2**31})]
    """Tokens in total: 256 bytes, merges and special tokens. A list makes a tokenizer for each, from one training."""
    pattern: Annotated[str, Field(min_length=1), one_or_list({"type": "string", "minLength": 1})] = "nanochat"
    """Split pattern: gpt2, gpt4, gpt4o, nanochat, or any regex; with `base`, that of the base. No merge crosses its
    pieces. A list makes a tokenizer for each."""
    base: FilePath | None = None
    """Tokenizer whose merges come first: the name of another one here, gpt2, cl100k_base, o200k_base, or a file or folder
    as in `path`."""
    seeds: list[Annotated[str, Field(min_length=1)]] = Field(default_factory=list)
    """Texts that must be tokens; the merges that make them come before those that are learned."""

    @model_validator(mode="after")
    def _vocabulary_holds_the_bytes(self) -> Self:
        least = 256 + len(self.special_tokens)
        if self.vocab_size < least:
            raise wrong(
                "vocab_size",
                self.vocab_size,
                f"256 bytes and {len(self.special_tokens)} special tokens need at least {least}",
            )
        return self

    @model_validator(mode="after")
    def _seeds_are_pieces(self) -> Self:
        if len(set(self.seeds)) < len(self.seeds):
            raise wrong("seeds", self.seeds, f"{max(self.seeds, key=self.seeds.count)!r} is named twice")
        encoder = rustbpe.Encoder([bytes([byte]) for byte in range(256)], pattern=self.pattern)
        for seed in self.seeds:
            if (pieces := encoder.split(seed)) != [seed]:
                raise wrong(
                    "seeds",
                    self.seeds,
                    f"the split pattern makes {pieces} of {seed!r}, and no token crosses its pieces; name these",
                )
        return self


class Elsewhere(Model):
    """A tokenizer that was made elsewhere."""

    path: FilePath
    """A tokenizer.json, the folder that transformers wrote it to, or a .tiktoken file."""
    pattern: Annotated[str, Field(min_length=1)] | None = None
    """Split pattern of a .tiktoken file: gpt2, gpt4, gpt4o, nanochat, or any regex."""

    @model_validator(mode="after")
    def _ranks_have_a_pattern(self) -> Self:
        if Path(self.path).suffix == ".tiktoken" and self.pattern is None:
            raise wrong("pattern", None, "a .tiktoken file does not say its split pattern; name it")
        return self


class Taken(Counted):
    """A tokenizer that was made elsewhere and is used as if it were one of ours."""

    path: FilePath
    """gpt2, cl100k_base, o200k_base, or a tokenizer.json, the folder that transformers wrote it to, a .tiktoken file."""
    dataset: str = ""
    """Name of the dataset whose text it is checked with; the only one if absent."""
    pattern: Annotated[str, Field(min_length=1)] = ""
    """Split pattern of a .tiktoken file: gpt2, gpt4, gpt4o, nanochat, or any regex. Other files contain it."""
    vocab_size: SkipJsonSchema[int] = 0
    """Tokens in total."""

    @model_validator(mode="before")
    @classmethod
    def _says_what_it_is(cls, data: Any) -> Any:
        """Fill in what the file says: pattern, special tokens and their roles."""
        if not isinstance(data, dict) or not isinstance(data.get("path"), str) or not data["path"]:
            return data
        try:
            found = header(find_path(data["path"]), data.get("pattern"))
        except NanosnakeError as error:
            raise wrong("path", data["path"], str(error)) from error
        for key in ("vocab_size", *(["special_tokens"] if found.special_tokens else [])):
            if key in data:
                raise wrong(key, data[key], "the file says it; leave the key out")
        special = list(found.special_tokens or data.get("special_tokens", NANOCHAT_SPECIAL_TOKENS))
        says = {
            "pattern": found.pattern,
            "special_tokens": special,
            "vocab_size": found.tokens + len(special),
        }
        return {**(found.roles or {}), **data, **says}

    @property
    def base(self) -> str:
        """The tokenizer whose merges come first; there are no others."""
        return self.path

    @property
    def seeds(self) -> tuple[str, ...]:
        """Texts that must be tokens."""
        return ()


AnyTokenizer = Annotated[
    Annotated[Taken, Tag("taken")] | Annotated[Tokenizer, Tag("trained")],
    Discriminator(
        lambda value: (
            "taken"
            if isinstance(value, Taken) or (isinstance(value, dict) and "path" in value)
            else "trained"
        )
    ),
]


def _url_or_path(value: str) -> str:
    return value if "://" in value else find_path(value)


class CoreBundle(Model):
    """The published bundle of CORE's tasks."""

    bundle: Annotated[str, Field(min_length=1), AfterValidator(_url_or_path)]
    """URL, zip file or folder."""
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    """SHA-256 of the zip file behind a URL."""
    baselines: FilePath | None = None
    """Table of random baselines to use instead of the bundle's, in the same form."""

    @property
    def is_url(self) -> bool:
        """Whether the bundle is downloaded."""
        return self.bundle.startswith(("https://", "http://"))

    @model_validator(mode="after")
    def _a_download_has_a_hash(self) -> Self:
        if self.is_url and self.sha256 is None:
            raise wrong(
                "sha256", None, "a bundle behind a URL needs its SHA-256; download it once to find out"
            )
        return self


class Evaluation(Model):
    """What the checks look at, and the tasks that models answer."""

    texts: FilePath | None = None
    """Folder of your own .txt files, in addition to the built-in ones."""
    built_in_texts: bool = True
    """Whether the checks use the texts that come with the workflow."""
    parallel: FilePath | None = None
    """Folder of parallel text for the check of languages: one file per language, such as `deu_Latn.txt`, one sentence
    per line, the same in all; null: the message catalogues of Django, if that package is installed."""
    sampled_documents: Annotated[int, Field(ge=1, le=100_000)] = 200
    """Number of documents sampled from the training shards, and from the validation shards."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed that decides which documents are sampled."""

    core: CoreBundle | None = None
    """CORE's bundle: models with `tasks: core` are evaluated on it."""

    @property
    def text_folders(self) -> list[str]:
        """Folders of evaluation texts, the built-in ones first."""
        ours = os.path.relpath(REPOSITORY / "resources/texts")
        folders = [ours] if self.built_in_texts else []
        if self.texts is not None and Path(self.texts).resolve() != Path(ours).resolve():
            folders.append(self.texts)
        return folders


class TokenizerComparison(Model):
    """Tokenizers that a page compares on the same texts; each sweep gets such a page automatically."""

    tokenizers: Annotated[list[str], Field(min_length=1)]
    """Names of tokenizers, or of sweeps; all others are compared with the first."""
    baselines: list[BaselineName] = Field(default_factory=lambda: list(BASELINE_NAMES))
    """Published vocabularies that are compared too."""
    others: dict[Name, Elsewhere] = Field(default_factory=dict)
    """Tokenizers that were made elsewhere and are compared too, by a name for the page."""


class Downloads(Model):
    """How downloads behave; the Snakemake resource `downloads` limits how many run at a time."""

    connect_timeout: Annotated[float, Field(gt=0)] = 10.0
    """Seconds to wait for a connection."""
    read_timeout: Annotated[float, Field(gt=0)] = 60.0
    """Seconds to wait for the next bytes."""
    retries: Annotated[int, Field(ge=0)] = 8
    """Attempts after the first."""


class Config(Model):
    """The whole configuration."""

    datasets: Annotated[dict[Name, Dataset], Field(min_length=1)]
    """Datasets by name."""
    tokenizers: Annotated[dict[Name, AnyTokenizer], Field(min_length=1)]
    """Tokenizers by name."""
    models: Annotated[dict[Name, GPT], Field(default_factory=dict)]
    """Models by name; none: the run ends with the tokenizers."""
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
    """Where results are published; absent: nowhere."""
    _members: dict[str, list[str]] = PrivateAttr(default_factory=dict)
    _made: set[str] = PrivateAttr(default_factory=set)

    @field_validator("tokenizers", mode="before")
    @classmethod
    def _lists_are_sweeps(cls, value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, dict):
            return value
        datasets = list(info.data.get("datasets", ()))
        return with_bases(expand(value), datasets[0] if len(datasets) == 1 else None)

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

    def is_there(self, path: str) -> bool:
        """Return whether a file or folder that a model is evaluated with exists, or is made by a rule."""
        return Path(path).exists() or (path == CORE_TASKS and self.evaluation.core is not None)

    @cached_property
    def whole_ladders(self) -> dict[str, Ladder]:
        """The ladders with what they take from others."""
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
        if tokenizer.base or tokenizer.seeds:
            return name  # its own job checks that all of the first merges are there
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

    def dataset_of(self, model: str) -> str:
        """Return the name of the data set that a model is trained on."""
        settings = self.models[model]
        return settings.dataset or self.tokenizers[settings.tokenizer].dataset

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
