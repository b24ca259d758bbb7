"""What we export loads in old versions of other libraries, and gives the same ids there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from nanosnake.tokenizer.folder import TokenizerFolder
from tiny_tokenizers import evaluation_texts, train

OLDEST = ["transformers==4.44.2", "tokenizers==0.19.1"]
"""The oldest versions that docs/elsewhere.md names."""

SCRIPT = """
import json, sys, tokenizers, transformers
folder, texts = sys.argv[1], json.load(sys.stdin)
plain = tokenizers.Tokenizer.from_file(f"{folder}/tokenizer.json")
auto = transformers.AutoTokenizer.from_pretrained(folder)
found = {}
for name, encode, decode in (
    ("tokenizers", lambda text: plain.encode(text, add_special_tokens=False).ids,
        lambda ids: plain.decode(ids, skip_special_tokens=False)),
    ("transformers", lambda text: auto.encode(text, add_special_tokens=False), auto.decode),
):
    ids = [encode(text) for text in texts]
    found[name] = [ids, [decode(row) for row in ids]]
json.dump(found, sys.stdout)
"""


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> TokenizerFolder:
    return train(tmp_path_factory.mktemp("tokenizer"), list(evaluation_texts().values()), vocab_size=1500)


def test_merges_are_words_without_blanks(tokenizer: TokenizerFolder) -> None:
    merges = json.loads((tokenizer.folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["merges"]
    assert all(merge.count(" ") == 1 for merge in merges)
    assert any("Ġ" in merge for merge in merges)  # what stands for a blank


@pytest.mark.nightly
@pytest.mark.peer
def test_the_oldest_versions_give_the_same_ids(tokenizer: TokenizerFolder, tmp_path: Path) -> None:
    uv = shutil.which("uv")
    assert uv is not None
    python = tmp_path / "venv/bin/python"
    environment = {
        key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTHONPATH")
    }
    for command in (
        [uv, "venv", "-q", tmp_path / "venv", "--python", "3.11"],
        [uv, "pip", "install", "-q", "--python", python, *OLDEST],
    ):
        subprocess.run(command, check=True, capture_output=True, env=environment)
    specials = list(tokenizer.special_tokens)
    texts = [*evaluation_texts().values(), f"a{specials[0]}b {specials[1]}{specials[0]}", "".join(specials)]
    done = subprocess.run(
        [python, "-c", SCRIPT, tokenizer.folder],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    encoding = tokenizer.tiktoken()
    wanted = [encoding.encode(text, allowed_special="all") for text in texts]
    for ids, decoded in json.loads(done.stdout).values():
        assert ids == wanted
        assert decoded == texts
