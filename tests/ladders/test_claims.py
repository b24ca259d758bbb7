"""Claims: the verdict follows from interval and threshold, and preregistration from what was recorded before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nanosnake.files import NanosnakeError, read_json, write_json
from nanosnake.ladders import preregistration
from nanosnake.ladders.claims import judge


def difference(low: float | None, high: float | None, *, extrapolated: bool = False) -> dict[str, Any]:
    value = None if low is None or high is None else (low + high) / 2
    return {"value": 0.0 if value is None else value, "low": low, "high": high, "extrapolated": extrapolated}


@pytest.mark.parametrize(
    ("low", "high", "direction", "verdict", "why"),
    [
        (-0.02, -0.01, "lower", "supported", "whole interval"),
        (-0.02, -0.001, "lower", "not supported", "may be smaller"),
        (-0.004, -0.001, "lower", "not supported", "is smaller"),
        (-0.02, 0.001, "lower", "within noise", "no difference"),
        (0.01, 0.02, "lower", "not supported", "other direction"),
        (0.01, 0.02, "higher", "supported", "whole interval"),
        (None, None, "lower", "not supported", "two seeds"),
    ],
)
def test_the_verdict(low: float | None, high: float | None, direction: str, verdict: str, why: str) -> None:
    found, reason = judge(difference(low, high), direction, 0.005)
    assert found == verdict
    assert why in reason


def test_extrapolation_supports_nothing() -> None:
    assert judge(difference(-0.02, -0.01, extrapolated=True), "lower", 0.005)[0] == "not supported"
    assert judge(None, "lower", 0.005) == ("not supported", "there is nothing to compare")


def test_terms_that_were_recorded_before_are_preregistered(tmp_path: Path) -> None:
    path, terms = tmp_path / "history/claim.json", {"threshold": "0.5%"}
    assert preregistration.judge(path, terms)["why"] == "the terms were not recorded"
    preregistration.record(path, terms, [])
    written = path.read_bytes()
    preregistration.record(path, terms, ["base-d1-s1"])
    assert path.read_bytes() == written, "the same terms are recorded once"
    found = preregistration.judge(path, terms)
    assert (found["preregistered"], found["versions"]) == (True, 1)


def test_a_threshold_that_is_changed_afterwards_is_seen(tmp_path: Path) -> None:
    path, other = tmp_path / "claim.json", {"threshold": "0.1%"}
    preregistration.record(path, {"threshold": "0.5%"}, [])
    preregistration.record(path, other, ["base-d1-s1", "a"])
    found = preregistration.judge(path, other)
    assert (found["preregistered"], found["versions"]) == (False, 2)
    assert found["why"].startswith("a had been begun when the terms were recorded and the terms were changed")
    assert len(read_json(path)["entries"]) == 2


def test_an_edited_record_is_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "claim.json", {"entries": [{"terms": {}}]})
    with pytest.raises(NanosnakeError, match=r"claim.json: is not a record .* delete the file"):
        preregistration.entries(tmp_path / "claim.json")
