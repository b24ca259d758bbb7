"""Tokenizers that were made elsewhere become ours where every text is cut as they cut it, and are refused elsewhere."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import rustbpe
import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

import take_merges
import train_tokenizer
from nanosnake.files import NanosnakeError
from nanosnake.stages import call
from nanosnake.tokenizer.baselines import load_baselines
from nanosnake.tokenizer.conversion import PUBLISHED, convert, header
from nanosnake.tokenizer.export import Recipe, byte_characters, export, token_bytes
from nanosnake.tokenizer.merging import last_parts, never_merged, with_seeds
from tiny_tokenizers import evaluation_texts, train

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
TRICKY = [
    "",
    " ",
    "a  \n  ",
    "\n\n  ",
    "x\n \n",
    "don't WON'T 1234567 \u0939\u093f\u0928\u094d",
    "aaaaaaa" * 9,
]


def texts() -> list[str]:
    """Return texts, and pieces of them that begin and end anywhere."""
    draw, found = random.Random(0), list(evaluation_texts().values())
    for text in list(found):
        for _ in range(40):
            at = draw.randrange(len(text))
            found.append(text[at : at + draw.randrange(30)])
    return found + TRICKY


def theirs(pattern: str | None = None) -> tokenizers.Tokenizer:
    """Return a small tokenizer as the tokenizers library trains it: special tokens first, bytes in GPT-2's order."""
    made = tokenizers.Tokenizer(models.BPE())
    split = [] if pattern is None else [pre_tokenizers.Split(tokenizers.Regex(pattern), "isolated")]
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pattern is None)
    made.pre_tokenizer = pre_tokenizers.Sequence([*split, level]) if split else level
    made.decoder = decoders.ByteLevel()
    made.train_from_iterator(
        list(evaluation_texts().values())[:6],
        trainers.BpeTrainer(
            vocab_size=900,
            special_tokens=["<s>", "</s>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return made


def assert_cut_alike(path: Path, loaded: tokenizers.Tokenizer, more: Sequence[str] = ()) -> None:
    """Compare a converted tokenizer with the one of the library, id by id."""
    found = convert(str(path), None, path.parent)
    tokens, characters = token_bytes(found), byte_characters()
    ids = [loaded.token_to_id("".join(characters[byte] for byte in token)) for token in tokens]
    assert sorted(ids) == sorted(set(ids) - {None})
    ours = rustbpe.Encoder(tokens, pattern=header(str(path)).pattern)
    loaded.encode_special_tokens = True
    for text in [*texts(), *more]:
        wanted = loaded.encode(text, add_special_tokens=False).ids
        assert [ids[rank] for rank in ours.encode(text)] == wanted, text


@pytest.mark.parametrize(("pattern", "known"), [(None, "gpt2"), (LLAMA3, LLAMA3)])
def test_what_the_tokenizers_library_trains_is_cut_alike(
    pattern: str | None, known: str, tmp_path: Path
) -> None:
    made, path = theirs(pattern), tmp_path / "tokenizer.json"
    made.save(str(path))
    (tmp_path / "tokenizer_config.json").write_text('{"bos_token": "<s>", "eos_token": {"content": "</s>"}}')
    assert_cut_alike(path, made)
    found = header(str(tmp_path))
    assert (found.pattern, found.tokens, found.special_tokens) == (known, 898, ("<s>", "</s>"))
    assert found.roles == {"bos": "<s>", "eos": "</s>"}


def test_a_list_of_all_splits_is_cut_alike(tmp_path: Path) -> None:
    """As Llama 3 is written: every way to make a token is a merge, and a piece that is a token is not merged."""
    ours = train(tmp_path, list(evaluation_texts().values())[:4], vocab_size=900, pattern=LLAMA3)
    path, characters = ours.folder / "tokenizer.json", byte_characters()
    content = json.loads(path.read_text())
    ranks = {token: rank for rank, token in enumerate(ours.tokens)}
    splits = [
        (rank, ranks[token[:at]], ranks[token[at:]])
        for token, rank in ranks.items()
        for at in range(1, len(token))
        if token[:at] in ranks and token[at:] in ranks
    ]
    written = ["".join(characters[byte] for byte in token) for token in ours.tokens]
    content["model"]["merges"] = [[written[left], written[right]] for _, left, right in sorted(splits)]
    assert len(splits) > len(ours.tokens)
    path.write_text(json.dumps(content))
    assert_cut_alike(path, tokenizers.Tokenizer.from_file(str(path)))


def test_a_token_that_only_a_whole_piece_becomes_stays_so(tmp_path: Path) -> None:
    """With ignore_merges a token may be in the vocabulary that no merge makes; it cannot be a base then."""
    path = tmp_path / "tokenizer.json"
    made = theirs()
    made.save(str(path))
    content = json.loads(path.read_text())
    content["model"]["vocab"]["qzqzqz"] = 900
    path.write_text(json.dumps(content))
    with pytest.raises(NanosnakeError, match="1 tokens are made by no merge, such as b'qzqzqz'"):
        convert(str(path), None, tmp_path)
    content["model"]["ignore_merges"] = True
    content["model"]["vocab"] |= {"qz": 901, "qzqz": 902}
    content["model"]["merges"] += [["q", "z"], ["qz", "qz"]]
    path.write_text(json.dumps(content))
    with pytest.raises(NanosnakeError, match=r"b'qzqzqz' is made by no merge of its list, and ours"):
        convert(str(path), None, tmp_path)


def test_a_token_that_is_merged_from_later_ones_is_cut_alike(tmp_path: Path) -> None:
    """As in Llama 3: the list is that of the tokens' order, and `qzqz` is made of `qzq`, which has a higher id."""
    path = tmp_path / "tokenizer.json"
    theirs().save(str(path))
    content = json.loads(path.read_text())
    content["model"]["ignore_merges"] = True
    content["model"]["vocab"] |= {"zq": 900, "qz": 901, "qzqz": 902, "qzq": 903}
    content["model"]["merges"] += [
        ["z", "q"],
        ["q", "z"],
        ["qz", "qz"],
        ["qzq", "z"],
        ["q", "zq"],
        ["qz", "q"],
    ]
    path.write_text(json.dumps(content))
    loaded = tokenizers.Tokenizer.from_file(str(path))
    more = ["qzqz", "qzqzq", "qzqzqz", " qzqz", "xqzqzx", "zqzqzqzqz", "qzq", "qqzqzz"]
    assert_cut_alike(path, loaded, more)
    pairs = convert(str(path), None, tmp_path)
    assert never_merged(pairs) == [b"qzqz"]
    recipe = Recipe("x", "gpt2", 256 + len(pairs) + 1, ["<s>"], given=len(pairs))
    export(pairs, recipe, tmp_path / "exported")
    exported = tokenizers.Tokenizer.from_file(str(tmp_path / "exported/tokenizer.json"))
    for text in more:
        cut = [found.encode(text, add_special_tokens=False).tokens for found in (loaded, exported)]
        assert cut[0] == cut[1]
    assert_cut_alike(tmp_path / "exported/tokenizer.json", exported, more)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_ones_are_what_tiktoken_has(name: str, tmp_path: Path) -> None:
    found = load_baselines(tmp_path, names=[name])
    if found.notes:
        pytest.skip(found.notes[0])
    encoding, known = found.encodings[name], header(name)
    special = sorted(encoding.special_tokens_set, key=encoding.encode_single_token)
    assert list(known.special_tokens) == special
    tokens = len(encoding.token_byte_values())
    assert known.tokens == tokens - sum(text.encode() in encoding.token_byte_values() for text in special)
    pattern = rustbpe.PATTERNS.get(known.pattern, known.pattern)
    assert name == "gpt2" or pattern == encoding._pat_str
    if name != "gpt2":
        return  # the merges of the others take a while
    ours = token_bytes(convert(name, None, tmp_path))
    ids = [encoding.encode_single_token(token) for token in ours]
    encoder = rustbpe.Encoder(ours, pattern=pattern)
    for text in texts():
        assert [ids[rank] for rank in encoder.encode(text)] == encoding.encode_ordinary(text)


def change(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Return what sets a value of a tokenizer.json."""

    def apply(content: dict[str, Any]) -> None:
        *folders, last = path.split(".")
        for folder in folders:
            content = content[int(folder) if isinstance(content, list) else folder]
        content[last] = value

    return apply


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (change("model", {"type": "Unigram", "vocab": []}), r"its model is Unigram"),
        (change("model.byte_fallback", True), r"its tokens are characters"),
        (change("model.end_of_word_suffix", "</w>"), r"its model has end_of_word_suffix: '</w>'"),
        (change("normalizer", {"type": "NFC"}), r"changes the text before it cuts it \(normalizer NFC\)"),
        (change("pre_tokenizer", None), r"its pre-tokenizer is None"),
        (change("pre_tokenizer", {"type": "Metaspace"}), r"Metaspace, and does not end with ByteLevel"),
        (change("pre_tokenizer.add_prefix_space", True), r"puts a space before each text"),
        (
            change(
                "pre_tokenizer",
                {"type": "Sequence", "pretokenizers": [{"type": "Digits"}, {"type": "ByteLevel"}]},
            ),
            r"Digits then ByteLevel, and ours is one split pattern",
        ),
        (
            change(
                "pre_tokenizer",
                {
                    "type": "Sequence",
                    "pretokenizers": [
                        {"type": "Split", "pattern": {"Regex": "a{1,2}+"}, "behavior": "Isolated"},
                        {"type": "ByteLevel", "use_regex": False},
                    ],
                },
            ),
            r"means something else to our regex engine",
        ),
        (
            change("added_tokens.0.special", False),
            r"looks for 1 added tokens in a text before it cuts it, such as '<s>'",
        ),
        (lambda content: content.pop("model"), r"has no model, so it is not a tokenizer\.json"),
    ],
)
def test_what_is_not_exact_is_refused(
    edit: Callable[[dict[str, Any]], None], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "tokenizer.json"
    theirs().save(str(path))
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))
    with pytest.raises(NanosnakeError, match=message):
        header(str(path))


def test_what_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(NanosnakeError, match=r"nothing\.json does not exist; .* or one of gpt2, cl100k_base"):
        header(str(tmp_path / "nothing.json"))
    (tmp_path / "x.tiktoken").write_text("YQ== 0\n")
    with pytest.raises(NanosnakeError, match="does not say its split pattern"):
        header(str(tmp_path / "x.tiktoken"))
    with pytest.raises(NanosnakeError, match=r"lacks 255 of the 256 bytes, the first 0x00"):
        convert(str(tmp_path / "x.tiktoken"), "gpt2", tmp_path)
    (tmp_path / "tokenizer.json").write_text("no")
    with pytest.raises(NanosnakeError, match="is not JSON"):
        header(str(tmp_path))
    with pytest.raises(NanosnakeError, match="gpt2 has its own split pattern"):
        header("gpt2", "gpt4")


def test_seeds_are_tokens_that_text_yields() -> None:
    draw = random.Random(1)
    for _ in range(200):
        seeds = list({"".join(draw.choices("abé", k=draw.randint(1, 9))) for _ in range(4)})
        first = with_seeds([(97, 98), (98, 97), (256, 256)][: draw.randint(0, 3)], seeds[:1])
        pairs = with_seeds(first, seeds)
        tokens = token_bytes(pairs)  # refuses what is made twice
        assert pairs[: len(first)] == first
        encoder = rustbpe.Encoder(tokens, pattern="(?s).+")
        ranks = {token: rank for rank, token in enumerate(tokens)}
        for seed in seeds:
            assert len(encoder.encode(seed)) == 1
        for rank in range(256, len(tokens)):
            left, right = pairs[rank - 256]
            assert last_parts(tokens[rank], rank, ranks) == [tokens[left], tokens[right]]


def take(source: Path, pattern: str, folder: Path) -> Path:
    """Take merges as the rule does; return the file."""
    output = folder / "given.arrow"
    arguments = ["--source", str(source), "--pattern", pattern, "--output", str(output)]
    assert call(take_merges.TakeMerges, arguments) == 0
    return output


def learn(folder: Path, merges: int, *options: str) -> pa.Table:
    """Train as the rule does; return the merges."""
    output = folder / "out.arrow"
    arguments = [
        *("--counts", str(folder / "counts.arrow"), "--merges", str(merges)),
        "--output",
        str(output),
    ]
    assert call(train_tokenizer.TrainTokenizer, [*arguments, *options]) == 0
    with pa.ipc.open_file(str(output)) as reader:
        return reader.read_all()


def test_an_extension_by_the_same_counts_is_as_trained_at_once(tmp_path: Path) -> None:
    small = train(tmp_path, list(evaluation_texts().values()), vocab_size=600)
    whole = learn(tmp_path, 1500)
    for source in (None, small.folder, small.folder / "tokenizer.tiktoken"):
        base = take(source, "nanochat", tmp_path) if source else tmp_path / "merges.arrow"
        found = learn(tmp_path, 1500, "--base", str(base))
        assert found.equals(whole), source
        assert found.schema.metadata[b"given"] == b"341"
    assert b"given" not in whole.schema.metadata


def test_seeds_come_before_what_is_learned(tmp_path: Path) -> None:
    train(tmp_path, list(evaluation_texts().values())[:5], vocab_size=400)
    learn(tmp_path, 300, "--base", str(tmp_path / "merges.arrow"), "--seeds", '[" nanosnake", "-@"]')
    merges = rustbpe.Merges.read(tmp_path / "out.arrow")
    base = rustbpe.Merges.read(tmp_path / "merges.arrow")
    assert merges.pairs()[: len(base)] == base.pairs()
    given = merges.token_bytes()[: 256 + merges.given]
    assert given[-1] == b"-@"
    assert b" nanosnake" in given
    assert len(merges) == 300 > merges.given
    with pytest.raises(
        NanosnakeError, match=r"vocab_size has room for 20 merges, and base and seeds need 1\d\d"
    ):
        learn(tmp_path, 20, "--base", str(tmp_path / "merges.arrow"))


def test_a_base_with_tokens_that_no_merges_lead_to_is_refused(tmp_path: Path) -> None:
    small = train(tmp_path, ["zzqx zzqx text text"], vocab_size=262)
    path = tmp_path / "other.tiktoken"
    ranks = (small.folder / "tokenizer.tiktoken").read_text()
    # of abcd, bc is merged first, and then nothing is
    extra = [b"bc", b"ab", b"cd", b"abcd"]
    lines = "".join(f"{base64.b64encode(token).decode()} {300 + at}\n" for at, token in enumerate(extra))
    path.write_text(ranks + lines)
    found = convert(str(path), "nanochat", tmp_path)
    assert never_merged(found) == [b"abcd"]
    tokens = token_bytes(found)
    encoder = rustbpe.Encoder(tokens, pattern="nanochat")
    assert [tokens[rank] for rank in encoder.encode("abcd abcde")][:1] == [b"abcd"]
    base = str(take(path, "nanochat", tmp_path))
    learn(tmp_path, len(found), "--base", base)
    with pytest.raises(
        NanosnakeError, match=r"cannot be extended, because no merges lead to 1 of its tokens"
    ):
        learn(tmp_path, len(found) + 1, "--base", base)
