"""The plan of a whole dataset takes seconds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml

from workflow.project import REPOSITORY


def test_all_of_fineweb_edu_is_planned_in_seconds_and_within_a_gigabyte(tmp_path: Path) -> None:
    config = yaml.safe_load((REPOSITORY / "config/fineweb-edu.yaml").read_text())
    config["datasets"]["fineweb-edu"]["train"] = "0-1821"
    config["models"] = {"d20": {"tokenizer": "bpe32k", "depth": 20}}
    config["evaluation"] = {"texts": str(REPOSITORY / "resources/texts")}
    (tmp_path / "all.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--snakefile", str(REPOSITORY / "Snakefile")]
    command += ["--configfile", "all.yaml", "--directory", str(tmp_path)]
    with (tmp_path / "printed").open("w") as stream:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=stream, stderr=stream)
        _, status, used = os.wait4(process.pid, 0)
    printed = (tmp_path / "printed").read_text()
    assert status == 0, printed[-2000:]
    assert printed.count("\nrule tokenize_shard:") == 1823
    assert used.ru_utime + used.ru_stime < 20, "CPU seconds; 10 are the aim, docs/cluster.md has the figures"
    assert used.ru_maxrss < 1_000_000, "KB"
