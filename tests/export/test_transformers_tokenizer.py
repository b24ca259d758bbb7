"""The tokenizer folder in transformers: ids, roles, padding, conversations, saved and loaded again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nanosnake.config.tokenizers import NANOCHAT_SPECIAL_TOKENS
from nanosnake.files import NanosnakeError
from nanosnake.tokenizer import export
from nanosnake.tokenizer.folder import TokenizerFolder
from nanosnake.tokenizer.transformers import TOKENIZER_CONFIG, Roles
from tiny_tokenizers import evaluation_texts, train

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> TokenizerFolder:
    texts = list(evaluation_texts().values())
    return train(tmp_path_factory.mktemp("hf"), texts, special_tokens=NANOCHAT_SPECIAL_TOKENS)


@pytest.fixture(scope="module")
def loaded(tokenizer: TokenizerFolder) -> Any:
    return transformers.AutoTokenizer.from_pretrained(tokenizer.folder)


def test_same_ids_with_and_without_bos(tokenizer: TokenizerFolder, loaded: Any) -> None:
    encoding = tokenizer.tiktoken()
    for text in evaluation_texts().values():
        ids = encoding.encode(text, allowed_special="all")
        assert loaded(text).input_ids == [tokenizer.bos_id, *ids]
        assert loaded(text, add_special_tokens=False).input_ids == ids
        assert loaded.decode(ids) == text
        plain = encoding.decode([i for i in ids if i not in tokenizer.special_tokens.values()])
        assert loaded.decode(ids, skip_special_tokens=True) == plain


def test_every_special_token_is_one(tokenizer: TokenizerFolder, loaded: Any) -> None:
    assert sorted(loaded.all_special_ids) == sorted(tokenizer.special_tokens.values())
    for text, rank in tokenizer.special_tokens.items():
        assert loaded(f"a{text}{text} b", add_special_tokens=False).input_ids[1:3] == [rank, rank]
    assert len(loaded) == tokenizer.vocab_size


def test_batches(tokenizer: TokenizerFolder, loaded: Any) -> None:
    bos, pad = tokenizer.bos_id, loaded.pad_token_id
    assert (loaded.bos_token_id, loaded.eos_token_id, pad) == (bos, bos, bos)
    batch = loaded(["a", "", "abc"], padding=True, return_tensors="pt")
    assert sorted(batch) == ["attention_mask", "input_ids"], "token_type_ids would stop generate()"
    longest = batch["input_ids"].shape[1]
    assert batch["attention_mask"].sum(dim=1).tolist() == [2, 1, longest]
    loaded.padding_side = "left"
    batch = loaded(["a", "abc"], padding=True, return_tensors="pt")
    loaded.padding_side = "right"
    assert batch["input_ids"][0].tolist() == [pad] * (longest - 2) + [bos, ord("a")]
    assert len(loaded("abc " * 99, truncation=True, max_length=7).input_ids) == 7
    assert len(loaded("q" * 4000).input_ids) > 1000, "a tokenizer has no longest text"


def test_saved_and_loaded_again(loaded: Any, tmp_path: Path) -> None:
    loaded.save_pretrained(tmp_path)
    again = transformers.AutoTokenizer.from_pretrained(tmp_path)
    for text in evaluation_texts().values():
        assert again(text).input_ids == loaded(text).input_ids
    assert again.special_tokens_map == loaded.special_tokens_map
    assert again.chat_template == loaded.chat_template
    assert sorted(again.all_special_ids) == sorted(loaded.all_special_ids)


CONVERSATION: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": " What is\n2 + 3? "},
    {
        "role": "assistant",
        "content": [
            {"type": "text", "text": "I count: "},
            {"type": "python", "text": "2 + 3"},
            {"type": "python_output", "text": "5"},
            {"type": "text", "text": "So 5."},
        ],
    },
    {"role": "user", "content": "Thanks"},
    {"role": "assistant", "content": " You are welcome.\n"},
]
PARTS = {"python": "python", "python_output": "output"}


def nanochat_ids(tokenizer: TokenizerFolder, messages: list[dict[str, Any]]) -> list[int]:
    """Return the ids of a conversation, each text encoded by itself between special tokens, as nanochat does."""
    special, encode = tokenizer.special_tokens, tokenizer.tiktoken().encode_ordinary

    def between(name: str, inner: list[int]) -> list[int]:
        return [special[f"<|{name}_start|>"], *inner, special[f"<|{name}_end|>"]]

    if messages[0]["role"] == "system":
        first = {**messages[1], "content": messages[0]["content"] + "\n\n" + messages[1]["content"]}
        messages = [first, *messages[2:]]
    ids = [special["<|bos|>"]]
    for message in messages:
        content = message["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        inner: list[int] = []
        for part in parts:
            text = encode(part["text"])
            inner += between(PARTS[part["type"]], text) if part["type"] in PARTS else text
        ids += between(message["role"], inner)
    return ids


@pytest.mark.parametrize("messages", [CONVERSATION, CONVERSATION[1:], CONVERSATION[3:4]])
def test_conversations_are_nanochats(
    tokenizer: TokenizerFolder, loaded: Any, messages: list[dict[str, Any]]
) -> None:
    wanted = nanochat_ids(tokenizer, messages)
    text = loaded.apply_chat_template(messages, tokenize=False)
    assert loaded(text, add_special_tokens=False).input_ids == wanted
    found = loaded.apply_chat_template(messages, return_dict=True)
    assert found["input_ids"] == wanted
    prompt = loaded.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)
    assert prompt["input_ids"] == [*wanted, tokenizer.special_tokens["<|assistant_start|>"]]


def test_roles_that_do_not_alternate_are_refused(loaded: Any) -> None:
    for messages in (CONVERSATION[2:], CONVERSATION[3:4] * 2):
        with pytest.raises(Exception, match="roles alternate"):
            loaded.apply_chat_template(messages, tokenize=False)


def test_roles_and_a_template_of_ones_own(tmp_path: Path) -> None:
    special = ["<s>", "</s>", "<pad>", "<mask>"]
    roles = {
        "eos": "</s>",
        "pad": "<pad>",
        "chat_template": "{% for m in messages %}[{{ m.content }}]{% endfor %}",
    }
    export.export([(97, 98)], export.Recipe("own", "gpt2", 261, special, roles=roles), tmp_path)
    loaded = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert (loaded.bos_token_id, loaded.eos_token_id, loaded.pad_token_id) == (257, 258, 259)
    assert sorted(loaded.all_special_ids) == [257, 258, 259, 260]
    assert loaded("ab").input_ids == [257, 256]
    assert loaded.apply_chat_template([{"role": "user", "content": "hi"}], tokenize=False) == "[hi]"


def test_roles_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(NanosnakeError, match=r"eos: '</s>' is not among special_tokens"):
        Roles.of(["<s>"], eos="</s>")
    recipe = export.Recipe("own", "gpt2", 258, ["<s>", "<e>"], roles={"bos": "<e>"})
    assert export.export([], recipe, tmp_path)["bos"] == "<e>"
    config = json.loads((tmp_path / TOKENIZER_CONFIG).read_text())
    assert "chat_template" not in config, "the tokens of nanochat's conversations are missing"
    assert config["additional_special_tokens"] == ["<s>"]
