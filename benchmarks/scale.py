r"""Measures what merging needs at web scale: how distinct pre-tokens grow with text, and what many of them cost.

    python benchmarks/scale.py growth --texts code=FOLDER html=FOLDER --most 1024     # MB of each, doubling
    python benchmarks/scale.py made-up --distinct 1 4 16                              # millions of pre-tokens
    python benchmarks/scale.py cut --counts merged.arrow --merges 32512               # what min_count changes

`growth` reads the text files of a folder in a fixed random order, counts each doubling and sums the counts.
`made-up` makes a count file of that many pseudo-words, whose frequencies follow Zipf's law, and merges it in a
separate process, whose peak memory is measured. Tables are printed as Markdown; docs/scale.md shows them with the
conclusions.
"""

from __future__ import annotations

import argparse
import math
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import rustbpe

PATTERNS = ("gpt2", "gpt4o", "nanochat")
LEAST_MB = 1
SUFFIXES = {
    ".py",
    ".pyi",
    ".rs",
    ".c",
    ".h",
    ".cpp",
    ".js",
    ".html",
    ".htm",
    ".md",
    ".txt",
    ".rst",
    ".parquet",
}
MOST_BYTES = 2_000_000
SYLLABLES = [
    a + b for a in "bdfghklmnprstvwz" for b in ("a", "e", "i", "o", "u", "an", "er", "in", "or", "st")
]


def documents(folder: Path) -> Iterator[str]:
    """Yield the texts of a folder in a fixed random order."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES and path.is_file())
    random.Random(0).shuffle(paths)
    for path in paths:
        if path.stat().st_size <= MOST_BYTES:
            try:
                yield path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


def doublings(folder: Path, most: int) -> Iterator[tuple[int, list[str]]]:
    """Yield the bytes so far and the documents since the last doubling."""
    held: list[str] = []
    size, limit = 0, LEAST_MB << 20
    for text in documents(folder):
        held.append(text)
        size += len(text.encode())
        if size >= limit:
            yield size, held
            held, limit = [], limit * 2
            if limit > most << 20:
                return


def growth(name: str, folder: Path, most: int, work: Path) -> None:
    """Print the distinct pre-tokens of each pattern at each doubling, and the exponent of the last."""
    sums: dict[str, Path] = {}
    last: dict[str, tuple[int, int]] = {}
    for size, texts in doublings(folder, most):
        shard = work / "part.parquet"
        pq.write_table(pa.table({"text": pa.array(texts, pa.large_string())}), shard, row_group_size=1000)
        for pattern in PATTERNS:
            part, total = work / "part.arrow", work / f"{pattern}-{size}.arrow"
            rustbpe.count_parquet(str(shard), pattern=pattern, threads=1).write(str(part))
            before = [str(sums[pattern])] if pattern in sums else []
            unique = rustbpe.merge_counts([*before, str(part)], str(total), threads=1)["unique"]
            if pattern in sums:
                sums[pattern].unlink()
            sums[pattern] = total
            exponent = ""
            if pattern in last:
                exponent = f"{math.log(unique / last[pattern][1]) / math.log(size / last[pattern][0]):.3f}"
            last[pattern] = (size, unique)
            print(f"| {name} | {pattern} | {size / 1e6:,.0f} | {unique:,} | {exponent} |", flush=True)


def pseudo_words(distinct: int) -> list[str]:
    """Return the given number of words made of syllables, which are themselves drawn by Zipf's law."""
    draw = np.random.default_rng(0)
    shares = 1 / np.arange(1, len(SYLLABLES) + 1)
    found: dict[str, None] = {}
    while len(found) < distinct:
        lengths = draw.integers(2, 7, size=1 << 20)
        parts = draw.choice(len(SYLLABLES), size=int(lengths.sum()), p=shares / shares.sum()).tolist()
        at = 0
        for length in lengths.tolist():
            found["".join(SYLLABLES[part] for part in parts[at : at + length])] = None
            at += length
            if len(found) == distinct:
                break
    return list(found)


def made_up(millions: float, work: Path) -> None:
    """Print time and peak memory of merging a count file of so many million pre-tokens."""
    distinct = int(millions * 1e6)
    words = pseudo_words(distinct)
    ranks = np.arange(1, distinct + 1)
    repeats = np.minimum(np.maximum(distinct // (10 * ranks), 1), 50)  # the head of the law, cut off
    shard, counts = work / "made-up.parquet", work / "made-up.arrow"
    with pq.ParquetWriter(shard, pa.schema([("text", pa.large_string())])) as writer:
        for at in range(0, distinct, 100_000):
            part = zip(words[at : at + 100_000], repeats[at : at + 100_000].tolist(), strict=True)
            text = " ".join(" ".join([word] * n) for word, n in part)
            writer.write_table(pa.table({"text": pa.array([text], pa.large_string())}))
    del words
    rustbpe.count_parquet(str(shard), pattern="gpt2", threads=1).write(str(counts))
    shard.unlink()
    for merges in (32_512, 65_280):
        done = subprocess.run(
            [sys.executable, __file__, "train", str(counts), str(merges)],
            capture_output=True,
            text=True,
            check=True,
        )
        print(
            f"| {millions:g} | {counts.stat().st_size / 1e6:,.0f} | {merges:,} | {done.stdout.strip()} |",
            flush=True,
        )


def peak_kilobytes() -> int:
    """Return the most memory that this program held; `getrusage` would count what its parent held too."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def train(counts: str, merges: int) -> None:
    """Print what merging takes: CPU seconds, peak memory, and the memory predicted beforehand."""
    said = rustbpe.training_memory(counts, merges)
    before = peak_kilobytes()
    began = time.process_time()
    rustbpe.train_merges(counts, merges, threads=1)
    peak = peak_kilobytes() - before
    print(f"{time.process_time() - began:.1f} | {peak / 1024:,.0f} | {said / 2**20:,.0f}")


def cut(counts: str, merges: int, work: Path) -> None:
    """Print what leaving out rare pre-tokens saves, and how far the merges then differ."""
    whole: list[bytes] = []
    for least in (1, 2, 3, 5, 10, 100):
        path = str(work / f"cut-{least}.arrow")
        unique = rustbpe.merge_counts([counts], path, min_count=least, threads=1)["unique"]
        memory = rustbpe.training_memory(path, merges)
        tokens = rustbpe.train_merges(path, merges, threads=1).token_bytes()[256:]
        whole = whole or tokens
        same = next((at for at, (a, b) in enumerate(zip(whole, tokens, strict=False)) if a != b), len(tokens))
        shared = len(set(whole) & set(tokens)) / len(whole)
        print(f"| {least} | {unique:,} | {memory / 2**20:,.0f} | {same:,} | {shared:.2%} |", flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = parser.add_subparsers(dest="part", required=True)
    of_growth = parts.add_parser("growth")
    of_growth.add_argument("--texts", nargs="+", required=True, help="NAME=FOLDER")
    of_growth.add_argument("--most", type=int, default=1024, help="MB of each")
    parts.add_parser("made-up").add_argument("--distinct", nargs="+", type=float, default=[1, 4, 16])
    of_cut = parts.add_parser("cut")
    of_cut.add_argument("--counts", required=True)
    of_cut.add_argument("--merges", type=int, default=32_512)
    of_training = parts.add_parser("train")
    of_training.add_argument("counts")
    of_training.add_argument("merges", type=int)
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        if options.part == "growth":
            print(
                "| text | pattern | MB | distinct pre-tokens | exponent of the doubling |\n|---|---|---|---|---|"
            )
            for name, place in (given.split("=", 1) for given in options.texts):
                growth(name, Path(place), options.most, Path(folder))
        elif options.part == "made-up":
            print(
                "| million pre-tokens | MB on disk | merges | CPU s | peak MB | MB said before |\n|---|---|---|---|---|---|"
            )
            for millions in options.distinct:
                made_up(millions, Path(folder))
        elif options.part == "cut":
            print(
                "| min_count | distinct pre-tokens | MB said before | first merges that are equal | tokens shared |"
            )
            print("|---|---|---|---|---|")
            cut(options.counts, options.merges, Path(folder))
        else:
            train(options.counts, options.merges)
    return 0


if __name__ == "__main__":
    sys.exit(main())
