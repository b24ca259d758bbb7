"""datatrove reads our token shards with its own loader, merger and shuffler, in 16 and in 32 bits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nanosnake.files import NanosnakeError
from nanosnake.tokenizer import datatrove, export
from nanosnake.tokenizer.folder import TokenizerFolder, load
from tokenize_shard import TokenizeShard

merger = pytest.importorskip("datatrove.pipeline.tokens.merger")
shuffler = pytest.importorskip("datatrove.pipeline.tokens.context_shuffler")
dataset = pytest.importorskip("datatrove.utils.dataset")
tokenizing = pytest.importorskip("datatrove.pipeline.tokens.tokenizer")

TEXTS = [[f"document {number} of shard {shard}" for number in range(40)] for shard in range(2)]


def tokenizer_of(vocab_size: int, folder: Path) -> TokenizerFolder:
    """Return a tokenizer with as many ids as wanted: the letters 'do' joined, then pairs of any bytes."""
    pairs = [(ord("d"), ord("o"))]
    pairs += [(a, b) for a in range(256) for b in range(256) if (a, b) != pairs[0]]
    pairs += [(256, letter) for letter in range(256)]
    export.export(pairs, export.Recipe("made", "gpt2", vocab_size, ["<|bos|>"]), folder)
    return load(folder)


@pytest.fixture(scope="module", params=[600, 66_000], ids=["uint16", "uint32"])
def tokens(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two token shards, and the tokenizer beside it."""
    folder = tmp_path_factory.mktemp("datatrove")
    tokenizer_of(request.param, folder / "tokenizer")
    (folder / "tokens").mkdir()
    for number, texts in enumerate(TEXTS):
        shard = folder / f"shard_{number:05d}.parquet"
        pq.write_table(pa.table({"text": texts}), shard)
        TokenizeShard(
            shard=shard,
            text_column="text",
            tokenizer=folder / "tokenizer",
            output=folder / f"tokens/{shard.stem}.ds",
        ).run()
    return folder / "tokens"


def token_bytes(tokens: Path) -> int:
    return 4 if load(tokens.parent / "tokenizer").vocab_size > 1 << 16 else 2


def read(tokens: Path, file: Path) -> np.ndarray:
    return np.fromfile(file, dtype=f"<u{token_bytes(tokens)}").astype(np.int64)


def wanted(tokens: Path) -> list[list[int]]:
    """Return the ids of all documents in the order of the shards."""
    tokenizer = load(tokens.parent / "tokenizer")
    encode = tokenizer.rust().encode
    return [[tokenizer.bos_id, *encode(text)] for texts in TEXTS for text in texts]


def documents(ids: np.ndarray, ends: Sequence[int]) -> list[list[int]]:
    return [part.tolist() for part in np.split(ids, ends)[:-1]]


def test_metadata_is_what_datatrove_writes(tokens: Path, tmp_path: Path) -> None:
    name, size = str(tokens.parent / "tokenizer"), token_bytes(tokens)
    for count in (0, 7, 999, 1000, 65_432, 2_147_483_648, 123_456_789_012):
        file = tokenizing.TokenizedFile(
            str(tmp_path), "theirs.ds", tokenizer_name_or_path=name, token_size=size, save_final_metadata=True
        )
        file.write_final_metadata(count)
        assert datatrove.metadata(name, size, count) == (tmp_path / "theirs.ds.metadata").read_text()
    shard = tokens / "shard_00000.ds"
    first, count, _ = shard.with_name("shard_00000.ds.metadata").read_text().split("\n")
    assert first.split("|") == [name, str(size)], "nanotron takes exactly two parts"
    assert int(count) == shard.stat().st_size // size


def test_loader(tokens: Path) -> None:
    length = 16
    loaded = dataset.DatatroveFolderDataset(
        str(tokens), length - 1, "*.ds", token_size=token_bytes(tokens), return_positions=True
    )
    rows = []
    for file in sorted(tokens.glob("*.ds")):
        ids = read(tokens, file)
        rows += [row.tolist() for row in ids[: ids.size // length * length].reshape(-1, length)]
    found = [loaded[i] for i in range(len(loaded))]
    assert [row["input_ids"].tolist() for row in found] == rows
    bos = load(tokens.parent / "tokenizer").bos_id
    for row in found:
        begins = row["input_ids"] == bos
        begins[0] = True  # a window begins with position 0 wherever it is cut
        assert row["positions"].eq(0).tolist() == begins.tolist()


@pytest.mark.parametrize("shuffle", [False, True])
def test_merger(tokens: Path, tmp_path: Path, shuffle: bool) -> None:
    step = merger.DocumentTokenizerMerger(
        str(tokens), str(tmp_path), "merged", shuffle=shuffle, seed=1, progress=False
    )
    step.run()
    merged = tmp_path / "000_merged.ds"
    ends = np.fromfile(f"{merged}.index", dtype="<u8").astype(np.int64).tolist()
    found = documents(read(tokens, merged), ends)
    assert sorted(found) == sorted(wanted(tokens))
    assert (found == wanted(tokens)) is not shuffle
    name = (tokens / "shard_00000.ds.metadata").read_text().splitlines()[0]
    assert Path(f"{merged}.metadata").read_text().splitlines()[:2] == [name, str(sum(map(len, found)))]


def test_merger_of_chunks(tokens: Path, tmp_path: Path) -> None:
    step = merger.DocumentTokenizerMerger(
        str(tokens), str(tmp_path), "merged", shuffle_chunk_size=32, seed=1, progress=False
    )
    step.run()
    chunks = []
    for file in sorted(tokens.glob("*.ds")):
        ids = read(tokens, file)
        chunks += ids[: ids.size // 32 * 32].reshape(-1, 32).tolist()
    assert sorted(read(tokens, tmp_path / "000_merged.ds").reshape(-1, 32).tolist()) == sorted(chunks)


def test_shuffler(tokens: Path, tmp_path: Path) -> None:
    size = token_bytes(tokens)
    step = shuffler.DocumentTokenizerContextShuffler(
        str(tokens), str(tmp_path), window_size=16, seed=1, token_size=size
    )
    step.run()
    for file in sorted(tokens.glob("*.ds")):
        windows, found = (
            ids[: ids.size // 16 * 16].reshape(-1, 16).tolist()
            for ids in (read(tokens, file), read(tokens, tmp_path / file.name))
        )
        assert sorted(found) == sorted(windows)
        assert found != windows


@pytest.mark.parametrize("name", ["a|b", "a\nb", ""])
def test_names_that_would_be_cut_are_refused(name: str) -> None:
    with pytest.raises(NanosnakeError, match="has a bar or a line end"):
        datatrove.metadata(name, 2, 10)
