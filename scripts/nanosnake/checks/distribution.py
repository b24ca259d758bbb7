"""How evenly the training text uses the vocabulary: Rényi efficiency, and uses by rank, from the whole text's counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nanosnake.checks.material import Subject
from nanosnake.checks.spec import Limits, Threshold, declare
from nanosnake.checks.verdict import Failure, Figure, Findings, not_measured

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

ALPHA = 2.5
"""The order of Rényi's entropy that correlated best with translation quality in arXiv:2306.16842."""

RANGES = 10
FEW = 100


@declare(
    title="Distribution",
    meaning="how evenly the training text uses the tokens: Rényi efficiency, and uses by rank",
    mode="warn",
    good_for="seeing how much of the vocabulary is rare in training; comparing sizes and patterns on one text",
    not_for="ranking tokenizers by quality: Cognetta et al. (arXiv:2402.14614) make tokenizers of higher Rényi "
    "efficiency and worse translation",
    needs=("counts",),
    thresholds={
        "min_renyi_efficiency": Threshold(None, f"smallest Rényi efficiency of order {ALPHA}", most=1),
        "max_share_rare": Threshold(
            None, f"largest share of learned tokens with fewer than {FEW} uses in the training text", most=1
        ),
    },
    terms={
        "Rényi efficiency": f"Rényi's entropy of order {ALPHA} of the tokens' frequencies, divided by the logarithm of "
        "the vocabulary's size: 1 if all tokens are equally frequent (Zouhar et al. 2023, arXiv:2306.16842)",
    },
)
def check(subject: Subject, thresholds: Limits) -> Findings:
    """Measure the distribution of the tokens over the training text."""
    import numpy as np

    from nanosnake.tokenizer.merging import BYTES

    corpus = subject.corpus
    if corpus is None:
        return not_measured("the counts of the training text were not given")
    uses = corpus.uses
    learned = uses[BYTES:]
    renyi, shannon = efficiency(uses, ALPHA), efficiency(uses, 1)
    rare = float((learned < FEW).mean()) if len(learned) else 0.0
    figures: list[Figure] = [_row("single bytes", uses[:BYTES], uses)]
    for part in np.array_split(np.arange(len(learned)), RANGES) if len(learned) >= RANGES else ():
        figures.append(_row(f"ids {BYTES + part[0]:,} to {BYTES + part[-1]:,}", learned[part], uses))
    failures = []
    least, most = thresholds["min_renyi_efficiency"], thresholds["max_share_rare"]
    if least is not None and renyi < least:
        message = f"Rényi efficiency is {renyi:.4f}, wanted at least {least:g}"
        failures.append(Failure("vocabulary", renyi, message))
    if most is not None and rare > most:
        message = f"{rare:.1%} of learned tokens have fewer than {FEW} uses, wanted at most {most:.1%}"
        failures.append(Failure("learned tokens", rare, message))
    return Findings(
        f"Rényi efficiency {renyi:.4f} (order {ALPHA}), Shannon's {shannon:.4f}; {rare:.1%} of learned tokens have "
        f"fewer than {FEW} uses in {int(uses.sum()):,} tokens of training text",
        figures,
        failures,
        key={"renyi_efficiency": renyi, "shannon_efficiency": shannon, "share_rare": rare},
    )


def efficiency(uses: npt.NDArray[np.int64], alpha: float) -> float:
    """Return the entropy of order `alpha` of frequencies, over the logarithm of their number.

    Source: Zouhar et al. 2023, arXiv:2306.16842, definition 3.4 for order `alpha`; order 1 is Shannon's entropy.
    """
    import numpy as np

    total = uses.sum()
    if len(uses) < 2 or not total:
        return 0.0
    shares = uses[uses > 0] / total
    if alpha == 1:
        entropy = -(shares * np.log(shares)).sum()
    else:
        entropy = np.log((shares**alpha).sum()) / (1 - alpha)
    return float(entropy / np.log(len(uses)))


def _row(name: str, uses: npt.NDArray[np.int64], everything: npt.NDArray[np.int64]) -> Figure:
    import numpy as np

    return {
        "text": name,
        "tokens": len(uses),
        "uses": int(uses.sum()),
        "share_uses": float(uses.sum() / max(everything.sum(), 1)),
        "median_uses": float(np.median(uses)),
        "unused": int((uses == 0).sum()),
        "under_10_uses": int((uses < 10).sum()),
        "under_100_uses": int((uses < FEW).sum()),
    }
