"""What the manifests of tokenizers, token shards and models cover.

A manifest is of a tokenizer, of its token shards or of one of its models: the wildcard `part` is empty, or the name of
the folder with a slash before it.
"""

from __future__ import annotations

from itertools import chain

from make_manifest import MakeManifest
from nanosnake import layout
from nanosnake.config import Config
from nanosnake.stages import words
from nanosnake.workflow.models import Models
from nanosnake.workflow.shell import Wildcards, repository_path
from nanosnake.workflow.tokenizers import Tokenizers


class Manifests:
    """Provides what the rule of manifests needs."""

    def __init__(self, config: Config, tokenizers: Tokenizers, models: Models) -> None:
        self.config, self.tokenizers, self.models = config, tokenizers, models

    def products(self) -> list[str]:
        """Return everything made from tokenizers and models, in the order of the configuration."""
        of_tokenizers = map(self.tokenizers.files, self.config.tokenizers)
        return list(chain.from_iterable([*of_tokenizers, *map(self.models.files, self.config.models)]))

    @staticmethod
    def part(wildcards: Wildcards) -> str:
        """Return what a manifest is of: tokenizer, tokens, or the name of a model."""
        return str(wildcards.part.removeprefix("/") or "tokenizer")

    def gate(self, wildcards: Wildcards) -> list[str]:
        """Return the gate that must be open; the manifest of a tokenizer has it among its files."""
        return [] if self.part(wildcards) == "tokenizer" else [self.tokenizers.gate(wildcards)]

    def files(self, wildcards: Wildcards) -> list[str]:
        """Return the files that a manifest covers, other than token shards."""
        part = self.part(wildcards)
        if part == "tokens":
            return []
        return self.tokenizers.files(wildcards.tokenizer) if part == "tokenizer" else self.models.files(part)

    def tokens(self, wildcards: Wildcards) -> list[str]:
        """Return the token shards that a manifest covers, with all their files."""
        if self.part(wildcards) != "tokens":
            return []
        return [
            file
            for split in ("train", "validation")
            for shard in self.tokenizers.token_shards(wildcards.tokenizer, wildcards.dataset, split)
            for file in (f"{shard.removesuffix('.ds')}{ending}" for ending in layout.TOKEN_ENDINGS)
        ]

    def options(self, wildcards: Wildcards) -> str:
        """Return the options that say what a manifest is of, and which settings decided it."""
        part = self.part(wildcards)
        token_shards = [
            word
            for split in ("train", "validation")
            if part == "tokens"
            for word in self.tokenizers.token_words(wildcards.tokenizer, wildcards.dataset, split)
        ]
        return words(
            MakeManifest,
            dataset=wildcards.dataset,
            tokenizer=wildcards.tokenizer,
            part=part,
            config=self._settings(wildcards, part),
            code=repository_path("."),
            token_shards=token_shards,
        )

    def _settings(self, wildcards: Wildcards, part: str) -> dict[str, object]:
        """Return the settings that decide a manifest's files, with every default."""
        config = self.config.model_dump(mode="json")
        return {
            "datasets": {
                name: config["datasets"][name]
                for name in [wildcards.dataset, *self.config.parts(wildcards.dataset)]
            },
            "tokenizers": {wildcards.tokenizer: config["tokenizers"][wildcards.tokenizer]},
            "models": {part: config["models"][part]} if part in self.config.models else {},
            "evaluation": config["evaluation"],
            "checks": config["checks"],
        }
