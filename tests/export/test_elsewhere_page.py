"""The lines of docs/elsewhere.md run as they are, in a folder with the results that they name."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from small_models import make
from tiny_tokenizers import evaluation_texts
from tokenize_shard import TokenizeShard

for package in ("cyllama", "datatrove", "gguf", "transformers"):
    pytest.importorskip(package)

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = (REPOSITORY / "docs/elsewhere.md").read_text()
BLOCKS = [
    textwrap.dedent(block).strip() for block in re.findall(r"^(?: {4}.*\n|\n(?= {4}))+", PAGE, re.MULTILINE)
]
PYTHON = [block for block in BLOCKS if block.startswith("from ")]
CYLLAMA = [block for block in BLOCKS if block.startswith("cyllama ")]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with small results at the places that the page names."""
    folder = tmp_path_factory.mktemp("project")
    home = folder / "results/demo/bpe-4096"
    make("nanosnake", home).export("transformers", home / "tiny/export/transformers")
    make("llama", tmp_path_factory.mktemp("llama")).export("gguf", home / "llama/export/gguf")
    (home / "tokens/train").mkdir(parents=True)
    shard = home / "shard_00000.parquet"
    pq.write_table(pa.table({"text": list(evaluation_texts().values())}), shard)
    TokenizeShard(
        shard=shard,
        text_column="text",
        tokenizer=home / "tokenizer",
        output=home / "tokens/train/shard_00000.ds",
    ).run()
    return folder


def run(project: Path, *command: str) -> str:
    """Run a command as a user does in the project's folder; return what it printed."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY / "scripts"),
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(project / "hub"),
    }
    done = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def test_the_page_has_lines_for_each_tool() -> None:
    named = ("AutoTokenizer", "load_tiktoken", "DatatroveFolderDataset", "AutoModelForCausalLM")
    assert [tool for tool in named if not any(tool in block for block in PYTHON)] == []
    assert len(CYLLAMA) == 1


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: block.split()[3].strip(","))
def test_python_runs_as_it_is(project: Path, block: str) -> None:
    printed = run(project, sys.executable, "-c", block)
    assert bool(printed.strip()) == ("print(" in block)


def test_cyllama_continues_the_text(project: Path) -> None:
    program, *arguments = shlex.split(CYLLAMA[0])
    assert run(project, str(Path(sys.executable).with_name(program)), *arguments).strip()
