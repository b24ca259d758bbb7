"""What a user studies: datasets, tokenizers, checks. Threads, memory and partitions stand elsewhere."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from nanosnake.config.base import Model, Name, wrong
from nanosnake.config.checks import Checks
from nanosnake.config.s3 import Publish
from nanosnake.config.sources import LocalSource, S3Source, ShardSpec, Source
from nanosnake.config.training import GPT
from nanosnake.crate import rustbpe
from nanosnake.naming import counting_name, selection_name

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
"""nanochat's nine; the first begins every document."""

RESERVED_FOLDERS = {"shards", "counts", "samples"}
"""Folders of a dataset that no tokenizer can be named after."""

RESERVED_MODEL_NAMES = {"checks", "published", "report", "tokenizer", "tokens"}
"""Folders of a tokenizer that no model can be named after."""


class Dataset(Model):
    """A named source and an explicit list of its training and validation shards."""

    source: Source
    text_column: Annotated[str, Field(min_length=1)] = "text"
    """Column that holds the documents."""
    train: ShardSpec
    """Training shards: numbers, ranges such as "0-239", lists; file names or globs for a local folder."""
    validation: ShardSpec
    """Validation shards, pinned: adding training shards never moves them."""

    @cached_property
    def validation_shards(self) -> list[str]:
        """Names of the validation shards, in order."""
        return self.source.names(self.validation)

    @cached_property
    def train_shards(self) -> list[str]:
        """Names of the training shards, in order. A glob takes what is not pinned for validation."""
        names = self.source.names(self.train)
        if isinstance(self.source, LocalSource | S3Source) and _has_glob(self.train):
            return [name for name in names if name not in set(self.validation_shards)]
        return names

    @cached_property
    def locations(self) -> dict[str, str]:
        """URL or file of every shard, by name; empty for the embedded corpus."""
        if self.source.kind == "embedded":
            return {}
        return self.source.locations(self.train) | self.source.locations(self.validation)

    @model_validator(mode="after")
    def _shards_are_sound(self) -> Self:
        for key in ("train", "validation"):
            spec = getattr(self, key)
            try:
                names = getattr(self, f"{key}_shards")
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


class Tokenizer(Model):
    """What a tokenizer is trained on, and how."""

    dataset: str
    """Name of the dataset."""
    vocab_size: Annotated[int, Field(le=2**31)]
    """Tokens in all: 256 bytes, merges and special tokens."""
    pattern: Annotated[str, Field(min_length=1)] = "nanochat"
    """Split pattern: gpt2, gpt4, gpt4o, nanochat, or any regex. No merge crosses its pieces."""
    text_column: Annotated[str, Field(min_length=1)] | None = None
    """Column to learn from, where it is not the dataset's."""
    doc_cap: Annotated[int, Field(ge=0)] = 0
    """Characters of each document to learn from; 0 for all."""
    max_chars: Annotated[int, Field(ge=1)] | None = None
    """Stop learning after the document that takes the total past this many characters."""
    min_count: Annotated[int, Field(ge=1)] = 1
    """Leave out pre-tokens seen fewer times: saves memory, and is the one switch that is not exact."""
    shards: ShardSpec | None = None
    """Shards to learn from, where it is not all training shards."""
    special_tokens: list[Annotated[str, Field(min_length=1)]] = NANOCHAT_SPECIAL_TOKENS
    """Added after the merges, never learned; the first begins every document."""
    exports: Annotated[list[Literal["nanochat"]], Field(default_factory=list)]
    """Further formats: nanochat's tokenizer.pkl and token_bytes.pt."""

    @property
    def num_merges(self) -> int:
        """Merges to learn."""
        return self.vocab_size - 256 - len(self.special_tokens)

    @property
    def counting(self) -> str:
        """Folder of the counts that every tokenizer with the same options shares."""
        return counting_name(
            self.pattern,
            known=self.pattern in rustbpe.PATTERNS,
            doc_cap=self.doc_cap,
            text_column=self.text_column,
        )

    @field_validator("pattern")
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
            raise ValueError(f"a special token stands twice: {max(value, key=value.count)!r}")
        if dashed := next((token for token in value if token.startswith("-")), None):
            raise ValueError(f"{dashed!r} begins with a dash, which a command line reads as an option")
        return value

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


class Evaluation(Model):
    """What the checks look at."""

    texts: Annotated[str, Field(min_length=1)] = "resources/texts"
    """Folder of .txt files."""
    sampled_documents: Annotated[int, Field(ge=1, le=100_000)] = 200
    """Documents sampled from the training shards and from the validation shards, each."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Which documents are sampled."""


class Downloads(Model):
    """How downloads behave; how many run at a time is the Snakemake resource `downloads`."""

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
    tokenizers: Annotated[dict[Name, Tokenizer], Field(min_length=1)]
    """Tokenizers by name."""
    models: Annotated[dict[Name, GPT], Field(default_factory=dict)]
    """Models by name; none: the run ends with the tokenizers."""
    evaluation: Evaluation = Evaluation()
    checks: Checks = Field(default_factory=Checks)
    downloads: Downloads = Downloads()
    publish: Publish | None = None
    """Where results are published; absent: nowhere."""

    def training_shards(self, tokenizer: str) -> list[str]:
        """Return the names of the shards that a tokenizer learns from."""
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
