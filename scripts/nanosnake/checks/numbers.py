"""How numbers are cut: are numbers of one length cut the same way, and where do the borders fall.

Every number of up to four digits is tried, and a fixed random choice of longer ones, each after a space as in text.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate

from nanosnake.checks.material import Subject
from nanosnake.checks.spec import Limits, Threshold, declare
from nanosnake.checks.verdict import Failure, Figure, Findings

DIGITS = range(1, 13)
ALL_UP_TO = 4
TRIED = 2000
SEED = 20


@declare(
    title="Numbers",
    meaning="whether numbers of one length are cut the same way, and where the borders fall; dates, versions, hexadecimal",
    mode="warn",
    good_for="choosing how a split pattern treats digits; equal cuts keep a digit's place readable",
    not_for="saying how well a model will calculate",
    thresholds={
        "min_share_same_cut": Threshold(
            None,
            "smallest share of the numbers of one length that are cut in the most common way",
            most=1,
            each=True,
        ),
    },
    terms={
        "cut": "the digits of each token in turn, as 1+3; on thousands: of the borders between digits, those with a "
        "multiple of three digits to their right, where English puts a comma",
    },
)
def check(subject: Subject, thresholds: Limits) -> Findings:
    """Cut numbers of each length, and other things made of digits."""
    rows = [
        _row(f"{n} digit{'s' if n > 1 else ''}", numbers, subject, numeric=True)
        for n, numbers in _numbers().items()
    ]
    others = [_row(kind, texts, subject, numeric=False) for kind, texts in _others().items()]
    failures = []
    for row in rows:
        name, share = str(row["text"]), float(row["share_same_cut"] or 0)
        least = thresholds.of(name, "min_share_same_cut")
        if least is not None and share < least:
            message = f"{name}: {share:.1%} are cut in the most common way ({row['cut']}), wanted at least {least:.1%}"
            failures.append(Failure(name, share, message, thresholds.mode(name)))
    same = [row for row in rows if row["cuts"] == 1]
    return Findings(
        f"numbers of the same length are cut in the same way for {len(same)} of {len(rows)} lengths from 1 to "
        f"{DIGITS[-1]} digits",
        rows,
        failures,
        key={
            f"share_same_cut.{n}": float(row["share_same_cut"] or 0)
            for n, row in zip(DIGITS, rows, strict=True)
        },
        tables={"Other things made of digits": others},
    )


def _numbers() -> dict[int, list[str]]:
    """Return the numbers of each length."""
    draw = random.Random(SEED)
    found = {}
    for digits in DIGITS:
        least, most = (10 ** (digits - 1) if digits > 1 else 0), 10**digits - 1
        numbers = (
            range(least, most + 1)
            if digits <= ALL_UP_TO
            else [draw.randint(least, most) for _ in range(TRIED)]
        )
        found[digits] = [str(number) for number in numbers]
    return found


def _others() -> dict[str, list[str]]:
    """Return dates, versions and the like by kind."""
    draw = random.Random(SEED)

    def made(write: Callable[[], str]) -> list[str]:
        return [write() for _ in range(TRIED // 4)]

    def upto(most: int) -> int:
        return draw.randint(0, most)

    return {
        "date, 2026-11-28": made(lambda: f"{1900 + upto(199)}-{1 + upto(11):02}-{1 + upto(27):02}"),
        "time, 15:04:05": made(lambda: f"{upto(23):02}:{upto(59):02}:{upto(59):02}"),
        "version, 3.11.2": made(lambda: f"{upto(20)}.{upto(40)}.{upto(20)}"),
        "decimal, 3.14159": made(lambda: f"{upto(999)}.{upto(99999):05}"),
        "with commas, 1,234,567": made(lambda: f"{10**6 + upto(10**9):,}"),
        "hexadecimal, 0x1f3a": made(lambda: f"0x{upto(0xFFFF):04x}"),
        "hash, 8 of its digits": made(lambda: f"{upto(0xFFFFFFFF):08x}"),
        "address, 192.168.0.1": made(lambda: ".".join(str(upto(255)) for _ in range(4))),
    }


def _row(name: str, texts: Sequence[str], subject: Subject, *, numeric: bool) -> Figure:
    lengths = subject.tokenizer.token_lengths
    cuts: Counter[tuple[int, ...]] = Counter()
    tokens = 0
    for ids in subject.engine.encode([f" {text}" for text in texts]):
        sizes = [int(lengths[id_]) for id_ in ids]
        tokens += len(sizes)
        sizes[0] -= 1  # the space before it
        cuts[tuple(size for size in sizes if size)] += 1
    cut, most = min(cuts.items(), key=lambda entry: (-entry[1], entry[0]))
    row: Figure = {
        "text": name,
        "tried": len(texts),
        "tokens_each": tokens / len(texts),
        "cuts": len(cuts),
        "cut": "+".join(map(str, cut)),
        "share_same_cut": most / len(texts),
    }
    if numeric:
        row["share_on_thousands"] = _on_thousands(cuts)
    return row


def _on_thousands(cuts: Mapping[tuple[int, ...], int]) -> float | None:
    """Return the share of borders that have a multiple of three digits to their right, None without a border."""
    borders = on = 0
    for cut, n in cuts.items():
        right = [sum(cut) - at for at in accumulate(cut)][:-1]
        borders += n * len(right)
        on += n * sum(digits % 3 == 0 for digits in right)
    return on / borders if borders else None
