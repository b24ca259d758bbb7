"""What the checks look at: a tokenizer, the evaluation texts, sampled documents, baselines, counts, parallel text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from nanosnake.checks.engines import Engine, rustbpe_engine
from nanosnake.files import NanosnakeError

if TYPE_CHECKING:
    import tiktoken

    from nanosnake.checks.corpus import Corpus
    from nanosnake.checks.parallel import Language
    from nanosnake.tokenizer.folder import TokenizerFolder


@dataclass(frozen=True)
class Document:
    """One text; `label` says in messages where it is from."""

    label: str
    text: str


@dataclass(frozen=True)
class Item:
    """One row of a table: a text of the folder, or all documents sampled from a split.

    Attributes:
        name: the text's file name without `.txt`, or `train`, `validation`.
        kind: `text` or `sample`.
        documents: one for a text, many for a sample.
    """

    name: str
    kind: str
    documents: Sequence[Document]

    @property
    def texts(self) -> list[str]:
        """The texts of the documents, in order."""
        return [document.text for document in self.documents]

    @property
    def bytes(self) -> int:
        """UTF-8 bytes of all documents."""
        return sum(len(document.text.encode()) for document in self.documents)

    @property
    def where(self) -> str:
        """Description for messages."""
        return f"{self.name} {'documents' if self.kind == 'sample' else 'text'}"


@dataclass(frozen=True)
class Part:
    """A part of a mixture: its counts, and how many times it was taken."""

    name: str
    counts: Path
    bytes: int
    weight: int
    share: float
    """Share of the mixture's bytes."""


@dataclass(frozen=True)
class Subject:
    """Everything that a check may look at; parts that it does not need are empty or None.

    Attributes:
        items: the samples, then the texts.
        baselines: by name.
        notes: what is not available, and how to get it.
        counts: count file of the whole training text.
        units: the count files that it is the sum of, one per shard.
        shards: the shards themselves, where they are too few to resample.
        parts: the parts of the mixture; empty if the training text is not one.
        parallel: the languages of parallel text.
    """

    tokenizer: TokenizerFolder
    items: Sequence[Item]
    baselines: Mapping[str, tiktoken.Encoding] = field(default_factory=dict)
    notes: Sequence[str] = ()
    counts: Path | None = None
    units: Sequence[Path] = ()
    shards: Sequence[Path] = ()
    parts: Sequence[Part] = ()
    parallel: Sequence[Language] = ()

    def documents(self) -> Iterator[tuple[Item, Document]]:
        """Yield every document with its item."""
        for item in self.items:
            for document in item.documents:
                yield item, document

    def sample(self, split: str) -> Item | None:
        """Return the sample of a split, or None."""
        return next((item for item in self.items if item.kind == "sample" and item.name == split), None)

    @cached_property
    def engine(self) -> Engine:
        """Our own encoder."""
        return rustbpe_engine(self.tokenizer)

    @cached_property
    def corpus(self) -> Corpus | None:
        """How the tokenizer cuts the training text, None if its counts were not given."""
        from nanosnake.checks.corpus import Corpus

        return Corpus(self.counts, self.tokenizer) if self.counts else None


def read_texts(*folders: str | Path) -> list[Item]:
    """Return the `.txt` files of folders, sorted by name, to the byte: line ends are not translated.

    Raises:
        NanosnakeError: if a folder has none, or a file is not UTF-8.
    """
    return [item for folder in folders for item in _texts_of(Path(folder))]


def _texts_of(folder: Path) -> list[Item]:
    if not folder.is_dir():
        raise NanosnakeError(f"{folder}: no such folder; evaluation.texts names a folder of .txt files")
    items = []
    for path in sorted(folder.glob("*.txt")):
        try:
            text = path.read_bytes().decode("utf-8")
        except UnicodeDecodeError as error:
            raise NanosnakeError(
                f"{path}: byte {error.start} is not UTF-8; convert the file, or remove it from the folder"
            ) from error
        items.append(Item(path.stem, "text", [Document(path.name, text)]))
    if not items:
        raise NanosnakeError(f"{folder}: holds no .txt file; put at least one evaluation text there")
    return items


def sample_items(paths: Sequence[str | Path]) -> list[Item]:
    """Return one item per split of the sample files, in the order given."""
    from nanosnake.sources.samples import read_samples

    splits: dict[str, list[Document]] = {}
    for path in paths:
        for row in read_samples(path):
            label = f"{row.split} document {row.shard}:{row.row}"
            splits.setdefault(row.split, []).append(Document(label, row.text))
    return [Item(split, "sample", documents) for split, documents in splits.items()]
