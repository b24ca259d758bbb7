"""Each check passes on a sound tokenizer and is shown to fail on a broken one, saying what and where."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

import nanosnake.checks
from nanosnake.checks import CHECKS
from nanosnake.checks.material import Document, Item, Part, Subject, read_texts
from nanosnake.checks.parallel import Language
from nanosnake.checks.reachability import is_piece, merge
from nanosnake.checks.run import run_check
from nanosnake.checks.verdict import Verdict, read_verdict
from nanosnake.files import NanosnakeError, write_json
from nanosnake.tokenizer.baselines import load_baselines
from nanosnake.tokenizer.export import byte_characters
from nanosnake.tokenizer.folder import RANKS, TOKENIZER_JSON, TokenizerFolder
from tiny_tokenizers import TEXTS, damage, evaluation_texts, train


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TokenizerFolder:
    texts = evaluation_texts()
    documents = [word for name in ("english_news", "korean") for word in texts[name].split("\n")]
    documents += [f" {word}" for name in ("english_news", "korean") for word in texts[name].split()]
    return train(tmp_path_factory.mktemp("sound"), documents, vocab_size=700)


@pytest.fixture(scope="module")
def subject(trained: TokenizerFolder, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    found = load_baselines(tmp_path_factory.mktemp("baselines"), network=False)
    words = evaluation_texts()["english_news"].split("\n\n")
    samples = [
        Item(
            split,
            "sample",
            [Document(f"{split} document s:{row}", text) for row, text in enumerate(words[at::2])],
        )
        for at, split in enumerate(("train", "validation"))
    ]
    place = trained.folder.parent
    return Subject(
        trained,
        [*samples, *read_texts(TEXTS)],
        found.encodings,
        found.notes,
        counts=place / "counts.arrow",
        shards=[place / "shards" / "shard_00000.parquet"],
        parallel=[Language("ko", [evaluation_texts()["korean"]], [evaluation_texts()["english_news"]])],
    )


def of(tokenizer: TokenizerFolder, *texts: str) -> Subject:
    return Subject(tokenizer, [Item("some", "text", [Document(f"{text}.txt", text)]) for text in texts])


def run(name: str, subject: Subject, thresholds: Mapping[str, float | None] | None = None) -> Verdict:
    verdict = run_check(name, "block", thresholds or {}, subject)
    assert verdict.blocks == (verdict.verdict == "fail") == bool(verdict.failures)
    return verdict


def test_every_module_of_a_check_is_listed_and_says_what_it_is_good_for() -> None:
    folder = Path(nanosnake.checks.__file__).parent
    modules = {path.stem for path in folder.glob("*.py") if "@declare(" in path.read_text()}
    assert modules == set(CHECKS)
    for check in CHECKS.values():
        for words in (check.title, check.meaning, check.good_for, check.not_for):
            assert words, check.name
            assert not words.endswith("."), "they are phrases"


@pytest.mark.parametrize("name", CHECKS)
def test_a_sound_tokenizer_passes(name: str, subject: Subject, tmp_path: Path) -> None:
    if "parts" in CHECKS[name].needs:
        assert subject.counts is not None
        subject = dataclasses.replace(
            subject, parts=[Part("all", subject.counts, bytes=10_000, weight=2, share=1.0)]
        )
    verdict = run(name, subject)
    assert verdict.verdict == "pass", verdict.failures
    assert verdict.thresholds.keys() == CHECKS[name].thresholds.keys()
    assert verdict.extra["tokenizer"] == subject.tokenizer.hashes
    assert all(isinstance(value, int | float) for value in verdict.extra["key"].values())
    for row in [*verdict.figures, *(row for rows in verdict.tables.values() for row in rows)]:
        assert all(isinstance(cell, str | int | float | None) for cell in row.values())
    write_json(tmp_path / "verdict.json", verdict.as_json())
    assert read_verdict(tmp_path / "verdict.json").as_json() == json.loads(json.dumps(verdict.as_json()))


# round trip


def test_round_trip_names_the_text_and_the_byte(tmp_path: Path) -> None:
    tokenizer = train(tmp_path, ["one two three"], vocab_size=262, pattern=r"\w+")
    verdict = run("round_trip", of(tokenizer, "one", "one, two"))
    assert verdict.summary == "1 of 2 documents come back changed"
    message = verdict.failures[0].message
    assert message.startswith(
        "one, two.txt: rustbpe gives back other bytes: 6 bytes for 8, the first difference at"
    )
    assert "byte 3: wanted ', two', found 'two'" in message
    assert {message.split(": ")[1].split()[0] for message in (f.message for f in verdict.failures)} == {
        "rustbpe",
        "tiktoken",
        "tokenizers",
    }
    assert verdict.figures[1]["changed_tiktoken"] == 1
    assert run("round_trip", of(tokenizer, "one, two"), {"max_failures": 1}).verdict == "pass"


def test_round_trip_notices_a_decoder_that_changes_text(trained: TokenizerFolder, tmp_path: Path) -> None:
    def change(content: bytes) -> bytes:
        raw = json.loads(content)
        raw["decoder"] = {
            "type": "Sequence",
            "decoders": [raw["decoder"], {"type": "Strip", "content": " ", "start": 1, "stop": 0}],
        }
        return json.dumps(raw).encode()

    verdict = run("round_trip", of(damage(copied(trained, tmp_path), TOKENIZER_JSON, change), " blank"))
    assert [failure.message.split(": ")[1] for failure in verdict.failures] == [
        "tokenizers gives back other bytes"
    ]


# agreement


def copied(tokenizer: TokenizerFolder, folder: Path) -> Path:
    """Return a copy of a tokenizer folder."""
    for path in tokenizer.folder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def swapped(first: bytes, second: bytes) -> Callable[[bytes], bytes]:
    """Return a change of tokenizer.json that gives two tokens each other's id."""
    characters = byte_characters()

    def change(content: bytes) -> bytes:
        raw = json.loads(content)
        vocabulary = raw["model"]["vocab"]
        a, b = ("".join(characters[byte] for byte in token) for token in (first, second))
        vocabulary[a], vocabulary[b] = vocabulary[b], vocabulary[a]
        return json.dumps(raw).encode()

    return change


def test_agreement_names_text_position_and_ids(trained: TokenizerFolder, tmp_path: Path) -> None:
    change = swapped(b"!", b"?")
    verdict = run("agreement", of(damage(copied(trained, tmp_path), TOKENIZER_JSON, change), "fine", "he!"))
    assert verdict.summary == "the ids of 1 of 2 documents differ"
    first = verdict.failures[0]
    assert first.item == "some"
    assert "he!.txt: at token 1 (byte 2) tokenizers gives 63 '?', tiktoken gives 33 '!'" in first.message
    assert verdict.figures[0]["different_tokenizers"] == 0
    assert verdict.figures[1]["different_tokenizers"] == 1
    assert verdict.figures[1]["different_rustbpe"] == 0


def test_agreement_notices_another_split(trained: TokenizerFolder, tmp_path: Path) -> None:
    def change(content: bytes) -> bytes:
        raw = json.loads(content)
        raw["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = r"\p{L}+|[^\p{L}]+"
        return json.dumps(raw).encode()

    verdict = run("agreement", of(damage(copied(trained, tmp_path), TOKENIZER_JSON, change), "see the ferry"))
    assert verdict.verdict == "fail"


def test_agreement_notices_a_lost_special_token(trained: TokenizerFolder, tmp_path: Path) -> None:
    def change(content: bytes) -> bytes:
        raw = json.loads(content)
        raw["added_tokens"][0]["content"] = "<|other|>"
        return json.dumps(raw).encode()

    verdict = run("agreement", of(damage(copied(trained, tmp_path), TOKENIZER_JSON, change), "<|bos|>hi"))
    assert verdict.figures[0]["different_tokenizers"] == 0, "as ordinary text it is the same"
    assert verdict.figures[0]["different_special_tokens"] == 1
    assert "'<|bos|>'" in verdict.failures[0].message


# reachability


def test_merging_by_rank_is_leftmost_of_the_lowest() -> None:
    assert merge(b"abc", {b"ab": 300, b"bc": 299, b"abc": 301}) == [b"abc"]
    assert merge(b"aaa", {b"aa": 302}) == [b"aa", b"a"]
    assert merge(b"abc", {b"ab": 300, b"bc": 299}) == [b"a", b"bc"]
    assert merge(b"x", {}) == [b"x"]


def test_a_piece_is_text_that_the_pattern_leaves_whole() -> None:
    def split(text: str) -> list[str]:
        return text.split(",")

    assert is_piece(b"ab", split)
    assert not is_piece(b"a,b", split)
    assert not is_piece(b"\xed\x95", split)


def add_token(token: bytes, rank: int) -> Callable[[bytes], bytes]:
    """Return a change of a rank file that puts a token in the place of the one of an id."""

    def change(content: bytes) -> bytes:
        lines = content.splitlines()
        lines[rank] = base64.b64encode(token) + b" %d" % rank
        return b"\n".join(lines) + b"\n"

    return change


def test_reachability_finds_a_token_that_no_merges_lead_to(trained: TokenizerFolder, tmp_path: Path) -> None:
    rank = 690
    change = add_token(b"z, z, z", rank)  # no piece of the pattern, and ", z" is no token
    tokenizer = damage(copied(trained, tmp_path), RANKS, change)
    verdict = run("reachability", of(tokenizer, "text"))
    assert verdict.extra["unreachable"] == [rank]
    messages = [failure.message for failure in verdict.failures]
    assert f"id {rank} is 'z, z, z', which no text yields" in messages
    assert any(f"id {rank} is " in message and "in tokenizer.json" in message for message in messages)
    loose = run("reachability", of(tokenizer, "text"), {"max_unreachable": 1})
    assert [failure.item for failure in loose.failures] == ["ids"], "the files still differ"


def test_reachability_counts_what_was_seen(subject: Subject) -> None:
    verdict = run("reachability", subject)
    counts = {row["text"]: row["tokens"] for row in verdict.figures}
    assert counts["learned tokens: unreachable"] == 0
    assert sum(int(n or 0) for n in counts.values()) == 700 - 256 - 3
    assert int(counts["learned tokens: seen"] or 0) > 300
    nothing = run("reachability", of(subject.tokenizer, "x"))
    assert nothing.verdict == "pass", "every learned token is a piece, or its own merges lead to it"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content + b"YWFhYWFhYWFhYWFhYQ== 650\n", "id 650 is both"),
        (
            lambda content: content + content.splitlines()[600].split()[0] + b" 697\n",
            "ids 600 and 697 are both",
        ),
        (
            lambda content: b"\n".join(content.splitlines()[:-1]) + b"\n",
            "1 ids below vocab_size 700 name nothing",
        ),
        (
            lambda content: content.replace(b"AA== 0\n", b""),
            "1 bytes do not have themselves as id, the first 0x00",
        ),
    ],
)
def test_reachability_lists_unsound_ids(
    change: Callable[[bytes], bytes], message: str, trained: TokenizerFolder, tmp_path: Path
) -> None:
    tokenizer = damage(copied(trained, tmp_path), RANKS, change)
    verdict = run("reachability", of(tokenizer, "text"))
    assert any(message in failure.message for failure in verdict.failures), verdict.failures
    assert "ids are unsound" in verdict.summary
    with pytest.raises(NanosnakeError, match="export the tokenizer again"):
        run("round_trip", of(tokenizer, "text"))


def test_reachability_notices_special_tokens_with_other_ids(trained: TokenizerFolder, tmp_path: Path) -> None:
    def change(content: bytes) -> bytes:
        raw = json.loads(content)
        first, second = raw["added_tokens"][:2]
        first["content"], second["content"] = second["content"], first["content"]
        return json.dumps(raw).encode()

    verdict = run("reachability", of(damage(copied(trained, tmp_path), TOKENIZER_JSON, change), "text"))
    message = "special token '<|bos|>': tokenizers encodes '<|bos|>' as [698], wanted [697]"
    assert verdict.failures[0].message == message


@pytest.mark.parametrize("check", ["round_trip", "agreement", "compression", "vocabulary_use"])
def test_a_panic_is_a_failure_that_names_text_and_engine(
    check: str, trained: TokenizerFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PanicException(BaseException):
        """As pyo3 has it: no Exception."""

    def encode(texts: list[str]) -> list[list[int]]:
        if "bad" in texts:
            raise PanicException("index out of range")
        return [list(text.encode()) for text in texts]

    broken = SimpleNamespace(
        encode_batch=encode,
        decode_bytes=bytes,
        split=lambda text: [text],
        encode=lambda text: encode([text])[0],
    )
    monkeypatch.setattr(TokenizerFolder, "rust", lambda self: broken)
    verdict = run(check, of(trained, "good", "bad"))
    assert verdict.verdict == "fail"
    assert [failure.message for failure in verdict.failures] == [
        "bad.txt: rustbpe panics on 'bad' (index out of range)"
    ]


# compression


def test_compression_counts_bytes_words_and_tokens(subject: Subject) -> None:
    verdict = run("compression", subject)
    rows = {row["text"]: row for row in verdict.figures}
    korean = evaluation_texts()["korean"]
    row = rows["korean"]
    assert row["bytes"] == len(korean.encode())
    assert row["words"] == len(korean.split())
    assert row["tokens"] == len(subject.tokenizer.tiktoken().encode_ordinary(korean))
    assert row["bytes_per_token"] == pytest.approx(len(korean.encode()) / float(row["tokens"] or 0))
    gpt2 = len(subject.baselines["gpt2"].encode_ordinary(korean))
    assert row["tokens_gpt2"] == gpt2
    assert row["relative_difference_gpt2"] == pytest.approx((gpt2 - float(row["tokens"] or 0)) / gpt2)
    assert verdict.extra["word"] == "a run of characters that are not white space"
    assert verdict.extra["baselines"] == {"gpt2": 50257, "cl100k_base": 100277, "o200k_base": 200019}
    assert verdict.extra["key"]["bytes_per_token.validation"] == rows["validation"]["bytes_per_token"]


@pytest.mark.parametrize(
    ("threshold", "value", "item", "message"),
    [
        ("min_bytes_per_token", 9.5, "validation", "validation documents: "),
        ("min_text_bytes_per_token", 9.5, "korean", "bytes per token, wanted at least 9.5"),
        ("max_tokens_per_word", 0.5, "validation", "tokens per word, wanted at most 0.5"),
        ("max_loss_cl100k_base", 0.01, "validation", "of cl100k_base; wanted at most +1.0%"),
        ("max_text_loss_gpt2", 0.01, "python_code", "of gpt2; wanted at most +1.0%"),
    ],
)
def test_compression_fails_below_a_threshold(
    threshold: str, value: float, item: str, message: str, subject: Subject
) -> None:
    verdict = run("compression", subject, {threshold: value})
    failure = next(failure for failure in verdict.failures if failure.item == item)
    assert message in failure.message
    assert failure.figure is not None
    assert run("compression", subject, {threshold: None}).verdict == "pass"


def test_compression_without_a_baseline_says_so_and_goes_on(subject: Subject) -> None:
    rest = {name: encoding for name, encoding in subject.baselines.items() if name != "gpt2"}
    poorer = dataclasses.replace(subject, baselines=rest, notes=["baseline gpt2 is not available: why"])
    verdict = run("compression", poorer, {"max_loss_gpt2": 0.0, "max_text_loss_gpt2": 0.0})
    assert verdict.verdict == "pass"
    assert "baseline gpt2 is not available: why" in verdict.notes
    assert "max_loss_gpt2 and max_text_loss_gpt2 could not be applied without gpt2" in verdict.notes
    assert "tokens_gpt2" not in verdict.figures[0]
    assert "tokens_cl100k_base" in verdict.figures[0]


def test_compression_without_samples_says_so(trained: TokenizerFolder) -> None:
    verdict = run("compression", of(trained, "text"), {"min_bytes_per_token": 100})
    assert verdict.verdict == "pass"
    assert verdict.notes == ["no validation documents were given, so the thresholds on them were not applied"]


# token lengths


def test_token_lengths_fail_on_a_long_token(tmp_path: Path) -> None:
    tokenizer = train(tmp_path, ["=" * 64], vocab_size=265)
    verdict = run("token_lengths", of(tokenizer, "===="), {"max_longest_token_bytes": 32})
    assert [failure.figure for failure in verdict.failures] == [64]
    assert "with 64 bytes, wanted at most 32" in verdict.failures[0].message
    assert verdict.extra["longest"][0]["bytes"] == 64
    assert {row["bytes"]: row["tokens"] for row in verdict.extra["histograms"]["learned tokens"]}[64] == 1
    assert run("token_lengths", of(tokenizer, "===="), {"max_longest_token_bytes": 64}).verdict == "pass"


def test_token_lengths_as_used(subject: Subject) -> None:
    rows = {row["text"]: row for row in run("token_lengths", subject).figures}
    used = subject.tokenizer.rust().encode(evaluation_texts()["science"])
    lengths = [len(subject.tokenizer.tokens[rank]) for rank in used]
    assert rows["science"]["mean_bytes"] == pytest.approx(sum(lengths) / len(lengths))
    assert rows["science"]["max_bytes"] == max(lengths)
    verdict = run("token_lengths", subject, {"min_mean_used_bytes": 9})
    assert verdict.failures[0].item == "validation"
    assert "bytes on average, wanted at least 9" in verdict.failures[0].message


def test_token_lengths_of_bytes_alone(tmp_path: Path) -> None:
    tokenizer = train(tmp_path, ["text"], vocab_size=257, special_tokens=["<|bos|>"])
    verdict = run("token_lengths", of(tokenizer, "text", ""))
    assert verdict.summary == "no token is learned, all are bytes"
    assert run("vocabulary_use", of(tokenizer, "text")).figures[0]["share"] == 1.0


# vocabulary use


def test_vocabulary_use_fails_below_a_share(subject: Subject) -> None:
    verdict = run("vocabulary_use", subject, {"min_share_train": 0.99, "min_share_validation": 0.99})
    assert [failure.item for failure in verdict.failures] == ["train", "validation"]
    assert "of 441 learned tokens are used, wanted at least 99.0%" in verdict.failures[0].message
    row = next(row for row in verdict.figures if row["text"] == "train")
    item = subject.sample("train")
    assert item is not None
    ids = [rank for text in item.texts for rank in subject.tokenizer.rust().encode(text)]
    assert row["tokens"] == len(ids)
    assert row["used"] == len({rank for rank in ids if rank >= 256})
    assert verdict.extra["key"]["share.train"] == row["share"]


def test_vocabulary_use_without_samples_says_so(trained: TokenizerFolder) -> None:
    verdict = run("vocabulary_use", of(trained, "text"), {"min_share_train": 0.5})
    assert verdict.notes == ["no train documents were given, so min_share_train was not applied"]
