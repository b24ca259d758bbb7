"""How well each part of a mixture compresses, and its share of the vocabulary.

Exact over the whole training text: each part's counts are encoded by the tokenizer, and weighted as they were for the
merges.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nanosnake.checks.material import Subject
from nanosnake.checks.spec import Limits, Threshold, declare
from nanosnake.checks.verdict import Failure, Figure, Findings, not_measured

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SHARED = "no part alone"


@declare(
    title="Parts of the mixture",
    meaning="what each part of a mixture compresses to, and its share of the vocabulary",
    mode="warn",
    good_for="choosing shares: a part with poor compression has too few tokens of its own",
    not_for="saying which part a token helps most: one that is shared helps several",
    needs=("counts", "parts"),
    thresholds={
        "min_bytes_per_token": Threshold(None, "fewest bytes per token of the training text of any part"),
    },
    terms={
        "share of the vocabulary": "the learned tokens of which more than half of all occurrences in the mixture, as it "
        "was weighted, are in the part, over all learned tokens that occur",
    },
)
def check(subject: Subject, thresholds: Limits) -> Findings:
    """Cut each part's counts, and see where each learned token occurs."""
    import numpy as np

    from nanosnake.checks.corpus import Corpus
    from nanosnake.tokenizer.merging import BYTES

    if not subject.parts:
        return not_measured("the data set is not a mixture")
    uses = {part.name: Corpus(part.counts, subject.tokenizer).uses for part in subject.parts}
    weighted = np.stack([uses[part.name][BYTES:].astype(np.float64) * part.weight for part in subject.parts])
    owners = _owners(weighted)
    occur = max(1, int((weighted.sum(axis=0) > 0).sum()))
    figures: list[Figure] = []
    for number, part in enumerate(subject.parts):
        own = int((owners == number).sum())
        figures.append(
            {
                "text": part.name,
                "bytes": part.bytes,
                "weight": part.weight,
                "share_of_text": part.share,
                "tokens": int(uses[part.name].sum()),
                "bytes_per_token": part.bytes / max(int(uses[part.name].sum()), 1),
                "own_tokens": own,
                "share_of_vocabulary": own / occur,
            }
        )
    shared = int((owners == len(subject.parts)).sum())
    figures.append({"text": SHARED, "own_tokens": shared, "share_of_vocabulary": shared / occur})
    told = ", ".join(
        f"{row['text']} {row['bytes_per_token']:.3f} ({row['share_of_vocabulary']:.1%} of the vocabulary)"
        for row in figures[:-1]
    )
    return Findings(
        f"bytes per token of the training text: {told}",
        figures,
        list(_failures(figures[:-1], thresholds)),
        key={f"bytes_per_token.{row['text']}": float(row["bytes_per_token"] or 0) for row in figures[:-1]},
    )


def _owners(weighted: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return which row has more than half of each column: the number of rows where none has, -1 where all are 0."""
    import numpy as np

    total = weighted.sum(axis=0)
    most = weighted.argmax(axis=0)
    owned = 2 * weighted.max(axis=0, initial=0) > total
    return np.where(total == 0, -1, np.where(owned, most, len(weighted)))


def _failures(figures: list[Figure], limits: Limits) -> Iterator[Failure]:
    least = limits["min_bytes_per_token"]
    for row in figures:
        found = float(row["bytes_per_token"] or 0)
        if least is not None and found < least:
            message = f"{row['text']}: {found:.3f} bytes per token, wanted at least {least:g}; give it a larger share"
            yield Failure(str(row["text"]), found, message)
