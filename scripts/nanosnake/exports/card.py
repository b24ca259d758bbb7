"""The model card: training data, figures, and how to load the model, with the same facts as its manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from nanosnake.training.config import ModelConfig

EMBEDDED_LICENSES = {"wikipedia": "cc-by-sa-4.0", "chatterbot": "bsd-3-clause"}
HUB = "https://huggingface.co/datasets/"


def card(
    config: ModelConfig,
    settings: Mapping[str, Any],
    figures: Mapping[str, Any],
    evaluation: Mapping[str, Any],
) -> str:
    """Return the content of README.md.

    Args:
        settings: as passed to `ExportModel`: `name` of the model, `tokenizer` and `datasets` (its own first, then those
            of the models that it began with), each with its name and settings; empty: nothing is known about them.
        figures: of the training run, from model.json.
        evaluation: content of evaluation.json; may be empty.
    """
    datasets = settings.get("datasets", [])
    chats = any(dataset["settings"].get("content") == "conversations" for dataset in datasets)
    parts = [
        _front_matter(config, datasets),
        f"# {settings.get('name', 'A model')}\n",
        _model(config, settings, chats=chats),
        "## Data\n\n" + ("\n".join(map(_data, datasets)) or "- not recorded\n"),
        "## Figures\n\n| | |\n|---|---|\n"
        + "".join(f"| {name} | {value} |\n" for name, value in _figures(figures, evaluation)),
        _loading(config, chats=chats),
    ]
    return "\n".join(parts)


def license_of(dataset: Mapping[str, Any]) -> str | None:
    """Return the licence of a data set's text, where it is known."""
    own: str | None = dataset["settings"].get("license")
    return own or EMBEDDED_LICENSES.get(dataset["settings"]["source"].get("corpus"))


def _front_matter(config: ModelConfig, datasets: Sequence[Mapping[str, Any]]) -> str:
    lines = ["library_name: transformers", "pipeline_tag: text-generation", "tags:", "- nanosnake"]
    if config.architecture != "nanosnake":
        lines.append(f"- {config.architecture}")
    sources = [dataset["settings"]["source"] for dataset in datasets]
    for key, values in (
        ("language", [source.get("language") for source in sources]),
        ("datasets", map(_on_hub, sources)),
    ):
        if known := dict.fromkeys(filter(None, values)):
            lines += [f"{key}:", *(f"- {value}" for value in known)]
    return "\n".join(["---", *lines, "---\n"])


def _on_hub(source: Mapping[str, Any]) -> str | None:
    """Return a source's name on Hugging Face's hub."""
    if source["kind"] == "huggingface":
        return str(source["name"])
    url = str(source.get("url", ""))
    return "/".join(url.removeprefix(HUB).split("/")[:2]) if url.startswith(HUB) else None


def _model(config: ModelConfig, settings: Mapping[str, Any], *, chats: bool) -> str:
    tokenizer = settings.get("tokenizer")
    named = f" `{tokenizer['name']}`" if tokenizer else ""
    split = f" with the split pattern `{tokenizer['settings']['pattern']}`" if tokenizer else ""
    taught = (
        "It was trained on conversations and answers"
        if chats
        else "It continues text; it was not taught to follow instructions"
    )
    return (
        f"A {config.architecture} model of depth {config.depth}, width {config.width}, {config.heads} heads and "
        f"{config.kv_heads} key/value heads, for texts of {config.sequence_length:,} tokens at most, trained with "
        f"nanosnake. {taught}. Its tokenizer{named} is a byte-level "
        f"BPE of {config.vocab_size:,} tokens{split}; each document begins with the bos token.\n"
    )


def _data(dataset: Mapping[str, Any]) -> str:
    settings = dataset["settings"]
    source = settings["source"]
    first = f"- data set `{dataset['name']}`, source: {source['kind']}"
    if source["kind"] == "mixture":
        parts = source["parts"]
        shares = [
            f"`{name}` {parts[name]:g}" if isinstance(parts, Mapping) else f"`{name}`" for name in parts
        ]
        return f"{first} of {', '.join(shares)}\n"
    lines = []
    for key in ("url", "name", "config", "split", "revision", "language"):  # a path is the owner's own matter
        if value := source.get(key):
            lines.append(f"{key}: {_public(value) if key == 'url' else value}")
    lines += [f"training shards: {settings['train']}", f"validation shards: {settings['validation']}"]
    lines.append(f"licence of the text: {license_of(dataset) or 'not stated (`license` of the data set)'}")
    return "\n".join([first, *(f"  - {line}" for line in lines)]) + "\n"


def _public(url: str | list[str]) -> str:
    """Return addresses without their queries, which can hold a signature."""
    urls = [url] if isinstance(url, str) else url
    return ", ".join(urlsplit(one)._replace(query="", fragment="").geturl() for one in urls)


def _figures(figures: Mapping[str, Any], evaluation: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = [("training tokens", f"{figures['tokens']:,}"), ("steps", f"{figures['steps']:,}")]
    bits = evaluation.get("bits_per_byte", figures.get("bits_per_byte"))
    if bits is not None:
        rows.append(("validation bits per byte", f"{bits:.4f}"))
    if "loss" in evaluation:
        rows.append(("validation loss, nats per token", f"{evaluation['loss']:.4f}"))
    rows += [
        (f"{task['task']}, accuracy", f"{task['accuracy']:.3f}")
        for task in evaluation.get("tasks", [])
        if task.get("accuracy") is not None
    ]
    return rows


def _loading(config: ModelConfig, *, chats: bool) -> str:
    trust = ", trust_remote_code=True" if config.architecture == "nanosnake" else ""
    asked = (
        """messages = [{"role": "user", "content": "What is your name?"}]
inputs = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)"""
        if chats
        else 'inputs = tokenizer("The city of", return_tensors="pt")'
    )
    return f"""## Loading it

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(folder{trust})
model = AutoModelForCausalLM.from_pretrained(folder{trust})
{asked}
print(tokenizer.decode(model.generate(**inputs, max_new_tokens=40)[0]))
```
"""
