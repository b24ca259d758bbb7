"""Ctrl-C ends each long call within a second, from a real signal to a real process."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rustbpe

PRELUDE = """
import sys, time, rustbpe
folder = sys.argv[1]
encoder = rustbpe.Encoder([bytes([byte]) for byte in range(256)], pattern="gpt4")
print("started", flush=True)
try:
    {call}
except KeyboardInterrupt:
    print("interrupted", time.monotonic(), flush=True)
"""

CALLS = {
    "count": "while True: rustbpe.count_parquet(folder + '/s.parquet', pattern='gpt4', threads=2)",
    "count by a regex": r"rustbpe.count_parquet(folder + '/s.parquet', pattern=r'(?:\w|\W)(?!\w\w\w\w\w\w)', threads=2)",
    "one document": r"rustbpe.count_parquet(folder + '/one.parquet', pattern=r'(?:\w|\W)(?!\w\w\w\w\w\w)', threads=2)",
    "check": "while True: rustbpe.check_parquet(folder + '/s.parquet')",
    "documents": "while True: sum(1 for _ in rustbpe.Documents(folder + '/s.parquet', 0))",
    "memory": "while True: rustbpe.training_memory(folder + '/c.arrow', 1000)",
    "merge": "rustbpe.merge_counts([folder + '/c.arrow'] * 3000, folder + '/out.arrow')",
    "train": "while True: rustbpe.train_merges(folder + '/c.arrow', 100000)",
    "encode": "while True: rustbpe.encode_parquet(folder + '/s.parquet', folder + '/out.ds', folder + '/out.ds.index', encoder=encoder, bos_id=256, threads=2)",
    "iterator": "rustbpe.Tokenizer().train_from_iterator(('some text' for _ in iter(int, 1)), 300)",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shard of 60 MB, one of a single document as large, and a count file."""
    folder = tmp_path_factory.mktemp("interrupt")
    texts = [f"document {number} " * 300 for number in range(13_000)]
    pq.write_table(pa.table({"text": texts}), folder / "s.parquet", row_group_size=1000)
    pq.write_table(pa.table({"text": ["".join(texts)]}), folder / "one.parquet")
    many = pa.table({"text": [f"{number * 2654435761 % 2**32:x}" * 3 for number in range(100_000)]})
    pq.write_table(many, folder / "many.parquet")
    rustbpe.count_parquet(folder / "many.parquet", pattern=r"\w+").write(folder / "c.arrow")
    return folder


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_control_c_ends_the_call_within_a_second(folder: Path, call: str) -> None:
    command = [sys.executable, "-c", PRELUDE.format(call=call), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "started\n"
            time.sleep(0.7)
            assert process.poll() is None, "the call was over before the signal"
            sent = time.monotonic()
            process.send_signal(signal.SIGINT)
            said = process.stdout.readline().split()
        finally:
            process.kill()
    assert said[0] == "interrupted"
    assert float(said[1]) - sent < 1.0
    assert not (folder / "out.arrow").exists()


def test_other_threads_run_while_a_call_does(folder: Path) -> None:
    script = (
        "import sys, threading, rustbpe\n"
        "call = lambda: rustbpe.count_parquet(sys.argv[1] + '/s.parquet', pattern='gpt4', threads=1)\n"
        "thread = threading.Thread(target=call)\nthread.start()\nsteps = 0\n"
        "while thread.is_alive(): steps += 1\nprint(steps)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) > 1000
