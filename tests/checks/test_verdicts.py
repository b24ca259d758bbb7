"""Thresholds, verdict files and evaluation texts: what is wrong with them is said, and they read back."""

from __future__ import annotations

from pathlib import Path

import pytest

from nanosnake.checks import CHECKS
from nanosnake.checks.material import read_texts
from nanosnake.checks.spec import Check, Limits, Threshold
from nanosnake.checks.verdict import Failure, Findings, read_verdict, verdict_of
from nanosnake.files import NanosnakeError
from tiny_tokenizers import evaluation_texts


def made(thresholds: dict[str, Threshold]) -> Check:
    """Return a check of this module with some thresholds."""
    return Check(lambda subject, limits: Findings("nothing"), "X", "", "warn", "", "", thresholds=thresholds)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"max_failure": 0}, r"checks\.round_trip\.max_failure: unknown threshold; allowed: max_failures"),
        (
            {"max_failures": -1},
            r"checks\.round_trip\.max_failures: -1 is out of range; a whole number at least 0",
        ),
        ({"max_failures": 0.5}, "0.5 is not whole"),
        ({"max_failures": True}, "True is not a number"),
        ({"max_failures": float("nan")}, "nan is not a number"),
    ],
)
def test_wrong_thresholds(given: dict[str, float], message: str) -> None:
    with pytest.raises(NanosnakeError, match=message):
        CHECKS["round_trip"].limits(given)


def test_thresholds_have_defaults() -> None:
    check = made({"least": Threshold(0.5, "", most=1), "none": Threshold(None, "")})
    assert check.name == "test_verdicts", "a check is named after its module"
    assert check.limits({}) == {"least": 0.5, "none": None}
    assert check.limits({"least": None, "none": 3}) == {"least": None, "none": 3}
    with pytest.raises(NanosnakeError, match="out of range; a number from 0 to 1"):
        check.limits({"least": 1.5})


def test_a_row_has_thresholds_and_a_mode_of_its_own() -> None:
    check = made({"most": Threshold(1, "", each=True), "all": Threshold(None, "")})
    limits = check.limits({"rows": {"korean": {"most": 2, "mode": "block"}, "free": {"most": None}}})
    assert limits == {"most": 1, "all": None}
    assert [limits.of(row, "most") for row in ("news", "korean", "free")] == [1, 2, None]
    assert [limits.mode(row) for row in ("news", "korean")] == [None, "block"]
    for row, message in (
        ({"all": 1}, r"rows\.korean\.all: unknown threshold; allowed: most"),
        ({"mode": "stop"}, r"rows\.korean\.mode: 'stop' is unknown; allowed: block, warn, off"),
    ):
        with pytest.raises(NanosnakeError, match=message):
            check.limits({"rows": {"korean": row}})


def test_one_row_blocks_while_another_warns_and_a_third_is_not_judged() -> None:
    failures = [Failure("a", 1, "low"), Failure("b", 1, "low", "block"), Failure("c", 1, "low", "off")]
    verdict = verdict_of(CHECKS["compression"], "warn", Limits({}), Findings("", failures=failures), {})
    assert [failure.item for failure in verdict.blocking] == ["b"]
    assert [failure.item for failure in verdict.warnings] == ["a"]
    assert verdict.blocks
    assert verdict.warns
    assert [failure.item for failure in verdict.failures] == ["b", "a"], "what blocks comes first"


def test_a_verdict_lists_some_failures_and_says_how_many() -> None:
    failures = [Failure(f"token {n}", n, "unreachable") for n in range(1000)]
    verdict = verdict_of(CHECKS["reachability"], "warn", Limits({}), Findings("many", failures=failures), {})
    assert len(verdict.failures) == 50
    assert verdict.notes == ["1,000 failures, of which the first 50 are listed"]
    assert verdict.warns
    assert not verdict.blocks


@pytest.mark.parametrize("content", ["[]", "{}", '{"check": "round_trip"}'])
def test_a_file_that_is_no_verdict(content: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(NanosnakeError, match=r"x\.json: not a verdict of a check"):
        read_verdict(tmp_path / "x.json")


def test_texts_are_read_to_the_byte(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_bytes(b"\xef\xbb\xbfa\r\nb\r")
    (tmp_path / "a.txt").write_bytes(b"")
    (tmp_path / "README.md").write_text("not a text")
    assert [(item.name, item.texts) for item in read_texts(tmp_path)] == [
        ("a", [""]),
        ("b", ["\ufeffa\r\nb\r"]),
    ]


def test_texts_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(NanosnakeError, match=r"holds no \.txt file"):
        read_texts(tmp_path)
    with pytest.raises(NanosnakeError, match="no such folder"):
        read_texts(tmp_path / "absent")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    with pytest.raises(NanosnakeError, match=r"latin\.txt: byte 3 is not UTF-8"):
        read_texts(tmp_path)


def test_our_own_texts_hold_what_they_are_for() -> None:
    texts = evaluation_texts()
    assert {"english_news", "korean", "python_code", "latex_mathematics", "science"} < set(texts)
    assert "\u200d" in texts["emoji_joiners"]
    assert "\ufe0f" in texts["emoji_joiners"]
    assert "\r\n" in texts["control_characters"]
    assert "\r" in texts["control_characters"].replace("\r\n", "")
    assert set(map(chr, range(1, 32))) <= set(texts["control_characters"])
    assert "a" * 5000 in texts["repetition"]
    assert "\u05b0" in texts["right_to_left"]
    assert "\t\t\t" in texts["indentation"]
