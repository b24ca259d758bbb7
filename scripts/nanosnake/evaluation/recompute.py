"""Recompute what an evaluation says about some documents, on a CPU, from model, tokenizer and text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nanosnake import layout
from nanosnake.evaluation.evidence import EVALUATION, FILE, Evidence, text_hash
from nanosnake.files import NanosnakeError, read_json, sha256_file
from nanosnake.training.shards import TokenShards, digest
from nanosnake.training.vocabulary import Vocabulary

SEED = 1
"""Seed of the choice of documents."""
TOLERANCE = 1e-3
"""Relative difference in the nats of all chosen documents that low-precision arithmetic on a GPU explains."""


@dataclass(frozen=True)
class Recomputed:
    """The result for some documents."""

    documents: int
    of: int
    off: float
    """Nats of all of them over those recorded, less 1."""
    most: float
    """The largest such difference of a single document, without its sign."""
    problems: tuple[str, ...]

    @property
    def summary(self) -> str:
        """The result, in a line."""
        return (
            f"{self.documents:,} of {self.of:,} documents computed again on the CPU: nats off by {self.off:+.5%} in all, "
            f"by at most {self.most:.5%} in one"
        )


def recompute(folder: Path, documents: int) -> Recomputed:
    """Recompute the nats of some documents of a model's evaluation.

    Args:
        folder: of the model, in its project.
        documents: how many, chosen at random, the same each time.

    Raises:
        NanosnakeError: if the tokenizer or the validation tokens no longer exist.
    """
    evidence, certificate = (
        Evidence.read(folder / FILE),
        read_json(folder / EVALUATION).get("certificate", {}),
    )
    vocabulary = Vocabulary.load(_tokenizer(folder, certificate.get("tokenizer", {})))
    data = _text(folder, certificate.get("text", []))
    known = min(len(evidence.document), data.documents)
    chosen = np.random.default_rng(SEED).choice(known, min(documents, known), replace=False).tolist()
    sums = _sums(folder, data, vocabulary, chosen)
    problems = list(_problems(folder, certificate, data))
    now, then = [], []
    for number in sorted(chosen):
        nats, _, tokens, size = sums[number]
        if wrong := _document_problem(evidence, data, vocabulary, number, (int(tokens), int(size))):
            problems.append(wrong)
        now.append(nats)
        then.append(float(evidence.nats[number]))
    each = [abs(a - b) / b for a, b in zip(now, then, strict=True) if b]
    off = math.fsum(now) / math.fsum(then) - 1 if math.fsum(then) else 0.0
    if abs(off) > TOLERANCE:
        problems.append(
            f"{FILE}: the nats of {len(chosen)} documents are off by {off:+.3%}, more than rounding explains"
        )
    return Recomputed(len(chosen), len(evidence.document), off, max(each, default=0.0), tuple(problems))


def _sums(folder: Path, data: TokenShards, vocabulary: Vocabulary, chosen: list[int]) -> list[list[float]]:
    """Return the sums of the chosen documents by number, in the rows of the evaluation."""
    from nanosnake.evaluation.evaluate import evaluate_documents
    from nanosnake.training.distributed import Ranks
    from nanosnake.training.export import read_model

    ranks = Ranks.start("cpu")
    try:
        model = read_model(folder, ranks.device)
        data.check(vocabulary.bos, model.config.vocab_size)
        sums = evaluate_documents(model, data, vocabulary.lengths, ranks, micro_batch=1, documents=chosen)
    finally:
        ranks.stop()
    found: list[list[float]] = sums.tolist()
    return found


def _tokenizer(folder: Path, hashes: Mapping[str, str]) -> Path:
    """Return the folder of the tokenizer that a model was evaluated with."""
    for place in layout.of_tokenizer(folder, Path(layout.TOKENIZER_FOLDER).name):
        if all((place / file).is_file() and sha256_file(place / file) == hashes[file] for file in hashes):
            return place
    raise NanosnakeError(
        f"{folder}: no folder of a tokenizer is the one that the model was evaluated with; run Snakemake to make it, or "
        "verify without --documents"
    )


def _text(folder: Path, digests: Sequence[Sequence[str]]) -> TokenShards:
    """Return the validation tokens that a model was evaluated on; of a mixture, those of its parts."""
    found = []
    for name, then in digests:
        places = layout.of_tokenizer(folder, f"tokens/validation/{name}.ds")
        found += [path for path in places if digest(path) == then][:1] or places[:1]
    if not digests or len(found) < len(digests):
        raise NanosnakeError(
            f"{folder}: the validation tokens that it was evaluated on are not there; run Snakemake with the target "
            "`tokens`, or verify without --documents"
        )
    return TokenShards(found)


def _problems(folder: Path, certificate: Mapping[str, Any], data: TokenShards) -> Iterator[str]:
    """Yield what differs from the certificate."""
    for name, then in certificate.get("model", {}).items():
        if sha256_file(folder / name) != then:
            yield f"{name}: is not the file that was evaluated: its SHA-256 differs from the certificate's"
    for (name, then), (_, now) in zip(certificate.get("text", []), data.digests, strict=True):
        if then != now:
            yield f"{name}.ds: is not the text that was evaluated: its digest is {now}, the certificate's {then}"


def _document_problem(
    evidence: Evidence, data: TokenShards, vocabulary: Vocabulary, number: int, counts: tuple[int, int]
) -> str | None:
    """Return what differs from a document's record: its text, its encoding, or its sizes.

    A conversation is not encoded again: its special tokens are not in its text, and its end may be cut.
    """
    one = data.one(number)
    ids = one.tokens.tolist()
    if text_hash(data, vocabulary, number) != evidence.document[number]:
        return f"{FILE}: document {number}: its text is not the one that was recorded"
    if one.learned is None and vocabulary.encode(vocabulary.decode(ids)) != ids:
        return f"{FILE}: document {number}: the tokenizer encodes its text otherwise"
    recorded = (int(evidence.tokens[number]), int(evidence.bytes[number]))
    if counts != recorded:
        return f"{FILE}: document {number}: {counts} tokens and bytes, recorded were {recorded}"
    return None
