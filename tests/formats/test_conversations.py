"""Conversations: which are refused, how they are rendered, and the token shards that they become."""

from __future__ import annotations

import datetime
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tokenize_conversations
from formats.reading import read
from link_shard import LinkShard
from nanosnake.files import NanosnakeError
from nanosnake.sources import talks
from nanosnake.stages import call
from nanosnake.tokenizer import conversations
from nanosnake.tokenizer.folder import TokenizerFolder
from nanosnake.training.shards import TokenShards
from tiny_tokenizers import CHAT_TOKENS, evaluation_texts, train

TALK = [{"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "2"}]
TOOLS = [
    {"role": "system", "content": "Be."},
    {"role": "user", "content": "1+1?"},
    {
        "role": "assistant",
        "content": [
            {"type": "text", "text": "So "},
            {"type": "python", "text": "1+1"},
            {"type": "python_output", "text": "2"},
            {"type": "text", "text": "2"},
        ],
    },
    {"role": "user", "content": "é"},
    {"role": "assistant", "content": "ok"},
]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> TokenizerFolder:
    texts = list(evaluation_texts().values())
    return train(tmp_path_factory.mktemp("chat"), texts, special_tokens=CHAT_TOKENS)


def lines(path: Path, *values: Any) -> Path:
    path.write_text("".join(f"{json.dumps(value)}\n" for value in values))
    return path


def said(role: str, content: Any = "text") -> dict[str, Any]:
    return {"role": role, "content": content}


WRONG = {
    "no list of messages": [],
    "message 2 has no role and content": [said("user"), {"role": "assistant"}],
    "message 1 is of role 'assistant', wanted: 'user'": [said("assistant")],
    "message 2 is of role 'user', wanted: 'assistant'": [said("user"), said("user")],
    "message 3 is of role 'user', wanted: 'assistant'": [said("system"), said("user"), said("user")],
    "the last message is the system's": [said("system")],
    "the last message is the user's": [said("user")],
    "message 1 is empty": [said("user", " \n"), said("assistant")],
    "the content of message 1 is no text": [said("user", []), said("assistant")],
    "the content of message 2 is neither a text nor a list of parts": [said("user"), said("assistant", [])],
    "a part of message 2 is of type 'image', allowed: text, python, python_output": [
        said("user"),
        said("assistant", [{"type": "image", "text": "x"}]),
    ],
    "a part of message 2 is empty": [said("user"), said("assistant", [{"type": "text", "text": ""}])],
}


@pytest.mark.parametrize("reason", WRONG)
def test_a_wrong_conversation_is_named_with_its_line(tmp_path: Path, reason: str) -> None:
    path = lines(tmp_path / "a.jsonl", {"messages": TALK}, {"messages": WRONG[reason]}, {"messages": TOOLS})
    with pytest.raises(NanosnakeError, match=r"a\.jsonl, line 2") as raised:
        read(path, column="messages", conversations=True)
    assert reason in str(raised.value)
    made = read(path, column="messages", conversations=True, on_error="skip")
    assert [json.loads(text or "") for text in made.texts] == [TALK, TOOLS]
    assert made.lines == [1, 3]
    assert [(row["place"], reason in row["reason"]) for row in made.left_out] == [("line 2", True)]


@pytest.mark.parametrize("broken", ["{", "null", "[1]", '{"messages": 3}', '{"talk": []}', "\xff"])
def test_a_line_that_is_no_conversation(tmp_path: Path, broken: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(f"{json.dumps({'messages': TALK})}\n".encode() + broken.encode("latin-1") + b"\n")
    with pytest.raises(NanosnakeError, match=r"a\.jsonl, line 2"):
        read(path, column="messages", conversations=True)


DAMAGED = {
    "the key 'messages' is there twice": f'{{"messages": {json.dumps(TALK)}, "messages": {json.dumps(TALK)}}}',
    r"\ud83d is half of a pair": json.dumps({"messages": [said("user", "\ud83d"), said("assistant")]}),
    "not JSON (maximum recursion depth": f'{{"messages": {"[" * 100_000}{"]" * 100_000}}}',
}


@pytest.mark.parametrize("line", [1, 2])
@pytest.mark.parametrize("reason", DAMAGED)
def test_json_that_python_reads_and_that_is_not_right(tmp_path: Path, reason: str, line: int) -> None:
    path, content = tmp_path / "a.jsonl", [json.dumps({"messages": TALK})]
    content.insert(line - 1, DAMAGED[reason])
    path.write_text("\n".join(content))
    made = read(path, column="messages", conversations=True, on_error="skip")
    assert [json.loads(text or "") for text in made.texts] == [TALK]
    assert [(row["place"], reason in row["reason"]) for row in made.left_out] == [(f"line {line}", True)]


def test_what_messages_have_besides_their_text_may_be_of_any_type(tmp_path: Path) -> None:
    at = datetime.datetime(2024, 1, 1)
    rows = [{**message, "at": at, "content": message["content"].encode()} for message in TALK]
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"messages": [rows]}), path)
    wanted = [{**message, "at": "2024-01-01 00:00:00"} for message in TALK]
    assert list(talks.read(path, "messages")) == [wanted]
    made = read(path, column="messages", conversations=True)
    assert [json.loads(text or "") for text in made.texts] == [wanted]
    pq.write_table(pa.table({"messages": [[{**rows[0], "content": b"\xff"}, rows[1]]]}), path)
    for reading in (
        lambda: list(talks.read(path, "messages")),
        lambda: read(path, column="messages", conversations=True),
    ):
        with pytest.raises(
            NanosnakeError, match=r"a\.parquet, rows 1 to 1: column 'messages': 'utf-8' codec"
        ):
            reading()


def test_every_form_gives_the_same_documents(tmp_path: Path) -> None:
    rows = [{"id": 1, "x": {"talk": TALK}}, {"id": 2, "x": {"talk": [*TALK[:1], said("assistant", "drei")]}}]
    plain = lines(tmp_path / "a.jsonl", *rows)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(plain.read_bytes()))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "c.parquet")
    found = [
        read(tmp_path / name, column="x.talk", conversations=True).texts
        for name in ("a.jsonl", "b.jsonl.gz", "c.parquet")
    ]
    assert [json.loads(text or "") for text in found[0]] == [row["x"]["talk"] for row in rows]
    assert found[1:] == [found[0], found[0]]


def test_roles_as_a_dictionary_in_several_row_groups(tmp_path: Path) -> None:
    """As pandas and polars write categories; PyArrow reads them one row group at a time."""
    message = pa.struct({"role": pa.dictionary(pa.int32(), pa.string()), "content": pa.string()})
    table = pa.table({"messages": pa.array([TALK] * 5, pa.list_(message))})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=2)
    made = read(tmp_path / "a.parquet", column="messages", conversations=True)
    assert [json.loads(text or "") for text in made.texts] == [TALK] * 5


def test_a_wrong_conversation_of_a_table(tmp_path: Path) -> None:
    pq.write_table(pa.table({"messages": [TALK, TALK[:1]]}), tmp_path / "a.parquet")
    with pytest.raises(NanosnakeError, match=r"a.parquet, row 2: the last message is the user's"):
        read(tmp_path / "a.parquet", column="messages", conversations=True)
    pq.write_table(pa.table({"messages": [1, 2]}), tmp_path / "b.parquet")
    with pytest.raises(NanosnakeError, match="conversations are lists of messages"):
        read(tmp_path / "b.parquet", column="messages", conversations=True)


def test_rendering_is_that_of_nanochat() -> None:
    """The values are those of its `render_conversation`, with a tokenizer of bytes."""
    special = {token: 256 + number for number, token in enumerate(CHAT_TOKENS)}
    ids, learned = conversations.render(TOOLS, lambda text: list(text.encode()), special, 256)
    assert ids.tolist() == [
        *(
            256,
            257,
            66,
            101,
            46,
            10,
            10,
            49,
            43,
            49,
            63,
            258,
            259,
            83,
            111,
            32,
            261,
            49,
            43,
            49,
            262,
            263,
            50,
        ),
        *(264, 50, 260, 257, 195, 169, 258, 259, 111, 107, 260),
    ]
    assert np.flatnonzero(learned).tolist() == [*range(13, 21), 24, 25, 31, 32, 33]


@pytest.mark.parametrize(
    "messages", [TALK, TOOLS, [said("user", "Wörter \n und 12345"), said("assistant", "예")]]
)
def test_rendering_is_that_of_transformers(
    tokenizer: TokenizerFolder, messages: list[dict[str, Any]]
) -> None:
    from transformers import AutoTokenizer

    ids, _ = conversations.render(
        messages, tokenizer.rust().encode, tokenizer.special_tokens, tokenizer.bos_id
    )
    theirs = AutoTokenizer.from_pretrained(str(tokenizer.folder)).apply_chat_template(messages)
    assert ids.tolist() == list(getattr(theirs, "input_ids", theirs))


def test_a_special_token_in_what_is_said_is_text(tokenizer: TokenizerFolder) -> None:
    trick = [said("user", "<|assistant_end|>"), said("assistant", "no")]
    ids, _ = conversations.render(trick, tokenizer.rust().encode, tokenizer.special_tokens, tokenizer.bos_id)
    assert np.count_nonzero(ids == tokenizer.special_tokens["<|assistant_end|>"]) == 1


def encoded(folder: Path, tokenizer: TokenizerFolder, talks: list[Any], *options: str) -> dict[str, Any]:
    made = read(
        lines(folder / "a.jsonl", *({"messages": talk} for talk in talks)),
        column="messages",
        conversations=True,
    )
    arguments = ["--shard", str(folder / "made/shard_0.parquet"), "--tokenizer", str(tokenizer.folder)]
    assert made.rows
    stage = tokenize_conversations.TokenizeConversations
    assert call(stage, [*arguments, "--output", str(folder / "a.ds"), *options]) == 0
    facts: dict[str, Any] = json.loads((folder / "a.json").read_text())
    return facts


def test_a_token_shard(tmp_path: Path, tokenizer: TokenizerFolder) -> None:
    facts = encoded(tmp_path, tokenizer, [TALK, TOOLS])
    rendered = [
        conversations.render(talk, tokenizer.rust().encode, tokenizer.special_tokens, tokenizer.bos_id)
        for talk in (TALK, TOOLS)
    ]
    (shard,) = TokenShards([tmp_path / "a.ds"]).shards
    assert shard.tokens.tolist() == np.concatenate([ids for ids, _ in rendered]).tolist()
    assert shard.ends.tolist() == np.cumsum([len(ids) for ids, _ in rendered]).tolist()
    assert shard.learned is not None
    assert shard.learned.tolist() == np.concatenate([learned for _, learned in rendered]).tolist()
    learned = int(shard.learned.sum())
    assert (facts["documents"], facts["turns"], facts["learned"], facts["cut"]) == (2, 7, learned, 0)
    assert TokenShards([tmp_path / "a.ds"]).learned_tokens == learned


def test_a_long_conversation_is_cut_and_counted(tmp_path: Path, tokenizer: TokenizerFolder) -> None:
    talks = [
        TALK,
        [said("user", "a"), said("assistant", "word " * 100)],
        [said("user", "word " * 100), said("assistant", "b")],
    ]
    facts = encoded(tmp_path, tokenizer, talks, "--max-tokens", "20")
    assert (facts["documents"], facts["cut"], facts["left_out"]) == (2, 1, 1)
    assert max(np.diff(TokenShards([tmp_path / "a.ds"]).shards[0].ends.astype(int))) == 20


def test_what_cannot_be_encoded(tmp_path: Path, tokenizer: TokenizerFolder) -> None:
    long = [said("user", "word " * 100), said("assistant", "b")]
    with pytest.raises(
        NanosnakeError, match="no conversation has an answer within 20 tokens; raise max_tokens"
    ):
        encoded(tmp_path, tokenizer, [long], "--max-tokens", "20")
    assert not (tmp_path / "a.ds").exists()
    other = train(tmp_path / "other", list(evaluation_texts().values()))
    with pytest.raises(NanosnakeError, match=r"need the special token <\|assistant_start\|>"):
        encoded(tmp_path, other, [TALK])


def test_a_shard_without_conversations(tmp_path: Path, tokenizer: TokenizerFolder) -> None:
    """As one of many shards that few conversations are distributed over."""
    encoded(tmp_path, tokenizer, [TALK])
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "none.parquet")
    arguments = ["--shard", str(tmp_path / "none.parquet"), "--tokenizer", str(tokenizer.folder)]
    assert (
        call(tokenize_conversations.TokenizeConversations, [*arguments, "--output", str(tmp_path / "b.ds")])
        == 0
    )
    data = TokenShards([tmp_path / "a.ds", tmp_path / "b.ds"])
    assert (data.documents, data.are_conversations, data.longer_conversations(4)) == (1, True, 1)


def test_a_mask_of_another_length(tmp_path: Path, tokenizer: TokenizerFolder) -> None:
    encoded(tmp_path, tokenizer, [TALK])
    with (tmp_path / "a.ds.mask").open("ab") as stream:
        stream.write(b"\1")
    with pytest.raises(NanosnakeError, match=r"a.ds.mask: \d+ bytes, but a.ds has \d+ tokens"):
        TokenShards([tmp_path / "a.ds"])


def test_lists_of_messages_in_parquet_are_a_shard_as_they_are(
    tmp_path: Path, tokenizer: TokenizerFolder
) -> None:
    """As the data sets of a hub have them: no copy is made."""
    path = tmp_path / "given.parquet"
    pq.write_table(pa.table({"messages": [TALK, TALK]}), path)
    arguments = ["--input", str(path), "--text-column", "messages", "--content", "conversations"]
    shard = tmp_path / "a.parquet"
    assert call(LinkShard, [*arguments, "--output", str(shard), "--metadata", str(tmp_path / "a.json")]) == 0
    assert json.loads((tmp_path / "a.json").read_text())["rows"] == 2
    call(
        tokenize_conversations.TokenizeConversations,
        [
            *("--shard", str(shard), "--text-column", "messages", "--tokenizer", str(tokenizer.folder)),
            *("--output", str(tmp_path / "t.ds")),
        ],
    )
    assert json.loads((tmp_path / "t.json").read_text())["documents"] == 2
    pq.write_table(pa.table({"messages": [TALK, TALK[:1]]}), path)
    with pytest.raises(NanosnakeError, match=r"given\.parquet, row 2: the last message is the user's"):
        call(LinkShard, [*arguments, "--output", str(shard), "--metadata", str(tmp_path / "a.json")])
    pq.write_table(pa.table({"talk": [TALK]}), path)
    with pytest.raises(
        NanosnakeError, match=r"no column 'messages'; its columns are 'talk'; set the dataset's text_column"
    ):
        call(LinkShard, [*arguments, "--output", str(shard), "--metadata", str(tmp_path / "a.json")])
