"""The page that compares tokenizers: its figures are those of the texts, and it says where documents do not tell apart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import compare_tokenizers
from nanosnake.checks.material import Document, Item
from nanosnake.report import comparison
from nanosnake.report.comparison import Comparison, Contestant, compare
from nanosnake.sources.samples import Sample, write_samples
from nanosnake.stages import call, parse
from tiny_tokenizers import TEXTS, evaluation_texts, train

SECTIONS = Path(comparison.__file__).parent / "templates/sections"


def by_characters(name: str, size: int) -> Contestant:
    """Return a tokenizer of ASCII text whose tokens are so many characters, the last fewer; its ids are their bytes."""
    tokens = {
        text: at
        for at, text in enumerate(["", *(chr(c) for c in range(128)), "ab", "abc", "bc", "ca", "cab"])
    }

    def encode(texts: list[str]) -> list[list[int]]:
        return [
            [tokens.setdefault(t[at : at + size], len(tokens)) for at in range(0, len(t), size)]
            for t in texts
        ]

    return Contestant(name, 1000 * size, Bytes(tokens), encode)


class Bytes(list[bytes]):
    """Bytes by id of a table that grows."""

    def __init__(self, tokens: dict[str, int]) -> None:
        super().__init__()
        self.tokens = tokens

    def __getitem__(self, at: int) -> bytes:  # type: ignore[override]
        return list(self.tokens)[at].encode()

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter([text.encode() for text in self.tokens])


@pytest.fixture
def found() -> Comparison:
    documents = [Document(f"d{n}", "abc " * n) for n in range(1, 9)]
    items = [Item("validation", "sample", documents), Item("text", "text", [Document("t", "abcabc")])]
    return compare(
        "demo", "pair", [by_characters("one", 1), by_characters("two", 2), by_characters("same", 1)], items
    )


def test_tokens_of_each_text(found: Comparison) -> None:
    rows = {(row["text"], row["tokenizer"]): row for row in found.texts.rows}
    assert rows["text", "one"]["tokens"] == 6
    assert rows["text", "two"]["bytes_per_token"] == 2
    assert "bytes_per_token_low" not in rows["text", "two"], "one document has no interval"
    assert rows["validation", "two"]["bytes_per_token_low"] == 2


def test_what_documents_do_not_tell_apart_is_within_noise(found: Comparison) -> None:
    rows = {(row["text"], row["tokenizer"]): row for row in found.against.rows}
    assert rows["validation", "two"]["relative_tokens"] == -0.5
    assert rows["validation", "two"]["told_apart"] == "yes"
    assert rows["validation", "same"]["told_apart"] == "no"
    assert (
        found.headline
        == "tokens on validation documents against one: two \u221250.0%, same +0.0% (within noise)"
    )


def test_cost_and_what_doubling_buys(found: Comparison) -> None:
    cost = {row["tokenizer"]: row for row in found.cost.rows}
    assert cost["two"]["embedding_parameters_768"] == 2000 * 768
    assert float(cost["two"]["megabytes_per_cpu_second"] or 0) > 0
    assert cost["two"]["engine"] == "rustbpe"
    last = found.sizes.rows[-1]
    assert (last["tokenizer"], last["times_smaller_vocabulary"], last["relative_tokens"]) == ("two", 2, -0.5)


def test_borders_and_words(found: Comparison) -> None:
    rows = {(row["text"], row["tokenizer"]): row for row in found.cuts.rows}
    assert rows["text", "two"]["share_of_first"] == 0.5
    assert rows["text", "two"]["share_of_own"] == 1
    assert [(row["text"], row["count"]) for row in found.words.rows] == [(" abc", 36)]
    assert found.words.rows[0]["two"] == "␣a|bc"


def test_the_page_compares_folders_and_a_published_vocabulary(tmp_path: Path) -> None:
    news = evaluation_texts()["english_news"]
    folders = [
        train(tmp_path / f"v{size}", [news], vocab_size=size, name=f"v{size}").folder for size in (400, 800)
    ]
    rows = [Sample("validation", "s", row, False, text) for row, text in enumerate(news.split("\n\n"))]
    write_samples(tmp_path / "validation.jsonl", rows)
    arguments = [
        "--dataset",
        "demo",
        "--name",
        "sizes",
        "--tokenizers",
        *map(str, folders),
        "--baselines",
        "gpt2",
    ]
    arguments += ["--texts", str(TEXTS), "--samples", str(tmp_path / "validation.jsonl")]
    ranks = {"path": str(folders[0] / "tokenizer.tiktoken"), "pattern": "nanochat"}
    arguments += ["--others", json.dumps({"again": {"path": str(folders[1])}, "ranks": ranks})]
    arguments += [
        "--baseline-cache",
        str(tmp_path / "cache"),
        "--output",
        str(tmp_path / "page" / "index.html"),
    ]
    assert call(compare_tokenizers.CompareTokenizers, arguments) == 0
    page = (tmp_path / "page" / "index.html").read_text()
    assert "tokens on validation documents against v400: v800 \u2212" in page
    made = compare_tokenizers.make(parse(compare_tokenizers.CompareTokenizers, arguments))
    against = {row["tokenizer"]: row for row in made.against.rows}
    assert against["again"]["relative_tokens"] == against["v800"]["relative_tokens"]
    assert (against["ranks"]["relative_tokens"], against["ranks"]["told_apart"]) == (0, "no")
    overlap = {row["tokenizer"]: row for row in made.overlap.rows}
    assert overlap["v400"]["share_in.v800"] == 1, "the smaller is a part of the larger"
    assert overlap["v400"]["learned_tokens"] == 400 - 256 - 3
    assert overlap["gpt2"]["learned_tokens"] == 50257 - 256 - 1
    for row in made.cuts.rows:
        assert 0 < float(row["share_of_first"] or 0) <= 1


ITEMS = [Item("validation", "sample", [Document(f"d{n}", "abc " * n) for n in range(1, 9)])]


def contestant(name: str, tokens: list[bytes], size: int) -> Contestant:
    """Return a tokenizer with some tokens, each of so many characters."""

    def encode(texts: list[str]) -> list[list[int]]:
        return [[0] * (len(text) // size) for text in texts]

    return Contestant(name, len(tokens), tokens, encode)


def test_sizes_of_one_training_are_a_line_and_others_points() -> None:
    small = contestant("small", [b"a", b"b"], 1)
    large = contestant("large", [b"a", b"b", b"ab", b""], 2)
    other = contestant("other", [b"a", b"c", b"d", b"e", b"f"], 4)
    curve = compare("demo", "sizes", [large, small, other], ITEMS).curve
    assert curve is not None
    assert "sizes goes from 1.00 bytes per token at 2 tokens to 2.00 at 3" in curve.alternative
    assert "other 4.00 at 5" in curve.alternative
    assert compare("demo", "two", [small, other], ITEMS).curve is None


def test_each_training_is_compared_with_its_own_sizes() -> None:
    of = {"a": [[b"x", b"a"], [b"x", b"a", b"aa", b"ax"]], "b": [[b"x", b"b"], [b"x", b"b", b"bb", b"bx"]]}
    sweep = [
        contestant(f"{name}-{len(tokens)}", tokens, 1 + (len(tokens) > 2))
        for name in of
        for tokens in of[name]
    ]
    found = compare("demo", "both", sweep, ITEMS)
    rows = [(row["tokenizer"], row.get("times_smaller_vocabulary")) for row in found.sizes.rows]
    assert rows == [("a-2", None), ("a-4", 2), ("b-2", None), ("b-4", 2)]
    assert found.curve is not None
    for name in ("a-4", "b-4"):
        assert f"{name} goes from 1.00 bytes per token at 2 tokens to 2.00 at 4" in found.curve.alternative


def test_a_chart_has_as_many_tokenizers_as_there_are_colours() -> None:
    many = [contestant(f"t{number}", [b"x", bytes([65 + number])], 1) for number in range(11)]
    found = compare("demo", "many", many, ITEMS)
    assert found.drawn == 8
    assert "t7 from" in found.bars.alternative
    assert "t8" not in found.bars.alternative + found.bars.wide
    assert {row["tokenizer"] for row in found.texts.rows} == {one.name for one in many}


@pytest.mark.parametrize("path", sorted(SECTIONS.glob("*.j2")), ids=lambda path: path.name)
def test_no_section_of_a_page_is_empty(path: Path) -> None:
    """A section without a template's text would be a heading above nothing."""
    assert path.read_text().strip()
