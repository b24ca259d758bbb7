"""nanochat's files: what nanochat reads from them, found without loading the pickle."""

from __future__ import annotations

import io
import pickletools
from pathlib import Path

import pytest
import torch

import convert_tokenizer
from nanosnake.exports import nanochat
from nanosnake.stages import call
from nanosnake.tokenizer.folder import TokenizerFolder
from tiny_tokenizers import evaluation_texts, train


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> TokenizerFolder:
    return train(tmp_path_factory.mktemp("nanochat"), list(evaluation_texts().values()))


def export(tokenizer: TokenizerFolder, folder: Path) -> Path:
    arguments = ["--tokenizer", str(tokenizer.folder), "--output", str(folder)]
    assert call(convert_tokenizer.ConvertTokenizer, [*arguments, "--format", "nanochat"]) == 0
    return folder


def test_token_bytes(tokenizer: TokenizerFolder, tmp_path: Path) -> None:
    path = export(tokenizer, tmp_path) / nanochat.TOKEN_BYTES
    found = torch.load(path, map_location="cpu", weights_only=True)
    assert found.dtype == torch.int32
    assert found.tolist() == [len(token) for token in tokenizer.tokens] + [0, 0, 0]


def test_the_pickle_is_an_encoding_of_tiktoken(tokenizer: TokenizerFolder, tmp_path: Path) -> None:
    content = (export(tokenizer, tmp_path) / nanochat.PICKLE).read_bytes()
    values = [(code.name, value) for code, value, _ in pickletools.genops(io.BytesIO(content))]
    texts = [str(value) for name, value in values if name in ("SHORT_BINUNICODE", "BINUNICODE")]
    assert "tiktoken.core" in texts
    assert "Encoding" in texts
    assert [name for name, _ in values if name in ("GLOBAL", "REDUCE", "INST", "OBJ")] == []
    assert [name for name, _ in values].count("STACK_GLOBAL") == 1, "no class or function but Encoding"
    assert texts[texts.index("name") + 1] == "rustbpe"
    assert texts[texts.index("pat_str") + 1] == tokenizer.pattern
    tokens = [value for name, value in values if name in ("SHORT_BINBYTES", "BINBYTES")]
    assert tokens == tokenizer.tokens
    assert [text for text in texts if text.startswith("<|")] == list(tokenizer.special_tokens)


def test_equal_inputs_give_equal_bytes(tokenizer: TokenizerFolder, tmp_path: Path) -> None:
    first, second = (export(tokenizer, tmp_path / name) for name in ("one", "another"))
    for name in (nanochat.PICKLE, nanochat.TOKEN_BYTES):
        assert (first / name).read_bytes() == (second / name).read_bytes()
