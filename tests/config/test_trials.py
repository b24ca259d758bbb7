"""Patterns and special tokens that an engine reads otherwise are refused before any job, with a way out."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import rustbpe

from nanosnake import config as configuration
from nanosnake.config import Config, trials
from nanosnake.config.tokenizers import NANOCHAT_SPECIAL_TOKENS
from nanosnake.files import NanosnakeError
from nanosnake.tokenizer import trial

DEFAULT = ["<|bos|>"]


def load(folder: Path, *, checks: dict[str, Any] | None = None, **settings: Any) -> Config:
    raw = {
        "datasets": {"demo": {"source": {"kind": "embedded"}, "train": "0-3", "validation": 4}},
        "tokenizers": {"bpe": {"dataset": "demo", "vocab_size": 300, **settings}},
        "checks": checks or {},
    }
    return configuration.load(raw, trials=folder)


def refusal(folder: Path, **settings: Any) -> str:
    with pytest.raises(NanosnakeError) as caught:
        load(folder, **settings)
    return str(caught.value)


# what the users wrote: pattern, kind of its problem, words of the message
READ_OTHERWISE = [
    (r"\pL+|\PL", None, ""),
    (r"\w+|\W", None, ""),
    (r"a(?i)b|(?s:.)", None, ""),
    (r"\<\w+\>|\W", None, ""),
    (r"[[:alpha:]]+|(?s:.)", None, ""),
    (r"\U0001F300|(?s:.)", None, ""),
    (r"\U0001F300", "loses", "'H' in"),
    (r"[[:alpha:]]+|.", "loses", r"'\n' in"),
    (r"\<\w+\>", "loses", "' ' in"),
    (r"\A\w+|\W", "loses", "'w' in"),
    (r"\w+\K|\W", "fails", r"\K is read differently: write what is before it as (?<=...)"),
    (r"(?m)^.*$|\n", "fails", "matches nothing; let each alternative take a character"),
    ("a*", "fails", "tiktoken panics on ''"),
    (r"\s*|\S+", "fails", "matches nothing"),
    (r"\w*|\W", "fails", "matches nothing"),
    (r"(a+)+b|(?s:.)", "fails", "backtracks less"),
    (r"(?x) a + | (?s: . )", "fails", "the flag x: write the pattern without blanks"),
    (r"[\w--\d]+|(?s:.)", "fails", "write [a&&[^b]] for [a--b]"),
    (r"\p{scx=Latin}+|(?s:.)", "fails", "a property with ="),
]


@pytest.mark.parametrize(("pattern", "kind", "words"), READ_OTHERWISE)
def test_what_each_engine_makes_of_a_pattern(pattern: str, kind: str | None, words: str) -> None:
    found = trial.try_all(pattern, DEFAULT)
    problems = {name: problems for name, problems in found.items() if problems}
    assert list(problems) == ([kind] if kind else [])
    assert kind is None or words in problems[kind][0]


@pytest.mark.parametrize("name", rustbpe.PATTERNS)
def test_the_known_patterns_and_tokens_need_no_trial(name: str) -> None:
    assert trial.try_all(rustbpe.PATTERNS[name], NANOCHAT_SPECIAL_TOKENS) == {"special_tokens": []}


def test_an_engine_that_cuts_otherwise_is_named_with_both_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial.oniguruma, "translate", lambda regex: regex.replace("2", "3"))
    (problem,) = trial.try_all(r"\p{L}{1,2}|[\s\S]", DEFAULT)["differs"]
    assert "rustbpe's piece 1 is 'He', that of tokenizers 'Hel'" in problem


def test_a_pattern_is_refused_under_its_key(tmp_path: Path) -> None:
    message = refusal(tmp_path, pattern="a*")
    assert "tokenizers.bpe.pattern: tiktoken panics on ''" in message
    assert "got 'a*'" in message


def test_lost_text_is_allowed_where_the_check_does_not_block(tmp_path: Path) -> None:
    assert "set checks.round_trip.mode to warn" in refusal(tmp_path, pattern=r"\w+")
    assert (
        load(tmp_path, pattern=r"\w+", checks={"round_trip": {"mode": "warn"}}).tokenizers["bpe"].pattern
        == r"\w+"
    )


def test_a_trial_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = refusal(tmp_path, pattern="a*")
    monkeypatch.setattr(subprocess, "run", lambda *arguments, **options: pytest.fail("asked again"))
    assert refusal(tmp_path, pattern="a*") == first


def test_a_damaged_memory_and_a_folder_that_cannot_be_written_only_cost_time(tmp_path: Path) -> None:
    first = refusal(tmp_path, pattern="a*")
    (file,) = tmp_path.iterdir()
    file.write_text("[")
    assert refusal(tmp_path, pattern="a*") == first
    assert json.loads(file.read_text())["pattern"] == "a*"
    (tmp_path / "file").touch()
    assert refusal(tmp_path / "file", pattern="a*") == first


@pytest.mark.parametrize(
    ("end", "words"), [("import time; time.sleep(9)", "no end within 1 s"), ("exit(3)", "ended with 3")]
)
def test_an_engine_that_ends_or_never_ends_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str, words: str
) -> None:
    real = subprocess.run
    monkeypatch.setattr(trials, "SECONDS", 1)
    monkeypatch.setattr(subprocess, "run", lambda command, **more: real([command[0], "-c", end], **more))
    assert words in refusal(tmp_path, pattern="a+|(?s:.)")


SPECIAL_TOKENS = [
    (["\u2039|début|>", "\u2039|é|>"], "'\u2039|début|>': tokenizer.json writes a byte as 'é'"),
    (["<|é|>"], "use no character from U+00A1 to U+0143"),
    (["<a>", "<a>b"], "'<a>b' begins with '<a>'"),
    (["a"], "special token 'a': tokenizers encodes 'a' as [97], wanted [256]"),
    (["<|a b|>", "<|日本|>", "🙂", "\n", "<|x|>\n"], None),
    (["<|bos|>", *(f"<|reserved_{number:03d}|>" for number in range(256))], None),
]


@pytest.mark.parametrize(("special_tokens", "words"), SPECIAL_TOKENS, ids=lambda value: str(value)[:30])
def test_special_tokens_are_tried_in_each_engine(special_tokens: list[str], words: str | None) -> None:
    found = trial.try_all(None, special_tokens)["special_tokens"]
    assert found == [] if words is None else words in found[0]


def test_a_special_token_is_refused_under_its_key(tmp_path: Path) -> None:
    assert "tokenizers.bpe.special_tokens: '<|é|>': tokenizer.json" in refusal(
        tmp_path, special_tokens=["<|é|>"]
    )


def test_a_pattern_of_a_compared_tokenizer_is_refused_under_its_key(tmp_path: Path) -> None:
    ranks = tmp_path / "old.tiktoken"
    ranks.write_text("dGg= 0\n")

    def compared(pattern: str) -> Config:
        others = {"old": {"path": str(ranks), "pattern": pattern}}
        raw = {
            "datasets": {"demo": {"source": {"kind": "embedded"}, "train": "0-3", "validation": 4}},
            "tokenizers": {"bpe": {"dataset": "demo", "vocab_size": 300}},
            "tokenizer_comparisons": {"all": {"tokenizers": ["bpe"], "others": others}},
        }
        return configuration.load(raw, trials=tmp_path / "trials")

    for pattern, words in (("a*", "tiktoken panics on ''"), (r"\A\w+|\W", "'w' in")):
        with pytest.raises(NanosnakeError) as caught:
            compared(pattern)
        (line,) = str(caught.value).splitlines()[1:]
        assert line.strip().startswith("tokenizer_comparisons.all.others.old.pattern: ")
        assert words in line
    assert compared(r"\w+|\W").tokenizer_comparisons
