"""Claims: the verdict follows from interval and threshold, and preregistration from what was recorded before."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nanosnake.config import load
from nanosnake.files import NanosnakeError, read_json, write_json
from nanosnake.ladders import preregistration
from nanosnake.ladders.claims import judge
from nanosnake.workflow.datasets import Datasets
from nanosnake.workflow.ladders import Ladders
from nanosnake.workflow.models import Models
from nanosnake.workflow.tokenizers import Tokenizers


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


def test_a_straight_line_between_two_depths_supports_nothing() -> None:
    found = difference(-0.02, -0.01)
    assert judge(found, "lower", 0.005)[0] == "supported"
    verdict, why = judge(found, "lower", 0.005, line_misleads=True)
    assert (verdict, why.endswith("give it three")) == ("not supported", True)


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


CONFIG: dict[str, Any] = {
    "datasets": {"demo": {"source": {"kind": "embedded", "shards": 5}, "train": "0-2", "validation": [4]}},
    "tokenizers": {"bpe": {"dataset": "demo", "vocab_size": 1024}},
    "ladders": {
        "base": {"tokenizer": "bpe", "depths": [1, 2], "seeds": [1], "options": {"steps": 3}},
        "more": {"like": "base", "options": {"steps": 4}},
    },
    "comparisons": {"claim": {"of": ["more", "base"], "threshold": "0.5%"}},
}


def terms(given: dict[str, Any]) -> dict[str, Any]:
    config = load(given)
    models = Models(config, Tokenizers(config, Datasets(config)))
    run: Any = SimpleNamespace(makes_files=False)
    return Ladders(config, models, run).terms("claim")


@pytest.mark.parametrize(
    ("section", "name", "key", "value", "changes"),
    [
        ("tokenizers", "bpe", "vocab_size", 2048, True),
        ("datasets", "demo", "train", "0-1", True),
        ("ladders", "base", "depths", [1, 2, 3], True),
        ("comparisons", "claim", "threshold", "0.1%", True),
        ("tokenizers", "bpe", "exports", ["nanochat"], False),
        ("ladders", "base", "prompts", "README.md", False),
    ],
)
def test_whatever_decides_a_model_is_among_the_terms(
    section: str, name: str, key: str, value: Any, changes: bool
) -> None:
    """A claim that failed cannot be tried again with another tokenizer, and still be preregistered."""
    other = deepcopy(CONFIG)
    other[section][name][key] = value
    assert (terms(other) != terms(CONFIG)) == changes
