"""What is made of tokenizers and models, and what their manifests answer for."""

from __future__ import annotations

import json
from itertools import chain

from nanosnake.workflow.graph import MODEL, TOKENIZER, Graph, Wildcards

OF_A_TOKENIZER = (
    *("tokenizer/tokenizer.json", "tokenizer/tokenizer_config.json", "tokenizer/tokenizer.tiktoken"),
    *("tokenizer/meta.json", "merges.arrow", "training.json", "gate.json", "figures.json", "curve.json"),
    "report/index.html",
)
OF_NANOCHAT = ("tokenizer/tokenizer.pkl", "tokenizer/token_bytes.pt")
OF_A_MODEL = (
    *("model.safetensors", "model.json", "metrics.jsonl", "training.json", "evaluation.json"),
    "report/index.html",
)
EXPORTED = ("model.safetensors", "model.json", "tokenizer.json", "tokenizer.tiktoken", "meta.json")


class Products:
    """Answers which files there are in the end.

    A manifest is of a tokenizer, of its token shards or of one of its models: the wildcard `part` is empty, or
    the name of the folder with a slash before it.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph, self.config = graph, graph.config

    def all(self) -> list[str]:
        """Return all that is made of tokenizers and models, in the order of the configuration."""
        of_tokenizers, of_models = (
            map(self._of_tokenizer, self.config.tokenizers),
            map(self._of_model, self.config.models),
        )
        return list(chain.from_iterable([*of_tokenizers, *of_models]))

    def _of_tokenizer(self, name: str) -> list[str]:
        folder = TOKENIZER.format(dataset=self.config.tokenizers[name].dataset, tokenizer=name)
        files = [*OF_A_TOKENIZER, *(f"checks/{check}.json" for check in self.graph.checks())]
        return [*(f"{folder}/{file}" for file in files), *self.exports(name)]

    def exports(self, name: str) -> list[str]:
        """Return a tokenizer's files in further formats that the configuration asks for."""
        tokenizer = self.config.tokenizers[name]
        folder = TOKENIZER.format(dataset=tokenizer.dataset, tokenizer=name)
        return [f"{folder}/{file}" for file in OF_NANOCHAT] if "nanochat" in tokenizer.exports else []

    def _of_model(self, name: str) -> list[str]:
        model = self.config.models[name]
        files = [*OF_A_MODEL, *(f"export/{file}" for file in EXPORTED if model.export)]
        dataset = self.config.tokenizers[model.tokenizer].dataset
        folder = MODEL.format(dataset=dataset, tokenizer=model.tokenizer, model=name)
        return [f"{folder}/{file}" for file in files]

    def part(self, wildcards: Wildcards) -> str:
        """Return what a manifest is of: tokenizer, tokens, or the name of a model."""
        return wildcards.part.removeprefix("/") or "tokenizer"

    def gate(self, wildcards: Wildcards) -> list[str]:
        """Return the gate that has to be open; the manifest of a tokenizer has it among its files."""
        folder = TOKENIZER.format(dataset=wildcards.dataset, tokenizer=wildcards.tokenizer)
        return [] if self.part(wildcards) == "tokenizer" else [f"{folder}/gate.json"]

    def files(self, wildcards: Wildcards) -> list[str]:
        """Return the files that a manifest answers for, other than token shards."""
        part = self.part(wildcards)
        if part == "tokens":
            return []
        return self._of_tokenizer(wildcards.tokenizer) if part == "tokenizer" else self._of_model(part)

    def tokens(self, wildcards: Wildcards) -> list[str]:
        """Return the token shards that a manifest answers for, with all their files."""
        if self.part(wildcards) != "tokens":
            return []
        splits = (self.graph.token_shards(wildcards.tokenizer, split) for split in ("train", "validation"))
        return [
            file
            for shard in chain.from_iterable(splits)
            for file in (shard, f"{shard}.index", f"{shard.removesuffix('.ds')}.json")
        ]

    def token_words(self, wildcards: Wildcards) -> list[str]:
        """Return these token shards, a word for each split: thousands of names are too long for a command."""
        if self.part(wildcards) != "tokens":
            return []
        return [self.graph.train_tokens_word(wildcards), self.graph.validation_tokens_word(wildcards)]

    def settings(self, wildcards: Wildcards) -> str:
        """Return the settings that decide a manifest's files, with every default, as JSON."""
        part = self.part(wildcards)
        config = self.config.model_dump(mode="json")
        settings = {
            "datasets": {wildcards.dataset: config["datasets"][wildcards.dataset]},
            "tokenizers": {wildcards.tokenizer: config["tokenizers"][wildcards.tokenizer]},
            "models": {part: config["models"][part]} if part in self.config.models else {},
            "evaluation": config["evaluation"],
            "checks": config["checks"],
        }
        return json.dumps(settings, sort_keys=True)
