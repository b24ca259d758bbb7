"""What an evaluation sums up, document by document: `nats.parquet`, next to `evaluation.json`.

A row for each document that was evaluated, in the order of the shards: `document` (SHA-256 of its text's bytes, the
same for every tokenizer), `bytes` and `tokens` (targets that were predicted, special tokens included), `nats`
(of the tokens that represent bytes) and `source` (the part of a mixture, or the shard, that it is from).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from nanosnake import layout
from nanosnake.closures import Closures
from nanosnake.files import NanosnakeError, read_json, replacing, sha256_file
from nanosnake.provenance.code import REPOSITORY

if TYPE_CHECKING:
    from torch import Tensor

    from nanosnake.training.shards import TokenShards
    from nanosnake.training.vocabulary import Vocabulary

FILE = Path(layout.NATS).name
EVALUATION = Path(layout.EVALUATION).name
SCHEMA = pa.schema(
    [
        ("document", pa.string()),
        ("bytes", pa.int64()),
        ("tokens", pa.int64()),
        ("nats", pa.float64()),
        ("source", pa.string()),
    ]
)
TOLERANCE = 1e-9
"""Relative difference allowed between sums that are added in another order."""
RESAMPLES = 2_000
SEED = 1
"""Seed of the resampling: the same two files give the same interval."""


def write(
    path: Path, sums: Tensor, data: TokenShards, vocabulary: Vocabulary, sources: Sequence[str]
) -> dict[str, Any]:
    """Write the evidence of an evaluation; return its sums and its hash.

    Args:
        sums: what `evaluate_documents` returned.
        sources: of each document, where it is from.
    """
    found = sums.cpu().numpy()
    evaluated = np.flatnonzero(found[:, 2])
    table = pa.table(
        {
            "document": [text_hash(data, vocabulary, number) for number in evaluated.tolist()],
            "bytes": found[evaluated, 3].astype(np.int64),
            "tokens": found[evaluated, 2].astype(np.int64),
            "nats": found[evaluated, 0],
            "source": [sources[number] for number in evaluated.tolist()],
        },
        schema=SCHEMA,
    )
    return {**write_table(path, table), **Evidence.read(path).sums}


def text_hash(data: TokenShards, vocabulary: Vocabulary, number: int) -> str:
    """Return the SHA-256 of a document's text, special tokens left out."""
    return hashlib.sha256(vocabulary.decode_bytes(data.one(number).tokens.tolist())).hexdigest()


def code_hash() -> str:
    """Return a SHA-256 of the code that decides what an evaluation says; comments do not change it."""
    parts = Closures(REPOSITORY, Path(layout.CODE)).of("evaluate_model")
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def other_code(folder: Path) -> str | None:
    """Return a note if a model was evaluated by other code than this."""
    said = read_json(folder / EVALUATION).get("certificate", {}).get("code")
    return "evaluated by other code than that of this checkout" if said not in (None, code_hash()) else None


def write_table(path: Path, table: pa.Table) -> dict[str, str]:
    """Write a table that an evaluation leaves; return its name and hash."""
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")
    return {"file": path.name, "sha256": sha256_file(path)}


def read_table(path: Path, schema: pa.Schema) -> pa.Table:
    """Return a table that an evaluation left.

    Raises:
        NanosnakeError: if it cannot be read, or has other columns.
    """
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise NanosnakeError(f"{path}: cannot be read ({error}); evaluate the model again") from error
    if table.schema.names != schema.names:
        raise NanosnakeError(
            f"{path}: has the columns {table.schema.names}, wanted {schema.names}; evaluate the model again"
        )
    return table


@dataclass(frozen=True)
class Evidence:
    """The columns of `nats.parquet`."""

    document: list[str]
    bytes: npt.NDArray[np.int64]
    tokens: npt.NDArray[np.int64]
    nats: npt.NDArray[np.float64]
    source: list[str]

    @classmethod
    def read(cls, path: Path) -> Evidence:
        """Read a file.

        Raises:
            NanosnakeError: if it is not one of ours.
        """
        table = read_table(path, SCHEMA)
        document, source = (table[name].to_pylist() for name in ("document", "source"))
        size, tokens, nats = (table[name].to_numpy() for name in ("bytes", "tokens", "nats"))
        return cls(document, size, tokens, nats, source)

    @property
    def order(self) -> npt.NDArray[np.int64]:
        """The documents' places, sorted by hash, then by bytes and nats."""
        return np.lexsort((self.nats, self.bytes, np.array(self.document)))

    @property
    def sums(self) -> dict[str, Any]:
        """Documents, bytes, tokens and nats of all."""
        return {
            "documents": len(self.document),
            "bytes": int(self.bytes.sum()),
            "tokens": int(self.tokens.sum()),
            "nats": math.fsum(self.nats),
        }


def problems(folder: Path) -> Iterator[str]:
    """Add up the score of a model again, and yield a line for each figure that differs from `evaluation.json`."""
    evaluation = read_json(folder / EVALUATION)
    sums = Evidence.read(folder / FILE).sums
    size = sums["bytes"]
    again = {**sums, "bits_per_byte": sums["nats"] / (math.log(2) * size) if size else math.nan}
    certificate: Mapping[str, Any] = evaluation.get("certificate", {}).get("evidence", {})
    claims = [
        *(
            (f"{EVALUATION}: {key}", evaluation.get(key), again[key])
            for key in ("bits_per_byte", "bytes", "tokens")
        ),
        *((f"{EVALUATION}: certificate: {key}", certificate.get(key), sums[key]) for key in sums),
    ]
    for name, said, found in claims:
        if not isinstance(said, int | float) or not math.isclose(said, found, rel_tol=TOLERANCE):
            yield f"{name} is {said}, but {FILE} adds up to {found}"
    yield from hash_problem(folder / FILE, certificate)


def hash_problem(path: Path, certificate: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line if a file is not the one that is certified."""
    said, found = certificate.get("sha256"), sha256_file(path)
    if said is not None and said != found:
        yield f"{EVALUATION}: certificate: SHA-256 of {path.name} is {said}, but that of the file is {found}"


@dataclass(frozen=True)
class Difference:
    """The second model's bits per byte, or accuracy, less the first's, on the same documents or items."""

    value: float
    low: float
    high: float
    """95% of the resamplings lie from `low` to `high`."""
    documents: int

    @property
    def within_noise(self) -> bool:
        """Whether the interval contains 0."""
        return self.low <= 0 <= self.high


def difference(a: Evidence, b: Evidence) -> Difference | None:
    """Return the paired difference with its bootstrap interval; None if the documents are not the same.

    Documents are drawn with replacement, each with its bytes and both models' nats. The interval is that of other
    documents of the same kind, not that of other seeds of the models.
    """
    changes = _changes(a, b)
    return None if changes is None else resampled(*changes)


def _changes(a: Evidence, b: Evidence) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None:
    """Return by how many bits each document differs, and its bytes; None if there are not the same two or more."""
    both = aligned([a, b])
    if both is None or len(both[0]) < 2:
        return None
    size, nats = both
    return (nats[1] - nats[0]) / math.log(2), size


def differences_by(a: Evidence, b: Evidence) -> Iterator[tuple[str, Difference]]:
    """Yield what some documents have in common, and their paired difference: a quarter by length, or a source.

    Of one source alone, or fewer than two documents in a group, nothing is yielded.
    """
    if (changes := _changes(a, b)) is None:
        return
    change, size = changes
    quarter = np.searchsorted(np.quantile(size, [0.25, 0.5, 0.75]), size)
    quarters = [quarter == number for number in np.unique(quarter)]
    groups = [(f"{size[one].min():,.0f} to {size[one].max():,.0f} bytes", one) for one in quarters]
    source = np.array(a.source)[a.order][a.bytes[a.order] > 0]
    if len(names := np.unique(source)) > 1:
        groups += [(str(name), source == name) for name in names]
    for name, chosen in groups:
        if chosen.sum() > 1:
            yield name, resampled(change[chosen], size[chosen])


def resampled(change: npt.NDArray[np.float64], size: npt.NDArray[np.float64]) -> Difference:
    """Return the sum of changes over the sum of sizes, with its bootstrap interval."""
    draw = np.random.default_rng(SEED)
    values = np.empty(RESAMPLES)
    for i in range(RESAMPLES):
        rows = draw.integers(0, len(size), len(size))
        values[i] = change[rows].sum() / size[rows].sum()
    low, high = np.quantile(values, [0.025, 0.975])
    return Difference(float(change.sum() / size.sum()), float(low), float(high), len(size))


def aligned(found: Sequence[Evidence]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None:
    """Return the bytes of the documents and the nats of each evidence, [evidences, documents], in one order.

    None if they are not of the same documents. Empty documents are left out: they change no sum.
    """
    orders = [one.order for one in found]
    names, size = np.array(found[0].document)[orders[0]], found[0].bytes[orders[0]]
    for one, order in zip(found[1:], orders[1:], strict=True):
        if not np.array_equal(np.array(one.document)[order], names) or not np.array_equal(
            one.bytes[order], size
        ):
            return None
    nats = np.array([one.nats[order] for one, order in zip(found, orders, strict=True)])
    return size[size > 0].astype(np.float64), nats[:, size > 0]


def mean(found: Sequence[Evidence]) -> Evidence:
    """Return the evidence with the mean nats of each document, of models that saw the same documents.

    Raises:
        NanosnakeError: if they did not.
    """
    first = found[0]
    together = aligned(found)
    if together is None:
        raise NanosnakeError(f"{FILE}: the models were evaluated on different documents; evaluate them again")
    kept = first.order[first.bytes[first.order] > 0]
    names, sources = ([column[at] for at in kept.tolist()] for column in (first.document, first.source))
    return Evidence(names, first.bytes[kept], first.tokens[kept], together[1].mean(0), sources)
