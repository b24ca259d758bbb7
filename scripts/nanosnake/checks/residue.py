"""Merge residue: tokens that were learned as a step to longer ones and that the finished vocabulary hardly uses.

Each application of a merge makes a token, which then either stays in the text or is merged further. The share that
stays, final / (final + intermediate), is counted over the whole training text, from the counts of its pre-tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nanosnake.checks.engines import shown
from nanosnake.checks.material import Subject
from nanosnake.checks.spec import Limits, Threshold, declare
from nanosnake.checks.verdict import Failure, Figure, Findings, not_measured

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

LISTED = 30
RANGES = 4
"""Number of ranges of ranks in the table."""


@declare(
    title="Residue",
    meaning="how many learned tokens the training text makes and then nearly always merges further",
    mode="warn",
    good_for="knowing which rows of the embedding the training text will hardly train, by name, with no sample",
    not_for="text of another kind, where such a token may be used; or a gain in quality from removing it",
    needs=("counts",),
    thresholds={
        "ratio": Threshold(
            0.1,
            "a token is residue if the text keeps less than this share of those made, and uses it less than the median "
            "learned token",
            most=1,
        ),
        "max_share": Threshold(0.15, "largest share of learned tokens that may be residue", most=1),
    },
    terms={
        "merge residue": "a token that is frequent while merges are learned and rarely emitted afterwards; its "
        "final/intermediate ratio is final uses / (final uses + uses as a part of longer tokens) (LiteToken, "
        "arXiv:2602.04706, found 5 to 10% in public vocabularies)",
    },
)
def check(subject: Subject, thresholds: Limits) -> Findings:
    """Count how often each token is made and how often it stays."""
    import numpy as np

    from nanosnake.tokenizer.merging import BYTES

    corpus = subject.corpus
    if corpus is None:
        return not_measured("the counts of the training text were not given")
    uses, made = corpus.uses[BYTES:], corpus.made[BYTES:]
    ratios = uses / np.maximum(made, 1)
    limit = thresholds["ratio"]
    residue = (
        (ratios < (limit if limit is not None else 0)) & (uses < np.median(uses)) if len(uses) else uses > 0
    )
    share = float(residue.mean()) if len(residue) else 0.0
    figures = [_row("learned tokens", uses, made, residue)]
    for part in np.array_split(np.arange(len(uses)), RANGES) if len(uses) >= RANGES else ():
        name = f"ids {BYTES + part[0]:,} to {BYTES + part[-1]:,}"
        figures.append(_row(name, uses[part], made[part], residue[part]))
    worst = sorted(np.flatnonzero(residue), key=lambda at: (-made[at], at))[:LISTED]
    most = thresholds["max_share"]
    failures = []
    if most is not None and share > most:
        message = f"{share:.1%} of {len(uses):,} learned tokens are merge residue, wanted at most {most:.1%}"
        failures.append(Failure("learned tokens", share, message))
    return Findings(
        f"{int(residue.sum()):,} of {len(uses):,} learned tokens ({share:.1%}) are merge residue over the whole "
        "training text",
        figures,
        failures,
        key={"share": share, "unused": float((uses == 0).sum())},
        tables={
            "Residue that was made most often": [
                {
                    "token": shown(corpus.tokens[BYTES + at]),
                    "id": int(BYTES + at),
                    "made": int(made[at]),
                    "left": int(uses[at]),
                    "share_left": float(ratios[at]),
                }
                for at in worst
            ]
        },
    )


def _row(
    name: str, uses: npt.NDArray[np.int64], made: npt.NDArray[np.int64], residue: npt.NDArray[np.bool_]
) -> Figure:
    return {
        "text": name,
        "tokens": len(uses),
        "residue": int(residue.sum()),
        "share_residue": float(residue.mean()) if len(residue) else 0.0,
        "never_left": int((uses == 0).sum()),
        "uses": int(uses.sum()),
        "share_uses_residue": float(uses[residue].sum() / max(uses.sum(), 1)),
    }
