"""Smaller vocabularies measured from a larger one are those that training would have given."""

import json
from pathlib import Path

import pytest

import measure_vocabulary_curve
import oracle
from nanosnake.files import NanosnakeError
from nanosnake.sources.samples import Sample, write_samples
from nanosnake.stages import call
from nanosnake.tokenizer.folder import load
from report_builder import PATTERN, PROSE, train_tokenizer

TEXTS = ["Such water in the town.", "The ferry did not run in the night. \uac15"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    train_tokenizer(tmp_path / "tokenizer", [PROSE], 90)
    write_samples(
        tmp_path / "validation.jsonl", [Sample("validation", "s", 0, False, text) for text in TEXTS]
    )
    return tmp_path


def measure(folder: Path) -> dict:  # type: ignore[type-arg]
    options = ["--tokenizer", f"{folder}/tokenizer", "--samples", f"{folder}/validation.jsonl"]
    assert (
        call(measure_vocabulary_curve.MeasureVocabularyCurve, [*options, "--output", f"{folder}/curve.json"])
        == 0
    )
    return json.loads((folder / "curve.json").read_text())


def test_a_prefix_is_the_vocabulary_of_a_smaller_training(folder: Path) -> None:
    tokenizer = load(folder / "tokenizer")
    smaller = oracle.token_bytes(oracle.train(oracle.count([PROSE], PATTERN), 40))
    encoding = measure_vocabulary_curve.prefix(tokenizer, 256 + 40)
    for text in TEXTS:
        assert encoding.encode_ordinary(text) == oracle.encode(text, smaller, PATTERN)


def test_figures_agree_with_the_slow_encoder(folder: Path) -> None:
    figures = measure(folder)
    tokens = load(folder / "tokenizer").tokens
    expected = sum(len(oracle.encode(text, tokens, PATTERN)) for text in TEXTS)
    size = sum(len(text.encode()) for text in TEXTS)
    assert (figures["tokens"], figures["bytes"], figures["documents"]) == (expected, size, 2)
    assert figures["curve"][-1] == {
        "tokenizer": "tiny",
        "vocabulary": len(tokens),
        "tokens": expected,
        "bytes_per_token": size / expected,
    }
    assert sum(entry["count"] for entry in figures["frequent"]) == expected
    counts = [entry["count"] for entry in figures["frequent"]]
    assert counts == sorted(counts, reverse=True)


def test_sizes_are_powers_of_two_and_the_full_one() -> None:
    assert measure_vocabulary_curve.sizes(4087) == [512, 1024, 2048, 4087]
    assert measure_vocabulary_curve.sizes(512) == [512]
    assert measure_vocabulary_curve.sizes(300) == [300]


def test_samples_without_text_are_refused(folder: Path) -> None:
    write_samples(folder / "validation.jsonl", [])
    with pytest.raises(NanosnakeError, match=r"validation\.jsonl: holds no text to measure compression on"):
        measure(folder)


def test_equal_inputs_give_equal_bytes(folder: Path) -> None:
    measure(folder)
    before = (folder / "curve.json").read_bytes()
    measure(folder)
    assert (folder / "curve.json").read_bytes() == before
