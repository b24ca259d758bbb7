"""A training that SIGKILL ends loses neither the finished model that it was to replace nor anybody's checkpoints; one
that Ctrl-C ends says how to go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from copy import deepcopy
from pathlib import Path

import yaml

from nanosnake.checks import NAMES
from nanosnake.training.recipe import RESULTS
from workflow.project import TINY_MODEL, Project
from workflow.test_clean import clean

HOME = "results/tiny/bpe/d1"
CHECKPOINTS = "checkpoints/tiny/bpe/d1"


def end_in_training(project: Project, number: signal.Signals) -> str:
    """Start a run, send a signal to all of it once the trainer has done some steps, and return what it printed."""
    (project.folder / "test.yaml").write_text(yaml.safe_dump(project.config))
    command = [sys.executable, "-m", "snakemake", "--configfile", "test.yaml", "--cores", "2"]
    known = set((project.folder / CHECKPOINTS).glob("*/*/metrics.jsonl"))
    with subprocess.Popen(
        [*command, "--", f"{HOME}/training.json"],
        cwd=project.folder,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as run:
        try:
            give_up = time.monotonic() + project.patience
            while not any(
                path.stat().st_size
                for path in set((project.folder / CHECKPOINTS).glob("*/*/metrics.jsonl")) - known
            ):
                assert run.poll() is None
                assert time.monotonic() < give_up
                time.sleep(0.2)
            os.killpg(run.pid, number)
            return run.communicate(timeout=project.patience)[0]
        finally:
            if run.poll() is None:
                os.killpg(run.pid, signal.SIGKILL)


def small_training(folder: Path) -> Project:
    """Return a project with a small model and no checks, so that it takes seconds."""
    project = Project(folder)
    project.config["checks"] = {name: {"mode": "off"} for name in NAMES}
    project.config["models"] = {"d1": deepcopy(TINY_MODEL)}
    return project


def test_ctrl_c_in_training_says_how_to_go_on(tmp_path: Path) -> None:
    project = small_training(tmp_path)
    project.config["models"]["d1"]["options"]["steps"] = 100_000
    printed = end_in_training(project, signal.SIGINT)
    assert "told to stop: checkpoint of step" in printed
    assert "run the same command again to continue from it" in printed


def test_the_old_model_is_back_at_the_next_start_and_all_checkpoints_are_there(tmp_path: Path) -> None:
    project = small_training(tmp_path)
    project.make("--", f"{HOME}/training.json")
    first = {name: (tmp_path / HOME / name).read_bytes() for name in RESULTS}
    (finished,) = (tmp_path / CHECKPOINTS).glob("*/finished")

    project.config["models"]["d1"]["options"]["steps"] = 100_000
    end_in_training(project, signal.SIGKILL)
    assert not (tmp_path / HOME / RESULTS[0]).exists(), "Snakemake has deleted it, as for any job"
    (unfinished,) = {*(tmp_path / CHECKPOINTS).glob("*/*/")} - {*finished.parent.glob("*/")}
    ended = clean(tmp_path, "--yes")
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / CHECKPOINTS / "aside" / RESULTS[0]).read_bytes() == first[RESULTS[0]]
    assert finished.exists()
    assert unfinished.exists()

    project.config["models"]["d1"]["options"]["steps"] = TINY_MODEL["options"]["steps"]
    printed = project.make("--", "tokens")
    assert f"d1: was not trained again; the model from before is back in {HOME}" in printed
    assert {name: (tmp_path / HOME / name).read_bytes() for name in RESULTS} == first
    assert not (tmp_path / CHECKPOINTS / "aside").exists()
    assert unfinished.exists()
    project.make("--", f"{HOME}/training.json")  # the job that was killed, which takes what is finished
    assert "nothing is trained" in (tmp_path / "logs/tiny/bpe/d1/train.log").read_text()
    assert {name: (tmp_path / HOME / name).read_bytes() for name in RESULTS} == first
