"""How code is cut: a few lines of each language against the baselines, indentation, identifiers, operators."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from nanosnake.checks.compression import baseline_note
from nanosnake.checks.engines import Engine, published_engine
from nanosnake.checks.material import Subject
from nanosnake.checks.snippets import SNIPPETS
from nanosnake.checks.spec import Limits, Threshold, declare
from nanosnake.checks.verdict import Failure, Figure, Findings
from nanosnake.tokenizer import BASELINE_NAMES

DEPTHS = range(1, 11)
INDENTS = {"2 spaces": "  ", "4 spaces": "    ", "tab": "\t"}
WORDS = (
    "user name, max value, file path, total count, get item, is valid, http request, parse json, row index, "
    "read only, start time, cache size, error message, next token, batch size, learning rate, open file, "
    "remove all, sort key, default value"
)
OPERATORS = (
    "= == != < > <= >= + - * / % += -= *= /= ++ -- ** // && || ! & | ^ ~ << >> -> => :: := ?? ?. ... .. === !== "
    "<- |> <=> ( ) [ ] { } () [] {} (); ]) }) /* */ // # #! \" ' ''' \"\"\" `"
)


@declare(
    title="Code",
    meaning="tokens of a line of code in each language, of indentation, identifiers and operators, against the baselines",
    mode="warn",
    good_for="finding a split pattern or a vocabulary that spells out indentation or punctuation",
    not_for="an estimate for a code base: a language has some ten lines here, written for this check",
    needs=("baselines",),
    thresholds={
        f"max_loss_{name}": Threshold(
            None,
            f"most additional tokens that the lines of any one language may take, relative to {name} (0.1: 10% more)",
            least=-1,
            each=True,
        )
        for name in BASELINE_NAMES
    },
)
def check(subject: Subject, thresholds: Limits) -> Findings:
    """Count the tokens of each language, and of the elements of code."""
    counters = {"": _counter(subject.engine)}
    for name, encoding in subject.baselines.items():
        counters[f"_{name}"] = _counter(published_engine(name, encoding))
    figures = [_language(name, text, counters) for name, text in SNIPPETS.items()]
    tokens = sum(int(row["tokens"] or 0) for row in figures)
    lines = sum(int(row["lines"] or 0) for row in figures)
    parts = [f"{tokens / lines:.1f} tokens per line of code over {len(figures)} languages"]
    for name in subject.baselines:
        parts.append(f"{name} {sum(int(row[f'tokens_{name}'] or 0) for row in figures) / lines:.1f}")
    return Findings(
        "; ".join(parts),
        figures,
        list(_failures(figures, subject, thresholds)),
        [*subject.notes, *baseline_note(subject, thresholds)],
        key={"tokens_per_line": tokens / lines},
        tables={
            "Tokens that indentation adds to a line, by depth": list(_indentation(counters[""])),
            "Tokens per identifier of two words": list(_identifiers(counters)),
            "Tokens per operator": _operators(counters),
        },
    )


def _counter(engine: Engine) -> Callable[[str], int]:
    return lambda text: len(engine.encode([text])[0])


def _language(name: str, text: str, counters: dict[str, Callable[[str], int]]) -> Figure:
    lines = text.count("\n")
    row: Figure = {"text": name, "lines": lines, "bytes": len(text.encode())}
    for suffix, tokens_of in counters.items():
        row[f"tokens{suffix}"] = tokens = tokens_of(text)
        row[f"tokens_per_line{suffix}"] = tokens / lines
        if suffix:
            row[f"relative_difference{suffix}"] = (tokens - int(row["tokens"] or 0)) / max(tokens, 1)
    return row


def _indentation(tokens_of: Callable[[str], int]) -> Iterator[Figure]:
    """Yield, for each way to indent, how many tokens each depth adds."""
    plain = tokens_of("if x:\nreturn x\n")
    for name, indent in INDENTS.items():
        added = {f"depth_{n}": tokens_of(f"if x:\n{indent * n}return x\n") - plain for n in DEPTHS}
        yield {"text": name, **added}


def _identifiers(counters: dict[str, Callable[[str], int]]) -> Iterator[Figure]:
    pairs = [words.split() for words in WORDS.split(", ")]
    styles = {
        "snake_case": ["_".join(pair) for pair in pairs],
        "camelCase": [first + second.capitalize() for first, second in pairs],
        "PascalCase": [first.capitalize() + second.capitalize() for first, second in pairs],
        "SCREAMING_CASE": ["_".join(pair).upper() for pair in pairs],
        "kebab-case": ["-".join(pair) for pair in pairs],
    }
    for style, names in styles.items():
        row: Figure = {"text": style, "identifiers": len(names)}
        for suffix, tokens_of in counters.items():
            row[f"tokens_each{suffix}"] = sum(tokens_of(f" {name}") for name in names) / len(names)
        yield row


def _operators(counters: dict[str, Callable[[str], int]]) -> list[Figure]:
    operators = OPERATORS.split()
    row: Figure = {"text": "operators", "tried": len(operators)}
    for suffix, tokens_of in counters.items():
        sizes = [tokens_of(operator) for operator in operators]
        row[f"tokens_each{suffix}"] = sum(sizes) / len(sizes)
        row[f"one_token{suffix}"] = sizes.count(1)
    return [row]


def _failures(rows: Sequence[Figure], subject: Subject, limits: Limits) -> Iterator[Failure]:
    for row in rows:
        language = str(row["text"])
        for name in subject.baselines:
            most, loss = (
                limits.of(language, f"max_loss_{name}"),
                -float(row[f"relative_difference_{name}"] or 0),
            )
            if most is not None and loss > most:
                message = (
                    f"{language}: {row['tokens']:,} tokens, {loss:+.1%} against the {row[f'tokens_{name}']:,} of {name}; "
                    f"wanted at most {most:+.1%}"
                )
                yield Failure(language, loss, message, limits.mode(language))
