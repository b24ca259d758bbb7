"""What the same text costs in each language, on parallel text: premium over English, fertility, words kept whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from nanosnake.checks.engines import Engine, published_engine
from nanosnake.checks.material import Subject
from nanosnake.checks.parallel import PACKAGE, Language
from nanosnake.checks.spec import Limits, Threshold, declare
from nanosnake.checks.verdict import Failure, Figure, Findings, not_measured

PACKAGES = (PACKAGE,)
"""Packages whose upgrade outdates the verdict."""

Count = Callable[[list[str]], list[int]]
"""Tokens of each text."""


@declare(
    title="Languages",
    meaning="tokens of the same text in each language: premium over English, fertility, words kept as one token",
    mode="warn",
    good_for="seeing which languages pay more for the same content, in context length and in price",
    not_for="the quality of a model in a language; translations also differ in length, and the messages of a catalogue "
    "are not running text",
    needs=("baselines", "parallel"),
    thresholds={
        "max_premium": Threshold(
            None, "most tokens of a language per token of the same text in English", each=True
        ),
        "max_gini": Threshold(None, "largest Gini coefficient of the languages' premiums", most=1),
    },
    terms={
        "premium": "tokens of a text divided by those of the same text in English; parity is 1 (Petrov et al. 2023, "
        "arXiv:2305.15425)",
        "fertility": "tokens per word, a word being a run of characters that are not white space (Rust et al. 2021, "
        "arXiv:2012.15613)",
        "single-token retention rate": "the share of different words that are one token, here after a space (Nayeem et "
        "al. 2025, arXiv:2510.09947); without blanks between words it says nothing",
        "Gini coefficient": "of the languages' costs for the same text, English included: 0 if all pay the same "
        "(Foroutan et al. 2025, arXiv:2508.04796)",
    },
)
def check(subject: Subject, thresholds: Limits) -> Findings:
    """Count each language against English, on the sentences that both have."""
    if not subject.parallel:
        return not_measured(*subject.notes)
    counters = {"": _counter(subject.engine)}
    for name, encoding in subject.baselines.items():
        counters[f"_{name}"] = _counter(published_engine(name, encoding))
    english = _of_english(subject.parallel, counters)
    rows = sorted(
        (_row(language, english, counters) for language in subject.parallel),
        key=lambda row: -float(row["premium"] or 0),
    )
    ginis = {
        suffix: gini([1.0, *(float(row[f"premium{suffix}"] or 0) for row in rows)]) for suffix in counters
    }
    worst = rows[0]
    return Findings(
        f"over {len(rows)} languages, Gini {ginis['']:.3f}; {worst['text']} takes {worst['premium']:.2f} times the "
        "tokens of English",
        rows,
        list(_failures(rows, ginis[""], thresholds)),
        subject.notes,
        key={"gini": ginis[""], "worst_premium": float(worst["premium"] or 0)},
        tables={
            "Gini coefficient of the premiums": [
                {"text": suffix.removeprefix("_") or "this tokenizer", "languages": len(rows), "gini": value}
                for suffix, value in ginis.items()
            ]
        },
    )


def _counter(engine: Engine) -> Count:
    return lambda texts: [len(ids) for ids in engine.encode(texts)]


def gini(values: Sequence[float]) -> float:
    """Return the Gini coefficient: half the mean difference of two values, over their mean."""
    ordered, total = sorted(values), sum(values)
    if not total:
        return 0.0
    weighted = sum(place * value for place, value in enumerate(ordered, 1))
    return 2 * weighted / (len(ordered) * total) - (len(ordered) + 1) / len(ordered)


def _of_english(languages: Sequence[Language], counters: dict[str, Count]) -> dict[str, dict[str, int]]:
    """Return the tokens of each English sentence, for each tokenizer."""
    sentences = list(dict.fromkeys(text for language in languages for text in language.english))
    return {suffix: dict(zip(sentences, count(sentences), strict=True)) for suffix, count in counters.items()}


def _row(language: Language, english: dict[str, dict[str, int]], counters: dict[str, Count]) -> Figure:
    texts = list(language.texts)
    words = [word for text in texts for word in text.split()]
    different = list(dict.fromkeys(f" {word}" for word in words))
    size = sum(len(text.encode()) for text in texts)
    tokens = {suffix: sum(count(texts)) for suffix, count in counters.items()}
    row: Figure = {
        "text": language.name,
        "sentences": len(texts),
        "bytes": size,
        "tokens": tokens[""],
        "premium": 0.0,
        "bytes_per_token": size / max(tokens[""], 1),
        "tokens_per_word": tokens[""] / max(len(words), 1),
        "share_words_kept": counters[""](different).count(1) / max(len(different), 1),
    }
    for suffix, n in tokens.items():
        row[f"premium{suffix}"] = n / max(sum(english[suffix][text] for text in language.english), 1)
    return row


def _failures(rows: Sequence[Figure], unequal: float, limits: Limits) -> Iterator[Failure]:
    for row in rows:
        name, premium = str(row["text"]), float(row["premium"] or 0)
        most = limits.of(name, "max_premium")
        if most is not None and premium > most:
            message = f"{name}: {premium:.2f} times the tokens of English, wanted at most {most:g}"
            yield Failure(name, premium, message, limits.mode(name))
    most = limits["max_gini"]
    if most is not None and unequal > most:
        yield Failure("Gini", unequal, f"the Gini coefficient is {unequal:.3f}, wanted at most {most:g}")
