"""`nanosnake clean` lists what no configuration asks for any more, and removes nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from workflow.project import REPOSITORY, TINY_MODEL, Project


def clean(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `nanosnake clean` in a project, as its own copy of the code."""
    return subprocess.run(
        [sys.executable, "-m", "nanosnake.commands", "clean", "--configfiles", "test.yaml", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(folder / "scripts")},
    )


def listed(printed: str) -> set[str]:
    return {line.split("  ")[-1] for line in printed.splitlines()}


def test_what_a_configuration_asks_for_is_not_listed(made_model: Project) -> None:
    made_model.plan()  # writes the configuration
    ended = clean(made_model.folder)
    assert ended.returncode == 0, ended.stderr
    (line,) = ended.stdout.splitlines()
    assert "checkpoints/tiny/bpe/d1/" in line, "the checkpoints of a run that has ended"


def test_what_no_configuration_asks_for_is_listed_and_removed_when_told_to(made_model: Project) -> None:
    folder = made_model.folder
    made_model.config["tokenizers"]["bpe"]["pattern"] = "gpt2"
    made_model.config["models"] = {}
    made_model.plan()
    mine = folder / "results/tiny/bpe/notes.txt"
    mine.write_text("no rule has made this")
    before = set((folder / "results").rglob("*")) | set((folder / "checkpoints").rglob("*"))
    ended = clean(folder)
    assert ended.returncode == 0, ended.stderr
    assert "nothing was removed. --yes removes it" in ended.stderr
    assert set((folder / "results").rglob("*")) | set((folder / "checkpoints").rglob("*")) == before
    found = listed(ended.stdout)
    assert "results/tiny/counts/nanochat/a.arrow" in found
    assert "results/tiny/bpe/d1/model.safetensors" in found
    assert "checkpoints/tiny/bpe/d1" in found
    assert not [name for name in found if "shards" in name or "merges" in name or "notes" in name]
    ended = clean(folder, "--yes")
    assert ended.returncode == 0, ended.stderr
    assert not (folder / "results/tiny/counts/nanochat").exists()
    assert not (folder / "results/tiny/bpe/d1").exists()
    assert not (folder / "checkpoints").exists()
    assert mine.exists()
    assert (folder / "results/tiny/bpe/merges.arrow").exists()
    assert clean(folder).stderr.startswith("nothing to remove")


def test_a_finished_model_that_the_next_run_would_take_is_kept(made_model: Project) -> None:
    weights = "results/tiny/bpe/d1/model.safetensors"
    options = TINY_MODEL["options"]
    made_model.config["models"]["d1"] = {**TINY_MODEL, "options": {**options, "steps": 4}}
    made_model.make(weights)
    made_model.config["models"]["d1"] = {**TINY_MODEL, "options": options}
    made_model.plan()  # writes the configuration
    assert clean(made_model.folder, "--yes").returncode == 0
    assert "d1: is taken from its checkpoints (options: steps from 4 to 3)" in made_model.make(weights)
    (other,) = listed(clean(made_model.folder, "--yes").stdout)
    assert not (made_model.folder / other).exists()
    shutil.copytree(made_model.folder / "results", made_model.folder / "copied", symlinks=True)
    shutil.rmtree(made_model.folder / "results")
    (made_model.folder / "copied").rename(made_model.folder / "results")
    assert listed(clean(made_model.folder).stdout) == set(), "a copy is the same model, if not the same file"


def test_a_configuration_that_cannot_be_read_removes_nothing(made_model: Project) -> None:
    (made_model.folder / "test.yaml").write_text("datasets: {}\n")
    ended = clean(made_model.folder, "--yes")
    assert ended.returncode == 1
    assert "nothing was run" in ended.stderr
    assert made_model.path("merges.arrow").exists()
    assert made_model.folder != REPOSITORY
