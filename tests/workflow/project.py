"""A copy of the workflow in a folder of its own, on three tiny shards of made-up text."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

REPOSITORY = Path(__file__).parents[2]
COPIED = [
    "Snakefile",
    "rules",
    "scripts",
    "config",
    "profiles",
    "envs",
    "report",
    "resources",
    "rustbpe/core/src",
    "rustbpe/python/src",
    "rustbpe/core/Cargo.toml",
    "rustbpe/python/Cargo.toml",
    "rustbpe/Cargo.lock",
]

TINY_MODEL = {
    "tokenizer": "bpe",
    "depth": 1,
    "sequence_length": 64,
    "aspect_ratio": 32,
    "head_dim": 32,
    "options": {"steps": 3, "global_batch": 256, "micro_batch": 2, "compile": False, "eval_every": 0},
}


def write_shard(path: Path, *, seed: int, documents: int = 150) -> None:
    """Write a parquet file of made-up sentences, the same for the same seed."""
    draw = random.Random(seed)
    syllables = [
        "na",
        "no",
        "sna",
        "ke",
        "to",
        "ken",
        "shar",
        "d ",
        "mer",
        "ge ",
        "by",
        "te ",
        "é",
        "ß ",
        "12 ",
    ]
    texts = [
        "".join(draw.choices(syllables, k=draw.randint(5, 120))).capitalize() + "." for _ in range(documents)
    ]
    pq.write_table(pa.table({"text": texts}), path, row_group_size=50)


class Project:
    """The workflow in a folder; `config` is written before each run."""

    patience = 300
    """Seconds that a run of Snakemake may take."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in COPIED:
            source = REPOSITORY / name
            ignore = shutil.ignore_patterns("__pycache__")
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=ignore)
            else:
                shutil.copy2(source, folder / name)
        (folder / "data").mkdir()
        for seed, name in enumerate(("a", "b", "held_out")):
            write_shard(folder / f"data/{name}.parquet", seed=seed)
        self.config: dict[str, Any] = {
            "datasets": {
                "tiny": {
                    "source": {"kind": "local", "path": "data"},
                    "train": ["a", "b"],
                    "validation": "held_out",
                }
            },
            "tokenizers": {"bpe": {"dataset": "tiny", "vocab_size": 320}},
            "evaluation": {"sampled_documents": 20},
        }

    def move_code(self, folder: Path) -> list[str]:
        """Move the workflow out of the project, and return the options that name it from then on."""
        folder.mkdir()
        for name in {Path(name).parts[0] for name in COPIED}:
            (self.folder / name).rename(folder / name)
        return ["--snakefile", f"{folder}/Snakefile", "--workflow-profile", f"{folder}/profiles/default"]

    def path(self, name: str) -> Path:
        """Return a file below the results of the tokenizer."""
        return self.folder / "results/tiny/bpe" / name

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Snakemake in the folder, as a user would."""
        config, text = self.folder / "test.yaml", yaml.safe_dump(self.config)
        if not config.exists() or config.read_text() != text:  # the folder may be one that cannot be written
            config.write_text(text)
        command = [sys.executable, "-m", "snakemake", "--configfile", "test.yaml", "--cores", "2", *arguments]
        return subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, timeout=self.patience, check=False
        )

    def make(self, *arguments: str) -> str:
        """Run Snakemake, which has to succeed, and return what it printed."""
        ended = self.snakemake(*arguments)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout + ended.stderr

    def plan(self, *arguments: str) -> dict[str, int]:
        """Return how many jobs of each rule a dry run names; the target rule does not count."""
        printed = self.make("--dry-run", "--quiet", "rules", *arguments)
        jobs = {
            name: int(count) for name, count in re.findall(r"^([a-z_]+) +(\d+)(?: |$)", printed, re.MULTILINE)
        }
        assert jobs or "Nothing to be done" in printed, printed
        return {name: count for name, count in jobs.items() if name not in ("total", "all")}
