"""What is published, and where: the functions that rules/publish.smk asks.

Plain Python, so that it can be tested with no Snakemake.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from nanosnake.config import Config
from nanosnake.files import NanosnakeError
from nanosnake.naming import compact
from nanosnake.s3.place import Place
from nanosnake.workflow.graph import MODEL, TOKENIZER, Graph, Wildcards
from nanosnake.workflow.products import EXPORTED, Products

PUBLISHED = f"{TOKENIZER}/published"

NOT_ASKED_FOR = "the configuration has no `publish` section; docs/publish.md shows one"


class Publishing:
    """Answers what a configuration publishes.

    Args:
        config: the configuration.
        graph: where results stand.
    """

    def __init__(self, config: Config, graph: Graph) -> None:
        self.config, self.graph, self.settings = config, graph, config.publish

    def options(self, wildcards: Wildcards) -> str:
        """Return where to publish, as options of the command line."""
        if self.settings is None:  # of a file that was named by hand
            raise ValueError(NOT_ASKED_FOR)
        return shlex.join(["--destination", self.settings.destination, *self.settings.endpoint.options()])

    def published(self) -> list[str]:
        """Return what stands for all that is published; nothing without a `publish` section.

        A tokenizer's manifest does not wait for its models, so that a node can fetch what it needs to train them.
        """
        if self.settings is None:
            return []
        files = self.graph.of_each_tokenizer(f"{PUBLISHED}/manifest.json")
        files += self.graph.of_each_model(f"{PUBLISHED}/model_reports/{{model}}.json")
        if "models" in self.settings.include:
            files += self.graph.of_each_model(f"{PUBLISHED}/models/{{model}}.json")
        return files

    def asked_for(self, wildcards: Wildcards) -> list[str]:
        """Return the same for the target that publishes and does nothing else.

        Raises:
            ValueError: if the configuration does not say where.
        """
        if self.settings is None:
            raise ValueError(NOT_ASKED_FOR)
        return self.published()

    def receipts(self, wildcards: Wildcards) -> list[str]:
        """Return the receipts of all that a tokenizer's manifest names."""
        folder = PUBLISHED.format(dataset=wildcards.dataset, tokenizer=wildcards.tokenizer)
        return [
            f"{folder}/{inside}{name}.json"
            for inside, names in self._things(wildcards).items()
            for name in names
        ]

    def things(self, wildcards: Wildcards) -> list[str]:
        """Return the same in few words, runs of numbers as [00000-01821]."""
        return [
            inside + word
            for inside, names in self._things(wildcards).items()
            if names
            for word in compact(names).split(",")
        ]

    def _things(self, wildcards: Wildcards) -> dict[str, list[str]]:
        """Return the names of receipts by the folder below published/ that they stand in."""
        things = {"": ["tokenizer", "report"]}
        include = self.settings.include if self.settings else []
        dataset = self.config.datasets[wildcards.dataset]
        splits = {"train": dataset.train_shards, "validation": dataset.validation_shards}
        if "shards" in include:
            things["shards/"] = [*dataset.train_shards, *dataset.validation_shards]
        if "token_shards" in include:
            things["tokens/"] = ["manifest"]
            things |= {f"tokens/{split}/": names for split, names in splits.items()}
        return things

    def exports(self, wildcards: Wildcards) -> list[str]:
        """Return a tokenizer's files in further formats that the configuration asks for."""
        return Products(self.graph).exports(wildcards.tokenizer)

    def model_export(self, wildcards: Wildcards) -> list[str]:
        """Return the files of a model's folder for others, where the configuration asks for one."""
        if not self.config.models[wildcards.model].export:
            return []
        folder = MODEL.format(dataset=wildcards.dataset, tokenizer=wildcards.tokenizer, model=wildcards.model)
        return [f"{folder}/export/{file}" for file in EXPORTED]

    def check_destination(self, rules: Iterable[str]) -> None:
        """See that publishing can work, if rules of the plan publish something.

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
                f"publishing cannot work, so nothing was run: {error}. To run without it, take `publish` out of the "
                "configuration, or name a target that publishes nothing, such as `reports`"
            ) from None
