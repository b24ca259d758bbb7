"""Pre-tokens of 9 MB: letters of DNA, one line of base64. No stage has a limit, and none takes much longer a byte."""

from __future__ import annotations

import base64
import random
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rustbpe
import tiktoken

LENGTH = 9_000_000
PATTERN = r"\S+"


def dna(length: int) -> str:
    return "".join(random.Random(5).choices("ACGT", k=length))


def base64_line(length: int) -> str:
    return base64.b64encode(random.Random(6).randbytes(length * 3 // 4)).decode()


def repeated(length: int) -> str:
    """A ninth as long: its tokens become as long as a window and longer."""
    return "ab" * (length // 18)


@pytest.mark.parametrize("make", [dna, base64_line, repeated])
def test_a_pretoken_of_9_mb_is_counted_trained_on_and_encoded(
    tmp_path: Path, make: Callable[[int], str]
) -> None:
    texts = [make(LENGTH), "and something else"]
    pq.write_table(pa.table({"text": texts}), tmp_path / "s.parquet")
    counts = rustbpe.count_parquet(tmp_path / "s.parquet", pattern=PATTERN)
    assert (counts.unique, counts.bytes) == (4, len(texts[0]) + len(texts[1]))
    counts.write(tmp_path / "c.arrow")
    merges = rustbpe.train_merges(tmp_path / "c.arrow", 60)
    assert 20 < len(merges) <= 60, "a run of two letters has no more pairs than doublings"
    encoder = rustbpe.Encoder(merges, pattern=PATTERN)
    out, index = tmp_path / "t.ds", tmp_path / "t.ds.index"
    written = rustbpe.encode_parquet(tmp_path / "s.parquet", out, index, encoder=encoder, bos_id=400)
    ids = list(memoryview(out.read_bytes()).cast("H"))
    assert written["tokens"] == len(ids)
    ends = list(memoryview(index.read_bytes()).cast("Q"))
    assert encoder.decode(ids[1 : ends[0]]) == texts[0]
    ranks = {token: rank for rank, token in enumerate(merges.token_bytes())}
    other = tiktoken.Encoding("own", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={})
    some = texts[0][:300_000]
    assert encoder.encode(some) == other.encode_ordinary(some)


def test_time_grows_with_the_length() -> None:
    encoder = rustbpe.Encoder(
        [bytes([byte]) for byte in range(256)] + [b"AC", b"GT", b"ACGT"], pattern=PATTERN
    )
    texts = [dna(length) for length in (1_000_000, 8_000_000)]
    seconds = [float("inf")] * 2
    for _ in range(3):  # the least: beside other work, new memory alone can take longer than the rest
        for i, text in enumerate(texts):
            began = time.process_time()
            encoder.encode_to_bytes(text)
            seconds[i] = min(seconds[i], time.process_time() - began)
    assert seconds[1] < 8 * 3 * seconds[0], seconds
