"""Measure training on GPUs: tokens/s, MFU, memory, data wait, time to the first step, bits per byte.

Each case is one run of scripts/train_model.py, or of nanochat on the same GPU (benchmarks/nanochat_speed.py; those
cases need --nanochat, a checkout of it). Cases run one after another, or in lanes, one GPU each. The
table is written after every case. When the time is up, the running case is stopped, and its row says what its metrics
table held; cases that had not begun are listed as such.

    python benchmarks/training.py --train tokens/train --validation tokens/val --tokenizer tokenizer \\
        --out benchmark --cases d12 d12-varlen d20 nanochat-d12-flash --nanochat nanochat
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nanosnake.training.shards import find_shards

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "train_model.py"
GLOBAL_BATCH = 524_288
PEER = Path(__file__).with_name("nanochat_speed.py")
LIMIT_SECONDS = 450.0
"""Seconds that a call may take: with its start and end it stays under eight minutes."""
RATIOS = {
    "over nanochat with a flash kernel, depth 12": ("d12", "nanochat-d12-flash"),
    "over nanochat with a flash kernel, depth 20": ("d20", "nanochat-d20-flash"),
    "over nanochat without it, depth 12": ("d12", "nanochat-d12"),
    "without our group `gpu` over nanochat with a flash kernel, depth 12": (
        "d12-varlen",
        "nanochat-d12-flash",
    ),
    "shared key/value heads over their own, depth 12": ("d12", "d12-own"),
    "two GPUs over one, depth 12": ("d12-x2", "d12"),
}
"""Quotients of tokens/s that the table ends with, where both cases ran."""


@dataclass(frozen=True)
class Case:
    """One run."""

    depth: int
    steps: int
    arguments: tuple[str, ...] = ()
    gpus: int = 1
    peer: bool = False
    """Whether it is nanochat that runs."""


WHOLE = ("--kv-share", "1", "--window-pattern", "L")
"""Attention as nanochat has it under SDPA: each query head its own keys and values, whole windows."""
CASES = {
    "d12": Case(12, 100),
    "d12-own": Case(12, 93, ("--kv-share", "1")),  # in the time of d12
    "d12-whole": Case(12, 20, WHOLE),
    "d12-varlen": Case(12, 20, ("--attention", "varlen")),
    "d12-x2": Case(12, 20, gpus=2),
    # how far apart seeds end, on text of which nothing is read twice: `corpus.py --megabytes 350 --kinds manuals`
    **{f"d12-seed{seed}": Case(12, 150, ("--seed", str(seed))) for seed in range(1, 6)},
    "d20": Case(20, 8, ("--micro-batch", "64")),
    "d20-whole": Case(20, 8, (*WHOLE, "--micro-batch", "64")),
    "nanochat-d12": Case(12, 9, peer=True),
    "nanochat-d12-flash": Case(12, 9, ("--flash",), peer=True),
    "nanochat-d20": Case(20, 6, peer=True),
    "nanochat-d20-flash": Case(20, 6, ("--flash",), peer=True),
}
FEW_TOKENS = ("--eval-tokens", "131072")
"""Validation tokens of the cases that are too short to say how well a model learns."""
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
    folder = options.out / name
    if case.peer:
        shard = find_shards(options.train)[0]
        return [
            *(sys.executable, str(PEER), "--nanochat", str(options.nanochat), "--shard", str(shard)),
            *("--out", str(folder / "training.json"), "--depth", str(case.depth), "--steps", str(case.steps)),
            *case.arguments,
        ]
    start = [sys.executable, str(SCRIPT)]
    if case.gpus > 1:
        start = [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *(f"--nproc-per-node={case.gpus}", str(SCRIPT)),
        ]
    return [
        *start,
        *("--train", *options.train, "--validation", *options.validation),
        *("--tokenizer", str(options.tokenizer), "--out", str(folder)),
        *("--checkpoints", str(folder / "checkpoints")),
        *("--depth", str(case.depth), "--steps", str(case.steps)),
        *("--global-batch", str(GLOBAL_BATCH), "--micro-batch", "128"),
        *("--eval-every", "0", "--checkpoint-every", "0", "--log-every", "4"),
        *(FEW_TOKENS if case.steps <= 20 else ()),
        *case.arguments,
    ]


def run_case(name: str, gpu: int | None, options: argparse.Namespace, deadline: float) -> dict[str, Any]:
    """Run a case on one GPU (None: on all that are visible) until the deadline at most; return its row."""
    case, folder = CASES[name], options.out / name
    if time.perf_counter() >= deadline:
        return {"case": name, "gpus": case.gpus, "failed": "not begun: the time was up"}
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    environment = dict(os.environ)
    if gpu is not None:
        environment["CUDA_VISIBLE_DEVICES"] = str(gpu)
    before = time.perf_counter()
    status = None
    with (folder / "log.txt").open("w") as log:
        run = subprocess.Popen(
            command(name, case, options),
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        try:
            status = run.wait(timeout=max(0.0, deadline - before))
        except subprocess.TimeoutExpired:
            # with SIGTERM it would write a checkpoint, of gigabytes, first
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()
    row: dict[str, Any] = {"case": name, "gpus": case.gpus, "seconds": time.perf_counter() - before}
    if status is None:
        return {**row, **last_metrics(folder), "failed": "ended when the time was up"}
    if status:
        tail = (folder / "log.txt").read_text(errors="replace").splitlines()[-3:]
        return {**row, "failed": f"status {status}: {' / '.join(tail)}"}
    summary = json.loads((folder / "training.json").read_text())
    if case.peer:
        return {**row, **summary}
    shutil.rmtree(folder / "checkpoints")
    (folder / "model.safetensors").unlink()
    return {**row, **summary["figures"], "device": summary["device"], "versions": summary["versions"]}


def last_metrics(folder: Path) -> dict[str, Any]:
    """Return what the newest row of a run's metrics table says; nothing if there is none."""
    rows = [
        line for path in folder.glob("checkpoints/**/metrics.jsonl") for line in path.read_text().splitlines()
    ]
    if not rows:
        return {}
    row = json.loads(rows[-1])
    return {**{column: row.get(column) for column in COLUMNS if column in row}, "steps": row["step"]}


def ratios(rows: list[dict[str, Any]]) -> list[str]:
    """Return a line for each quotient of tokens/s whose two cases ran."""
    rates = {row["case"]: row.get("tokens_per_second") for row in rows}
    return [
        f"{what}: {rates[one] / rates[other]:.3f}"
        for what, (one, other) in RATIOS.items()
        if rates.get(one) and rates.get(other)
    ]


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as a Markdown table, and the quotients below it."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + " --- |" * len(COLUMNS)]
    for row in rows:
        cells = [row.get(column) for column in COLUMNS]
        shown = [
            f"{c:,.4g}" if isinstance(c, float) and c < 1000 else f"{c:,.0f}" if isinstance(c, float) else c
            for c in cells
        ]
        lines.append("| " + " | ".join("" if c is None else str(c) for c in shown) + " |")
        if "failed" in row:
            lines.append(f"| {row['case']}: {row['failed']} |")
    return "\n".join([*lines, "", *ratios(rows)]).rstrip() + "\n"


def main(argv: list[str] | None = None) -> int:
    """Run the cases; write rows.jsonl and table.md after each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--train", nargs="+", required=True)
    parser.add_argument("--validation", nargs="+", required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cases", nargs="+", choices=sorted(CASES), default=["d12", "d12-varlen", "d20"])
    parser.add_argument("--nanochat", type=Path, help="a checkout of nanochat, for the cases that run it")
    parser.add_argument(
        "--lanes", type=int, default=1, help="GPUs that run cases of one GPU at the same time"
    )
    parser.add_argument("--limit", type=float, default=LIMIT_SECONDS, help="seconds that the call may take")
    options = parser.parse_args(argv)
    if options.nanochat is None and any(CASES[name].peer for name in options.cases):
        parser.error("cases of nanochat need --nanochat, a checkout of its repository")
    deadline = time.perf_counter() + options.limit
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
            note(run_case(name, gpu, options, deadline))

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
            note(run_case(name, None, options, deadline))
    return int(any("failed" in row for row in rows))


if __name__ == "__main__":
    sys.exit(main())
