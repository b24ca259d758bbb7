"""Threads, processes that were forked after the import, and Python without a GIL: results do not depend on them."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rustbpe

THREADS = [1, 2, 3, 8, 16, 64]
BYTES = [bytes([byte]) for byte in range(256)]
VOCABULARY = [*BYTES, b"do", b"cument", b" of", b" do"]


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shard of more row groups than one thread reads, and of fewer than 64."""
    path = tmp_path_factory.mktemp("threads") / "s.parquet"
    texts = [
        None if number % 97 == 0 else f"document {number} of {number * 7919 % 4001} " * (number % 40)
        for number in range(6000)
    ]
    pq.write_table(pa.table({"text": texts}), path, row_group_size=500, compression="zstd")
    return path


def all_of(shard: Path, folder: Path, threads: int) -> str:
    """Return one hash of all that can be made of a shard with so many threads."""
    counts = folder / "counts.arrow"
    rustbpe.count_parquet(shard, pattern="nanochat", threads=threads).write(counts)
    rustbpe.merge_counts([counts] * 9, folder / "merged.arrow", threads=threads)
    rustbpe.train_merges(folder / "merged.arrow", 200, threads=threads).write(folder / "merges.arrow")
    encoder = rustbpe.Encoder(rustbpe.Merges.read(folder / "merges.arrow"), pattern="nanochat")
    rustbpe.encode_parquet(
        shard, folder / "t.ds", folder / "t.ds.index", encoder=encoder, bos_id=500, threads=threads
    )
    batch = encoder.encode_batch([f"document {number} of many" for number in range(100)], threads=threads)
    made = hashlib.sha256(repr(batch).encode())
    for name in ("counts.arrow", "merged.arrow", "merges.arrow", "t.ds", "t.ds.index"):
        made.update((folder / name).read_bytes())
    return made.hexdigest()


def test_one_to_64_threads_make_the_same_files(shard: Path, tmp_path: Path) -> None:
    assert len({all_of(shard, tmp_path, threads) for threads in THREADS}) == 1


def test_more_threads_than_can_be_started_are_not(shard: Path, tmp_path: Path) -> None:
    assert all_of(shard, tmp_path, 10**9) == all_of(shard, tmp_path, 1)


def test_threads_of_python_share_an_encoder(shard: Path) -> None:
    encoder = rustbpe.Encoder(VOCABULARY, pattern="gpt4")
    texts = [f"document {number} of {number}" for number in range(2000)]
    wanted = [encoder.encode(text) for text in texts]
    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(lambda _: [encoder.encode(text) for text in texts], range(32)))
    assert all(result == wanted for result in results)


def in_child(shard: Path, folder: Path, wanted: str) -> None:
    folder.mkdir()
    os._exit(0 if all_of(shard, folder, 4) == wanted else 1)


def test_forked_workers_after_the_import_and_during_calls(shard: Path, tmp_path: Path) -> None:
    """What the parent has imported, warmed up and is still doing must not block or change a child."""
    (tmp_path / "parent").mkdir()
    wanted = all_of(shard, tmp_path / "parent", 4)
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            rustbpe.count_parquet(shard, pattern="nanochat", threads=2)

    background = threading.Thread(target=busy)
    background.start()
    try:
        context = multiprocessing.get_context("fork")
        for round_of_workers in range(3):
            workers = [
                context.Process(target=in_child, args=(shard, tmp_path / f"{round_of_workers}-{n}", wanted))
                for n in range(4)
            ]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join(60)
                assert worker.exitcode == 0, "a forked worker hung, died or made something else"
    finally:
        stop.set()
        background.join()


def test_forked_workers_share_an_encoder() -> None:
    encoder = rustbpe.Encoder(VOCABULARY, pattern="gpt4")
    text = "document of documents " * 5000
    wanted = encoder.encode(text)  # its cache is warm
    same = lambda: os._exit(0 if encoder.encode(text) == wanted else 1)  # noqa: E731
    workers = [multiprocessing.get_context("fork").Process(target=same) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0


def test_an_interpreter_that_ends_during_a_call_does_not_hang(shard: Path) -> None:
    code = (
        "import sys, threading, time, rustbpe\n"
        "call = lambda: [rustbpe.count_parquet(sys.argv[1], pattern='nanochat') for _ in range(1000)]\n"
        "threading.Thread(target=call, daemon=True).start()\ntime.sleep(0.2)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(shard)], timeout=30, check=False)
    assert done.returncode == 0
