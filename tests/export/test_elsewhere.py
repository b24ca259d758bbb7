"""Tokenizers that were made elsewhere are read as their own libraries read them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tokenizers
from tokenizers import models, normalizers, pre_tokenizers

from nanosnake.files import NanosnakeError
from nanosnake.tokenizer.elsewhere import load_elsewhere
from tiny_tokenizers import evaluation_texts, train


def test_our_own_folder_and_files_are_what_we_have(tmp_path: Path) -> None:
    texts = list(evaluation_texts().values())
    ours = train(tmp_path, texts[:3], vocab_size=700)
    wanted = ours.rust().encode_batch(texts)
    ranks = load_elsewhere("ranks", ours.folder / "tokenizer.tiktoken", "nanochat")
    for other in (
        load_elsewhere("folder", ours.folder),
        load_elsewhere("json", ours.folder / "tokenizer.json"),
        ranks,
    ):
        assert other.encode(texts) == wanted, other.name
        assert list(other.tokens[: len(ours.tokens)]) == ours.tokens
    json_one = load_elsewhere("json", ours.folder / "tokenizer.json")
    assert (json_one.vocabulary, ranks.vocabulary) == (700, 697), "a .tiktoken file has no special tokens"
    assert set(json_one.tokens[697:]) == {b""}


def test_tokens_of_another_kind_are_bytes_too(tmp_path: Path) -> None:
    """As SentencePiece has it: a bar for a space, bytes for what is not in the vocabulary."""
    vocabulary = {"<unk>": 0, "<0x0A>": 1, "\u2581": 2, "s": 3, "\u2581s": 4, "é": 5}
    made = tokenizers.Tokenizer(
        models.BPE(vocabulary, [("\u2581", "s")], unk_token="<unk>", byte_fallback=True)
    )
    made.normalizer = normalizers.Prepend("\u2581")
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.add_special_tokens(["<unk>"])
    made.save(str(tmp_path / "tokenizer.json"))
    other = load_elsewhere("other", tmp_path)
    assert other.tokens == [b"", b"\n", b" ", b"s", b" s", "é".encode()]
    assert b"".join(other.tokens[id_] for id_ in other.encode(["s sé"])[0]) == " s sé".encode()


def test_what_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(NanosnakeError, match=r"llama: .*does not exist"):
        load_elsewhere("llama", tmp_path / "tokenizer.json")
    with pytest.raises(NanosnakeError, match=r"llama: .*does not exist"):
        load_elsewhere("llama", tmp_path)
    (tmp_path / "tokenizer.json").write_text(json.dumps({"version": "1.0"}))
    with pytest.raises(NanosnakeError, match=r"llama: .*the tokenizers library refuses it"):
        load_elsewhere("llama", tmp_path)
    (tmp_path / "x.tiktoken").write_text("YQ== 0\n")
    with pytest.raises(NanosnakeError, match="does not say its split pattern"):
        load_elsewhere("x", tmp_path / "x.tiktoken")
    with pytest.raises(NanosnakeError, match=r"x\.tiktoken: "):
        load_elsewhere("x", tmp_path / "x.tiktoken", "gpt2")
