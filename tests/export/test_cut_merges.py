"""A smaller tokenizer that is cut from a larger one is the one that training alone gives."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

import cut_merges
import export_tokenizer
import train_tokenizer
from nanosnake.files import NanosnakeError
from nanosnake.stages import call
from tiny_tokenizers import arguments_of_export, evaluation_texts, train


def read(path: Path) -> pa.Table:
    with pa.ipc.open_file(str(path)) as reader:
        return reader.read_all()


def cut(larger: Path, merges: int, output: Path) -> None:
    arguments = ["--larger", str(larger), "--merges", str(merges), "--output", str(output)]
    assert call(cut_merges.CutMerges, arguments) == 0


def test_cut_from_a_larger_one_is_as_trained_alone(tmp_path: Path) -> None:
    texts = [
        text for name, text in evaluation_texts().items() if name in ("english_news", "korean", "repetition")
    ]
    train(tmp_path / "large", texts, vocab_size=1200)
    alone = train(tmp_path / "small", texts, vocab_size=700)
    wanted = read(tmp_path / "small" / "merges.arrow")
    cut(tmp_path / "large" / "merges.arrow", 700 - 256 - 3, tmp_path / "large" / "merges.arrow")
    found = read(tmp_path / "large" / "merges.arrow")
    assert found.equals(wanted, check_metadata=True)
    arguments = arguments_of_export(tmp_path / "large", 700, "nanochat", list(alone.special_tokens))
    assert call(export_tokenizer.ExportTokenizer, arguments) == 0
    for path in alone.folder.iterdir():
        assert (tmp_path / "large" / "tokenizer" / path.name).read_bytes() == path.read_bytes(), path.name


def test_more_than_there_are_is_refused(tmp_path: Path) -> None:
    train(tmp_path, ["some text"], vocab_size=261)
    with pytest.raises(NanosnakeError, match=r"merges\.arrow: has 2 merges, wanted 9"):
        cut(tmp_path / "merges.arrow", 9, tmp_path / "out.arrow")
    assert not (tmp_path / "out.arrow").exists()


def test_cut_from_an_extended_one_is_as_trained_alone(tmp_path: Path) -> None:
    texts = evaluation_texts()
    train(tmp_path / "base", [texts["korean"]], vocab_size=300)
    train(tmp_path / "more", [texts["english_news"]], vocab_size=300)
    base, counts = tmp_path / "base/merges.arrow", tmp_path / "more/counts.arrow"
    for size in (300, 200):
        arguments = ["--counts", str(counts), "--merges", str(size), "--base", str(base)]
        arguments += ["--seeds", '[" qqqqq"]', "--output", str(tmp_path / f"{size}.arrow")]
        assert call(train_tokenizer.TrainTokenizer, arguments) == 0
    cut(tmp_path / "300.arrow", 200, tmp_path / "cut.arrow")
    assert read(tmp_path / "cut.arrow").equals(read(tmp_path / "200.arrow"), check_metadata=True)
    wanted = "room for 9 merges, and base and seeds need 46; raise vocab_size by 37 or more"
    with pytest.raises(NanosnakeError, match=wanted):
        cut(tmp_path / "300.arrow", 9, tmp_path / "out.arrow")
