"""The workflow as a module of somebody else's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml

from workflow.project import REPOSITORY, write_shard

THEIRS = f"""
module nanosnake:
    snakefile:
        {str(REPOSITORY / "Snakefile")!r}
    config:
        config


use rule * from nanosnake exclude all as nanosnake_*


rule shards_in_words:
    default_target: True
    input:
        "results/tiny/shards.csv",
    output:
        "words.txt",
    shell:
        "cut -d, -f1,2 {{input}} > {{output}}"
"""


def test_another_workflow_takes_the_rules_as_a_module(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for seed, name in enumerate(("a", "held_out")):
        write_shard(tmp_path / f"data/{name}.parquet", seed=seed)
    config = {
        "datasets": {
            "tiny": {"source": {"kind": "local", "path": "data"}, "train": "a", "validation": "held_out"}
        },
        "tokenizers": {"bpe": {"dataset": "tiny", "vocab_size": 300}},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "Snakefile").write_text(THEIRS)
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--configfile", "config.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "words.txt").read_text() == "shard,split\na,train\nheld_out,validation\n"
