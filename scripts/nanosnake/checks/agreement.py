"""rustbpe, tiktoken and tokenizers give the same ids for every document.

This is checked twice: with special tokens in a text read as ordinary text, as documents are encoded; and with special
tokens recognized, as tiktoken does if allowed to and a tokenizer loaded from `tokenizer.json` does by default (without
rustbpe, which never looks for them).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

from nanosnake.checks.engines import Engine, all_engines, shown
from nanosnake.checks.material import Item, Subject
from nanosnake.checks.spec import Limits, Threshold, declare
from nanosnake.checks.verdict import Failure, Figure, Findings

if TYPE_CHECKING:
    from nanosnake.tokenizer.folder import TokenizerFolder

REFERENCE = "tiktoken"


@declare(
    title="Agreement",
    meaning="rustbpe, tiktoken and tokenizers give the same ids for every text and sampled document",
    mode="block",
    good_for="using any of the three libraries on data that another of them encoded",
    not_for="judging other libraries, or other versions of these three",
    needs=("samples",),
    thresholds={"max_differences": Threshold(0, "most documents whose ids may differ", whole=True)},
)
def check(subject: Subject, thresholds: Limits) -> Findings:
    """Compare the ids of every document with tiktoken's."""
    engines = {engine.name: engine for engine in all_engines(subject.tokenizer)}
    reference = engines.pop(REFERENCE)
    finders = _finders(subject.tokenizer)
    figures: list[Figure] = []
    failures: list[Failure] = []
    different = total = 0
    for item in subject.items:
        wanted = reference.encode(item.texts)
        row: Figure = {"text": item.name, "kind": item.kind, "documents": len(item.documents)}
        row["tokens"] = sum(map(len, wanted))
        bad: set[int] = set()
        for engine in engines.values():
            found = _differences(item, wanted, engine, REFERENCE, subject.tokenizer)
            row[f"different_{engine.name}"] = len(found)
            failures += found.values()
            bad |= set(found)
        found = _differences(
            item, finders[0].encode(item.texts), finders[1], finders[0].name, subject.tokenizer
        )
        row["different_special_tokens"] = len(found)
        failures += found.values()
        different += len(bad | set(found))
        total += len(item.documents)
        figures.append(row)
    summary = f"the ids of {total:,} documents are the same in rustbpe, tiktoken and tokenizers"
    if different:
        summary = f"the ids of {different:,} of {total:,} documents differ"
    allowed = thresholds["max_differences"]
    if allowed is None or different <= allowed:
        failures = []
    return Findings(summary, figures, failures, key={"different_documents": different, "documents": total})


def _finders(tokenizer: TokenizerFolder) -> tuple[Engine, Engine]:
    """Return tiktoken and tokenizers, set to find special tokens within a text."""
    encoding = tokenizer.tiktoken()
    loaded = tokenizer.hugging_face()
    loaded.encode_special_tokens = False
    return (
        Engine(
            "tiktoken with special tokens allowed",
            lambda texts: encoding.encode_batch(texts, allowed_special="all"),
            encoding.decode_bytes,
        ),
        Engine(
            "tokenizers finding special tokens",
            lambda texts: [found.ids for found in loaded.encode_batch(texts, add_special_tokens=False)],
            lambda ids: loaded.decode(ids, skip_special_tokens=False).encode(),
        ),
    )


def _differences(
    item: Item, wanted: Sequence[Sequence[int]], engine: Engine, reference: str, tokenizer: TokenizerFolder
) -> dict[int, Failure]:
    """Return a failure for each document, by its index, for which the engine's ids differ."""
    failures = {}
    for index, found in enumerate(engine.encode(item.texts)):
        if list(found) == list(wanted[index]):
            continue
        pairs = enumerate(zip_longest(wanted[index], found))
        at = next(at for at, (a, b) in pairs if a != b)
        before = b"".join(_bytes(tokenizer, rank) for rank in wanted[index][:at])
        message = (
            f"{item.documents[index].label}: at token {at:,} (byte {len(before):,}) {engine.name} gives "
            f"{_listed(found[at : at + 4], tokenizer)}, {reference} gives "
            f"{_listed(wanted[index][at : at + 4], tokenizer)}"
        )
        failures[index] = Failure(item.name, at, message)
    return failures


def _bytes(tokenizer: TokenizerFolder, rank: int) -> bytes:
    if rank < len(tokenizer.tokens):
        return tokenizer.tokens[rank]
    return next((text.encode() for text, id_ in tokenizer.special_tokens.items() if id_ == rank), b"")


def _listed(ranks: Sequence[int], tokenizer: TokenizerFolder) -> str:
    return ", ".join(f"{rank} {shown(_bytes(tokenizer, rank))}" for rank in ranks) or "no more tokens"
