"""A smaller tokenizer that is cut from a larger one is the one that training alone gives."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

import cut_merges
import export_tokenizer
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
    with pytest.raises(NanosnakeError, match=r"merges\.arrow: has 2 merges and 9 were asked for"):
        cut(tmp_path / "merges.arrow", 9, tmp_path / "out.arrow")
    assert not (tmp_path / "out.arrow").exists()
