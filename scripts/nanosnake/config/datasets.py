"""Data sets: where their text comes from, and which shards are for training and validation."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from nanosnake.config.base import Model, wrong
from nanosnake.config.sources import (
    EmbeddedSource,
    FilesSource,
    LocalSource,
    MixtureSource,
    S3Source,
    ShardSpec,
    Source,
    UrlSource,
)
from nanosnake.files import NanosnakeError
from nanosnake.sources import parquet
from nanosnake.sources.formats import look

LONGEST = 2048
"""Tokens of a conversation, unless others are given: nanochat's own limit."""
VALIDATION = "validation"
"""Name of the shard for documents chosen by a hash."""


class HashSplit(Model):
    """Validation by a hash of each document's text: the same on every machine, whatever else is added."""

    by: Literal["hash"]
    fraction: Annotated[float, Field(gt=0, lt=1)]
    """Fraction of the documents that is held out; equal documents always end up on the same side."""


class Dataset(Model):
    """A named source and an explicit list of its training and validation shards."""

    source: Source
    content: Literal["text", "conversations"] = "text"
    """What the documents are: text, or conversations, whose answers a model learns."""
    text_column: Annotated[str, Field(min_length=1)] = "text"
    """Column that holds the documents; of conversations, `messages` if absent."""
    max_tokens: Annotated[int, Field(ge=16)] = LONGEST
    """Tokens after which a conversation is cut."""
    license: str | None = None
    """Licence of the text by its Hugging Face name (`cc-by-sa-4.0`), for model cards; known for the embedded corpus."""
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
        """Names of the training shards, in order. A glob skips shards that are pinned for validation."""
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
        return "text" if isinstance(self.source, FilesSource | EmbeddedSource) else self.read_column

    @property
    def read_column(self) -> str:
        """Column of the source's files that holds the documents."""
        default = self.content == "conversations" and "text_column" not in self.model_fields_set
        return "messages" if default else self.text_column

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
            file = next(iter(self.locations.values()), self.source.files[0])
            self._peek(file, self.source.format or look.format_of(file), self.source.template)
        elif isinstance(self.source, LocalSource):
            file = next(iter(self.locations.values()))
            if Path(file).is_file() and self.content == "conversations":
                self._peek(file, "parquet")
            elif Path(file).is_file():
                try:
                    parquet.row_groups(file, self.text_column)
                except parquet.WrongTextColumn:
                    raise
                except NanosnakeError:  # the job of the shard reports what is wrong with the file
                    return

    def _peek(self, file: str, kind: look.Format, template: str | None = None) -> None:
        from nanosnake.sources.formats.columns import Column  # these import PyArrow
        from nanosnake.sources.formats.peek import peek

        peek(file, kind, Column(self.read_column, template, self.content == "conversations"))

    def reads_as(self, other: Dataset) -> bool:
        """Return whether the shards of another data set are the same files, read in the same way."""
        mine, theirs = ((one.source, one.content, one.read_column, one.split) for one in (self, other))
        return mine == theirs

    @model_validator(mode="after")
    def _content_is_known(self) -> Self:
        chats, source = self.content == "conversations", self.source
        if isinstance(source, EmbeddedSource) and chats != (source.corpus == "chatterbot"):
            raise wrong("content", self.content, "set conversations for corpus chatterbot, and for no other")
        if isinstance(source, FilesSource) and chats:
            for key in ("template", "format"):
                if (value := getattr(source, key)) not in (None, "jsonl", "arrow", "parquet"):
                    raise wrong(
                        f"source.{key}",
                        value,
                        "conversations are lists of messages in JSON Lines, Arrow or parquet",
                    )
        if not chats and self.max_tokens != LONGEST:
            raise wrong("max_tokens", self.max_tokens, "is for conversations; leave it out")
        return self

    @model_validator(mode="after")
    def _shards_are_sound(self) -> Self:
        if self.split and not (isinstance(self.source, FilesSource) and self.source.shards):
            raise wrong(
                "validation",
                "by: hash",
                "documents are split where shards are made: set kind: files and shards",
            )
        if isinstance(self.source, MixtureSource):
            for key in ("train", "validation", "text_column", "content", "max_tokens"):
                if key in self.model_fields_set:
                    raise wrong(key, getattr(self, key), "a mixture has that of its parts; leave the key out")
            return self
        for key in ("validation", "train"):  # what train selects depends on validation
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
                f"{both[0]} is pinned for validation; remove it from one of the two, or every figure on "
                "validation text is too good",
            )
        return self


def _has_glob(spec: ShardSpec) -> bool:
    items = spec if isinstance(spec, list) else [spec]
    return any(isinstance(item, str) and any(c in item for c in "*?[") for item in items)
