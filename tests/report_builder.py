"""Files of a small run for the report's tests, made with the project's own writers; `hostile` ones attack the page."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import oracle
from nanosnake.checks import CHECKS
from nanosnake.checks.verdict import Failure, Findings, verdict_of
from nanosnake.evaluation import answers
from nanosnake.evaluation.items import Answer, Task
from nanosnake.files import write_json
from nanosnake.sources.samples import Sample, write_samples
from nanosnake.tokenizer.export import Recipe, export

PATTERN = r"\s?\S+|\s+"
PROSE = (
    "The river rose in the night and the ferry did not run. Nobody in the town had seen such water before.\n"
)
ATTACK = "<script>document.title='owned'</script>"
ATTRIBUTE = "\"'><img src=x onerror=\"document.title='owned'\">"
HIDDEN = "\u202egnp.exe\u2066 zero\u200bwidth \x00\x1b[31m\x7f\ufeff"
HOSTILE = f"{ATTACK} {ATTRIBUTE} {HIDDEN} </style></title> {{{{ 7*7 }}}} &lt;b&gt; \u0301x\n"
SPECIAL_TOKENS = ["<|bos|>", "<|end|>"]
BASELINES = ("gpt2", "cl100k_base")
BENCHMARK_HEAD = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time"


def build(folder: Path, *, hostile: bool = False, merges: int = 120) -> list[str]:
    """Write the files of a run and return the options of make_report.py, without the output."""
    texts = {
        "prose": PROSE * 4,
        "attack": HOSTILE * 3,
        "hangul": "\uac15\ubb3c\uc774 \ubc24\uc0c8 \ubd88\uc5c8\ub2e4.\n",
    }
    results = folder / "results" / "demo" / "tiny"
    train_tokenizer(
        results / "tokenizer", [PROSE * 20, HOSTILE * 20 if hostile else ""], merges, hostile=hostile
    )
    text_folder = folder / "texts"
    text_folder.mkdir(parents=True)
    for name, text in texts.items():
        (text_folder / f"{name}.txt").write_bytes(text.encode())
    write_samples(
        folder / "validation.jsonl",
        [Sample("validation", "shard_00001", row, False, text) for row, text in enumerate(texts.values())],
    )
    return [
        *("--dataset", "demo", "--tokenizer", str(results / "tokenizer")),
        *("--verdicts", *map(str, write_checks(results / "checks", hostile=hostile))),
        *("--shards", str(write_shards(folder / "shards.csv", hostile=hostile))),
        *("--history", str(write_history(folder / "history.jsonl", hostile=hostile))),
        *("--benchmarks", str(write_benchmarks(folder / "logs", hostile=hostile))),
        *("--record", str(folder / "logs/tiny/merges.json")),
        *("--texts", str(text_folder)),
    ]


def train_tokenizer(folder: Path, texts: Sequence[str], merges: int, *, hostile: bool = False) -> None:
    """Train on the texts and export; a pattern that keeps marks and letters together lets tags become tokens."""
    learned = oracle.train(oracle.count(texts, PATTERN), merges)
    special_tokens = [*SPECIAL_TOKENS, ATTACK + HIDDEN] if hostile else SPECIAL_TOKENS
    recipe = Recipe(
        name="tiny",
        pattern=PATTERN,
        vocab_size=256 + len(learned) + len(special_tokens),
        special_tokens=special_tokens,
        shards=[{"shard": shard_names(hostile)[0], "sha256": "a" * 64}],
        counting={"text_column": "text", "doc_cap": 0},
    )
    export([(left, right) for left, right, _ in learned], recipe, folder)


def shard_names(hostile: bool) -> list[str]:
    """Names of the shards."""
    return [ATTRIBUTE + HIDDEN if hostile else "shard_00000", "shard_00001"]


def write_checks(folder: Path, *, hostile: bool = False) -> list[Path]:
    """Write a verdict file of every check: one warning, and one that the configuration turned off."""
    odd = ATTACK + ATTRIBUTE + HIDDEN if hostile else "prose"
    rows = [compression_row(odd, 400, 100), compression_row("hangul", 30, 25)]
    findings = {
        "round_trip": Findings("3 documents came back", [{"text": odd, "documents": 1, "changed": 0}]),
        "agreement": Findings("3 documents have the same ids"),
        "reachability": Findings("every learned token can be reached", [{"text": "seen", "tokens": 120}]),
        "compression": Findings(
            "4.00 bytes per token on prose",
            rows,
            [Failure(odd, 1.2, f"{odd}: 1.2 bytes per token, wanted at least 2")],
            [f"baseline o200k_base is not available: {odd}"],
        ),
        "token_lengths": Findings("at most 9 bytes", [{"text": odd, "mean_bytes": 3.25, "max_bytes": 9}]),
    }
    paths = []
    for name, found in findings.items():
        spec = CHECKS[name]
        verdict = verdict_of(spec, spec.mode, spec.limits({}), found, {})
        paths.append(folder / f"{name}.json")
        write_json(paths[-1], verdict.as_json())
    return paths


def compression_row(text: str, size: int, tokens: int) -> dict[str, str | int | float | None]:
    """One row as the compression check writes it."""
    row: dict[str, str | int | float | None] = {
        "text": text,
        "kind": "text",
        "bytes": size,
        "tokens": tokens,
        "bytes_per_token": size / tokens,
        "tokens_per_word": 1.5,
    }
    for place, name in enumerate(BASELINES, start=1):
        row[f"tokens_{name}"] = tokens - place
        row[f"bytes_per_token_{name}"] = size / (tokens - place)
        row[f"relative_difference_{name}"] = -place / (tokens - place)
    return row


def write_shards(path: Path, *, hostile: bool = False, count: int = 2) -> Path:
    """Write a table of shards as list_shards.py does; the first one was downloaded."""
    names = [*shard_names(hostile), *(f"shard_{number:05d}" for number in range(2, count))]
    columns = ("shard", "split", "source", "bytes", "rows", "row_groups", "characters", "sha256", "seconds")
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([*columns, "mb_per_second"])
        writer.writerow([names[0], "train", "url", 3_000_000, 90, 2, 5_000_000, "a" * 64, 1.5, 2.0])
        for name in names[1:]:
            writer.writerow([name, "validation", "embedded", 1_000, 9, 1, 2_000, "b" * 64, "", ""])
    return path


def write_history(path: Path, *, hostile: bool = False) -> Path:
    """Write three records, the second one cut off."""
    figure = "compression.bytes_per_token.validation"
    lines = [
        json.dumps(
            {"time": ATTACK if hostile else "2026-01-02", "commit": "c" * 40, "figures": {figure: 3.5}}
        ),
        '{"time": "2026-01-03", "fig',
        json.dumps(
            {"time": "2026-01-04", "commit": None, "figures": {figure: 3.75, "vocabulary_use.share": 0.5}}
        ),
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_benchmarks(folder: Path, *, hostile: bool = False) -> Path:
    """Write benchmark files as Snakemake does: two shards' counts, one tokenizer's merges, another tokenizer's.

    The job that learned the tokenizer left a record too.
    """
    rows = {
        "counts/nanochat/shard_00000.tsv": ("1.5", "0:00:01", "100.0", "1.2"),
        "counts/nanochat/shard_00001.tsv": ("2.5", "0:00:02", "120.0", "NA"),
        "tiny/merges.tsv": ("7.0", "0:00:07", "300.5", "6.5"),
        "other/merges.tsv": ("99.0", "0:01:39", "900.0", "90.0"),
    }
    for name, (seconds, clock, memory, cpu) in rows.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{BENCHMARK_HEAD}\n{seconds}\t{clock}\t{memory}\t-\t-\t-\t1.0\t2.0\t80.0\t{cpu}\n")
    code = {"commit": "c" * 40, "dirty": True, "problem": None}
    host = {"name": HOSTILE if hostile else "node7"}
    record = {"ended": "2026-01-02T03:04:05+00:00", "environment": {"code": code, "host": host}}
    write_json(folder / "tiny/merges.json", {**record, "cpu_seconds": 6.75, "peak_memory_bytes": 300 << 20})
    return folder


def write_model(folder: Path, *, hostile: bool = False) -> Path:
    """Write what training and evaluation leave in the folder of a model."""
    folder.mkdir(parents=True)
    lines = [
        json.dumps({"step": step, "loss": 5 - step / 10, "bits_per_byte": 2 - step / 50, "mfu": None})
        for step in range(9)
    ]
    (folder / "metrics.jsonl").write_text("\n".join(lines))
    figures = {"steps": 9, "tokens": 18_432, "bits_per_byte": 1.84, "mfu": None, "parameters": 2_900_000}
    training = {
        "figures": figures | {"tokens_per_second": 3_200.5},
        "model": {"depth": 4, "window_pattern": "L"},
        "options": {"steps": 9, "compile": False},
        "ranks": 1,
        "device": HOSTILE if hostile else "x86_64",
        "versions": {"torch": "2.11.0"},
    }
    write_json(folder / "training.json", training)
    text = HOSTILE if hostile else " and ran on."
    evaluation = {
        "bits_per_byte": 1.84,
        "bytes": 123_456,
        "baselines": {"order_0": 4.5, "zlib": 3.1, "lzma": 2.75},
        "samples": [{"prompt": "The river", "text": text}],
        "tasks": [{"task": text, "items": 20, "accuracy": 0.8, "centred": 0.6}],
        "mean_centred": 0.6,
        "under_trained": {
            "vocab_size": 4096,
            "training_tokens": 18_432,
            "unseen": 7,
            "few": 1234,
            "rank_correlation": -0.53,
            "worst": [{"token": text, "id": 17, "count": 3, "similarity_to_unseen": 0.97}],
        },
    }
    write_json(folder / "evaluation.json", evaluation)
    task = Task(
        text, "generation", 0, " ", 0.0, [{"query": f"{text}{number}", "answer": text} for number in range(3)]
    )
    given = [Answer(text, text, right=True), Answer("no", text, right=False), Answer("no", text, right=False)]
    answers.write(folder / answers.FILE, [task], [given])
    return folder
