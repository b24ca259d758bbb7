"""A value is read as it looks, or refused with file, line and key; no key is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from nanosnake import config as configuration
from nanosnake.config import Config
from nanosnake.files import NanosnakeError

TEXT = """\
datasets:
  demo: {source: {kind: embedded, shards: 20}, train: 0-3, validation: 10}
tokenizers:
  bpe: {dataset: demo, vocab_size: 300}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "test.yaml"


def load(file: Path, text: str, *given: str, encoding: str = "utf-8") -> Config:
    file.write_text(text, encoding=encoding)
    return configuration.load(yaml.safe_load(file.read_bytes()), files=[file], given=given)


MISREAD = [
    (
        "validation: 10",
        "validation: 00010",
        "demo.validation: YAML reads 00010 as 8; write '00010' in quotes",
    ),
    ("validation: 10", "validation: 1_0", "demo.validation: YAML reads 1_0 as 10"),
    ("validation: 10", "validation: 1:30", "demo.validation: YAML reads 1:30 as 90"),
    ("validation: 10", "validation: 0b11", "demo.validation: YAML reads 0b11 as 3"),
    ("validation: 10", "validation: [4, 010]", "demo.validation[1]: YAML reads 010 as 8"),
    (
        "train: 0-3",
        "train: 2024-01-02",
        "demo.train: YAML reads 2024-01-02 as 2024-01-02; write '2024-01-02'",
    ),
    ("dataset: demo", "dataset: no", "bpe.dataset: YAML reads no as false; write 'no' in quotes, or false"),
    ("vocab_size: 300", "vocab_size: 3e2", "bpe.vocab_size: YAML reads 3e2 as text"),
    ("  bpe:", "  on:", "tokenizers: YAML reads on as true"),
]


@pytest.mark.parametrize(("before", "after", "words"), MISREAD)
def test_what_yaml_reads_otherwise_than_it_looks_is_refused(
    file: Path, before: str, after: str, words: str
) -> None:
    with pytest.raises(NanosnakeError) as caught:
        load(file, TEXT.replace(before, after))
    line = 4 if "bpe" in before or "vocab" in before or "dataset:" in before else 2
    assert f"{file}, line {line}: " in str(caught.value)
    assert words in str(caught.value)


def test_quotes_make_text_of_it(file: Path) -> None:
    config = load(file, TEXT.replace("validation: 10", "validation: '00010'"))
    assert config.datasets["demo"].validation_shards == ["shard_00010"]


@pytest.mark.parametrize(("word", "number"), [("0.5", 0.5), ("5.0e-3", 0.005), (".5", 0.5), ("+1.", 1.0)])
def test_ordinary_numbers_stay_what_they_are(file: Path, word: str, number: float) -> None:
    model = f"models: {{d1: {{tokenizer: bpe, depth: 1, options: {{matrix_lr: {word}, seed: 0x10}}}}}}\n"
    options = load(file, TEXT + model).models["d1"].options
    assert (options.matrix_lr, options.seed) == (number, 16)


def test_a_key_that_is_there_twice_is_refused_with_both_lines(file: Path) -> None:
    with pytest.raises(NanosnakeError) as caught:
        load(file, TEXT + "  bpe: {dataset: demo, vocab_size: 400}\n")
    assert f"{file}, line 5: tokenizers.bpe: this key is in line 4 too" in str(caught.value)


def test_a_key_that_is_there_twice_in_json_is_refused_too(file: Path) -> None:
    file.write_text('{"datasets": {},\n\t"datasets": {}}')
    with pytest.raises(NanosnakeError, match=r"line 2: datasets: this key is in line 1 too"):
        configuration.load({}, files=[file])


def test_an_alias_is_no_second_key(file: Path) -> None:
    text = TEXT.replace("bpe: {", "bpe: &one {") + "  two: {<<: *one, vocab_size: 400}\n"
    assert load(file, text).tokenizers["two"].vocab_size == 400


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_byte_order_mark_and_windows_line_ends_change_nothing(file: Path, encoding: str) -> None:
    assert load(file, TEXT.replace("\n", "\r\n"), encoding=encoding) == load(file, TEXT)


@pytest.mark.parametrize(
    "given",
    [
        'tokenizers={"bpe": {"vocab_size": 2048}}',
        "tokenizers={bpe: {vocab_size: 2048}}",
        "tokenizers={'bpe': {'vocab_size': 2048}}",
    ],
)
def test_values_of_the_command_line_are_read_by_their_type(file: Path, given: str) -> None:
    from snakemake.cli import parse_config  # type: ignore[attr-defined,unused-ignore]
    from snakemake.utils import update_config

    raw = yaml.safe_load(TEXT)
    update_config(raw, parse_config([given]))
    assert raw["tokenizers"]["bpe"]["vocab_size"] == "2048"  # why this is needed
    config = configuration.load(raw, given=[given])
    assert config.tokenizers["bpe"].vocab_size == 2048
    assert config.tokenizers["bpe"].dataset == "demo"


def test_a_value_of_the_command_line_is_as_strict(file: Path) -> None:
    with pytest.raises(NanosnakeError) as caught:
        load(file, TEXT, "datasets={demo: {validation: 010, train: 1, train: 2}}")
    assert "--config, line 1: datasets.demo.validation: YAML reads 010 as 8" in str(caught.value)
    assert "datasets.demo.train: this key is in line 1 too" in str(caught.value)
