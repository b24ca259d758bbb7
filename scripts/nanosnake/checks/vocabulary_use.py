"""The share of learned tokens that sampled documents use.

It depends on the size of the sample, so compare tokenizers on the same sample. Learned tokens that are only a step
towards longer ones are hardly ever used; they keep the share below 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nanosnake.checks.engines import shown
from nanosnake.checks.material import Subject
from nanosnake.checks.spec import Limits, Threshold, declare
from nanosnake.checks.verdict import Failure, Figure, Findings

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

LISTED = 50
"""How many unused tokens are listed."""


@declare(
    title="Vocabulary use",
    meaning="the share of learned tokens that sampled documents use",
    mode="warn",
    good_for="comparing tokenizers on the same sample",
    not_for="saying that a token is useless: the share grows with the sample; Residue counts the whole training text",
    needs=("samples",),
    thresholds={
        "min_share_train": Threshold(None, "smallest share of learned tokens in the training sample", most=1),
        "min_share_validation": Threshold(
            None, "smallest share of learned tokens in the validation sample", most=1
        ),
    },
)
def check(subject: Subject, thresholds: Limits) -> Findings:
    """Count how often each learned token is used, and judge the shares."""
    import numpy as np

    from nanosnake.tokenizer.merging import BYTES

    tokenizer = subject.tokenizer
    learned = len(tokenizer.tokens) - BYTES
    engine = subject.engine
    figures: list[Figure] = []
    failures: list[Failure] = []
    notes: list[str] = []
    shares = {}
    sampled = np.zeros(tokenizer.vocab_size, dtype=np.int64)
    for item in subject.items:
        uses = _uses(engine.encode(item.texts), tokenizer.vocab_size)
        mine = uses[BYTES : BYTES + learned]
        used = int(np.count_nonzero(mine))
        share = used / learned if learned else 1.0
        figures.append(
            {
                "text": item.name,
                "kind": item.kind,
                "tokens": int(uses.sum()),
                "used": used,
                "share": share,
                "used_once": int(np.count_nonzero(mine == 1)),
                "single_bytes": float(uses[:BYTES].sum() / max(uses.sum(), 1)),
            }
        )
        if item.kind == "sample":
            shares[item.name] = share
            sampled += uses
    for split in ("train", "validation"):
        least = thresholds[f"min_share_{split}"]
        if least is None:
            continue
        if split not in shares:
            notes.append(f"no {split} documents were given, so min_share_{split} was not applied")
        elif shares[split] < least:
            message = (
                f"{split} documents: {shares[split]:.1%} of {learned:,} learned tokens are used, wanted at "
                f"least {least:.1%}"
            )
            failures.append(Failure(split, shares[split], message))
    unused = [BYTES + int(at) for at in np.flatnonzero(sampled[BYTES : BYTES + learned] == 0)]
    parts = [f"{share:.1%} in the {split} documents" for split, share in shares.items()]
    return Findings(
        f"of {learned:,} learned tokens, used: {', '.join(parts) or 'no documents were sampled'}",
        figures,
        failures,
        notes,
        key={f"share.{split}": share for split, share in shares.items()},
        extra={
            "unused": len(unused),
            "first_unused": [
                {"id": rank, "token": shown(tokenizer.tokens[rank])} for rank in unused[:LISTED]
            ],
        },
    )


def _uses(encoded: list[list[int]], vocab_size: int) -> npt.NDArray[np.int64]:
    """Return how often each id occurs in the documents: int64[vocab_size]."""
    import numpy as np

    uses = np.zeros(vocab_size, dtype=np.int64)
    for ids in encoded:
        uses += np.bincount(np.asarray(ids, dtype=np.int64), minlength=vocab_size)
    return uses
