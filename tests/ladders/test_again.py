"""A claim is judged again, and what was edited is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from ladders.test_compare import BASE, compare, curve, scaled
from nanosnake import layout
from nanosnake.commands.verify import Verify
from nanosnake.files import read_json, write_json
from nanosnake.ladders import preregistration


@pytest.fixture
def claim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the claim of a project, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    here = Path()
    found, judged = compare(here, curve(here, "better", scaled(0.98)), curve(here, "base", BASE))
    names = {"dataset": "demo", "compared": "wins"}
    record = Path(layout.PREREGISTRATION.format(**names))
    preregistration.record(record, judged["terms"], [])
    judged["preregistration"] = preregistration.judge(record, judged["terms"])
    for path, content in ((layout.LADDER_COMPARISON, found), (layout.CLAIM, judged)):
        write_json(Path(path.format(**names)), content)
    return Path(layout.CLAIM.format(**names))


def test_a_claim_is_judged_again(claim: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert Verify(manifests=(claim,)).run() == 0
    assert capsys.readouterr().out == f"{claim}: supported, judged again with the same result\n"
    write_json(claim, {**read_json(claim), "verdict": "within noise"})
    assert Verify().run() == 1, "claims are among what is verified by default"
    line, summary = capsys.readouterr().out.splitlines()
    assert line == f"{claim}: verdict is 'within noise', judged again it is 'supported'"
    assert "does not follow from its models' evaluations" in summary


def test_an_edited_evaluation_or_curve_is_seen(claim: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edited = Path("results/demo/bpe/base-d2-s1/evaluation.json")
    write_json(edited, {**read_json(edited), "bits_per_byte": 1.7})
    assert Verify(manifests=(claim,)).run() == 1
    said = capsys.readouterr().out
    assert "results/demo/ladders/base/curve.json: " in said
    assert "more values differ" in said
    assert len(said.splitlines()) <= 6, "a few of many lines"


def test_what_is_no_claim_is_refused(claim: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_json(claim, {"terms": {}})
    assert Verify(manifests=(claim,)).run() == 1
    assert "wins.json: is not a claim; delete it and run Snakemake again" in capsys.readouterr().err
    write_json(
        claim, {"terms": {"of": ["better", "gone"], "at": "compute", "direction": "lower", "share": 0}}
    )
    assert Verify(manifests=(claim,)).run() == 1
    assert "ladders/gone/curve.json: does not exist; go to the project" in capsys.readouterr().err
