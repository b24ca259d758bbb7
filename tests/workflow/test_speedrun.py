"""The configuration of nanochat's speedrun: its plan, with what the hub would say already pinned."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from nanosnake.files import write_json
from nanosnake.sources import hub
from workflow.project import REPOSITORY

CONFIG = REPOSITORY / "config/speedrun.yaml"


def sources(value: Any) -> Iterator[dict[str, Any]]:
    """Yield what the configuration takes from a hub."""
    if isinstance(value, dict):
        if value.get("kind") == "huggingface":
            yield value
        for inner in value.values():
            yield from sources(inner)


def test_the_plan_of_the_speedrun(tmp_path: Path) -> None:
    for source in sources(yaml.safe_load(CONFIG.read_text())):
        wanted = hub.Wanted(source["name"], source.get("config"), source["split"], None, "main")
        files = [
            {"path": f"data/{number}.parquet", "bytes": 1, "sha256": f"{number:064x}"} for number in range(4)
        ]
        write_json(tmp_path / hub.pin_of(wanted), {"commit": "c" * 40, "files": files})
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "-s",
        str(REPOSITORY / "Snakefile"),
        "--directory",
        str(tmp_path),
    ]
    ended = subprocess.run(
        [*command, "--configfile", str(CONFIG), "--cores", "8", "--dry-run"],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    jobs = dict(
        line.split()[:2] for line in ended.stdout.splitlines() if line[:1].isalpha() and len(line.split()) > 1
    )
    wanted_jobs = {"download_shard": "175", "tokenize_shard": "171", "tokenize_conversations": "4"}
    wanted_jobs |= {"train_model": "2", "convert_task": "4", "export_model_transformers_nanosnake": "1"}
    assert {rule: jobs.get(rule) for rule in wanted_jobs} == wanted_jobs, ended.stdout
    assert "on one H200" in ended.stdout
    assert "on eight" in ended.stdout
    assert "without chat, whose length is known once its tokens are made" in ended.stdout
