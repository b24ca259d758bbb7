"""Read a configuration; one message reports everything that is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from nanosnake import layout
from nanosnake.config import written
from nanosnake.config.base import Unknown, listed, unknown
from nanosnake.config.ladders import Ladder, comparison_problems
from nanosnake.config.mixtures import mixture_problems
from nanosnake.config.models import Config
from nanosnake.config.parents import conversation_problems
from nanosnake.config.sources import KINDS, FilesSource
from nanosnake.config.training import GPT
from nanosnake.config.trials import engine_problems
from nanosnake.exports.formats import gguf_problem
from nanosnake.files import NanosnakeError

_ENDLESS = re.compile(r"\S{400,}")
"""A word of a message that nobody reads to its end: a value, or a name that was made of it."""


def load(
    raw: Mapping[str, Any],
    *,
    files: Sequence[str | Path] = (),
    given: Sequence[str] = (),
    section: Sequence[str] = (),
    origin: str = "the configuration",
    trials: str | Path | None = None,
) -> Config:
    """Return the configuration that `raw` describes.

    Args:
        raw: the configuration as Snakemake read it from files and command line.
        files: the YAML or JSON files that it read; they are named in messages.
        given: the `key=value` words after `--config`; Snakemake leaves their values as text.
        section: the keys below which the files have the configuration.
        origin: name to use in messages if there is no file.
        trials: folder of the engines' cached answers about patterns and special tokens; None: do not ask the engines.

    Raises:
        NanosnakeError: one line for each mistake: the key's path, the value seen, what is allowed.
    """
    origin = ", ".join([*map(str, files), *(["--config"] if given else [])]) or origin
    if problems := [
        *_half_characters(raw),
        *written.file_problems(files, section),
        *written.given_problems(given),
    ]:
        raise _refusal(origin, problems)
    try:
        config = Config.model_validate(written.with_given(raw, given))
    except ValidationError as error:
        raise _refusal(origin, list(_explained(error.errors()))) from None
    if problems := list(_contradictions(config)):
        raise _refusal(origin, problems)
    if trials is not None and (problems := list(engine_problems(config, Path(trials)))):
        raise _refusal(origin, problems)
    return config


def json_schema() -> dict[str, Any]:
    """Return the JSON schema (2020-12) of the configuration, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}


def _refusal(origin: str, problems: list[str]) -> NanosnakeError:
    count = "a mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
    short = (_ENDLESS.sub(lambda word: f"{word[0][:100]}...{word[0][-40:]}", problem) for problem in problems)
    return NanosnakeError("\n  ".join([f"{origin}: {count}; nothing was run", *short]))


def _half_characters(value: Any, key: str = "the configuration") -> Iterator[str]:
    """Find texts that cannot be written: an escape in YAML can name half of a character (a lone surrogate)."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _half_characters(name, f"{key}, a key")
            below = str(name) if key == "the configuration" else f"{key}.{name}"
            yield from _half_characters(inner, ascii(below)[1:-1])
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _half_characters(inner, f"{key}[{number}]")
    elif isinstance(value, str) and any("\ud800" <= c <= "\udfff" for c in value):
        yield f"{key}: half of a character (a lone surrogate); write the character itself; got {value!a}"


def _contradictions(config: Config) -> Iterator[str]:
    """Find mistakes that show only across sections: names that are defined elsewhere, folders."""
    yield from _text_problems(config)
    if problems := list(mixture_problems(config)):
        yield from problems
        return  # what follows needs valid parts
    for name, settings in config.datasets.items():
        try:
            settings.look_at_text()
        except NanosnakeError as error:
            yield f"datasets.{name}.text_column: {error}; got {_shown(settings.text_column)}"
    for name, ladder in config.whole_ladders.items():
        yield from _training_problems(config, f"ladders.{name}", ladder)
    yield from comparison_problems(config)
    yield from conversation_problems(config)
    for name, model in config.models.items():
        if name in config.made_by_ladders:
            continue  # the ladder's own message says what is wrong
        yield from _training_problems(config, f"models.{name}", model)
        tokenizer = config.tokenizers.get(model.tokenizer)
        if tokenizer and "gguf" in model.exports and (problem := gguf_problem(tokenizer.regex)):
            yield f"models.{name}.exports: {problem}; got {_shown(model.exports)}"
        if name in layout.RESERVED_IN_TOKENIZER:
            yield f"models.{name}: every tokenizer has {listed(layout.RESERVED_IN_TOKENIZER)}; choose another name"
    for name, comparison in config.compared.items():
        for other, where in comparison.others.items():
            if not Path(where.path).exists():
                yield (
                    f"tokenizer_comparisons.{name}.others.{other}.path: {Path(where.path).resolve()} does not exist; got "
                    f"{_shown(where.path)}"
                )
        for tokenizer_name in comparison.tokenizers:
            if tokenizer_name not in config.tokenizers:
                known = [*config.tokenizers, *config.sweeps]
                what = unknown("tokenizer or sweep", tokenizer_name, known)
                yield f"tokenizer_comparisons.{name}.tokenizers: {what}"
    for name, tokenizer in config.tokenizers.items():
        key = f"tokenizers.{name}"
        if name in layout.RESERVED_IN_DATASET:
            yield f"{key}: every dataset has folders named {listed(layout.RESERVED_IN_DATASET)}; choose another name"
        if (template := tokenizer.chat_template) is not None and (problem := _not_text(Path(template))):
            yield f"{key}.chat_template: {problem}; got {_shown(template)}"
        dataset = config.datasets.get(tokenizer.dataset)
        if dataset is None:
            yield f"{key}.dataset: {unknown('dataset', tokenizer.dataset, config.datasets)}"
            continue
        if isinstance(dataset.source, FilesSource) and tokenizer.text_column not in (None, dataset.column):
            yield (
                f"{key}.text_column: shards of kind files have one column of text, the data set's; define a data set "
                f"with that text_column; got {_shown(tokenizer.text_column)}"
            )
        if tokenizer.shards is None:
            continue
        try:
            shards = config.training_shards(name)
        except ValueError as error:
            yield f"{key}.shards: {error}; got {_shown(tokenizer.shards)}"
            continue
        if not shards:
            yield f"{key}.shards: selects no shard; name at least one, or leave the key out for all"
        elif outside := [shard for shard in shards if shard not in set(dataset.train_shards)]:
            yield (
                f"{key}.shards: {outside[0]} is not a training shard; got {_shown(tokenizer.shards)}, "
                f"allowed: those of datasets.{tokenizer.dataset}.train, {dataset.train!r}"
            )


def _training_problems(config: Config, key: str, settings: GPT | Ladder) -> Iterator[str]:
    """Find what a model or a ladder names and what does not exist."""
    if settings.tokenizer not in config.tokenizers:
        yield f"{key}.tokenizer: {unknown('tokenizer', settings.tokenizer, config.tokenizers)}"
    if settings.dataset is not None and settings.dataset not in config.datasets:
        yield f"{key}.dataset: {unknown('dataset', settings.dataset, config.datasets)}"
    if (prompts := settings.prompts) is not None and (problem := _not_text(Path(prompts))):
        yield f"{key}.prompts: {problem}; got {_shown(prompts)}"
    for problem in config.task_problems(settings.tasks, settings.tokenizer):
        yield f"{key}.tasks: {problem}"


def _not_text(path: Path) -> str | None:
    """Return why a file cannot be read as text, which a job would find out at its end, or None."""
    if not path.is_file():
        return f"{path.resolve()} {'is not a file' if path.exists() else 'does not exist'}"
    try:
        path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        return f"{path.resolve()} is not UTF-8 (byte {error.start}); convert it first"
    except OSError as error:
        return f"{path.resolve()} cannot be read ({error.strerror})"
    return None


def _text_problems(config: Config) -> Iterator[str]:
    """Find folders without evaluation texts, and texts with the same name."""
    names: dict[str, Path] = {}
    for folder in map(Path, config.evaluation.text_folders):
        files = sorted(folder.glob("*.txt"))
        if not files:
            yield f"evaluation.texts: the folder {folder.resolve()} holds no .txt file; got {_shown(str(folder))}"
        for file in files:
            if file.name in names:
                yield (
                    f"evaluation.texts: {file} has the name of the built-in {names[file.name]}; rename it, or leave "
                    "those out with evaluation.built_in_texts: false"
                )
            names[file.name] = file
    if not config.evaluation.text_folders:
        yield "evaluation.built_in_texts: without the built-in texts, name a folder of your own in evaluation.texts"


def _explained(details: Sequence[ErrorDetails]) -> Iterator[str]:
    """Yield a line for each mistake that pydantic found."""
    misspelt = {detail["loc"][:-1] for detail in details if isinstance(detail["input"], Unknown)}
    for detail in details:
        # a required key that is missing beside an unknown one is most often that one
        if detail["type"] != "missing" or detail["loc"][:-1] not in misspelt:
            yield _explain(detail)


def _explain(detail: ErrorDetails) -> str:
    """Return the line for a mistake that pydantic found."""
    kind, value = detail["type"], detail["input"]
    path = _path(detail["loc"])
    if kind == "wrong_key":
        context = detail["ctx"]
        return f"{_joined(path, context['key'])}: {context['message']}; got {_shown(context['value'])}"
    if isinstance(value, Unknown):
        return f"{path}: {value}; got {_shown(value.value)}"
    if kind == "missing":
        return f"{path}: this key is required and absent"
    if kind == "union_tag_not_found":
        return f"{path}.kind: this key is required and absent; allowed: {_tags(detail)}"
    if kind == "union_tag_invalid":
        return f"{path}.kind: got {_shown(detail['ctx']['tag'])}; allowed: {_tags(detail)}"
    message = detail["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    return f"{path}: {message}; got {_shown(value)}"


def _tags(detail: ErrorDetails) -> str:
    return str(detail.get("ctx", {}).get("expected_tags", KINDS))


def _path(loc: tuple[int | str, ...]) -> str:
    """Return a key's path as a user writes it.

    Below a data set's `source` and `validation`, and below a tokenizer, pydantic adds the kind of value, which is not a
    key of the file.
    """
    steps = list(loc)
    if len(steps) > 3 and steps[0] == "datasets" and steps[2] in ("source", "validation"):
        del steps[3]
    if len(steps) > 2 and steps[0] == "tokenizers" and steps[2] in ("taken", "trained"):
        del steps[2]
    if steps and steps[-1] == "[key]":
        steps.pop()
    words = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps]
    return "".join(words).removeprefix(".")


def _joined(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _shown(value: object) -> str:
    text = re.sub(r"//[^/@]*@", "//***@", repr(value))  # a URL with a password
    return f"{text if len(text) <= 80 else text[:77] + '...'} ({type(value).__name__})"
