"""Measure training on GPUs: tokens/s, MFU, memory, data wait, time to the first step, bits per byte.

Each case is one run of scripts/train_model.py. Cases run one after another, or in lanes, one GPU each. The
table is written after every case, so that a call that is cut short still leaves what it measured.

    python benchmarks/training.py --train tokens/train --validation tokens/val --tokenizer tokenizer \\
        --out benchmark --cases d12 d20 d12-fp8 d20-fp8 d12-x2
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "train_model.py"
GLOBAL_BATCH = 524_288


@dataclass(frozen=True)
class Case:
    """One run."""

    depth: int
    steps: int
    arguments: tuple[str, ...] = ()
    gpus: int = 1


CASES = {
    "d12": Case(12, 100),
    "d12-full": Case(12, 20, ("--window-pattern", "L")),
    "d12-gqa": Case(12, 20, ("--kv-share", "3")),
    "d12-fp8": Case(12, 20, ("--fp8",)),
    "d12-varlen": Case(12, 20, ("--attention", "varlen")),
    "d12-x2": Case(12, 20, gpus=2),
    "d20": Case(20, 8, ("--micro-batch", "32")),
    "d20-gqa": Case(20, 8, ("--micro-batch", "32", "--kv-share", "5")),
    "d20-fp8": Case(20, 8, ("--micro-batch", "32", "--fp8")),
}
COLUMNS = (
    "case",
    "gpus",
    "steps",
    "tokens_per_second",
    "mfu",
    "memory_gib",
    "data_wait",
    "first_step_seconds",
    "bits_per_byte",
)


def command(name: str, case: Case, options: argparse.Namespace) -> list[str]:
    """Return the command line of a case."""
    start = [sys.executable, str(SCRIPT)]
    if case.gpus > 1:
        start = [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *(f"--nproc-per-node={case.gpus}", str(SCRIPT)),
        ]
    folder = options.out / name
    return [
        *start,
        *("--train", *options.train, "--validation", *options.validation),
        *("--tokenizer", str(options.tokenizer), "--out", str(folder)),
        *("--checkpoints", str(folder / "checkpoints")),
        *("--depth", str(case.depth), "--steps", str(case.steps)),
        *("--global-batch", str(GLOBAL_BATCH), "--micro-batch", "128"),
        *("--eval-every", "0", "--checkpoint-every", "0", "--log-every", "4"),
        *case.arguments,
    ]


def run_case(name: str, gpu: int | None, options: argparse.Namespace) -> dict[str, Any]:
    """Run a case on one GPU (None: on all that are visible); return its row."""
    case, folder = CASES[name], options.out / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    environment = dict(os.environ)
    if gpu is not None:
        environment["CUDA_VISIBLE_DEVICES"] = str(gpu)
    before = time.perf_counter()
    with (folder / "log.txt").open("w") as log:
        status = subprocess.run(
            command(name, case, options), stdout=log, stderr=subprocess.STDOUT, env=environment, check=False
        ).returncode
    row: dict[str, Any] = {"case": name, "gpus": case.gpus, "seconds": time.perf_counter() - before}
    if status:
        tail = (folder / "log.txt").read_text(errors="replace").splitlines()[-3:]
        return {**row, "failed": f"status {status}: {' / '.join(tail)}"}
    summary = json.loads((folder / "training.json").read_text())
    shutil.rmtree(folder / "checkpoints")
    (folder / "model.safetensors").unlink()
    return {**row, **summary["figures"], "device": summary["device"], "versions": summary["versions"]}


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as a Markdown table."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + " --- |" * len(COLUMNS)]
    for row in rows:
        cells = [row.get(column) for column in COLUMNS]
        shown = [
            f"{c:,.4g}" if isinstance(c, float) and c < 1000 else f"{c:,.0f}" if isinstance(c, float) else c
            for c in cells
        ]
        lines.append("| " + " | ".join("" if c is None else str(c) for c in shown) + " |")
        if "failed" in row:
            lines.append(f"| {row['failed']} |")
    return "\n".join(lines) + "\n"


def main(argv: list[str] | None = None) -> int:
    """Run the cases; write rows.jsonl and table.md after each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--train", nargs="+", required=True)
    parser.add_argument("--validation", nargs="+", required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--cases", nargs="+", choices=sorted(CASES), default=["d12", "d20", "d12-fp8", "d20-fp8"]
    )
    parser.add_argument(
        "--lanes", type=int, default=1, help="GPUs that run cases of one GPU at the same time"
    )
    options = parser.parse_args(argv)
    options.out.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    lock = threading.Lock()
    waiting: queue.Queue[str] = queue.Queue()

    def work(gpu: int) -> None:
        while True:
            try:
                name = waiting.get_nowait()
            except queue.Empty:
                return
            note(run_case(name, gpu, options))

    def note(row: dict[str, Any]) -> None:
        with lock:
            rows.append(row)
            (options.out / "rows.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
            (options.out / "table.md").write_text(table(rows))
            print(table([row]), flush=True)

    for name in options.cases:
        if CASES[name].gpus == 1:
            waiting.put(name)
    lanes = [threading.Thread(target=work, args=(gpu,)) for gpu in range(options.lanes)]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
    for name in options.cases:
        if CASES[name].gpus > 1:
            note(run_case(name, None, options))
    return int(any("failed" in row for row in rows))


if __name__ == "__main__":
    sys.exit(main())
