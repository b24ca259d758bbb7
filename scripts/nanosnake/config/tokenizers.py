"""Tokenizers: trained here or made elsewhere, and the pages that compare them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Discriminator, Field, Tag, WithJsonSchema, field_validator, model_validator
from pydantic.json_schema import SkipJsonSchema

from nanosnake.config.base import FilePath, Model, Name, find_path, nearest, wrong
from nanosnake.config.sources import ShardSpec
from nanosnake.crate import rustbpe
from nanosnake.exports.formats import TokenizerFormat, gguf_problem
from nanosnake.files import NanosnakeError
from nanosnake.naming import counting_name
from nanosnake.tokenizer import BASELINE_NAMES, BaselineName
from nanosnake.tokenizer.conversion import header
from nanosnake.tokenizer.transformers import CHAT_TOKENS, TOOL_TOKENS

NANOCHAT_SPECIAL_TOKENS = ["<|bos|>", *CHAT_TOKENS, *TOOL_TOKENS]
"""nanochat's nine special tokens."""


def one_or_list(schema: dict[str, Any]) -> WithJsonSchema:
    """Return the schema of a value that may also be a list; the model itself only ever gets a single value."""
    return WithJsonSchema({"anyOf": [schema, {"type": "array", "items": schema, "minItems": 1}]})


class Counted(Model):
    """What every tokenizer has: text to check it with, and special tokens."""

    text_column: Annotated[str, Field(min_length=1)] | None = None
    """Column to learn from; default: the dataset's."""
    doc_cap: Annotated[int, Field(ge=0)] = 0
    """Learn from only this many characters of each document; 0: all."""
    max_chars: Annotated[int, Field(ge=1)] | None = None
    """Stop learning after the document that takes the total past this many characters."""
    min_count: Annotated[int, Field(ge=1)] = 1
    """Leave out pre-tokens seen fewer times. Saves memory; the only option that makes the result inexact."""
    shards: ShardSpec | None = None
    """Shards to learn from; default: all training shards."""
    special_tokens: list[Annotated[str, Field(min_length=1)]] = NANOCHAT_SPECIAL_TOKENS
    """Special tokens: added after the merges, never learned."""
    bos: str | None = None
    """Special token that begins every document; default: the first."""
    eos: str | None = None
    """Special token that ends generation; default: `bos`, since a document ends only where the next one begins."""
    pad: str | None = None
    """Special token that pads the rows of a batch; default: `eos`."""
    chat_template: FilePath | None = None
    """File with a Jinja template of conversations; default: nanochat's, if its special tokens exist."""
    exports: Annotated[list[TokenizerFormat], Field(default_factory=list)]
    """Additional formats: nanochat (tokenizer.pkl, token_bytes.pt), llama.cpp (tokenizer.gguf)."""
    sweep: SkipJsonSchema[str | None] = None
    """Name of the sweep that this tokenizer belongs to."""

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
            names = ", ".join(rustbpe.PATTERNS)
            if re.fullmatch(r"[\w-]+", value):
                near = nearest(value, rustbpe.PATTERNS)
                raise ValueError(
                    f"no split pattern has this name{near}; there are: {names}; or write a regex"
                )
            try:
                rustbpe.Encoder([bytes([byte]) for byte in range(256)], pattern=value)
            except rustbpe.PatternError as error:
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
            raise ValueError(f"{dashed!r} begins with a dash, so a command line would read it as an option")
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
    """Texts that must be tokens; the merges that make them come before the learned ones."""

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
    """A tokenizer.json, a folder with one (as transformers saves it), or a .tiktoken file."""
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
    """gpt2, cl100k_base or o200k_base; or a tokenizer.json, a folder with one, or a .tiktoken file."""
    dataset: str = ""
    """Name of the dataset whose text it is checked with; default: the only one."""
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
                raise wrong(key, data[key], "the file contains it; leave the key out")
        special = list(found.special_tokens or data.get("special_tokens", NANOCHAT_SPECIAL_TOKENS))
        says = {
            "pattern": found.pattern,
            "special_tokens": special,
            "vocab_size": found.tokens + len(special),
        }
        return {**(found.roles or {}), **data, **says}

    @property
    def base(self) -> str:
        """The tokenizer that all merges come from."""
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


class TokenizerComparison(Model):
    """Tokenizers that a page compares on the same texts; each sweep gets such a page automatically."""

    tokenizers: Annotated[list[str], Field(min_length=1)]
    """Names of tokenizers, or of sweeps; all others are compared with the first."""
    baselines: list[BaselineName] = Field(default_factory=lambda: list(BASELINE_NAMES))
    """Published vocabularies to compare as well."""
    others: dict[Name, Elsewhere] = Field(default_factory=dict)
    """Tokenizers that were made elsewhere to compare as well, by their names on the page."""
