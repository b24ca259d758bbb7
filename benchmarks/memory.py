"""Measures the most memory that each rule takes, on 1, 2, 4 and 8 shards, next to what the rule requests.

Runs the workflow, with a small model and copies sent to an S3 server, on shards cut from a parquet file of text and
served by a server on this machine, and writes a table. Each job records its own peak when it ends; the requested
memory is what Snakemake printed.

    uv run python benchmarks/corpus.py results/benchmarks/mixed_400.parquet --megabytes 400
    uv run python benchmarks/memory.py results/benchmarks/mixed_400.parquet

Shards past the end of the text repeat it with each letter shifted by one, so they hold as many other pre-tokens. With
--counts it also trains on the summed counts times 2^33, the u64 path, and exits with 1 if the merges are not the same
or a job took more than it requested.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import http.server
import json
import os
import re
import sys
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import rustbpe

sys.path[:0] = [str(Path(__file__).parents[1] / folder) for folder in ("tests", "scripts")]

from publish.server import Server  # noqa: E402
from workflow.project import Project  # noqa: E402

DOUBLINGS = 33
NEXT_LETTER = str.maketrans(
    {
        a: b
        for case in (ascii_lowercase, ascii_uppercase)
        for a, b in zip(case, case[1:] + case[0], strict=True)
    }
)
"""Maps each English letter to the next one."""
ORDER = [
    "make_demo_shard", "download_shard", "link_shard", "list_shards", "count_pretokens", "merge_counts",
    "train_tokenizer", "export_tokenizer", "export_nanochat", "sample_documents", "check_tokenizer", "decide_gate",
    "hash_tokenizer", "tokenize_shard", "measure_vocabulary_curve", "record_figures", "make_report",
    "train_model", "evaluate_model", "export_model", "make_model_report", "make_manifest",
]  # fmt: skip
"""Rules in the order of the table; others come after them."""
BUCKET = "kept"
MODEL = {
    "tokenizer": "bpe",
    "depth": 2,
    "sequence_length": 256,
    "aspect_ratio": 32,
    "head_dim": 32,
    "export": True,
    "options": {"steps": 10, "global_batch": 2048, "micro_batch": 8, "compile": False, "eval_every": 0},
}
VALIDATION = 1_000_000
"""Bytes of text to validate with."""


def write_shards(source: Path, folder: Path, number: int, megabytes: int) -> None:
    """Write the given number of shards of the given size, and a small one for validation."""
    texts = pq.read_table(source, columns=["text"])["text"].combine_chunks()
    sizes = pc.cumulative_sum(pc.cast(pc.binary_length(texts), pa.int64())).to_numpy()
    first = int(sizes.searchsorted(VALIDATION))
    write(folder / "shard_99999.parquet", texts.slice(0, first))
    if sizes[-1] - sizes[first] < megabytes * 1_000_000:
        raise SystemExit(
            f"{source}: holds {sizes[-1] / 1e6:,.0f} MB of text, a shard of {megabytes} MB is wanted"
        )
    start, moved = first, texts
    for index in range(number):
        end = int(sizes.searchsorted(sizes[start] + megabytes * 1_000_000))
        if end >= len(texts):
            moved = pa.array([text.translate(NEXT_LETTER) for text in moved.to_pylist()], pa.large_string())
            start, end = 0, int(sizes.searchsorted(megabytes * 1_000_000))
        write(folder / f"shard_{index:05d}.parquet", moved.slice(start, end - start))
        start = end


def write(path: Path, texts: pa.Array) -> None:
    """Write a shard in the form of nanochat's datasets: zstd, row groups of 1,000 documents."""
    pq.write_table(pa.table({"text": texts}), path, compression="zstd", row_group_size=1000)


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on a port of this machine; yields the URL."""
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextlib.contextmanager
def bucket(folder: Path) -> Iterator[Server]:
    """Run an S3 server with an empty bucket, whose credentials jobs find in the environment."""
    server = Server(folder)
    with contextlib.ExitStack() as stack:
        stack.callback(server.stop)
        server.start().client().create_bucket(Bucket=BUCKET)
        os.environ.update(server.environment())
        yield server


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and logs nothing."""

    def log_message(self, format: str, *arguments: object) -> None:
        """Log nothing."""


def configure(project: Project, url: str, server: Server, shards: int, vocabulary: int) -> None:
    """Ask for the given number of shards of each source, a tokenizer, a small model, and copies of all in a bucket."""
    numbers = f"0-{shards - 1}" if shards > 1 else 0
    names = [f"shard_{index:05d}" for index in range(shards)]
    project.config = {
        "datasets": {
            "fetched": {
                "source": {"kind": "url", "url": url + "/shard_{shard:05d}.parquet"},
                "train": numbers,
                "validation": 99999,
            },
            "linked": {
                "source": {"kind": "local", "path": "data"},
                "train": names,
                "validation": "shard_99999",
            },
            "cut": {
                "source": {"kind": "embedded", "language": "en", "shards": shards + 1},
                "train": numbers,
                "validation": shards,
            },
        },
        "tokenizers": {"bpe": {"dataset": "fetched", "vocab_size": vocabulary, "exports": ["nanochat"]}},
        "models": {"small": MODEL},
        "checks": {name: {"mode": "warn"} for name in check_names()},
        "publish": {
            **{"destination": f"s3://{BUCKET}", "endpoint_url": server.url, "region": "us-east-1"},
            **{"path_style": True, "include": ["shards", "token_shards", "models"]},
        },
    }


def check_names() -> list[str]:
    """Return the names of all checks."""
    from nanosnake.checks.spec import CHECKS

    return list(CHECKS)


Peak = tuple[float, float | None]
"""The most memory that a job held and what it requested (None if the rule requests nothing), in MB."""


def run(project: Project, peaks: Path) -> dict[str, Peak]:
    """Run the workflow; return for each rule the largest peak of its jobs."""
    peaks.unlink(missing_ok=True)
    os.environ["NANOSNAKE_PEAKS"] = str(peaks)
    os.environ["PYTHONPATH"] = str(Path(__file__).with_name("peak"))
    anew = ("--forcerun", "sample_documents")  # the sample is from the first shards, even if there are more
    printed = project.make("--cores", "1", "--printshellcmds", *anew, "--", "all", "tokens")
    jobs = {}
    for block in re.split(r"\n(?=\[)", printed):
        rule, mem = re.search(r"rule (\w+):", block), re.search(r"mem_mb=(\d+)", block)
        for log in re.findall(r"NANOSNAKE_LOG='?(\S+?)'? ", block):
            if rule:
                jobs[log] = (rule[1], float(mem[1]) if mem else None)
    largest: dict[str, Peak] = {}
    for line in peaks.read_text().splitlines():
        found = json.loads(line)
        if found["log"] in jobs:
            rule, asked = jobs[found["log"]]
            if rule not in largest or found["mb"] > largest[rule][0]:
                largest[rule] = (found["mb"], asked)
    return largest


Table = dict[str, list[Peak | None]]
"""For each rule and number of shards, the largest peak; None if no job ran."""


def measure(project: Project, numbers: Sequence[int], vocabulary: int) -> tuple[Table, list[int], Path]:
    """Run the workflow on each number of shards in turn; return the table, the distinct pre-tokens, the last sum."""
    table: Table = defaultdict(lambda: [None] * len(numbers))
    unique = []
    with served(project.folder / "data") as url, bucket(project.folder / "s3") as server:
        for column, shards in enumerate(numbers):
            configure(project, url, server, shards, vocabulary)
            for rule, peak in run(project, project.folder / "peaks").items():
                table[rule][column] = peak
            sums = (project.folder / "results/fetched/counts").glob("*/merged/*.arrow")
            merged = max(sums, key=lambda path: path.stat().st_mtime)
            unique.append(rustbpe.Counts.header(merged)["unique"])
            print(f"{shards} shards: {unique[-1]:,} distinct pre-tokens", file=sys.stderr, flush=True)
    return table, unique, merged


def as_markdown(table: Table, numbers: Sequence[int], unique: Sequence[int]) -> str:
    """Return the table: a row for each rule, a column for each number of shards, and the requested memory."""
    head = [f"{number} shard{'s' * (number > 1)}" for number in numbers]
    rows = [["rule", *head, "asked for"], ["---", *["---:"] * (len(numbers) + 1)]]
    rows.append(["distinct pre-tokens", *(f"{number:,}" for number in unique), ""])
    for rule in [rule for rule in ORDER if rule in table] + sorted(set(table) - set(ORDER)):
        asked = sorted(peak[1] for peak in table[rule] if peak and peak[1])
        bounds = f"{asked[0]:,.0f}" + f" to {asked[-1]:,.0f}" * (asked[-1] > asked[0]) if asked else ""
        rows.append([f"`{rule}`", *(f"{peak[0]:,.0f}" if peak else "" for peak in table[rule]), bounds])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def large_counts(merged: Path, folder: Path, num_merges: int) -> bool:
    """Sum a count file with itself until its counts are 2^33 times as large, and compare the merges of both."""
    path = merged
    for number in range(DOUBLINGS):
        out = folder / f"doubled_{number % 2}.arrow"
        rustbpe.merge_counts([path, path], out)
        path = out
    few, many = (pa.table(rustbpe.train_merges(file, num_merges)).to_pydict() for file in (merged, path))
    same = (few["left"], few["right"]) == (many["left"], many["right"])
    exact = many["count"] == [count << DOUBLINGS for count in few["count"]]
    what = "the same merges" if same and exact else "OTHER MERGES"
    print(f"\ncounts times 2^{DOUBLINGS}, {min(many['count'])} to {max(many['count'])}: {what}")
    return same and exact


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print the table; return 1 where a promise is broken."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parquet", type=Path, help="a parquet file with a column `text`")
    parser.add_argument("--shards", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--megabytes", type=int, default=100, help="text in a shard")
    parser.add_argument("--vocabulary", type=int, default=32768)
    parser.add_argument("--counts", action="store_true", help="also train on counts above 2^32")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "project").mkdir()
        project = Project(folder / "project")
        project.patience = 3600
        for file in (project.folder / "data").iterdir():
            file.unlink()
        write_shards(options.parquet, project.folder / "data", max(options.shards), options.megabytes)
        table, unique, merged = measure(project, options.shards, options.vocabulary)
        print(as_markdown(table, options.shards, unique))
        peaks = [peak for row in table.values() for peak in row if peak]
        held = all(took <= asked for took, asked in peaks if asked)
        if options.counts:
            held &= large_counts(merged, folder, options.vocabulary - 256)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
