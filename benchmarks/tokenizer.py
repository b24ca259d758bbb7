"""Runs our trainer, counter and encoder and those of others side by side, and checks that they agree.

Builds a corpus from packages of the registry (`corpus.py`), installs the others into separate environments, runs each
job in a separate process, all in turn, several times, and takes medians. Writes a table (CSV and Markdown) and a plot.
Exits with 1 if a result differs from the one it has to equal.

    uv run python benchmarks/tokenizer.py                                      # 100 MB, 32,768 tokens
    uv run python benchmarks/tokenizer.py --megabytes 400 --vocabulary 65536 --only train
"""

import argparse
import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import corpus
import jobs
import pyarrow.parquet as pq
import rustbpe
import tables
import vocabularies
from jobs import read_ranks

JOBS = Path(__file__).with_name("jobs.py")
OURS = "nanosnake"
PEERS = {
    "rustbpe": ("rustbpe==0.1.0",),
    "gigabpe": ("gigabpe==0.1.0",),
    "minibperust": ("minibperust==0.1.0",),
    "tokenizers": ("tokenizers==0.23.2",),
    "tiktoken": ("tiktoken==0.14.0", "numpy==2.4.6"),
    "fastokens": ("fastokens==0.3.5",),
    "gigatoken": ("gigatoken==0.10.0",),
}
"""The implementations that run next to ours, each in its own environment."""

CL100K_FILE = "llama_index/core/_static/tiktoken_cache/9b5ad71b2ce5302211f9c61530b329a4922fc6a4"
"""The vocabulary of GPT-4, in the wheel of llama-index-core."""
SLOW = ("tokenizers", "minibperust")
"""Run at most twice: they take most of the time and decide nothing."""


@dataclass(frozen=True)
class Job:
    """One implementation at one stage."""

    stage: str
    """What is done, as the table names it."""
    who: str
    """Whose environment runs it."""
    function: str
    """The function of `jobs.py`."""
    options: dict[str, Any]
    equal: str = ""
    """What its result has to equal: the NAME of one in the same stage, or STAGE/NAME for another."""
    note: str = ""


@dataclass
class Measured:
    """A job's runs."""

    job: Job
    runs: list[dict[str, Any]] = field(default_factory=list)

    def median(self, key: str) -> float:
        return float(statistics.median(run[key] for run in self.runs))

    def result(self) -> str | None:
        """What the job made, as a hash; runs that differ have none."""
        found = {run.get("tokens") or run.get("ids") for run in self.runs}
        return found.pop() if len(found) == 1 else None


def training_jobs(shard: Path, text: Path, work: Path, vocabulary: int, pattern: str) -> list[Job]:
    """From the shard to the merges."""
    stage = f"train, {pattern}"
    options = {
        "shard": str(shard),
        "text": str(text),
        "vocabulary": vocabulary,
        "regex": rustbpe.PATTERNS[pattern],
    }

    def job(who: str, equal: str = "", note: str = "") -> Job:
        tokens = work / f"tokens_{pattern}_{vocabulary}_{who}.txt"
        name = "ours" if who == OURS else who
        return Job(stage, who, f"train_{name}", options | {"tokens": str(tokens)}, equal, note)

    jobs = [job(OURS, equal="rustbpe"), job("rustbpe"), job("tokenizers", note="ties otherwise")]
    if pattern == "gpt2":
        jobs.insert(2, job("gigabpe", note="from a text file, by lines; ties otherwise"))
        jobs.insert(2, job("gigatoken", equal="rustbpe"))
    else:
        jobs.insert(2, job("minibperust", note="from a text file; ties otherwise"))
    return jobs


def stage_jobs(shard: Path, english: Path, work: Path, vocabulary: int) -> list[Job]:
    """Counting alone (from the shard: reading it is part of it) and merging alone."""
    regex = rustbpe.PATTERNS["nanochat"]
    jobs = [
        Job(
            f"count {kinds}, {threads} thread{'s' * (threads > 1)}",
            OURS,
            "count_ours",
            {"shard": str(path), "regex": regex, "threads": threads},
        )
        for path, kinds in ((english, "prose"), (shard, "all kinds"))
        for threads in (1, 2)
    ]
    tokens = str(work / f"tokens_merge_{vocabulary}.txt")
    options = {"counts": str(work / "counts.arrow"), "vocabulary": vocabulary, "tokens": tokens}
    for threads in (1, 2):
        jobs.append(
            Job(
                f"merge, {threads} thread{'s' * (threads > 1)}",
                OURS,
                "merge_ours",
                options | {"threads": threads},
                equal="train, nanochat/rustbpe",
                note="from the file of counts",
            )
        )
    return jobs


def encoding_jobs(shard: Path, work: Path, ranks: Path, pattern: str, regex: str, name: str) -> list[Job]:
    """Documents to ids and a shard to a file of ids, one thread, first pass."""
    hugging_face = work / f"{pattern}.json"
    vocabularies.write_hugging_face(read_ranks(str(ranks)), pattern, hugging_face)
    options = {
        "shard": str(shard),
        "ranks": str(ranks),
        "regex": regex,
        "out": str(work / "tokens.ds"),
        "json": str(hugging_face),
    }
    # gigatoken has a fixed set of patterns, and is quickest from file to array
    whos = [("shard", who) for who in (OURS, "tiktoken", "fastokens", *["gigatoken"] * (pattern == "gpt4"))]
    whos += [("documents", who) for who in (OURS, "tiktoken", "fastokens")]
    what = {"shard": "shard to file", "documents": "in memory"}
    return [
        Job(
            f"encode {what[function]}, {name}",
            who,
            f"{function}_{'ours' if who == OURS else who}",
            options,
            equal="" if who == "tiktoken" else "tiktoken",
        )
        for function, who in whos
    ]


def start_jobs(ranks: Path) -> list[Job]:
    """What a user waits for first."""
    options = {"ranks": str(ranks), "regex": rustbpe.PATTERNS["gpt4"]}
    return [
        Job("import rustbpe", OURS, "import_ours", {}),
        Job("load 100k tokens", OURS, "load_ours", options),
    ]


def python_of(who: str, work: Path) -> str:
    """The interpreter of an implementation's environment, which is created if it is missing."""
    if who == OURS:
        return sys.executable
    folder = work / "environments" / who
    corpus.environment(folder, (*PEERS[who], "pyarrow"))
    return str(folder / "bin" / "python")


def run_in_turn(jobs: list[Job], runs: int, work: Path) -> list[Measured]:
    """Runs all jobs one after the other, then all again."""
    pythons = {who: python_of(who, work) for who in {job.who for job in jobs}}
    measured = [Measured(job) for job in jobs]
    for turn in range(runs):
        for one in measured:
            job = one.job
            if job.who in SLOW and turn >= 2:
                continue
            command = [pythons[job.who], str(JOBS), job.function, json.dumps(job.options)]
            threads = {"RAYON_NUM_THREADS": "1"} if job.stage.startswith("encode") else {}
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, env=os.environ | threads
            )
            if done.returncode:
                raise SystemExit(f"{job.stage}, {job.who}: exit status {done.returncode}\n{done.stderr}")
            one.runs.append(json.loads(done.stdout.splitlines()[-1]))
            print(
                f"{turn + 1}/{runs} {job.stage:24} {job.who:12} {one.runs[-1]['cpu']:8.3f} CPU s", flush=True
            )
    return measured


def disagreements(measured: Iterable[Measured]) -> list[str]:
    """What is not as it should be, one line each."""
    results = {(one.job.stage, one.job.who): one for one in measured}
    found = []
    for one in measured:
        job = one.job
        if not job.equal:
            continue
        stage, _, who = job.equal.rpartition("/")
        other = results.get((stage or job.stage, who))
        if other is not None and (one.result() is None or one.result() != other.result()):
            found.append(
                f"{job.stage}: the result of {job.who} ({job.function}) is not that of {other.job.who}"
            )
    return found


def prepare_text(shard: Path, text: Path) -> None:
    """The documents as one text file, for those that read nothing else."""
    if not text.is_file():
        column = pq.read_table(shard, columns=["text"]).column("text")
        with text.open("w", newline="") as stream:
            for document in column:
                stream.write(document.as_py() + "\n")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--megabytes", type=int, default=100, help="text to train on, in 1,000,000 bytes")
    parser.add_argument("--vocabulary", type=int, default=32_768, help="tokens, the 256 bytes among them")
    parser.add_argument("--encode-megabytes", type=int, default=50, help="text to encode")
    parser.add_argument("--runs", type=int, default=5, help="runs of each job")
    parser.add_argument(
        "--only", nargs="+", choices=["train", "stages", "encode", "start"], help="not all stages"
    )
    parser.add_argument("--without", nargs="+", choices=sorted(PEERS), default=[], help="leave these out")
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks"))
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    stages = set(options.only or ["train", "stages", "encode", "start"])
    work: Path = options.out / "work"
    work.mkdir(parents=True, exist_ok=True)
    shard = work / f"mixed_{options.megabytes}.parquet"
    made_of = corpus.build(shard, options.megabytes, work)
    text = shard.with_suffix(".txt")
    prepare_text(shard, text)
    cl100k = Path(str(importlib.metadata.distribution("llama-index-core").locate_file(CL100K_FILE)))
    ranks = work / f"own_{options.vocabulary}.tiktoken"
    measured: list[Measured] = []

    def run(jobs: list[Job]) -> None:
        measured.extend(
            run_in_turn([job for job in jobs if job.who not in options.without], options.runs, work)
        )

    if "train" in stages:
        for pattern in ("nanochat", "gpt2"):
            run(training_jobs(shard, text, work, options.vocabulary, pattern))
    if "stages" in stages:
        english = work / "english.parquet"
        corpus.build(english, 50, work, kinds=("prose", "documentation"))
        counts = rustbpe.count_parquet(shard, pattern=rustbpe.PATTERNS["nanochat"])
        counts.write(work / "counts.arrow")
        run(stage_jobs(shard, english, work, options.vocabulary))
    if "encode" in stages:
        some = work / f"mixed_{options.encode_megabytes}.parquet"
        corpus.build(some, options.encode_megabytes, work)
        unspaced = work / "unspaced.parquet"
        corpus.build(unspaced, options.encode_megabytes, work, kinds=("unspaced",))
        ascii_only = work / "ascii.parquet"
        corpus.build(ascii_only, 2 * options.encode_megabytes, work, keep=str.isascii)
        tokens = work / f"tokens_nanochat_{options.vocabulary}_{OURS}.txt"
        if not tokens.is_file():
            run_in_turn(training_jobs(shard, text, work, options.vocabulary, "nanochat")[:1], 1, work)
        vocabularies.write_ranks(tokens, ranks)
        regex = rustbpe.PATTERNS["nanochat"]
        run(encoding_jobs(some, work, ranks, "nanochat", regex, f"nanochat, own {options.vocabulary:,}"))
        run(encoding_jobs(some, work, cl100k, "gpt4", jobs.CL100K, "gpt4, cl100k"))
        run(encoding_jobs(ascii_only, work, cl100k, "gpt4", jobs.CL100K, "gpt4, cl100k, ASCII"))
        run(encoding_jobs(unspaced, work, cl100k, "gpt4", jobs.CL100K, "gpt4, cl100k, no spaces"))
    if "start" in stages:
        run(start_jobs(cl100k))
    wrong = disagreements(measured)
    tables.write(measured, options, made_of, wrong, PEERS)
    print("\n".join(wrong) or "all results agree")
    return 1 if wrong else 0


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    sys.exit(main())
