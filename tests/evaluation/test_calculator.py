"""The calculator takes what nanochat's takes, and executes nothing."""

from __future__ import annotations

import time

import pytest

from nanosnake.evaluation.calculator import LONGEST, calculate


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("12/60", "0.2"),
        ("0.2*50", "10.0"),
        ("1,200 + 34", "1234"),
        (" (2+3) * -4 // 3 ", "-7"),
        (".5+1.", "1.5"),
        ("0.1+0.2", "0.30000000000000004"),
        ("'strawberry'.count('r')", "3"),
        ('"a b".count(" ")', "1"),
        ("('aa'.count('a'))", "2"),
        ("'a,b'.count(',')", "3"),  # commas are taken out first, in nanochat as well
    ],
)
def test_what_it_takes(expression: str, result: str) -> None:
    assert calculate(expression) == result


@pytest.mark.parametrize(
    "expression",
    [
        *(
            "",
            "2**3",
            "2 ** 3",
            "1/0",
            "1//0",
            "1.0.0",
            "5 (3)",
            "()",
            "...",
            "(1",
            "007",
            "1 2",
            "5 % 2",
            "1e5",
        ),
        *("1 < 2", "True", "x", "[1]", "1 if 1 else 2", "2\n+2", "lambda: 1"),
        *("'a'.upper()", "'a' * 3", "'a'", "count('a')", "'a'.count(1)", "'a'.count('a'.count('a'))"),
        *("'profile'.count('e')", "'a'.__len__()", "().__class__.count('a')", "open('f').count('a')"),
        *(
            "'a'.count('a').real",
            "b'a'.count(b'a')",
            "x.count('a')",
            "'a'.count(*'a')",
            "'a'.count('b'",
            "'é'.count('e')",
        ),
    ],
)
def test_what_it_does_not_take(expression: str) -> None:
    assert calculate(expression) is None


def test_it_is_bounded_in_size_and_time() -> None:
    begun = time.monotonic()
    product = "*".join(["9" * 99] * 10)
    assert len(product) <= LONGEST
    assert calculate(product) == str(int("9" * 99) ** 10)
    for expression in (
        "(" * 500 + "1" + ")" * 499,
        "-" * (LONGEST - 1) + "1",
        "1" + "+1" * (LONGEST // 2),
        "9" * 10_000,
        "9" * 600 + "/.1",
    ):
        calculate(expression)  # whatever it says, it comes back at once
    assert calculate("9" * (LONGEST + 1)) is None
    assert calculate("9" * 600 + "/.1") is None, "a number too large for a float"
    assert time.monotonic() - begun < 2
