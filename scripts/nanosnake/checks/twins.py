"""Tokens that differ by a leading space, by case or by width only, and texts that differ by Unicode's normal form only."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from nanosnake.checks.engines import shown
from nanosnake.checks.material import Subject
from nanosnake.checks.spec import Limits, Threshold, declare
from nanosnake.checks.verdict import Failure, Figure, Findings

LISTED = 20
FORMS: tuple[Literal["NFC", "NFD", "NFKC", "NFKD"], ...] = ("NFC", "NFD", "NFKC", "NFKD")


def _no_space(text: str) -> str:
    return text.removeprefix(" ")


def _compatible(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


KINDS: dict[str, Callable[[str], str]] = {
    "leading space": _no_space,
    "case": str.casefold,
    "width or other compatible form": _compatible,
    "any of these": lambda text: _compatible(_no_space(text)).casefold(),
}
"""What two tokens may differ by, and the function that makes such tokens equal."""


@declare(
    title="Twins",
    meaning="tokens that differ by a leading space, by case or by width only; special tokens and normal forms in text",
    mode="warn",
    good_for="seeing how much of the vocabulary spelling variants take up, and what normalizing would change",
    not_for="calling them waste: such tokens are learned because the text has them, and a model may need the difference",
    needs=("counts",),
    thresholds={
        "max_share_spare": Threshold(
            None, "largest share of learned tokens that spelling all twins alike would save", most=1
        ),
        "max_form_loss": Threshold(
            None, "most additional tokens that a text may take in form NFD, relative to NFC (0.5: 50% more)"
        ),
    },
    terms={
        "normal forms": "NFC composes characters, NFD decomposes them, NFKC and NFKD replace compatible ones, such as "
        "full-width letters, too (Unicode Standard Annex 15)",
        "spare": "tokens of a group of twins but one",
    },
)
def check(subject: Subject, thresholds: Limits) -> Findings:
    """Group the tokens, then encode the texts in each normal form."""
    from nanosnake.tokenizer.merging import BYTES

    texts = dict(_texts(subject.tokenizer.tokens[BYTES:], BYTES))
    groups = {kind: _groups(texts, alike) for kind, alike in KINDS.items()}
    uses = subject.corpus.uses if subject.corpus else None
    rows: list[Figure] = []
    for kind, found in groups.items():
        twins = [rank for group in found for rank in group]
        row: Figure = {"text": kind, "groups": len(found), "tokens": len(twins)}
        row |= {
            "spare": len(twins) - len(found),
            "share_spare": (len(twins) - len(found)) / max(len(texts), 1),
        }
        if uses is not None:
            row["share_uses"] = float(uses[twins].sum() / max(uses.sum(), 1)) if twins else 0.0
        rows.append(row)
    forms = [_forms(item.name, item.texts, subject) for item in subject.items]
    share = float(rows[-1]["share_spare"] or 0)
    return Findings(
        f"{rows[-1]['tokens']:,} learned tokens are alike but for a leading space, case or width, in "
        f"{rows[-1]['groups']:,} groups: {share:.1%} of the vocabulary would be saved by one spelling",
        rows,
        list(_failures(share, forms, thresholds)),
        key={"share_spare": share},
        tables={
            "The largest groups of twins": _largest(groups["any of these"], texts),
            "Tokens of each text in Unicode's normal forms": forms,
            "Special tokens as text": [
                {"token": shown(text.encode()), "id": rank, "tokens": len(subject.engine.encode([text])[0])}
                for text, rank in subject.tokenizer.special_tokens.items()
            ],
        },
    )


def _texts(tokens: Sequence[bytes], first: int) -> Iterator[tuple[int, str]]:
    """Yield id and text of the tokens that are text."""
    for rank, token in enumerate(tokens, first):
        try:
            yield rank, token.decode()
        except UnicodeDecodeError:
            continue


def _groups(texts: dict[int, str], alike: Callable[[str], str]) -> list[list[int]]:
    """Return the ids of the tokens that `alike` makes equal, groups of two or more, the largest first."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for rank, text in texts.items():
        found[alike(text)].append(rank)
    return sorted(
        (group for group in found.values() if len(group) > 1), key=lambda group: (-len(group), group)
    )


def _largest(groups: Sequence[Sequence[int]], texts: dict[int, str]) -> list[Figure]:
    rows: list[Figure] = []
    for group in groups[:LISTED]:
        words = ", ".join(shown(texts[rank].encode()) for rank in group)
        rows.append({"token": words, "tokens": len(group)})
    return rows


def _forms(name: str, texts: Sequence[str], subject: Subject) -> Figure:
    """Return how many tokens texts have in each normal form."""
    row: Figure = {"text": name}
    for form in FORMS:
        encoded = subject.engine.encode([unicodedata.normalize(form, text) for text in texts])
        row[f"tokens_{form}"] = sum(map(len, encoded))
    row["share_more_NFD"] = float(row["tokens_NFD"] or 0) / max(float(row["tokens_NFC"] or 0), 1) - 1
    row["share_in_NFC"] = sum(unicodedata.is_normalized("NFC", text) for text in texts) / max(len(texts), 1)
    return row


def _failures(share: float, forms: Sequence[Figure], limits: Limits) -> Iterator[Failure]:
    most = limits["max_share_spare"]
    if most is not None and share > most:
        yield Failure(
            "any of these", share, f"{share:.1%} of learned tokens are spare, wanted at most {most:.1%}"
        )
    for row in forms:
        more, most = float(row["share_more_NFD"] or 0), limits["max_form_loss"]
        if most is not None and more > most:
            message = f"{row['text']}: {more:+.1%} tokens in NFD against NFC, wanted at most {most:+.1%}"
            yield Failure(str(row["text"]), more, message)
