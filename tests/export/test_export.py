"""The exported files are the same tokenizer in each of their formats, and the same bytes each time."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest
import rustbpe
import tokenizers

import export_tokenizer
from nanosnake.files import NanosnakeError
from nanosnake.stages import call
from nanosnake.tokenizer import export
from nanosnake.tokenizer.folder import META, RANKS, TOKENIZER_JSON, TokenizerFolder, load, load_tiktoken
from nanosnake.tokenizer.transformers import TOKENIZER_CONFIG
from tiny_tokenizers import SPECIAL_TOKENS, arguments_of_export, damage, evaluation_texts, train

PATTERNS = ["gpt2", "gpt4", "gpt4o", "nanochat"]
FILES = (TOKENIZER_JSON, TOKENIZER_CONFIG, RANKS, META)


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    return evaluation_texts()


@pytest.fixture(scope="module", params=PATTERNS)
def tokenizer(
    request: pytest.FixtureRequest, texts: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> TokenizerFolder:
    """One tokenizer per pattern, trained on the very texts that break tokenizers."""
    folder = tmp_path_factory.mktemp(request.param)
    return train(folder, list(texts.values()), vocab_size=1500, pattern=request.param)


def same_ids(tokenizer: TokenizerFolder, texts: Sequence[str]) -> None:
    rust, tiktoken, hugging_face = tokenizer.rust(), tokenizer.tiktoken(), tokenizer.hugging_face()
    for text in texts:
        wanted = tiktoken.encode_ordinary(text)
        assert rust.encode(text) == wanted
        assert hugging_face.encode(text, add_special_tokens=False).ids == wanted
        assert rust.decode_bytes(wanted) == tiktoken.decode_bytes(wanted) == text.encode()
        assert hugging_face.decode(wanted, skip_special_tokens=False) == text


def test_all_three_give_the_same_ids_for_hostile_texts(
    tokenizer: TokenizerFolder, texts: dict[str, str]
) -> None:
    same_ids(tokenizer, list(texts.values()))


def test_all_three_give_the_same_ids_for_every_character(tokenizer: TokenizerFolder) -> None:
    characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    same_ids(tokenizer, ["".join(characters[at : at + 4096]) for at in range(0, 0x20000, 4096)])
    same_ids(
        tokenizer,
        ["".join(f" {c}1{c}\n" for c in characters[at : at + 4096]) for at in range(0, 0x3000, 4096)],
    )


def test_all_three_give_the_same_ids_for_random_mixtures(tokenizer: TokenizerFolder) -> None:
    draw = random.Random(0)
    parts = [
        " ",
        "  ",
        "\n",
        "\r\n",
        "\t",
        "\u00a0",
        "\u2028",
        "\u3000",
        "'s",
        "'LL",
        "'\u017f",
        "a",
        "B",
        "ß",
        "ǅ",
        "한",
    ]
    parts += [
        "1",
        "٣",
        "½",
        "!",
        "/",
        "\u0301",
        "\u200d",
        "🙂",
        "<|bos|>",
        "_",
        "=",
        "\x00",
        "\ufeff",
        "İ",
        "K",
        "的",
    ]
    mixed = ["".join(draw.choice(parts) * draw.randint(1, 4) for _ in range(40)) for _ in range(300)]
    same_ids(tokenizer, ["", *mixed])


@pytest.mark.parametrize("alphabet", ["a", "ab", "= -", "aA한 \n"])
def test_all_three_merge_long_runs_alike(alphabet: str, tmp_path: Path) -> None:
    """The learned pairs are the only way to their tokens, so merging by pairs is merging by bytes."""
    draw = random.Random(alphabet)

    def run() -> str:
        return "".join(
            draw.choice(alphabet) * draw.choice([1, 1, 2, 3, 7, 30]) for _ in range(draw.randint(1, 12))
        )

    tokenizer = train(tmp_path, [run() for _ in range(40)], vocab_size=285, special_tokens=["<|bos|>"])
    same_ids(tokenizer, [run() for _ in range(200)])


def test_ids_are_bytes_then_merges_then_special_tokens(tokenizer: TokenizerFolder) -> None:
    assert tokenizer.tokens[:256] == [bytes([byte]) for byte in range(256)]
    assert len(tokenizer.tokens) == 1500 - len(SPECIAL_TOKENS)
    assert tokenizer.special_tokens == {"<|bos|>": 1497, "<|user_start|>": 1498, "<|user_end|>": 1499}
    assert list(tokenizer.special_tokens.values()) == [1497, 1498, 1499]
    assert tokenizer.bos_id == 1497
    encoding = tokenizer.tiktoken()
    assert encoding.n_vocab == tokenizer.vocab_size == 1500
    assert encoding.encode("a<|user_end|>", allowed_special="all") == [97, 1499]
    vocabulary = tokenizer.hugging_face().get_vocab()
    characters = export.byte_characters()
    assert [vocabulary[characters[byte]] for byte in range(256)] == list(range(256))
    assert [vocabulary[text] for text in SPECIAL_TOKENS] == [1497, 1498, 1499]


def test_lengths_are_of_the_raw_bytes(tokenizer: TokenizerFolder) -> None:
    lengths = tokenizer.token_lengths
    assert lengths.dtype.name == "int32"
    assert lengths[0xFF] == 1, "one byte, although it is no text"
    assert list(lengths[-3:]) == [0, 0, 0]
    text = "한국어 text"
    assert lengths[tokenizer.rust().encode(text)].sum() == len(text.encode())


def test_rank_file_is_base64_and_rank(tokenizer: TokenizerFolder) -> None:
    lines = (tokenizer.folder / RANKS).read_bytes().splitlines()
    assert lines[0] == base64.b64encode(b"\x00") + b" 0"
    assert len(lines) == 1497


def test_hugging_face_alone_finds_special_tokens(tokenizer: TokenizerFolder) -> None:
    loaded = tokenizers.Tokenizer.from_file(str(tokenizer.folder / TOKENIZER_JSON))
    text = "<|bos|>hi <|user_end|>"
    ids = loaded.encode(text, add_special_tokens=False).ids
    assert ids == tokenizer.tiktoken().encode(text, allowed_special="all")
    assert loaded.decode(ids, skip_special_tokens=False) == text
    assert loaded.encode("hi").ids == [tokenizer.bos_id, *tokenizer.rust().encode("hi")]


def test_equal_inputs_give_equal_bytes(texts: dict[str, str], tmp_path: Path) -> None:
    contents = []
    for folder in ("one", "another"):
        train(tmp_path / folder, list(texts.values()))
        contents.append([(tmp_path / folder / "tokenizer" / name).read_bytes() for name in FILES])
    assert contents[0] == contents[1]


def test_meta_says_what_from_what(texts: dict[str, str], tmp_path: Path) -> None:
    tokenizer = train(tmp_path, list(texts.values()))
    meta = tokenizer.meta
    assert meta["pattern"] == rustbpe.PATTERNS["nanochat"]
    assert meta["pattern_name"] == "nanochat"
    assert (meta["vocab_size"], meta["merges"]) == (600, 341)
    assert meta["shards"] == [
        {
            "shard": "shard_00000",
            "sha256": json.loads((tmp_path / "shards/shard_00000.json").read_text())["sha256"],
        }
    ]
    assert meta["counting"]["documents"] == len(texts)
    assert meta["counting"]["text_column"] == "text"
    assert meta["counting"]["max_chars"] is None
    assert all(isinstance(meta["counting"][key], int) for key in ("doc_cap", "characters", "bytes", "unique"))
    assert set(meta["files"]) == {TOKENIZER_JSON, TOKENIZER_CONFIG, RANKS}
    assert {path.name for path in tokenizer.folder.iterdir()} == set(FILES)


def test_a_regex_of_ones_own(tmp_path: Path) -> None:
    tokenizer = train(tmp_path, ["one two three two one"] * 3, vocab_size=262, pattern=r"\S+|\s+")
    assert tokenizer.meta["pattern_name"] is None
    same_ids(tokenizer, ["one  two\n", "three"])


def test_text_that_the_pattern_does_not_match_is_dropped_everywhere(tmp_path: Path) -> None:
    tokenizer = train(tmp_path, ["one two three two one"] * 3, vocab_size=262, pattern=r"\w+")
    wanted = tokenizer.tiktoken().encode_ordinary("one, two!")
    assert tokenizer.tiktoken().decode(wanted) == "onetwo"
    assert tokenizer.rust().encode("one, two!") == wanted
    assert tokenizer.hugging_face().encode("one, two!", add_special_tokens=False).ids == wanted


def test_a_smaller_vocabulary_is_a_prefix(texts: dict[str, str], tmp_path: Path) -> None:
    large = train(tmp_path, list(texts.values()), vocab_size=600)
    tokens = large.tokens
    assert (
        call(export_tokenizer.ExportTokenizer, arguments_of_export(tmp_path, 400, "nanochat", ["<|bos|>"]))
        == 0
    )
    small = load(large.folder)
    assert small.tokens == tokens[:399]
    assert small.special_tokens == {"<|bos|>": 399}
    same_ids(small, list(texts.values()))


def test_too_few_merges(tmp_path: Path) -> None:
    with pytest.raises(
        NanosnakeError, match=r"tiny\.vocab_size: 600 needs 341 merges, the text gave \d+; set it"
    ):
        train(tmp_path, ["abc"])
    assert not (tmp_path / "tokenizer").exists()


def test_counts_of_another_pattern_are_refused(texts: dict[str, str], tmp_path: Path) -> None:
    train(tmp_path, list(texts.values()))
    with pytest.raises(NanosnakeError, match="use counts made with the tokenizer's pattern"):
        call(export_tokenizer.ExportTokenizer, arguments_of_export(tmp_path, 600, "gpt2", SPECIAL_TOKENS))


def recipe(vocab_size: int, *special_tokens: str) -> export.Recipe:
    return export.Recipe("tiny", "nanochat", vocab_size, special_tokens)


def test_damaged_merges(tmp_path: Path) -> None:
    with pytest.raises(NanosnakeError, match="merge 1 joins ids 300 and 97, but only ids below 257 exist"):
        export.export([(97, 98), (300, 97)], recipe(259, "<|bos|>"), tmp_path)
    with pytest.raises(NanosnakeError, match=r"merge 1 \(97, 98\) makes b'ab', which is id 256 already"):
        export.export([(97, 98), (97, 98)], recipe(259, "<|bos|>"), tmp_path)
    (tmp_path / "merges.arrow").write_bytes(b"ARROW1 no")
    with pytest.raises(rustbpe.FileFormatError, match=r"merges\.arrow: not a sound merges file"):
        rustbpe.Merges.read(tmp_path / "merges.arrow")
    with pa.ipc.new_file(str(tmp_path / "other.arrow"), pa.schema([("x", pa.uint32())])):
        pass
    with pytest.raises(rustbpe.FileFormatError, match=r"other\.arrow: not a sound merges file"):
        rustbpe.Merges.read(tmp_path / "other.arrow")
    assert not (tmp_path / META).exists()


def test_special_tokens_that_cannot_be_one(tmp_path: Path) -> None:
    with pytest.raises(NanosnakeError, match=r"\['ab'\] are learned tokens as well"):
        export.export([(97, 98)], recipe(259, "<|bos|>", "ab"), tmp_path)
    with pytest.raises(NanosnakeError, match="one is listed twice"):
        export.export([(97, 98)], recipe(259, "<|bos|>", "<|bos|>"), tmp_path)
    with pytest.raises(NanosnakeError, match="name at least one"):
        export.export([(97, 98)], recipe(257), tmp_path)
    with pytest.raises(
        NanosnakeError, match="has no room for 256 bytes and 1 special tokens; set it to 257 or more"
    ):
        export.export([], recipe(200, "<|bos|>"), tmp_path)


def test_changed_files_are_refused(texts: dict[str, str], tmp_path: Path) -> None:
    folder = train(tmp_path, list(texts.values())).folder
    content = (folder / RANKS).read_bytes()
    (folder / RANKS).write_bytes(content.replace(b"AA== 0", b"AQ== 0"))
    with pytest.raises(
        NanosnakeError, match=r"tokenizer\.tiktoken: SHA-256 is .* the file was changed after the export"
    ):
        load_tiktoken(folder)
    (folder / RANKS).unlink()
    with pytest.raises(NanosnakeError, match=r"tokenizer\.tiktoken: is missing"):
        load(folder)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"YWI= 256\n", "ids 256 and 600 are both b'ab'"),
        (b"eHl6enk= 256\n", "id 256 is both"),
        (b"eHl6enk= 597\n", "the special token '<|bos|>'"),
        (b"eHl6enk= 9999\n", "1 ids are not below vocab_size 600, the first 9999"),
    ],
)
def test_unsound_ids_are_refused(line: bytes, message: str, texts: dict[str, str], tmp_path: Path) -> None:
    folder = train(tmp_path, ["ab" * 9, *texts.values()]).folder
    if b"YWI=" in line:
        line = line.replace(b"256", b"600")
        wanted = next(rank for token, rank in load(folder).ranks if token == b"ab")
        message = message.replace("256", str(wanted))
    tokenizer = damage(folder, RANKS, lambda content: content + line)
    assert message in "; ".join(tokenizer.problems)
    with pytest.raises(NanosnakeError, match=r"tokenizer\.tiktoken: .*export the tokenizer again"):
        tokenizer.tiktoken()


def test_malformed_files_are_named(texts: dict[str, str], tmp_path: Path) -> None:
    folder = train(tmp_path, list(texts.values())).folder
    with pytest.raises(NanosnakeError, match=r"tokenizer\.tiktoken: line 1 is b'no rank here'"):
        damage(folder, RANKS, lambda _: b"no rank here\n")
    with pytest.raises(NanosnakeError, match=r"tokenizer\.json: the tokenizers library refuses it"):
        damage(
            train(tmp_path / "second", list(texts.values())).folder, TOKENIZER_JSON, lambda _: b"{}"
        ).hugging_face()
    (folder / META).write_text('{"name": "x"}')
    with pytest.raises(NanosnakeError, match=r"meta\.json: lacks pattern, vocab_size"):
        load(folder)
    (folder / META).unlink()
    with pytest.raises(NanosnakeError, match=r"holds no meta\.json, so it is not a tokenizer folder"):
        load(folder)


def test_a_regex_that_oniguruma_reads_differently(texts: dict[str, str], tmp_path: Path) -> None:
    regex = r" ?\p{L}{1,4}+|\p{N}{1,3}+|\s++$|[^\p{L}\p{N}]"
    tokenizer = train(tmp_path, list(texts.values()), pattern=regex)
    assert tokenizer.pattern == regex, "only tokenizer.json has it otherwise"
    same_ids(tokenizer, list(texts.values()))
