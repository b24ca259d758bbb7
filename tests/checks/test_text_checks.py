"""Checks of what tokenizers do with languages, numbers, code and spelling variants."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nanosnake.checks.languages import gini
from nanosnake.checks.material import Document, Item, Subject
from nanosnake.checks.numbers import _on_thousands
from nanosnake.checks.parallel import Language, read_catalogue, read_parallel
from nanosnake.checks.run import run_check
from nanosnake.checks.snippets import SNIPPETS
from nanosnake.checks.verdict import Verdict
from nanosnake.files import NanosnakeError
from nanosnake.tokenizer.baselines import load_baselines
from tiny_tokenizers import evaluation_texts, train


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    text = evaluation_texts()["english_news"]
    tokenizer = train(
        tmp_path_factory.mktemp("tokenizer"),
        [text, "The the  the THE \uff54\uff48\uff45 " * 9],
        vocab_size=800,
    )
    found = load_baselines(tmp_path_factory.mktemp("baselines"), network=False)
    return Subject(tokenizer, [Item("news", "text", [Document("news", text)])], found.encodings)


def run(name: str, subject: Subject, thresholds: Mapping[str, Any] | None = None) -> Verdict:
    return run_check(name, "warn", thresholds or {}, subject)


# languages

SAME = Language("same", ["the sea was calm", "nobody came"], ["the sea was calm", "nobody came"])
TWICE = Language("twice", ["the sea was calm the sea was calm"], ["the sea was calm"])


def test_the_premium_is_against_the_same_sentences(subject: Subject) -> None:
    verdict = run("languages", replace(subject, parallel=[SAME, TWICE]), {"max_gini": 0.1})
    rows = {row["text"]: row for row in verdict.figures}
    assert [row["text"] for row in verdict.figures] == ["twice", "same"], "the dearest first"
    assert rows["same"]["premium"] == 1
    english = len(subject.tokenizer.rust().encode("the sea was calm"))
    twice = len(subject.tokenizer.rust().encode(TWICE.texts[0]))
    assert rows["twice"]["premium"] == pytest.approx(twice / english)
    assert rows["twice"]["premium_gpt2"] == pytest.approx(2)
    assert rows["twice"]["tokens_per_word"] == pytest.approx(twice / 8)
    words = ["the", "sea", "was", "calm"]
    kept = sum(len(subject.tokenizer.rust().encode(f" {word}")) == 1 for word in words)
    assert rows["twice"]["share_words_kept"] == kept / 4
    assert "the Gini coefficient is" in verdict.failures[0].message


def test_a_language_that_costs_too_much_warns_and_one_may_block(subject: Subject) -> None:
    rows = {"twice": {"max_premium": 1.9, "mode": "block"}}
    verdict = run("languages", replace(subject, parallel=[SAME, TWICE]), {"max_premium": 0.5, "rows": rows})
    assert [failure.item for failure in verdict.blocking] == ["twice"]
    assert [failure.item for failure in verdict.warnings] == ["same"]
    assert "times the tokens of English, wanted at most 1.9" in verdict.blocking[0].message


def test_gini_of_known_values() -> None:
    assert gini([2, 2, 2]) == pytest.approx(0)
    assert gini([0, 0, 0, 8]) == pytest.approx(0.75)
    assert gini([1, 3]) == pytest.approx(0.25)
    assert gini([0, 0]) == 0


def test_a_folder_of_parallel_text(tmp_path: Path) -> None:
    (tmp_path / "eng_Latn.devtest").write_text("one\ntwo\n")
    (tmp_path / "kor_Hang.devtest").write_text("하나\n둘\n")
    lines = [json.dumps({"id": at, "text": text}) for at, text in enumerate(("un", "deux"))]
    (tmp_path / "fra_Latn.jsonl").write_text("\n".join(lines))
    languages, what = read_parallel(tmp_path)
    assert languages == [
        Language("fra_Latn", ["un", "deux"], ["one", "two"]),
        Language("kor_Hang", ["하나", "둘"], ["one", "two"]),
    ]
    assert what == f"2 sentences of {tmp_path.name}"
    (tmp_path / "deu_Latn.devtest").write_text("eins\n")
    with pytest.raises(NanosnakeError, match="deu_Latn has 1 lines, eng_Latn has 2"):
        read_parallel(tmp_path)
    (tmp_path / "eng_Latn.devtest").unlink()
    with pytest.raises(NanosnakeError, match="holds no English"):
        read_parallel(tmp_path)


def test_sentences_end_at_line_feeds_alone(tmp_path: Path) -> None:
    """Python's splitlines also ends them at U+2028, which JSON Lines may hold as it is."""
    (tmp_path / "eng_Latn.txt").write_text("one\u2028and\x0chalf\ntwo\n")
    (tmp_path / "fra_Latn.jsonl").write_text('{"text": "un\u2028et demi"}\n{"text": "deux"}\n')
    (tmp_path / ".DS_Store").write_bytes(b"\xff")
    ((french,), _) = read_parallel(tmp_path)
    assert french == Language("fra_Latn", ["un\u2028et demi", "deux"], ["one\u2028and\x0chalf", "two"])


@pytest.mark.parametrize("content", [b'{"text": "\xe9"}', b"un", b'{"texte": "un"}', b'"un"'])
def test_parallel_text_that_cannot_be_read_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "en.txt").write_text("one\n")
    (tmp_path / "fr.jsonl").write_bytes(content)
    with pytest.raises(NanosnakeError, match=r"fr\.jsonl: .*; write one sentence a line in UTF-8"):
        read_parallel(tmp_path)


def test_messages_of_a_catalogue() -> None:
    catalogue = """
msgid ""
msgstr "Language: de"

msgid "This field is required now"
msgstr ""
"Dieses Feld ist "
"jetzt \\"nötig\\""

#, fuzzy
msgid "This one is in doubt"
msgstr "Dies ist zweifelhaft"

msgid "Yes, %(name)s is right here"
msgstr "Ja, %(name)s ist hier"

msgid "one of the many days"
msgid_plural "many of the days"
msgstr[0] "ein Tag"
msgstr[1] "Tage"

msgid "not translated at all"
msgstr ""

msgid "Monday"
msgstr "Montag"
"""
    assert read_catalogue(catalogue) == {"This field is required now": 'Dieses Feld ist jetzt "nötig"'}


def test_without_parallel_text_the_check_says_how_to_get_it(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", absent)
    languages, what = read_parallel(None)
    assert languages == []
    assert "`uv sync --group languages`" in what
    verdict = run("languages", subject, {"rows": {"de": {"max_premium": 2, "mode": "block"}}})
    assert (verdict.verdict, verdict.summary) == ("skipped", "not measured")


def test_the_catalogues_of_django() -> None:
    pytest.importorskip("django")
    languages, what = read_parallel(None)
    assert what.startswith("messages of 4 words or more of Django ")
    by_name = {language.name: language for language in languages}
    assert len(by_name) > 60
    assert {"de", "fr", "ko", "ar", "hi", "zh_Hans"} < set(by_name)
    assert all(len(language.texts) == len(language.english) >= 50 for language in languages)


# numbers


def test_numbers_of_one_length_are_cut_alike_by_a_pattern_of_two_digits(tmp_path: Path) -> None:
    numbers = " ".join(f"{number:02}" for number in range(100))
    tokenizer = train(tmp_path, [numbers * 9], vocab_size=256 + 3 + 90, pattern="nanochat")
    verdict = run("numbers", Subject(tokenizer, []), {"min_share_same_cut": 0.9})
    rows = {row["text"]: row for row in verdict.figures}
    assert (rows["1 digit"]["tried"], rows["4 digits"]["tried"], rows["5 digits"]["tried"]) == (
        10,
        9000,
        2000,
    )
    assert rows["1 digit"]["cuts"] == 1
    assert sum(float(row["share_same_cut"] or 0) == 1 for row in verdict.figures) < len(verdict.figures)
    assert {failure.item for failure in verdict.failures} <= set(map(str, rows))


def test_bytes_cut_every_number_alike(tmp_path: Path) -> None:
    tokenizer = train(tmp_path, ["text"], vocab_size=257, special_tokens=["<|bos|>"])
    verdict = run("numbers", Subject(tokenizer, []), {"min_share_same_cut": 1})
    assert verdict.verdict == "pass"
    assert [row["cuts"] for row in verdict.figures] == [1] * 12
    assert verdict.figures[2]["cut"] == "1+1+1"
    assert verdict.summary.startswith(
        "numbers of the same length are cut in the same way for 12 of 12 lengths"
    )


def test_borders_on_thousands() -> None:
    assert _on_thousands({(1, 3, 3): 2}) == 1
    assert _on_thousands({(3, 3, 1): 1}) == 0
    assert _on_thousands({(1, 3): 1, (2, 2): 3}) == 0.25
    assert _on_thousands({(3,): 5}) is None


# code


def test_code_counts_a_language_against_the_baselines(subject: Subject) -> None:
    rows = {"Python": {"max_loss_gpt2": -0.9, "mode": "block"}}
    verdict = run("code", subject, {"rows": rows})
    row = next(row for row in verdict.figures if row["text"] == "Python")
    text = SNIPPETS["Python"]
    assert row["tokens"] == len(subject.tokenizer.rust().encode(text))
    assert row["tokens_gpt2"] == len(subject.baselines["gpt2"].encode_ordinary(text))
    assert row["lines"] == len(text.splitlines())
    assert [failure.item for failure in verdict.blocking] == ["Python"]
    assert len(verdict.figures) == len(SNIPPETS)


def test_indentation_by_depth(tmp_path: Path) -> None:
    tokenizer = train(tmp_path, ["text"], vocab_size=257, special_tokens=["<|bos|>"])
    verdict = run("code", Subject(tokenizer, []))
    table = verdict.tables["Tokens that indentation adds to a line, by depth"]
    rows = {row["text"]: row for row in table}
    assert (rows["4 spaces"]["depth_1"], rows["4 spaces"]["depth_10"]) == (4, 40), "bytes cut everything"
    assert rows["tab"]["depth_3"] == 3


# twins


def test_twins_by_space_case_and_width(tmp_path: Path) -> None:
    text = "to To to TO \uff54\uff4f " * 20
    tokenizer = train(tmp_path, [text], vocab_size=267, pattern=r" ?\w+| ", special_tokens=["<|bos|>"])
    subject = Subject(tokenizer, [], counts=tmp_path / "counts.arrow")
    verdict = run("twins", subject, {"max_share_spare": 0})
    tokens = {token.decode(errors="replace") for token in tokenizer.tokens[256:]}
    assert {" to", " To", " TO", " \uff54\uff4f"} <= tokens
    rows = {row["text"]: row for row in verdict.figures}
    assert int(rows["case"]["tokens"] or 0) >= 3
    assert int(rows["width or other compatible form"]["groups"] or 0) >= 1
    assert "tokens are spare, wanted at most 0.0%" in verdict.failures[0].message
    largest = verdict.tables["The largest groups of twins"][0]
    assert all(word in str(largest["token"]) for word in ("' to'", "' To'", "' TO'", "' \uff54\uff4f'"))


def test_normal_forms_of_a_text(subject: Subject) -> None:
    items = [Item("accents", "text", [Document("accents", "caf\u00e9 na\u00efve")])]
    verdict = run("twins", replace(subject, items=items), {"max_form_loss": 0})
    (row,) = verdict.tables["Tokens of each text in Unicode's normal forms"]
    assert row["tokens_NFD"] == len(subject.tokenizer.rust().encode("cafe\u0301 nai\u0308ve"))
    assert row["share_in_NFC"] == 1
    assert [failure.item for failure in verdict.failures] == ["accents"]
    special = {row["id"]: row["tokens"] for row in verdict.tables["Special tokens as text"]}
    assert special == {
        rank: len(subject.tokenizer.rust().encode(text))
        for text, rank in subject.tokenizer.special_tokens.items()
    }
