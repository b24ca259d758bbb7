"""The plan of a whole dataset takes seconds."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import yaml

from workflow.project import REPOSITORY

MEASURE = """
import json, resource, subprocess, sys
status = subprocess.call(sys.argv[1:], stdout=sys.stderr)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss]))
sys.exit(status)
"""
"""A small process in between: a child begins with the peak memory of the one that it is forked from."""


def test_all_of_fineweb_edu_is_planned_in_seconds_and_within_a_gigabyte(tmp_path: Path) -> None:
    config = yaml.safe_load((REPOSITORY / "config/fineweb-edu.yaml").read_text())
    config["datasets"]["fineweb-edu"]["train"] = "0-1821"
    config["models"] = {"d20": {"tokenizer": "bpe32k", "depth": 20}}
    config["evaluation"] = {"texts": str(REPOSITORY / "resources/texts")}
    (tmp_path / "all.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--snakefile", str(REPOSITORY / "Snakefile")]
    command += ["--configfile", "all.yaml", "--directory", str(tmp_path)]
    with (tmp_path / "printed").open("w") as stream:
        measured = [sys.executable, "-c", MEASURE, *command]
        ended = subprocess.run(measured, cwd=tmp_path, stdout=subprocess.PIPE, stderr=stream, check=False)
    printed = (tmp_path / "printed").read_text()
    assert ended.returncode == 0, printed[-2000:]
    assert re.search(r"^tokenize_shard +1,823 ", printed, re.MULTILINE), printed
    assert len(printed.splitlines()) < 40
    seconds, kilobytes = json.loads(ended.stdout)
    assert seconds < 40, "of CPU time on a busy machine; 10 are the aim, docs/cluster.md has the figures"
    assert kilobytes < 1_000_000
