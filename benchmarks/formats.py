"""Measures how fast text in each format is read, next to the readers of PyArrow and DuckDB, and the stage's memory.

    uv run --with duckdb python benchmarks/formats.py shard.parquet --megabytes 200

Every reader runs on one thread, makes an Arrow array of the text column, checks that it is UTF-8, and runs in turn
with the others; the least CPU time of `--runs` counts. Ours does not hash the file here, since the others do not. The
stage as a whole does, and it writes zstd parquet and reads that once more.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.json as pj
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from nanosnake.sources.formats import convert, stream
from nanosnake.sources.formats.columns import Column
from nanosnake.sources.formats.convert import FileRecord, Reading, read
from nanosnake.sources.formats.refused import Refusals

SCHEMA = pa.schema([("text", pa.string())])
BLOCK = 1 << 20
ENDINGS = ("jsonl", "jsonl.zst", "csv", "txt", "arrow", "parquet")


def texts_of(shard: Path, megabytes: int) -> list[str]:
    """Return the documents of a shard, repeated up to the given number of megabytes."""
    once = [text for text in pq.read_table(shard, columns=["text"])["text"].to_pylist() if text]
    size = sum(len(text.encode()) for text in once)
    return once * max(1, round(megabytes * 1e6 / size))


def write(folder: Path, texts: list[str]) -> None:
    """Write the texts in every format."""
    table = pa.table(
        {"id": list(range(len(texts))), "text": texts, "url": ["https://example.org/"] * len(texts)}
    )
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in table.to_pylist()).encode()
    (folder / "a.jsonl").write_bytes(lines)
    with pa.CompressedOutputStream(str(folder / "a.jsonl.zst"), "zstd") as packed:
        packed.write(lines)
    pc.write_csv(table, folder / "a.csv")
    (folder / "a.txt").write_text("".join(text.replace("\n", " ") + "\n" for text in texts), encoding="utf-8")
    with pa.OSFile(str(folder / "a.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=1024)
    pq.write_table(table, folder / "a.parquet", row_group_size=4096, compression="zstd")


class Unhashed:
    """Replaces the hash by one that costs nothing."""

    def update(self, data: bytes) -> None:
        """Do nothing."""

    def hexdigest(self) -> str:
        """Return no hash."""
        return ""


def ours(path: Path) -> Iterator[int]:
    """Read with our reader."""
    record = FileRecord(str(path), "")
    for batch in read(str(path), Reading(Column("text")), Refusals("stop", StringIO()), record):
        yield len(batch.texts)


def arrow(path: Path) -> Iterable[int]:
    """Read with PyArrow."""
    ending = path.name.split(".", 1)[1]
    if ending.startswith("jsonl"):
        batches: Any = pj.open_json(
            pa.input_stream(str(path), compression="detect"),
            read_options=pj.ReadOptions(use_threads=False, block_size=BLOCK),
            parse_options=pj.ParseOptions(explicit_schema=SCHEMA, unexpected_field_behavior="ignore"),
        )
    elif ending in ("csv", "txt"):
        names = None if ending == "csv" else ["text"]
        batches = pc.open_csv(
            path,
            pc.ReadOptions(use_threads=False, block_size=BLOCK * 16, column_names=names),
            pc.ParseOptions(newlines_in_values=True)
            if ending == "csv"
            else pc.ParseOptions(delimiter="\x01", quote_char=False),
            pc.ConvertOptions(include_columns=["text"], column_types={"text": pa.string()}),
        )
    elif ending == "arrow":
        reader = pa.ipc.open_file(pa.memory_map(str(path)))
        batches = (reader.get_batch(index) for index in range(reader.num_record_batches))
    else:
        batches = pq.ParquetFile(path).iter_batches(batch_size=1024, columns=["text"], use_threads=False)
    for batch in batches:
        batch.column("text").validate(full=True)  # as ours does: text that is not UTF-8 is refused
        yield len(batch)


def duck(path: Path) -> Iterable[int]:
    """Read with DuckDB."""
    import duckdb  # type: ignore[import-not-found]

    connection = duckdb.connect()
    connection.execute("set threads = 1")
    ending = path.name.split(".", 1)[1]
    if ending.startswith("jsonl"):
        source = f"read_json('{path}', format = 'newline_delimited', columns = {{text: 'VARCHAR'}})"
    elif ending == "csv":
        columns = "{id: 'BIGINT', text: 'VARCHAR', url: 'VARCHAR'}"
        source = f"read_csv('{path}', columns = {columns}, header = true, auto_detect = false, delim = ',', quote = '\"', escape = '\"')"
    elif ending == "txt":
        source = (
            f"read_csv('{path}', columns = {{text: 'VARCHAR'}}, delim = '\x01', quote = '', header = false)"
        )
    elif ending == "parquet":
        source = f"read_parquet('{path}')"
    else:
        raise NotImplementedError
    return (len(batch) for batch in connection.sql(f"select text from {source}").to_arrow_reader(10_000))


def measure(path: Path, readers: dict[str, Callable[[Path], Iterable[int]]], runs: int) -> dict[str, float]:
    """Return the least CPU seconds of each reader; all have to find the same number of documents."""
    best: dict[str, float] = {}
    found: dict[str, int] = {}
    for _ in range(runs):
        for name, reader in readers.items():
            began = time.process_time()
            try:
                found[name] = sum(reader(path))
            except (NotImplementedError, ImportError):
                continue
            best[name] = min(best.get(name, 1e9), time.process_time() - began)
    assert len(set(found.values())) == 1, found
    return best


STAGE = """
import sys, time
import make_shards
from nanosnake.stages import parse
began = time.process_time()
parse(make_shards.MakeShards, sys.argv[1:]).run()
(peak,) = (line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(time.process_time() - began, int(peak) / 1024)
"""


def stage(path: Path, folder: Path) -> tuple[float, float]:
    """Return the CPU seconds and the peak in MB of the stage that makes four shards of a file."""
    words = ["--files", json.dumps([str(path)]), "--folder", str(folder), "--shards", "shard_[00000-00003]"]
    words += ["--records", str(folder / "read.json"), "--left-out", str(folder / "left_out.jsonl")]
    done = subprocess.run(
        [sys.executable, "-c", STAGE, *words], capture_output=True, text=True, check=True,
        env={"PYTHONPATH": f"{Path(__file__).parents[1] / 'scripts'}:{':'.join(sys.path)}"},
    )  # fmt: skip
    seconds, peak = done.stdout.split()
    return float(seconds), float(peak)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("shard", type=Path, help="a parquet file with a column text")
    parser.add_argument("--megabytes", type=int, default=200, help="text to write in each format")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    stream.hashlib.sha256 = Unhashed  # type: ignore[attr-defined,assignment,misc]
    convert.sha256_file = lambda path: ""
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    print(
        "| format | MB | ours MB/s | PyArrow | DuckDB | ours over the better | stage MB/s | stage peak MB | peak at twice the size |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        one, two = Path(name, "one"), Path(name, "two")
        texts = texts_of(options.shard, options.megabytes)
        for folder, some in ((one, texts), (two, texts * 2)):
            folder.mkdir()
            write(folder, some)
        readers = {"ours": ours, "PyArrow": arrow, "DuckDB": duck}
        for ending in ENDINGS:
            path = one / f"a.{ending}"
            best = measure(path, readers, options.runs)
            seconds, peak = stage(path, one)
            _, twice = stage(two / f"a.{ending}", two)
            megabytes = path.stat().st_size / 1e6
            plain = (one / "a.jsonl").stat().st_size / 1e6 if ending.startswith("jsonl.") else megabytes
            speed = {who: plain / cpu for who, cpu in best.items()}
            ratio = speed["ours"] / max(value for who, value in speed.items() if who != "ours")
            cells = [f"{speed[who]:.0f}" if who in speed else "" for who in readers]
            print(
                f"| {ending} | {megabytes:.0f} | {' | '.join(cells)} | {ratio:.2f} | {plain / seconds:.0f} | {peak:.0f} "
                f"| {twice:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
