"""Checks that read the counts of the whole training text: what they count is what encoding the text gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rustbpe

from nanosnake.checks.characters import script_of
from nanosnake.checks.corpus import Corpus, merge_parts
from nanosnake.checks.distribution import efficiency
from nanosnake.checks.material import Document, Item, Subject
from nanosnake.checks.run import run_check
from nanosnake.checks.verdict import Verdict
from nanosnake.files import NanosnakeError
from nanosnake.tokenizer.folder import TokenizerFolder
from tiny_tokenizers import evaluation_texts, train


def documents() -> list[str]:
    """Return some hundred short documents."""
    texts = evaluation_texts()
    lines = [line for name in ("english_news", "korean", "science") for line in texts[name].split("\n")]
    return [*lines, *(f"{word} aaaa and {word}" for line in lines for word in line.split())]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TokenizerFolder:
    return train(tmp_path_factory.mktemp("trained"), documents(), vocab_size=900)


@pytest.fixture(scope="module")
def subject(trained: TokenizerFolder) -> Subject:
    place = trained.folder.parent
    validation = Item("validation", "sample", [Document("v", evaluation_texts()["english_news"])])
    shards = [place / "shards" / "shard_00000.parquet"]
    return Subject(trained, [validation], counts=place / "counts.arrow", shards=shards)


def run(name: str, subject: Subject, thresholds: Mapping[str, Any] | None = None) -> Verdict:
    return run_check(name, "warn", thresholds or {}, subject)


# counts


def test_uses_are_those_of_the_encoded_text(trained: TokenizerFolder) -> None:
    wanted = Counter(id_ for text in documents() for id_ in trained.rust().encode(text))
    uses = Corpus(trained.folder.parent / "counts.arrow", trained).uses
    assert {rank: n for rank, n in enumerate(uses.tolist()) if n} == wanted


def test_a_token_is_made_as_often_as_its_pair_was_merged(trained: TokenizerFolder) -> None:
    place = trained.folder.parent
    pairs = rustbpe.Merges.read(place / "merges.arrow").pairs()
    assert merge_parts(trained.tokens)[256:] == pairs[: len(trained.tokens) - 256]
    made = Corpus(place / "counts.arrow", trained).made[256:].tolist()
    with pa.ipc.open_file(str(place / "merges.arrow")) as reader:
        counts = reader.read_all().column("count").to_pylist()
    # of a run such as aaa the trainer counts both pairs and can merge one
    same = [(n, count) for n, count, (left, right) in zip(made, counts, pairs, strict=True) if left != right]
    assert len(same) > 600
    assert all(n == count for n, count in same)


def test_a_token_that_no_two_tokens_make_has_no_parts() -> None:
    tokens = [bytes([byte]) for byte in range(256)]
    assert merge_parts([*tokens, b"ab", b"abc", b"zzz"])[256:] == [(97, 98), (256, 99), ()]
    assert merge_parts([*tokens, b"bc", b"ab", b"abc"])[258] == (97, 256), "the lower rank is merged first"


def test_counts_that_are_no_counts(trained: TokenizerFolder, tmp_path: Path) -> None:
    (tmp_path / "x.arrow").write_text("x")
    with pytest.raises(NanosnakeError, match=r"x\.arrow: not a counts file"):
        _ = Corpus(tmp_path / "x.arrow", trained).uses


def test_without_counts_nothing_is_claimed(subject: Subject) -> None:
    for name in ("residue", "distribution"):
        verdict = run(name, replace(subject, counts=None))
        assert (verdict.verdict, verdict.summary, len(verdict.notes)) == ("skipped", "not measured", 1)


# residue


def test_residue_names_what_is_merged_on(tmp_path: Path) -> None:
    # "ab" and "abc" only ever lead to "abcd"; "xy" is used
    tokenizer = train(
        tmp_path, ["abcd xy abcd xy " * 50], vocab_size=261, special_tokens=["<|bos|>"], pattern=r"\w+"
    )
    subject = Subject(tokenizer, [], counts=tmp_path / "counts.arrow")
    verdict = run("residue", subject, {"max_share": 0.1})
    listed = {row["token"]: row for row in verdict.tables["Residue that was made most often"]}
    assert set(listed) < {"'ab'", "'bc'", "'cd'", "'abc'", "'bcd'"}
    assert all((row["made"], row["left"]) == (100, 0) for row in listed.values())
    assert verdict.figures[0]["residue"] == len(listed) == 2
    assert "are merge residue, wanted at most 10.0%" in verdict.failures[0].message
    assert run("residue", subject, {"max_share": 0.9}).verdict == "pass"


# distribution


def test_efficiency_of_known_distributions() -> None:
    assert efficiency(np.array([5, 5, 5, 5]), 2.5) == pytest.approx(1)
    assert efficiency(np.array([5, 5, 5, 5]), 1) == pytest.approx(1)
    assert efficiency(np.array([5, 5, 0, 0]), 1) == pytest.approx(0.5)
    assert efficiency(np.array([9, 0, 0, 0]), 2.5) == pytest.approx(0)
    shares = np.array([0.5, 0.25, 0.25])
    by_hand = np.log((shares**2.5).sum()) / -1.5 / np.log(3)
    assert efficiency(np.array([2, 1, 1]), 2.5) == pytest.approx(by_hand)
    assert efficiency(np.array([]), 1) == 0


def test_distribution_fails_below_a_threshold(subject: Subject) -> None:
    verdict = run("distribution", subject, {"min_renyi_efficiency": 0.99, "max_share_rare": 0.01})
    assert [failure.item for failure in verdict.failures] == ["vocabulary", "learned tokens"]
    corpus = subject.corpus
    assert corpus is not None
    assert sum(int(row["uses"] or 0) for row in verdict.figures) == corpus.uses.sum()
    assert sum(float(row["share_uses"] or 0) for row in verdict.figures) == pytest.approx(1)


# characters


def test_characters_count_those_that_are_cut(subject: Subject) -> None:
    verdict = run("characters", subject)
    rows = {row["text"]: row for row in verdict.figures}
    lengths = subject.tokenizer.token_lengths
    cut = seen = 0
    for text in documents():
        ends = set(np.cumsum(lengths[subject.tokenizer.rust().encode(text)]).tolist())
        at = 0
        for character in text:
            size = len(character.encode())
            if script_of(character) == "HANGUL":
                seen += 1
                cut += any(at < end < at + size for end in ends)
            at += size
    assert seen > 100
    assert cut > 0
    assert (rows["HANGUL"]["characters"], rows["HANGUL"]["cut"]) == (seen, cut)


def test_a_script_has_a_threshold_of_its_own(subject: Subject) -> None:
    rows = {"HANGUL": {"max_share_cut": 0, "mode": "block"}, "THAI": {"max_share_cut": 0, "mode": "block"}}
    verdict = run("characters", subject, {"max_share_cut": 1, "max_share_not_text": 0, "rows": rows})
    assert [failure.item for failure in verdict.blocking] == ["HANGUL"], (
        "the text has no Thai, so none is cut"
    )
    assert [failure.item for failure in verdict.warnings] == ["learned tokens"]


def test_scripts_are_those_of_letters() -> None:
    assert [script_of(character) for character in "é한字я"] == ["LATIN", "HANGUL", "CJK", "CYRILLIC"]
    assert {script_of(character) for character in "\u2014€🙂٣"} == {"signs, digits and spaces"}


# stability


def units_of(folder: Path, texts: list[str], pattern: str) -> list[Path]:
    """Count documents in 24 units and return the count files."""
    paths = []
    for at in range(24):
        shard = folder / f"unit_{at:02}.parquet"
        pq.write_table(pa.table({"text": texts[at::24]}), shard)
        paths.append(shard.with_suffix(".arrow"))
        rustbpe.count_parquet(str(shard), pattern=pattern).write(str(paths[-1]))
    return paths


def test_stability_of_units_is_that_of_groups_of_documents(subject: Subject, tmp_path: Path) -> None:
    units = units_of(tmp_path, documents(), subject.tokenizer.pattern)
    by_units = run("stability", replace(subject, units=units, shards=()), {"min_share_stable": 1})
    by_documents = run("stability", subject)
    assert by_units.figures == by_documents.figures
    assert not by_units.notes, "all units together give the tokenizer's own tokens"
    assert 0 < float(by_units.figures[0]["share_in_95"] or 0) < 1
    assert "of the learned tokens are stable, wanted at least 100.0%" in by_units.failures[0].message
    (ratios,) = by_units.tables["Bytes per token on the validation documents"]
    low, middle, high = (float(ratios[f"bytes_per_token{end}"] or 0) for end in ("_low", "", "_high"))
    assert low < middle < high


def test_a_token_of_one_unit_hangs_on_it(tmp_path: Path) -> None:
    texts = ["the sea and the shore"] * 240
    texts[5] = "qwertz " * 30  # the unit of document 5 alone has it
    tokenizer = train(tmp_path, texts, vocab_size=274, special_tokens=["<|bos|>"])
    units = units_of(tmp_path, texts, tokenizer.pattern)
    verdict = run("stability", Subject(tokenizer, [], units=units), {"max_hanging": 0})
    (caption,) = (caption for caption in verdict.tables if "lost without one unit" in caption)
    hanging = {row["token"]: row for row in verdict.tables[caption]}
    assert "'ertz'" in hanging
    assert {row["unit"] for row in hanging.values()} == {"unit_05"}
    influence = verdict.tables["What changes if one unit is left out"]
    assert influence[0]["text"] == "unit_05"
    assert "depend on one unit, wanted at most 0" in verdict.failures[0].message


def test_units_that_are_other_text_are_noted(subject: Subject, tmp_path: Path) -> None:
    units = units_of(tmp_path, ["other words entirely"] * 240, subject.tokenizer.pattern)
    verdict = run("stability", replace(subject, units=units, shards=()))
    assert "they are not just the text that the tokenizer was trained on" in verdict.notes[0]


def test_too_few_units_are_no_bootstrap(subject: Subject) -> None:
    assert subject.counts
    few = replace(subject, units=[subject.counts], shards=())
    verdict = run("stability", few, {"min_share_stable": 1})
    assert verdict.summary == "not measured"
    assert verdict.verdict == "skipped"
    assert verdict.notes == ["needs 20 shards, or 240 documents in fewer shards"]
