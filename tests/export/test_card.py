"""The model card: what it says of the data, of figures, and of a model that answers."""

from __future__ import annotations

import math
import shlex
from types import SimpleNamespace
from typing import Any

from export_model import ExportModel
from nanosnake.config import load
from nanosnake.exports.card import card
from nanosnake.stages import parse
from nanosnake.training.config import ModelConfig
from nanosnake.workflow.datasets import Datasets
from nanosnake.workflow.models import Models
from nanosnake.workflow.tokenizers import Tokenizers


def dataset(name: str, source: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """Return a data set as the workflow passes it on."""
    return {"name": name, "settings": {"source": source, "train": "0-9", "validation": 10, **settings}}


def card_of(*datasets: dict[str, Any], evaluation: dict[str, Any] | None = None) -> str:
    """Return the card of a model that these data sets trained."""
    config = ModelConfig.from_depth(12, 32768, 2048)
    tokenizer = {"name": "bpe32k", "settings": {"pattern": "gpt4"}}
    told = {"name": "d12", "datasets": list(datasets), "tokenizer": tokenizer}
    return card(config, told, {"steps": 10, "tokens": 5_242_880}, evaluation or {})


def test_card_says_what_it_is() -> None:
    url = "https://huggingface.co/datasets/some/corpus/resolve/main/{shard}.parquet?sig=secret"
    tasks = [{"task": "piqa", "accuracy": 0.6543}, {"task": "other", "accuracy": None}]
    text = card_of(
        dataset("climb", {"kind": "url", "url": url, "revision": "abc"}, license="odc-by"),
        evaluation={"bits_per_byte": 0.81234, "loss": math.e, "tasks": tasks},
    )
    for wanted in ("# d12", "- some/corpus", "odc-by", "0.8123", "2.7183", "5,242,880", "0.654", "`bpe32k`"):
        assert wanted in text, wanted
    assert "revision: abc" in text
    assert "secret" not in text
    assert "trust_remote_code=True" in text
    assert "not taught to follow instructions" in text


def test_card_keeps_what_is_private_and_says_what_is_unknown() -> None:
    text = card_of(dataset("x", {"kind": "local", "path": "/home/me"}))
    assert "/home/me" not in text
    assert "not stated" in text
    config = ModelConfig.from_depth(12, 32768, 2048)
    text = card(config, {}, {"steps": 1, "tokens": 1}, {})
    assert text.startswith("---\nlibrary_name: transformers")
    assert "not recorded" in text


def test_card_of_a_model_that_answers_names_all_that_it_was_trained_on() -> None:
    text = card_of(
        dataset(
            "talks", {"kind": "embedded", "corpus": "chatterbot", "language": "en"}, content="conversations"
        ),
        dataset("mix", {"kind": "mixture", "parts": {"web": 6, "code": 3.5}}),
        dataset("web", {"kind": "huggingface", "name": "some/web", "split": "train"}, license="odc-by"),
        dataset("code", {"kind": "huggingface", "name": "some/code", "split": "train"}, license="mit"),
    )
    header = text.split("---")[1]
    assert "language:\n- en\ndatasets:\n- some/web\n- some/code\n" in header
    assert "source: mixture of `web` 6, `code` 3.5\n" in text
    for license in ("bsd-3-clause", "odc-by", "mit"):
        assert f"licence of the text: {license}" in text
    assert "name: some/web" in text
    assert "trained on conversations" in text
    assert "not taught" not in text
    assert "tokenizer.apply_chat_template(messages" in text


def test_the_workflow_passes_on_what_a_model_and_those_before_it_were_trained_on() -> None:
    source = {"kind": "embedded", "shards": 2}
    split: dict[str, Any] = {"train": [0], "validation": [1]}
    config = load(
        {
            "datasets": {
                "web": {"source": source, **split},
                "books": {"source": {**source, "language": "fr"}, **split},
                "mix": {"source": {"kind": "mixture", "parts": {"web": 3, "books": 1}}},
                "talks": {
                    "source": {**source, "corpus": "chatterbot"},
                    "content": "conversations",
                    **split,
                },
            },
            "tokenizers": {"bpe": {"dataset": "web", "vocab_size": 512}},
            "models": {
                "base": {"tokenizer": "bpe", "dataset": "mix", "depth": 1},
                "chat": {"from": "base", "dataset": "talks"},
            },
        }
    )
    models = Models(config, Tokenizers(config, Datasets(config)))

    def told(model: str) -> Any:
        wildcards = SimpleNamespace(model=model, dataset=config.dataset_of(model), tokenizer="bpe")
        given = shlex.split(models.card(wildcards))
        others = ("--model", "m", "--tokenizer", "t", "--format", "transformers", "--out", "o")
        return parse(ExportModel, [*given, *others]).settings

    named = {name: [one["name"] for one in told(name)["datasets"]] for name in ("base", "chat")}
    assert named == {"base": ["mix", "web", "books"], "chat": ["talks", "mix", "web", "books"]}
    base, text = (
        card(ModelConfig.from_depth(1, 512, 64), told(name), {"steps": 1, "tokens": 1}, {})
        for name in ("base", "chat")
    )
    assert ("trained on conversations" in base, "trained on conversations" in text) == (False, True)
    assert "source: mixture of `books` 1, `web` 3\n" in text
