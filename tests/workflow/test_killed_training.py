"""A training that SIGKILL ends loses neither the finished model that it was to replace nor anybody's checkpoints."""

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


def kill_in_training(project: Project) -> None:
    """Start a run, and kill all of it once the trainer has begun."""
    (project.folder / "test.yaml").write_text(yaml.safe_dump(project.config))
    command = [sys.executable, "-m", "snakemake", "--configfile", "test.yaml", "--cores", "2"]
    known = set((project.folder / CHECKPOINTS).glob("*/*/metrics.jsonl"))
    with subprocess.Popen(
        [*command, "--", f"{HOME}/training.json"],
        cwd=project.folder,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as run:
        try:
            give_up = time.monotonic() + project.patience
            while set((project.folder / CHECKPOINTS).glob("*/*/metrics.jsonl")) <= known:
                assert run.poll() is None
                assert time.monotonic() < give_up
                time.sleep(0.2)
        finally:
            os.killpg(run.pid, signal.SIGKILL)


def test_the_old_model_is_back_at_the_next_start_and_all_checkpoints_are_there(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.config["checks"] = {name: {"mode": "off"} for name in NAMES}  # so that it takes seconds
    project.config["models"] = {"d1": deepcopy(TINY_MODEL)}
    project.make("--", f"{HOME}/training.json")
    first = {name: (tmp_path / HOME / name).read_bytes() for name in RESULTS}
    (finished,) = (tmp_path / CHECKPOINTS).glob("*/finished")

    project.config["models"]["d1"]["options"]["steps"] = 100_000
    kill_in_training(project)
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
