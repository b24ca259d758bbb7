"""What a user wrote, before YAML reads it: no value may be read differently than it looks, and no key lost."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

_PLAIN = {
    "int": re.compile(r"[-+]?(0|[1-9]\d*)|[-+]?0x[0-9a-fA-F]+"),
    "float": re.compile(r"[-+]?(\d+\.\d*|\.\d+)([eE][-+]\d+)?|[-+]?\.(inf|nan)", re.IGNORECASE),
    "bool": re.compile(r"true|false", re.IGNORECASE),
    "null": re.compile(r"~|null|", re.IGNORECASE),
    "merge": re.compile("<<"),
}
"""For each type that YAML 1.1 may read a word as, how such a word must be written."""

_EXPONENT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")
"""Numbers that YAML 1.1 takes for text."""


def file_problems(files: Sequence[str | Path], section: Sequence[str] = ()) -> Iterator[str]:
    """Find duplicate keys, and values that YAML reads differently than they look.

    Args:
        section: the keys that lead to the part to check; the rest of the files is checked elsewhere.
    """
    for file in files:
        yield from _problems(Path(file).read_text(encoding="utf-8-sig"), f"{file}, ", section=section)


def given_problems(given: Sequence[str]) -> Iterator[str]:
    """Find the same mistakes in `key=value` words of the command line."""
    for word in given:
        key, _, text = word.partition("=")
        yield from _problems(text, "--config, ", key)


def with_given(raw: Mapping[str, Any], given: Sequence[str]) -> dict[str, Any]:
    """Return a configuration whose command-line values have their types; Snakemake leaves them as text."""
    merged = dict(raw)
    for word in given:
        key, _, text = word.partition("=")
        merged[key] = _merge(merged.get(key), parsed(text))
    return merged


def _merge(old: object, new: object) -> object:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return {**old, **{key: _merge(old.get(key), value) for key, value in new.items()}}
    return new


def parsed(text: str) -> object:
    """Return what a text says: JSON, which Snakemake tries first and which may have tabs, or YAML."""
    return json.loads(text) if _is_json(text) else yaml.safe_load(text)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _problems(text: str, where: str, key: str = "", section: Sequence[str] = ()) -> Iterator[str]:
    as_json = _is_json(text)
    try:
        node = yaml.compose(text.replace("\t", " ") if as_json else text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        yield f"{where}{key}: not YAML: {' '.join(str(error).split())}"
        return
    _narrow(node, section)
    for mark, path, problem in _found(node, key, set(), as_json=as_json):
        yield f"{where}line {mark.line + 1}: {path}: {problem}"


def _narrow(node: yaml.Node | None, section: Sequence[str]) -> None:
    """Remove everything from a tree that is not below some keys."""
    if section and isinstance(node, yaml.MappingNode):
        node.value = [(name, value) for name, value in node.value if name.value == section[0]]
        for _, value in node.value:
            _narrow(value, section[1:])


def _found(
    node: yaml.Node | None, path: str, seen: set[int], *, as_json: bool
) -> Iterator[tuple[yaml.Mark, str, str]]:
    if node is None or id(node) in seen:
        return
    seen.add(id(node))  # an alias is the node that it refers to
    if isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for name, value in node.value:
            yield from _found(name, path or "a key", seen, as_json=as_json)
            below = f"{path}.{name.value}".removeprefix(".")
            line = name.start_mark.line + 1
            if name.value in lines:
                yield name.start_mark, below, f"this key is in line {lines[name.value]} too; keep one of them"
            lines[name.value] = line
            yield from _found(value, below, seen, as_json=as_json)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield from _found(item, f"{path}[{number}]", seen, as_json=as_json)
    elif (
        isinstance(node, yaml.ScalarNode)
        and not as_json
        and node.style is None
        and (problem := _misread(node))
    ):
        yield node.start_mark, path, problem


def _misread(node: yaml.ScalarNode) -> str | None:
    """Return what is wrong with a word that YAML reads differently than it looks, or None."""
    kind, text = node.tag.rpartition(":")[2], node.value
    if kind == "str":
        if not _EXPONENT.fullmatch(text):
            return None
        return f"YAML reads {text} as text; write {float(text):.16e} for the number, or '{text}' for text"
    if kind in _PLAIN and _PLAIN[kind].fullmatch(text):
        return None
    value = yaml.safe_load(text)
    shown = str(value).lower() if isinstance(value, bool) else str(value)
    also = f", or {shown} for that" if isinstance(value, bool | int) else ""
    return f"YAML reads {text} as {shown}; write '{text}' in quotes{also}"
