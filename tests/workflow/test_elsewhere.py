"""The workflow as a module of somebody else's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from workflow.project import REPOSITORY, write_shard

THEIRS = f"""
module nanosnake:
    snakefile:
        {str(REPOSITORY / "Snakefile")!r}
    config:
        CONFIG


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


CONFIG = """
nano:
  datasets:
    tiny: {source: {kind: local, path: data}, train: a, validation: held_out}
  tokenizers:
    bpe: {dataset: tiny, vocab_size: 300}
theirs: 010
"""


def plan(folder: Path, theirs: str, config: str) -> subprocess.CompletedProcess[str]:
    """Let another workflow plan with our rules, and with a configuration in a file."""
    (folder / "data").mkdir()
    for seed, name in enumerate(("a", "held_out")):
        write_shard(folder / f"data/{name}.parquet", seed=seed)
    (folder / "config.yaml").write_text(config)
    (folder / "Snakefile").write_text(f'configfile: "config.yaml"\n{THEIRS.replace("CONFIG", theirs)}')
    command = [sys.executable, "-m", "snakemake", "-n", "--cores", "1"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("mistake", "problem"),
    [
        ("vocab_size: 0300", "line 6: nano.tokenizers.bpe.vocab_size: YAML reads 0300 as 192; write '0300'"),
        (
            "vocab_size: 300, dataset: other",
            "line 6: nano.tokenizers.bpe.dataset: this key is in line 6 too; keep one of them",
        ),
    ],
)
def test_a_section_of_their_file_is_read_as_strictly_as_ours(
    mistake: str, problem: str, tmp_path: Path
) -> None:
    done = plan(tmp_path, 'config["nano"]', CONFIG.replace("vocab_size: 300", mistake))
    assert done.returncode == 1
    assert f"config.yaml: a mistake; nothing was run\n  config.yaml, {problem}" in done.stdout


@pytest.mark.parametrize(
    ("theirs", "noted"), [('config["nano"]', False), ('{**config["nano"], "models": {}}', True)]
)
def test_what_is_in_no_file_is_said_not_to_be_checked(theirs: str, noted: bool, tmp_path: Path) -> None:
    done = plan(tmp_path, theirs, CONFIG)
    assert done.returncode == 0, done.stdout
    assert ("note: the configuration is neither a file" in done.stdout + done.stderr) is noted


@pytest.mark.parametrize("words", ['prefix: "sub"', 'replace_prefix: {"results/": "ours/"}'])
def test_a_module_that_puts_our_files_elsewhere_is_refused_in_one_line(tmp_path: Path, words: str) -> None:
    ended = plan(tmp_path, f'config["nano"]\n    {words}', CONFIG)
    assert ended.returncode == 1
    said = ended.stdout + ended.stderr
    assert "these rules cannot have a prefix or replace_prefix as a module" in said, said
    assert "Traceback" not in said


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
    (tmp_path / "Snakefile").write_text(THEIRS.replace("CONFIG", "config"))
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--configfile", "config.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "words.txt").read_text() == "shard,split\na,train\nheld_out,validation\n"
