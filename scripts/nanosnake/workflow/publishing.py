"""What is published, and where. A thing is what one receipt is for: `tokenizer`, `report`, `shards/NAME`, …"""

from __future__ import annotations

from collections.abc import Iterable

from nanosnake import layout
from nanosnake.config import Config
from nanosnake.files import NanosnakeError
from nanosnake.naming import compact
from nanosnake.s3.place import Place
from nanosnake.stages import words
from nanosnake.workflow.models import Models
from nanosnake.workflow.shell import Wildcards
from nanosnake.workflow.tokenizers import Tokenizers
from publish_files import PublishFiles
from publish_manifest import PublishManifest

NOT_ASKED_FOR = "the configuration has no `publish` section; docs/publish.md shows one"

THINGS = r"tokenizer|report|shards/[^/]+|tokens/manifest|tokens/(train|validation)/[^/]+|model_reports/[^/]+|models/[^/]+"
"""What the wildcard `thing` may be."""

MINUTES = {"shards": 60, "tokens": 60, "models": 120}
"""How long publishing a thing may take; 10 for the others."""


class Publishing:
    """What a configuration publishes."""

    def __init__(self, config: Config, tokenizers: Tokenizers, models: Models) -> None:
        self.config, self.tokenizers, self.models, self.settings = config, tokenizers, models, config.publish

    def options(self, wildcards: Wildcards) -> str:
        """Return where to publish, as options of the command line."""
        if self.settings is None:  # of a file that was requested by name
            raise ValueError(NOT_ASKED_FOR)
        destination = Place.parse(self.settings.destination)
        return words(PublishFiles, destination=destination, **vars(self.settings.endpoint))

    def published(self) -> list[str]:
        """Return the files that exist once everything is published; empty without a `publish` section.

        A tokenizer's manifest does not wait for its models, so that a node can fetch what it needs to train them.
        """
        if self.settings is None:
            return []
        files = self.tokenizers.each(f"{layout.PUBLISHED}/manifest.json")
        kinds = ("model_reports", *(["models"] if "models" in self.settings.include else []))
        for kind in kinds:
            files += self.models.each(f"{layout.PUBLISHED}/{kind}/{{model}}.json")
        return files

    def asked_for(self, wildcards: Wildcards) -> list[str]:
        """Return the same for the target that publishes and does nothing else.

        Raises:
            ValueError: if the configuration does not say where.
        """
        if self.settings is None:
            raise ValueError(NOT_ASKED_FOR)
        return self.published()

    def files(self, wildcards: Wildcards) -> list[str]:
        """Return the files that are published as one thing, its manifest last."""
        kind, _, name = wildcards.thing.partition("/")
        if kind == "tokenizer":
            return [
                *self.models.tokenizer_files(wildcards),
                layout.MERGES.format(dataset=wildcards.dataset, tokenizer=wildcards.tokenizer),
                *self.tokenizers.exports(wildcards.tokenizer),
            ]
        if kind == "report":
            home = self.tokenizers.home(wildcards.tokenizer)
            of_report = [
                "gate.json",
                "report/index.html",
                *(f"checks/{check}.json" for check in self.tokenizers.checks()),
            ]
            tables = self.tokenizers.datasets.of_parts(layout.SHARD_TABLE)(wildcards)
            return [*(f"{home}/{file}" for file in (*of_report, "figures.json", "curve.json")), *tables]
        if kind == "shards":
            datasets = self.tokenizers.datasets
            return [
                *datasets.files(wildcards.dataset, [name]),
                *datasets.files(wildcards.dataset, [name], ".json"),
            ]
        if kind == "tokens":
            return self._token_files(wildcards, name)
        home = self.models.home(name)
        if kind == "model_reports":
            of_model = ("report/index.html", "evaluation.json", "training.json", "metrics.jsonl")
            return [f"{home}/{file}" for file in of_model]
        return [*self.models.files(name), f"{home}/manifest.json"]

    @staticmethod
    def _token_files(wildcards: Wildcards, name: str) -> list[str]:
        """Return the files of a token shard, or the manifest of all."""
        folder = f"{layout.TOKENIZER.format(dataset=wildcards.dataset, tokenizer=wildcards.tokenizer)}/tokens"
        endings = (".json",) if name == "manifest" else layout.TOKEN_ENDINGS
        return [f"{folder}/{name}{ending}" for ending in endings]

    def minutes(self, wildcards: Wildcards, attempt: int) -> int:
        """Return how long publishing a thing may take."""
        kind, _, name = wildcards.thing.partition("/")
        return (10 if name == "manifest" else MINUTES.get(kind, 10)) * int(2 ** (attempt - 1))

    def receipts(self, wildcards: Wildcards) -> list[str]:
        """Return the receipts of all that a tokenizer's manifest names."""
        folder = layout.PUBLISHED.format(dataset=wildcards.dataset, tokenizer=wildcards.tokenizer)
        things = self._things(wildcards).items()
        return [f"{folder}/{inside}{name}.json" for inside, names in things for name in names]

    def manifest(self, wildcards: Wildcards) -> str:
        """Return where to publish, and the same receipts in few words, runs of numbers as [00000-01821]."""
        things = [
            inside + word
            for inside, names in self._things(wildcards).items()
            if names
            for word in compact(names).split(",")
        ]
        return f"{self.options(wildcards)} {words(PublishManifest, things=things)}"

    def _things(self, wildcards: Wildcards) -> dict[str, list[str]]:
        """Return the names of receipts by the folder below published/ that they are in."""
        things = {"": ["tokenizer", "report"]}
        include = self.settings.include if self.settings else []
        if self.config.mixture(wildcards.dataset):
            return things  # shards and token shards are those of the parts
        dataset = self.config.datasets[wildcards.dataset]
        if "shards" in include:
            things["shards/"] = [*dataset.train_shards, *dataset.validation_shards]
        if "token_shards" in include:
            things["tokens/"] = ["manifest"]
            things |= {f"tokens/{split}/": dataset.shards_of(split) for split in ("train", "validation")}
        return things

    def check_destination(self, rules: Iterable[str]) -> None:
        """Check that publishing can work, if rules of the plan publish something.

        Raises:
            NanosnakeError: if it cannot: better now than after days of training.
        """
        if self.settings is None or not any(rule.startswith("publish_") for rule in rules):
            return
        from nanosnake.publish.preflight import check  # takes a third of a second
        from nanosnake.s3.client import connect

        endpoint = self.settings.endpoint
        try:
            check(connect(endpoint), endpoint, Place.parse(self.settings.destination))
        except NanosnakeError as error:
            raise NanosnakeError(
                f"publishing cannot work, so nothing was run: {error}. To run without it, remove `publish` from the "
                "configuration, or name a target that publishes nothing, such as `reports`"
            ) from None
