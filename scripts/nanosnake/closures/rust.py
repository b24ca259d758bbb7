"""What a Rust file means, item by item, and what each item uses.

Two files mean the same if they differ in formatting, comments, documentation, lints or tests alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from nanosnake.closures.rust_tokens import attribute_end, group_end, item_end, tokens

DEFINES = {"fn", "struct", "enum", "union", "trait", "type", "const", "static", "mod", "macro_rules"}
WORD = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True)
class Item:
    """A function, a type, an implementation."""

    names: tuple[str, ...]
    """What it defines, or the type that it implements something for; empty for a macro call."""
    kind: str
    """fn, struct, impl and so on; empty for a macro call."""
    digest: str
    words: frozenset[str]
    """Identifiers in it."""
    paths: tuple[str, ...]
    """Paths in it, such as `crate::merges::Merges`."""
    added: tuple[tuple[str, str], ...]
    """Texts that are followed by a path, as in `module.add("PATTERNS", tokenizer::patterns(..))`."""


@dataclass(frozen=True)
class RustFile:
    """What decides a result in a Rust file."""

    items: tuple[Item, ...]
    uses: Mapping[str, str]
    """Paths by the names that `use` gives them."""
    globs: tuple[str, ...]
    """Paths of which `use` brings in all names."""
    abroad: frozenset[str]
    """Words in the heads of implementations for types that the file does not define."""

    @property
    def digest(self) -> str:
        """SHA-256 of everything with a meaning."""
        return digest_of([*(item.digest for item in self.items), repr([self.uses, self.globs])])

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return the file that `to_json` gave."""
        items = tuple(
            Item(tuple(names), kind, digest, frozenset(words), tuple(paths), tuple(map(tuple, added)))
            for names, kind, digest, words, paths, added in value["items"]
        )
        return cls(items, value["uses"], tuple(value["globs"]), frozenset(value["abroad"]))

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "items": [[i.names, i.kind, i.digest, sorted(i.words), i.paths, i.added] for i in self.items],
            "uses": self.uses,
            "globs": self.globs,
            "abroad": sorted(self.abroad),
        }


def digest_of(parts: Iterable[str]) -> str:
    """Return the SHA-256 of texts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def read(source: bytes) -> RustFile:
    """Return what decides a result in a file.

    Raises:
        ValueError: if it is not Rust.
    """
    words, uses = _without_uses(tokens(source.decode()))
    found = []
    at = 0
    while at < len(words):
        end = max(item_end(words, at), at + 1)
        while words[end : end + 1] == [";"]:
            end += 1
        found.append(words[at:end])
        at = end
    items = tuple(map(_item, found))
    defined = {name for item in items if item.kind != "impl" for name in item.names}
    heads = [_head(item) for item, known in zip(found, items, strict=True) if known.kind == "impl"]
    abroad = {word for head in heads if not defined.intersection(head) for word in head}
    return RustFile(
        items=items,
        uses={name: path for name, path in sorted(uses) if name != "*"},
        globs=tuple(sorted(path.removesuffix("::*") for name, path in uses if name == "*")),
        abroad=frozenset(abroad),
    )


def _item(words: list[str]) -> Item:
    kind, names = _names(words)
    return Item(
        names=names,
        kind=kind,
        digest=digest_of(words),
        words=frozenset(word for word in words if WORD.fullmatch(word)),
        paths=tuple(sorted(set(_paths(words)))),
        added=tuple(_added(words)),
    )


def _without_uses(words: list[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """Take `use` and `mod name;` out of tokens: rustfmt sorts them, and what they bring in is followed."""
    kept: list[str] = []
    uses: list[tuple[str, str]] = []
    at = 0
    while at < len(words):
        if words[at] == "use":
            end = words.index(";", at)
            _drop_visibility(kept)
            uses += _tree(words[at + 1 : end], "")
            at = end + 1
        elif words[at] == "mod" and words[at + 2 : at + 3] == [";"]:
            _drop_visibility(kept)
            at += 3
        else:
            kept.append(words[at])
            at += 1
    return kept, uses


def _drop_visibility(kept: list[str]) -> None:
    if kept[-1:] == [")"] and "pub" in kept[-5:]:
        del kept[len(kept) - 1 - kept[::-1].index("pub") :]
    elif kept[-1:] == ["pub"]:
        kept.pop()


def _tree(words: Sequence[str], base: str) -> Iterator[tuple[str, str]]:
    """Yield the names and the paths of a `use`."""
    if "{" in words:
        opened = words.index("{")
        base += "".join(words[:opened])
        start = opened + 1
        last = group_end(words, opened) - 1
        depth = 0
        for at in range(start, last + 1):
            depth += (words[at] == "{") - (words[at] == "}" and at < last)
            if depth == 0 and (words[at] == "," or at == last):
                yield from _tree(words[start:at], base)
                start = at + 1
    elif words:
        path, alias = (words[:-2], words[-1]) if words[-2:-1] == ["as"] else (words, words[-1])
        whole = (base + "".join(path)).removesuffix("::self").removeprefix("::")
        yield whole.rsplit("::", 1)[-1] if alias == "self" else alias, whole


def _names(words: list[str]) -> tuple[str, tuple[str, ...]]:
    """Return the kind of an item, and what it defines or implements something for."""
    at = 0
    while at < len(words) and (behind := attribute_end(words, at)) > at:
        at = behind
    for place in range(at, len(words)):
        if words[place] == "impl":
            return "impl", (_self_type(words[place + 1 :]),)
        if words[place] in DEFINES and place + 1 < len(words):
            if words[place] == "const" and words[place + 1] in ("fn", "unsafe", "extern"):
                continue
            name = next(word for word in words[place + 1 :] if WORD.fullmatch(word) and word != "mut")
            return words[place], (name, *_python_names(words[:at]))
        if words[place] in ("{", ";", "!"):
            break
    return "", ()


def _python_names(attributes: list[str]) -> list[str]:
    """Return the name that pyo3 gives an item in Python, if it is another."""
    places = range(len(attributes) - 2)
    return [attributes[at + 2].strip('"') for at in places if attributes[at : at + 2] == ["name", "="]]


def _head(words: list[str]) -> list[str]:
    """Return the identifiers between `impl` and the body."""
    begins = words.index("impl") + 1
    return [word for word in words[begins : words.index("{", begins)] if WORD.fullmatch(word)]


def _self_type(words: list[str]) -> str:
    """Return the type that an implementation is for, from what follows `impl`."""
    depth = 0
    name = ""
    for word in words:
        depth += (word == "<") - (word == ">")
        if depth == 0 and word in ("{", "where"):
            break
        if depth == 0 and word == "for":
            name = ""
        elif depth == 0 and WORD.fullmatch(word) and word not in ("dyn", "mut", "const"):
            name = word
    return name


def _paths(words: list[str]) -> Iterator[str]:
    """Yield the paths of two names or more."""
    at = 0
    while at < len(words):
        if WORD.fullmatch(words[at]) and words[at + 1 : at + 2] == ["::"]:
            parts = [words[at]]
            while words[at + 1 : at + 2] == ["::"] and at + 2 < len(words) and WORD.fullmatch(words[at + 2]):
                parts.append(words[at + 2])
                at += 2
            if len(parts) > 1:
                yield "::".join(parts)
        at += 1


def _added(words: list[str]) -> Iterator[tuple[str, str]]:
    """Yield texts, and the path that follows each; empty if none does."""
    for at in range(len(words) - 2):
        if words[at].startswith('"') and words[at + 1] == ",":
            yield words[at].strip('"'), next(_paths(words[at + 2 : at + 7]), "")
