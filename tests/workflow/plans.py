"""Dry runs and what they cost; also used by the benchmark."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Plan:
    """A dry run that succeeded."""

    printed: str
    seconds: float
    """CPU time, user and system."""
    megabytes: float
    """Peak memory, in 1,000,000 bytes."""


def write_whole_dataset(folder: Path) -> Path:
    """Write the configuration of all of FineWeb-Edu with one tokenizer and one model, and return its file."""
    config = yaml.safe_load((REPOSITORY / "config/fineweb-edu.yaml").read_text())
    config["datasets"]["fineweb-edu"]["train"] = "0-1821"
    config["models"] = {"d20": {"tokenizer": "bpe32k", "depth": 20}}
    config["evaluation"] = {"texts": str(REPOSITORY / "resources/texts")}
    (folder / "all.yaml").write_text(yaml.safe_dump(config))
    return folder / "all.yaml"


def dry_run(folder: Path, *options: str, **environment: str) -> Plan:
    """Plan in a folder as `snakemake --dry-run` with more options and environment variables does."""
    with (folder / "printed").open("w+") as stream:
        ended = subprocess.run(
            [sys.executable, "-c", MEASURE, sys.executable, "-m", "snakemake", "--dry-run", *options],
            cwd=folder,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=stream,
            check=False,
        )
        stream.seek(0)
        printed = stream.read()
    assert ended.returncode == 0, printed[-2000:]
    seconds, kibibytes = json.loads(ended.stdout)
    return Plan(printed, seconds, kibibytes * 1024 / 1e6)
