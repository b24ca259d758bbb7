"""Characters that tokens cut: tokens that are not whole characters, and how often text of each script is cut inside one.

Counted over the whole training text, from the counts of its pre-tokens, and over the evaluation texts.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from nanosnake.checks.engines import shown
from nanosnake.checks.material import Subject
from nanosnake.checks.spec import Limits, Threshold, declare
from nanosnake.checks.verdict import Failure, Figure, Findings

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

LISTED = 30


@declare(
    title="Characters",
    meaning="which tokens are not whole characters, and how often text of each script is cut inside a character",
    mode="warn",
    good_for="knowing what a stream of ids shows half-way: after a cut, it ends in bytes that are not text yet",
    not_for="scripts that the texts and the training text do not contain",
    needs=("samples", "counts"),
    thresholds={
        "max_share_not_text": Threshold(
            None, "largest share of learned tokens that are not whole characters", most=1
        ),
        "max_share_cut": Threshold(
            None,
            "largest share of the characters of one script in the training text that may be cut",
            most=1,
            each=True,
        ),
    },
    terms={
        "script": "of letters and marks, the first word of the name in Unicode, such as LATIN, CJK or HANGUL; all else "
        "is one row; characters of one byte cannot be cut and are left out",
    },
)
def check(subject: Subject, thresholds: Limits) -> Findings:
    """Look at the tokens, then at the cuts."""
    from nanosnake.tokenizer.merging import BYTES

    tokens, corpus = subject.tokenizer.tokens, subject.corpus
    parts = [rank for rank in range(BYTES, len(tokens)) if not is_text(tokens[rank])]
    share = len(parts) / max(len(tokens) - BYTES, 1)
    training = Cuts(tokens)
    for batch in corpus.batches() if corpus else ():
        training.add(batch.pretokens, batch.counts, batch.ids)
    samples = []
    for item in subject.items:
        cuts = Cuts(tokens)
        cuts.add_texts(item.texts, subject.engine.encode(item.texts))
        samples.append(cuts.total(item.name))
    whole = training.total("all scripts")
    uses = corpus.uses if corpus else None
    listed = sorted(parts, key=lambda rank: -uses[rank] if uses is not None else rank)[:LISTED]
    figures = [whole, *map(training.row, dict.fromkeys([*training.scripts, *thresholds.rows]))]
    return Findings(
        f"{len(parts):,} of {len(tokens) - BYTES:,} learned tokens are not whole characters; "
        f"{whole['share_cut']:.2%} of the training text's characters of more than one byte are cut",
        figures,
        list(_failures(figures, share, thresholds)),
        [] if corpus else ["the counts of the training text were not given, so scripts were not checked"],
        key={"share_not_text": share, "share_cut": float(whole["share_cut"] or 0)},
        tables={
            "Texts and samples": samples,
            "Tokens that are not whole characters": [
                {
                    "token": shown(tokens[rank]),
                    "id": rank,
                    "uses": int(uses[rank]) if uses is not None else None,
                }
                for rank in listed
            ],
        },
    )


def is_text(token: bytes) -> bool:
    """Return whether a token is whole characters."""
    try:
        token.decode()
    except UnicodeDecodeError:
        return False
    return True


class Cuts:
    """How many characters of more than one byte there are of each script, and how many of them are cut."""

    def __init__(self, tokens: Sequence[bytes]) -> None:
        import numpy as np

        self._lengths = np.array([len(token) for token in tokens], dtype=np.int64)
        self._found: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
        self.ends = self.ends_inside = 0

    @property
    def scripts(self) -> list[str]:
        """The scripts that were seen, the most frequent first."""
        return sorted(self._found, key=lambda script: (-self._found[script][0], script))

    def add_texts(self, texts: Sequence[str], ids: Sequence[Sequence[int]]) -> None:
        """Add texts, each with its ids."""
        import numpy as np

        flat = [id_ for each in ids for id_ in each]
        self.add(
            [text.encode() for text in texts], np.ones(len(texts), dtype=np.int64), np.array(flat, np.int64)
        )

    def add(self, texts: Sequence[bytes], counts: npt.NDArray[np.int64], ids: npt.NDArray[np.int64]) -> None:
        """Add texts that occur several times; `ids` are those of all texts in a row."""
        import numpy as np

        joined = b"".join(texts)
        if not joined or self._lengths[ids].sum() != len(joined):
            return  # nothing to count, or a pattern that drops text, which the round trip reports
        data = np.frombuffer(joined, dtype=np.uint8)
        weights = np.repeat(counts, [len(text) for text in texts])
        starts = (data & 0xC0) != 0x80
        ends = np.cumsum(self._lengths[ids]) - 1
        inside = np.append(~starts[1:], False)[ends]
        self.ends += int(weights[ends].sum())
        self.ends_inside += int(weights[ends][inside].sum())
        owners = np.cumsum(starts) - 1
        cut = np.zeros(int(starts.sum()), dtype=np.int64)
        cut[owners[ends[inside]]] = 1
        points = np.frombuffer(joined.decode().encode("utf-32-le"), dtype=np.uint32)
        many = points > 0x7F
        weight = weights[starts][many]
        unique, inverse = np.unique(points[many], return_inverse=True)
        seen, cuts = np.zeros((2, len(unique)), dtype=np.int64)
        np.add.at(seen, inverse, weight)
        np.add.at(cuts, inverse, weight * cut[many])
        for point, n, n_cut in zip(unique.tolist(), seen.tolist(), cuts.tolist(), strict=True):
            found = self._found[script_of(chr(point))]
            found[0] += n
            found[1] += n_cut

    def row(self, script: str) -> Figure:
        """Return the row of a script."""
        return self._row(script, *self._found[script])

    def total(self, name: str) -> Figure:
        """Return the row of all scripts; `share_inside` is of all ids: what comes after them begins inside a character."""
        seen, cut = (sum(found[at] for found in self._found.values()) for at in (0, 1))
        return {**self._row(name, seen, cut), "share_inside": self.ends_inside / max(self.ends, 1)}

    def _row(self, name: str, seen: int, cut: int) -> Figure:
        return {"text": name, "characters": seen, "cut": cut, "share_cut": cut / max(seen, 1)}


def script_of(character: str) -> str:
    """Return the script of a letter or mark: the first word of its name in Unicode."""
    if unicodedata.category(character)[0] not in "LM":
        return "signs, digits and spaces"
    return unicodedata.name(character, "UNNAMED").partition(" ")[0]


def _failures(rows: Sequence[Figure], share: float, limits: Limits) -> Iterator[Failure]:
    most = limits["max_share_not_text"]
    if most is not None and share > most:
        message = f"{share:.1%} of learned tokens are not whole characters, wanted at most {most:.1%}"
        yield Failure("learned tokens", share, message)
    for row in rows[1:]:
        script, cut = str(row["text"]), float(row["share_cut"] or 0)
        limit = limits.of(script, "max_share_cut")
        if limit is not None and cut > limit:
            message = f"{script}: {cut:.1%} of the characters are cut, wanted at most {limit:.1%}"
            yield Failure(script, cut, message, limits.mode(script))
