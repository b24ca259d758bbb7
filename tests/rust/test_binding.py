"""The binding against the oracle, files that are the same to the byte, and how the calls behave."""

from __future__ import annotations

import hashlib
import itertools
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
import rustbpe

import oracle

WORDS = [
    "the",
    "rain",
    "in",
    "Spain",
    "stays",
    "mainly",
    "naïve",
    "café",
    "日本語",
    "한국어",
    "🙂",
    "1234",
    "\n\n",
    "x=y;",
]


def documents(number: int, seed: int = 0) -> list[str]:
    """Some documents of a few words each, with an empty one among them."""
    rng = random.Random(seed)
    made = [" ".join(rng.choices(WORDS, k=rng.randrange(1, 30))) for _ in range(number)]
    made[number // 2] = ""
    return made


def write(path: Path, column: pa.Array | list[str | None], **options: object) -> Path:
    """Write a shard with one text column."""
    pq.write_table(pa.table({"text": column}), path, **options)
    return path


def rows(counts: rustbpe.Counts) -> dict[bytes, int]:
    """A table of counts as a dict."""
    table = pa.table(counts)
    return dict(zip(table["pretoken"].to_pylist(), table["count"].to_pylist(), strict=True))


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    """A shard of several row groups."""
    return write(tmp_path / "shard.parquet", documents(1000), row_group_size=130)


@pytest.mark.parametrize("pattern", ["gpt2", "gpt4", "gpt4o", "nanochat", r"\w+"])
def test_counts_are_the_oracles(shard: Path, pattern: str) -> None:
    texts = documents(1000)
    counts = rustbpe.count_parquet(shard, pattern=pattern)
    assert rows(counts) == oracle.count(texts, pattern)
    assert counts.documents == 1000
    assert counts.characters == sum(map(len, texts))
    assert counts.bytes == sum(len(text.encode()) for text in texts)
    assert counts.unique == len(counts) == len(rows(counts))
    assert counts.pretokens == sum(rows(counts).values())
    assert counts.pattern == rustbpe.PATTERNS.get(pattern, pattern)


@pytest.mark.parametrize(
    ("doc_cap", "max_chars"), [(0, 0), (7, None), (7, 100), (0, 1000), (3, 1499), (0, 10**9)]
)
def test_limits_are_the_oracles(shard: Path, doc_cap: int, max_chars: int | None) -> None:
    kept = oracle.limit(documents(1000), doc_cap, max_chars)
    counts = rustbpe.count_parquet(shard, pattern="gpt4", doc_cap=doc_cap, max_chars=max_chars)
    assert rows(counts) == oracle.count(kept, "gpt4")
    assert (counts.documents, counts.characters) == (len(kept), sum(map(len, kept)))


def test_max_chars_takes_the_document_that_crosses_it_and_no_more(tmp_path: Path) -> None:
    path = write(tmp_path / "s.parquet", ["aaaa", None, "bbbb", "cccc", "dddd"])
    for limit, taken in [(0, 1), (3, 1), (4, 2), (7, 2), (8, 3), (15, 4), (16, 4), (17, 4)]:
        assert rustbpe.count_parquet(path, pattern="gpt2", max_chars=limit).documents == taken, limit


def test_doc_cap_counts_characters_not_bytes(tmp_path: Path) -> None:
    text = "日本語🙂" * 300
    path = write(tmp_path / "s.parquet", [text])
    for cap in [1, 3, 4, 255, 256, 257, 1199, 1200, 1201]:
        counts = rustbpe.count_parquet(path, pattern=r"(?s).", doc_cap=cap)
        assert counts.characters == counts.pretokens == min(cap, 1200)
        assert rows(counts) == oracle.count([text[:cap]], r"(?s).")


def test_files_do_not_depend_on_threads_or_order(tmp_path: Path) -> None:
    shards = [
        write(tmp_path / f"{index}.parquet", documents(400, index), row_group_size=77) for index in range(4)
    ]
    seen = set()
    for threads in [1, 2, 16]:
        parts = []
        for path in shards:
            part = tmp_path / f"{path.stem}-{threads}.arrow"
            rustbpe.count_parquet(path, pattern="nanochat", threads=threads).write(part)
            parts.append(part)
        for order in itertools.islice(itertools.permutations(parts), 0, 24, 7):
            merged = tmp_path / "merged.arrow"
            rustbpe.merge_counts(order, merged, threads=threads)
            merges = rustbpe.train_merges(merged, 200, threads=threads)
            merges.write(tmp_path / "merges.arrow")
            files = [*sorted(parts), merged, tmp_path / "merges.arrow"]
            seen.add(tuple(hashlib.sha256(file.read_bytes()).hexdigest() for file in files))
    assert len(seen) == 1
    texts = [text for index in range(4) for text in documents(400, index)]
    assert rows(rustbpe.Counts.read(merged)) == oracle.count(texts, "nanochat")
    expected = oracle.train(oracle.count(texts, "nanochat"), 200)
    columns = pa.table(merges).to_pydict()
    assert list(zip(columns["left"], columns["right"], columns["count"], strict=True)) == expected
    assert merges.token_bytes() == oracle.token_bytes(expected)


def test_a_count_file_says_what_it_holds(shard: Path, tmp_path: Path) -> None:
    counts = rustbpe.count_parquet(shard, pattern="gpt4", doc_cap=9, max_chars=5000)
    counts.write(tmp_path / "c.arrow")
    with pa.ipc.open_file(tmp_path / "c.arrow") as reader:
        assert reader.schema.metadata[b"format"] == b"nanosnake.counts.2"
        table = reader.read_all()
    assert table.schema.field("pretoken").type == pa.large_binary()
    assert table.schema.field("count").type == pa.uint64()
    pretokens = table["pretoken"].to_pylist()
    assert pretokens == sorted(set(pretokens))
    assert rustbpe.Counts.header(tmp_path / "c.arrow") == {
        "pattern": rustbpe.PATTERNS["gpt4"], "text_column": "text", "doc_cap": 9, "max_chars": 5000, "min_count": 1, "nulls": 0, "documents": counts.documents,
        "characters": counts.characters, "bytes": counts.bytes, "pretokens": sum(table["count"].to_pylist()),
        "unique": len(table),
    }  # fmt: skip
    read = rustbpe.Counts.read(tmp_path / "c.arrow")
    assert rows(read) == rows(counts)
    assert (read.doc_cap, read.max_chars, read.text_column) == (9, 5000, "text")
    read.write(tmp_path / "again.arrow")
    assert (tmp_path / "again.arrow").read_bytes() == (tmp_path / "c.arrow").read_bytes()


def test_large_tables_are_written_in_batches_of_bounded_size(tmp_path: Path) -> None:
    path = write(tmp_path / "s.parquet", [str(number) for number in range(40_000)] + ["x" * 3_000_000])
    counts = rustbpe.count_parquet(path, pattern=r".+")
    counts.write(tmp_path / "c.arrow")
    with pa.ipc.open_file(tmp_path / "c.arrow") as reader:
        assert reader.num_record_batches == 3
        assert max(reader.get_batch(index).num_rows for index in range(3)) == 16_384
    assert rows(rustbpe.Counts.read(tmp_path / "c.arrow")) == rows(counts)


def test_merge_adds_tables_in_memory_and_drops_what_is_rare(shard: Path, tmp_path: Path) -> None:
    counts = rustbpe.count_parquet(shard, pattern="gpt2")
    counts.write(tmp_path / "c.arrow")
    totals = rustbpe.merge_counts(
        [tmp_path / "c.arrow"], tmp_path / "m.arrow", extra=[counts, counts], min_count=300
    )
    expected = {pretoken: 3 * count for pretoken, count in rows(counts).items() if count >= 100}
    assert 0 < len(expected) < len(counts)
    assert rows(rustbpe.Counts.read(tmp_path / "m.arrow")) == expected
    assert totals == {
        "documents": 3000, "nulls": 0, "characters": 3 * counts.characters, "bytes": 3 * counts.bytes,
        "pretokens": sum(expected.values()), "unique": len(expected),
    }  # fmt: skip


def test_merging_more_files_than_may_be_open(shard: Path, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    rustbpe.count_parquet(shard, pattern="gpt2").write(tmp_path / "c.arrow")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, limits[1]))
    try:
        totals = rustbpe.merge_counts([tmp_path / "c.arrow"] * 200, tmp_path / "m.arrow")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert totals["documents"] == 200_000


def test_encoder_is_the_oracles(shard: Path, tmp_path: Path) -> None:
    rustbpe.count_parquet(shard, pattern="gpt4").write(tmp_path / "c.arrow")
    merges = rustbpe.train_merges(tmp_path / "c.arrow", 50)
    tokens = merges.token_bytes()
    encoder = rustbpe.Encoder(merges, pattern="gpt4", special_tokens={"<|bos|>": 306, "<|end|>": 310})
    same = rustbpe.Encoder(tokens, pattern=rustbpe.PATTERNS["gpt4"])
    assert (encoder.vocab_size, same.vocab_size) == (311, 306)
    texts = [*documents(50, 9), "", "<|bos|> is text", "日本 𝄞 \x00\x07", "a" * 100_000]
    expected = [oracle.encode(text, tokens, "gpt4") for text in texts[:-1]]
    assert [encoder.encode(text) for text in texts[:-1]] == expected
    assert encoder.encode_batch(texts[:-1], threads=3) == expected
    assert same.encode_batch(texts) == [same.encode(text) for text in texts]
    for text in texts:
        ids = encoder.encode(text)
        assert encoder.count(text) == len(ids)
        assert np.frombuffer(encoder.encode_to_bytes(text), np.uint32).tolist() == ids
        assert encoder.decode(ids) == text
        assert encoder.decode_bytes(ids) == text.encode()
        assert "".join(encoder.split(text)) == text
    assert encoder.decode([310, 104, 105, 306]) == "<|end|>hi<|bos|>"
    assert encoder.decode([0xE6]) == "\ufffd"


@pytest.mark.parametrize("threads", [1, 2, 16])
@pytest.mark.parametrize("dtype", ["uint16", "uint32"])
def test_token_files_hold_every_document_in_order(tmp_path: Path, threads: int, dtype: str) -> None:
    texts: list[str | None] = [*documents(3000), None, "", "last"]
    path = write(tmp_path / "s.parquet", texts, row_group_size=500)
    encoder = rustbpe.Encoder([bytes([byte]) for byte in range(256)] + [b"ai", b"ain"], pattern="gpt4")
    out, index = tmp_path / "t.ds", tmp_path / "t.ds.index"
    written = rustbpe.encode_parquet(
        path, out, index, encoder=encoder, bos_id=300, dtype=dtype, threads=threads, doc_cap=40
    )
    kept = [text[:40] for text in texts if text is not None]
    expected = [[300, *encoder.encode(text)] for text in kept]
    assert np.fromfile(out, f"<{np.dtype(dtype).str[1:]}").tolist() == [
        token for ids in expected for token in ids
    ]
    assert np.fromfile(index, "<u8").tolist() == list(itertools.accumulate(map(len, expected)))
    assert written == {
        "tokens": sum(map(len, expected)), "documents": len(kept), "nulls": 1,
        "bytes": sum(len(text.encode()) for text in kept),
        "sha256": hashlib.sha256(out.read_bytes()).hexdigest(),
        "index_sha256": hashlib.sha256(index.read_bytes()).hexdigest(),
    }  # fmt: skip


def test_progress_is_reported_to_the_end(shard: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    rustbpe.count_parquet(shard, pattern="gpt4", progress=lambda *at: seen.append(at)).write(
        tmp_path / "c.arrow"
    )
    assert seen[-1][0] == seen[-1][1] > 0
    rustbpe.train_merges(tmp_path / "c.arrow", 30, progress=lambda *at: seen.append(at))
    assert seen[-1] == (30, 30)


def test_an_exception_in_progress_ends_the_call(shard: Path) -> None:
    def fail(done: int, total: int) -> None:
        raise LookupError(f"{done} of {total}")

    with pytest.raises(LookupError):
        rustbpe.count_parquet(shard, pattern="gpt4", progress=fail)


def test_tables_are_arrow_streams(shard: Path, tmp_path: Path) -> None:
    counts = rustbpe.count_parquet(shard, pattern="gpt4")
    with pa.RecordBatchReader.from_stream(counts) as reader:
        assert reader.read_all().num_rows == len(counts)
    counts.write(tmp_path / "c.arrow")
    merges = rustbpe.train_merges(tmp_path / "c.arrow", 20)
    merges.write(tmp_path / "m.arrow")
    assert rustbpe.Merges.read(tmp_path / "m.arrow").token_bytes() == merges.token_bytes()
    with pa.ipc.open_file(tmp_path / "m.arrow") as reader:
        assert reader.read_all().equals(pa.table(merges))
        assert reader.schema.names == ["left", "right", "count"]
        assert reader.schema.types == [pa.uint32(), pa.uint32(), pa.uint64()]
