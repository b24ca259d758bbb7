"""Two configurations in one folder that name the same shards: what both need is made once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml

from workflow.project import Project

UNTIL = ["--until", "export_tokenizer"]


def start(project: Project, name: str, vocab_size: int) -> subprocess.Popen[str]:
    """Start the workflow with a configuration of its own, which has one tokenizer."""
    config = {**project.config, "tokenizers": {name: {"dataset": "tiny", "vocab_size": vocab_size}}}
    (project.folder / f"{name}.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "snakemake", "--configfile", f"{name}.yaml", "--cores", "1", *UNTIL]
    return subprocess.Popen(
        command,
        cwd=project.folder,
        env={**os.environ, "NANOSNAKE_OUTPUT": "snakemake"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_what_two_configurations_share_is_made_by_one(tmp_path: Path) -> None:
    project = Project(tmp_path)
    sizes = {"first": 320, "second": 300}
    started = {name: start(project, name, size) for name, size in sizes.items()}
    printed = {name: process.communicate(timeout=200)[0] for name, process in started.items()}
    refused = [name for name, process in started.items() if process.returncode != 0]
    assert len(refused) == 1, printed
    assert "another run makes files that this one needs (process" in printed[refused[0]]
    (made,) = sizes.keys() - set(refused)
    assert printed[made].count("rule count_pretokens:") == 2
    again = start(project, refused[0], sizes[refused[0]])
    said = again.communicate(timeout=200)[0]
    assert again.returncode == 0, said
    assert "count_pretokens:" not in said
    assert "link_shard:" not in said
    merges = [(project.folder / f"results/tiny/{name}/merges.arrow").stat().st_size for name in sizes]
    assert merges[0] > merges[1]
