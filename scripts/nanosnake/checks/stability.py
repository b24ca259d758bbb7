"""How much of a vocabulary is chance: merges relearned from resampled counts, and with one unit left out.

A unit is a shard, or, where there are fewer than 20 shards, one of 24 groups of documents. A resample draws as many
units as there are, with replacement; its counts are the sum of theirs, so only counts are reread.
"""

from __future__ import annotations

import contextlib
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nanosnake.checks.engines import shown
from nanosnake.checks.material import Subject
from nanosnake.checks.spec import Limits, Threshold, declare
from nanosnake.checks.verdict import Failure, Figure, Findings, not_measured
from nanosnake.messages import Progress, named

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

LEAST_UNITS = 20
GROUPS = 24
LEAST_DOCUMENTS = 10 * GROUPS
MOST_UNITS = 50
"""If there are more shards than this, they are summed into this many units, so a resample reads at most 50 files."""

RESAMPLES = 50
ALWAYS = 0.95
RANGES = 4
LISTED = 30
WORKERS = 2


@dataclass(frozen=True)
class Learned:
    """What was learned from other counts: the tokens, and bytes per token on the validation documents."""

    tokens: frozenset[bytes]
    bytes_per_token: float


@declare(
    title="Stability",
    meaning="how much of the vocabulary would differ with other text of the same kind, and which tokens depend "
    "on one shard",
    mode="off",  # it learns merges some 75 times
    good_for="telling a difference between tokenizers from chance, and finding the shard that a token comes from",
    not_for="training text of another kind; shards that were not shuffled are more alike inside than the bootstrap assumes",
    needs=("samples", "counts", "units"),
    thresholds={
        "min_share_stable": Threshold(
            None,
            f"smallest share of learned tokens that at least {ALWAYS:.0%} of the resamples learn too",
            most=1,
        ),
        "max_hanging": Threshold(
            None, "most learned tokens that are lost without one unit but no other", whole=True
        ),
    },
    terms={
        "bootstrap": f"{RESAMPLES} draws of as many units as there are, with replacement (Efron 1979); the interval is "
        "1.96 of their standard deviations to each side of the figure of all units, since a draw misses about a third of "
        "the units and is a little worse for that",
        "influence": "what changes if one unit is left out",
    },
)
def check(subject: Subject, thresholds: Limits) -> Findings:
    """Relearn merges many times, and compare the vocabularies."""
    from nanosnake.tokenizer.merging import BYTES

    given = int(subject.tokenizer.meta.get("given", 0))
    tokens = subject.tokenizer.tokens[BYTES + given :]
    if given and not tokens:
        return not_measured(
            "does not apply: the merges were made elsewhere, none was learned from these counts"
        )
    if subject.parts or not (subject.units or subject.shards):
        return not_measured(
            "needs the counts of shards of one data set; resamples of a mixture are not drawn"
        )
    with tempfile.TemporaryDirectory(prefix="nanosnake-") as folder:
        units = _units(subject, Path(folder))
        if len(units) < LEAST_UNITS or not tokens:
            note = f"needs {LEAST_UNITS} shards, or {LEAST_DOCUMENTS} documents in fewer shards"
            return not_measured(note)
        learn = _learner(subject, Path(folder), given, len(tokens))
        draw = random.Random(0)
        draws = [draw.choices(units, k=len(units)) for _ in range(RESAMPLES)]
        without = [[*units[:at], *units[at + 1 :]] for at in range(len(units))]
        learned = list(_in_parallel(learn, [units, *draws, *without]))
        names = [path.stem for path in units]
    whole, resampled, left_out = learned[0], learned[1 : RESAMPLES + 1], learned[RESAMPLES + 1 :]
    return _findings(
        tokens, BYTES + given, whole, resampled, dict(zip(names, left_out, strict=True)), thresholds
    )


def _learner(subject: Subject, folder: Path, given: int, merges: int) -> Callable[[Sequence[Path]], Learned]:
    """Return the function that learns merges, after the given ones, from the sum of some count files."""
    from nanosnake.checks.corpus import merge_parts
    from nanosnake.crate import rustbpe
    from nanosnake.tokenizer.merging import BYTES

    parts = merge_parts(subject.tokenizer.tokens[: BYTES + given])[BYTES:]
    start = [(left, right) for left, right in parts]

    sample = subject.sample("validation")
    texts = sample.texts if sample else []
    size = sum(len(text.encode()) for text in texts)
    least = int(subject.tokenizer.meta.get("counting", {}).get("min_count") or 1)

    def learn(units: Sequence[Path]) -> Learned:
        with tempfile.NamedTemporaryFile(dir=folder, suffix=".arrow") as file:
            rustbpe.merge_counts(list(map(str, units)), file.name, min_count=least, threads=1)
            found = rustbpe.train_merges(file.name, given + merges, start=start, threads=1)
        encoder = rustbpe.Encoder(found, pattern=subject.tokenizer.pattern)
        count = sum(map(len, named("rustbpe", encoder.encode_batch)(texts, 1)))
        return Learned(frozenset(found.token_bytes()), size / max(count, 1))

    return learn


def _in_parallel(
    learn: Callable[[Sequence[Path]], Learned], drawn: Sequence[Sequence[Path]]
) -> Iterator[Learned]:
    """Yield what is learned from each draw, in order, and show progress."""
    with (
        ThreadPoolExecutor(WORKERS) as pool,
        Progress("learning merges again", unit="vocabularies") as progress,
    ):
        for done, found in enumerate(pool.map(learn, drawn), start=1):
            progress(done, len(drawn))
            yield found


def _units(subject: Subject, folder: Path) -> list[Path]:
    """Return the count files that are resampled: of the shards, of groups of shards, or of groups of documents."""
    from nanosnake.crate import rustbpe

    units = list(subject.units)
    if len(units) < LEAST_UNITS and subject.shards:
        units = _by_documents(subject, folder)
    elif len(units) > MOST_UNITS:
        parts = [units[at::MOST_UNITS] for at in range(MOST_UNITS)]
        units = [folder / f"group_{at:02}.arrow" for at in range(MOST_UNITS)]
        for part, path in zip(parts, units, strict=True):
            rustbpe.merge_counts(list(map(str, part)), str(path), threads=WORKERS)
    return units


def _by_documents(subject: Subject, folder: Path) -> list[Path]:
    """Distribute the documents of the shards over groups and count each; return the count files."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from nanosnake.crate import rustbpe
    from nanosnake.sources.formats.tables import open_parquet

    counting = subject.tokenizer.meta.get("counting", {})
    column = str(counting.get("text_column") or "text")
    schema = pa.schema([(column, pa.large_string())])
    paths = [folder / f"group_{at:02}.parquet" for at in range(GROUPS)]
    documents = 0
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(pq.ParquetWriter(path, schema)) for path in paths]
        for shard in subject.shards:
            for batch in open_parquet(shard).iter_batches(columns=[column]):
                table = pa.Table.from_batches([batch]).cast(schema)
                for at, writer in enumerate(writers):
                    rows = range((at - documents) % GROUPS, len(table), GROUPS)
                    writer.write_table(table.take(pa.array(rows, pa.int64())))
                documents += len(table)
    if documents < LEAST_DOCUMENTS:
        return []
    units = []
    for path in paths:
        counts = rustbpe.count_parquet(
            str(path),
            pattern=subject.tokenizer.pattern,
            text_column=column,
            doc_cap=int(counting.get("doc_cap") or 0),
            threads=WORKERS,
        )
        path.unlink()
        units.append(path.with_suffix(".arrow"))
        counts.write(str(units[-1]))
    return units


def _findings(
    tokens: Sequence[bytes],
    first: int,
    whole: Learned,
    resampled: Sequence[Learned],
    without: dict[str, Learned],
    thresholds: Limits,
) -> Findings:
    """Return what the check found; `first` is the id of the first learned token."""
    import numpy as np

    shares = np.array([sum(token in found.tokens for found in resampled) for token in tokens]) / len(
        resampled
    )
    rows = [_row("learned tokens", shares)]
    for part in np.array_split(np.arange(len(tokens)), RANGES) if len(tokens) >= RANGES else ():
        rows.append(_row(f"ids {first + part[0]:,} to {first + part[-1]:,}", shares[part]))
    ratio, spread = (
        whole.bytes_per_token,
        float(np.std([found.bytes_per_token for found in resampled], ddof=1)),
    )
    low, high = ratio - 1.96 * spread, ratio + 1.96 * spread
    lost = {unit: [token for token in tokens if token not in found.tokens] for unit, found in without.items()}
    ranks = {token: rank for rank, token in enumerate(tokens, first)}
    times = Counter(token for found in lost.values() for token in found)
    hanging = sorted((token for token, n in times.items() if n == 1), key=ranks.__getitem__)
    stable = float((shares >= ALWAYS).mean())
    return Findings(
        f"{stable:.1%} of {len(tokens):,} learned tokens are in at least {ALWAYS:.0%} of {len(resampled)} resamples of "
        f"{len(without)} units; {low:.4f} to {high:.4f} bytes per token on the validation documents",
        rows,
        list(_failures(stable, len(hanging), thresholds)),
        [] if whole.tokens.issuperset(tokens) else [_other(tokens, whole, len(without))],
        key={"share_stable": stable, "hanging": float(len(hanging)), "bytes_per_token_spread": spread},
        tables={
            "Bytes per token on the validation documents": [
                {
                    "text": "all units",
                    "bytes_per_token": ratio,
                    "bytes_per_token_low": low,
                    "bytes_per_token_high": high,
                    "mean_of_resamples": float(np.mean([found.bytes_per_token for found in resampled])),
                }
            ],
            "What changes if one unit is left out": _influence(lost, without, whole),
            "Tokens that are lost without one unit but no other, lowest ids first": [
                _hanging(token, ranks[token], lost, float(shares[ranks[token] - first]))
                for token in hanging[:LISTED]
            ],
        },
    )


def _row(name: str, shares: npt.NDArray[np.float64]) -> Figure:
    return {
        "text": name,
        "tokens": len(shares),
        "in_all": int((shares == 1).sum()),
        "share_in_95": float((shares >= ALWAYS).mean()) if len(shares) else 1.0,
        "in_under_half": int((shares < 0.5).sum()),
        "mean_share": float(shares.mean()) if len(shares) else 1.0,
    }


def _influence(lost: dict[str, list[bytes]], without: dict[str, Learned], whole: Learned) -> list[Figure]:
    """Return a row for each unit, the most influential first."""
    order = sorted(lost, key=lambda unit: (-len(lost[unit]), unit))
    return [
        {
            "text": unit,
            "tokens_lost": len(lost[unit]),
            "change_bytes_per_token": without[unit].bytes_per_token - whole.bytes_per_token,
        }
        for unit in order
    ]


def _other(tokens: Sequence[bytes], whole: Learned, units: int) -> str:
    """Return the note for units that are not the training text."""
    same = sum(token in whole.tokens for token in tokens)
    return (
        f"the {units} units together give {same:,} of {len(tokens):,} learned tokens: they are not just the text that "
        "the tokenizer was trained on (for example, max_chars cuts a shard)"
    )


def _hanging(token: bytes, rank: int, lost: dict[str, list[bytes]], share: float) -> Figure:
    return {
        "token": shown(token),
        "id": rank,
        "unit": next(unit for unit, found in lost.items() if token in found),
        "share_in_resamples": share,
    }


def _failures(stable: float, hanging: int, limits: Limits) -> Iterator[Failure]:
    least, most = limits["min_share_stable"], limits["max_hanging"]
    if least is not None and stable < least:
        message = f"{stable:.1%} of the learned tokens are stable, wanted at least {least:.1%}"
        yield Failure("learned tokens", stable, message)
    if most is not None and hanging > most:
        message = f"{hanging:,} learned tokens depend on one unit, wanted at most {most:g}"
        yield Failure("learned tokens", hanging, message)
