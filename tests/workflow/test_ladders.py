"""Ladders in a run: their models are ordinary ones, and a claim's terms are recorded before these are trained."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from nanosnake.files import read_json
from workflow.project import TINY_MODEL, Project

TINY: dict[str, Any] = TINY_MODEL
OPTIONS = {name: TINY[name] for name in ("sequence_length", "aspect_ratio", "head_dim")} | TINY["options"]
BASE = {"tokenizer": "bpe", "depths": [1], "seeds": [1, 2], "options": OPTIONS}
LADDERS: dict[str, Any] = {"base": BASE, "more": {"like": "base", "options": {"steps": 4}}}
CLAIM = {"of": ["more", "base"], "threshold": "0.5%", "at": "depth"}
RECORD = "history/preregistrations/claim.json"


def test_a_model_that_exists_is_not_trained_for_a_ladder(made_model: Project) -> None:
    made_model.config["ladders"] = {"base": BASE}
    planned = made_model.plan()
    assert (planned["train_model"], planned["evaluate_model"]) == (1, 1), "d1 is the model of seed 1"
    assert (planned["measure_ladder"], planned["make_ladder_report"]) == (1, 1)


def test_a_plan_records_nothing(made: Project) -> None:
    made.config |= {"ladders": LADDERS, "comparisons": {"claim": CLAIM}}
    planned = made.plan()
    assert (planned["train_model"], planned["compare_ladders"], planned["make_claim_report"]) == (4, 1, 1)
    assert not (made.folder / RECORD).exists()


@pytest.mark.nightly  # trains four models through Snakemake
def test_terms_are_recorded_before_training_and_a_change_is_seen(made: Project) -> None:
    made.config |= {"ladders": LADDERS, "comparisons": {"claim": deepcopy(CLAIM)}}
    made.make()
    claim = read_json(made.folder / "results/tiny/claims/claim.json")
    assert claim["verdict"] in ("supported", "not supported", "within noise")
    assert claim["preregistration"]["preregistered"]
    assert claim["n"]["models"] == {"base": 2, "more": 2}
    for page in ("comparisons/claim", "ladders/base", "ladders/more"):
        assert (made.folder / "results/tiny" / page / "index.html").exists()
    assert "claim" in (made.folder / "results/index.html").read_text()
    assert made.plan() == {}

    made.config["comparisons"]["claim"]["threshold"] = "0.1%"
    assert made.plan() == {"compare_ladders": 1, "make_claim_report": 1}
    made.make()
    again = read_json(made.folder / "results/tiny/claims/claim.json")["preregistration"]
    assert (again["preregistered"], again["versions"]) == (False, 2)
    assert again["why"].startswith("base-d1-s1 had been begun when the terms were recorded")
