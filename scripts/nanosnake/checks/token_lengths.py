"""How many bytes tokens have: learned tokens in the vocabulary, and all tokens as texts and samples use them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nanosnake.checks.engines import shown
from nanosnake.checks.material import Subject
from nanosnake.checks.spec import Limits, Threshold, declare
from nanosnake.checks.verdict import Failure, Figure, Findings

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

LONGEST = 30
"""How many of the longest tokens are listed."""


@declare(
    title="Token lengths",
    meaning="how many bytes tokens have, in the vocabulary and as they are used",
    mode="warn",
    good_for="finding tokens that were learned from repetition, such as long runs of one character",
    not_for="comparing vocabularies of different sizes: larger ones have longer tokens",
    needs=("samples",),
    thresholds={
        "max_longest_token_bytes": Threshold(128, "most bytes of any learned token", least=1, whole=True),
        "min_mean_used_bytes": Threshold(None, "fewest bytes of a token as used on validation documents"),
    },
)
def check(subject: Subject, thresholds: Limits) -> Findings:
    """Collect the distributions and judge the longest token and the mean as used."""
    import numpy as np

    from nanosnake.tokenizer.merging import BYTES

    tokens = subject.tokenizer.tokens
    lengths = subject.tokenizer.token_lengths
    learned = lengths[BYTES : len(tokens)]
    engine = subject.engine
    figures = [_row("learned tokens", "vocabulary", learned)]
    histograms = {"learned tokens": _histogram(learned)}
    means = {}
    for item in subject.items:
        used = lengths[np.concatenate([np.asarray(ids, dtype=np.int64) for ids in engine.encode(item.texts)])]
        figures.append(_row(item.name, item.kind, used))
        if item.kind == "sample":
            histograms[item.name] = _histogram(used)
            means[item.name] = float(used.mean()) if len(used) else 0.0
    order = sorted(range(BYTES, len(tokens)), key=lambda rank: (-len(tokens[rank]), rank))[:LONGEST]
    failures = _failures(tokens, order, means, thresholds)
    notes = []
    if "validation" not in means:
        notes.append("no validation documents were given, so the threshold on them was not applied")
    summary = "no token is learned, all are bytes"
    if order:
        longest = tokens[order[0]]
        summary = f"learned tokens have {learned.mean():.2f} bytes on average, at most {len(longest):,}"
        summary += f" ({shown(longest)})"
    return Findings(
        summary,
        figures,
        failures,
        notes,
        key={
            "mean_learned_bytes": float(learned.mean()) if len(learned) else 0.0,
            "longest_token_bytes": float(learned.max(initial=0)),
            **{f"mean_used_bytes.{name}": mean for name, mean in means.items()},
        },
        extra={
            "histograms": histograms,
            "longest": [
                {"id": rank, "bytes": len(tokens[rank]), "token": shown(tokens[rank])} for rank in order
            ],
        },
    )


def _failures(
    tokens: list[bytes],
    order: list[int],
    means: Mapping[str, float],
    thresholds: Mapping[str, float | None],
) -> list[Failure]:
    """Return a failure for each threshold that is not met; `order` names the longest tokens."""
    failures = []
    most = thresholds["max_longest_token_bytes"]
    for rank in order:
        size = len(tokens[rank])
        if most is not None and size > most:
            message = f"id {rank} is {shown(tokens[rank])} with {size:,} bytes, wanted at most {most:g}"
            failures.append(Failure(f"token {rank}", size, message))
    least = thresholds["min_mean_used_bytes"]
    mean = means.get("validation")
    if least is not None and mean is not None and mean < least:
        message = f"validation documents: tokens have {mean:.3f} bytes on average, wanted at least {least:g}"
        failures.append(Failure("validation", mean, message))
    return failures


def _row(name: str, kind: str, lengths: npt.NDArray[np.int32]) -> Figure:
    import numpy as np

    row: Figure = {"text": name, "kind": kind, "tokens": len(lengths)}
    if len(lengths):
        low, middle, high = np.percentile(lengths, [5, 50, 95])
        row |= {
            "mean_bytes": float(lengths.mean()),
            "p5_bytes": float(low),
            "median_bytes": float(middle),
            "p95_bytes": float(high),
            "max_bytes": int(lengths.max()),
        }
    return row


def _histogram(lengths: npt.NDArray[np.int32]) -> list[dict[str, Any]]:
    """Return how many tokens have each number of bytes, without numbers that no token has."""
    import numpy as np

    sizes, counts = np.unique(lengths, return_counts=True)
    return [{"bytes": int(size), "tokens": int(n)} for size, n in zip(sizes, counts, strict=True)]
