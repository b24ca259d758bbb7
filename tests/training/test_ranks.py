"""Real processes: two ranks do what one does, and SIGTERM ends a run so that it can go on."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from nanosnake.evaluation import answers
from nanosnake.evaluation.evidence import Evidence, problems
from nanosnake.files import write_json
from nanosnake.training import checkpoint
from nanosnake.training.config import EXIT_STOPPED
from nanosnake.training.metrics import read_rows

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "train_model.py"
LAUNCH = SCRIPT.with_name("launch.py")


def arguments(tokens: Path, tokenizer: Path, folder: Path, *more: str) -> list[str]:
    return [
        *(sys.executable, str(SCRIPT), "--device", "cpu", "--depth", "2", "--sequence-length", "64"),
        *("--train", str(tokens / "train"), "--validation", str(tokens / "validation")),
        *("--tokenizer", str(tokenizer), "--checkpoints", str(folder / "checkpoints")),
        *("--out", str(folder / "model"), "--aspect-ratio", "32", "--head-dim", "32"),
        *("--global-batch", "512", "--micro-batch", "2", "--eval-tokens", "512", "--eval-every", "0"),
        *("--log-every", "1", "--checkpoint-every", "1000", *more),
    ]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", **more}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def run_ranks(world: int, command: list[str]) -> None:
    """Start the ranks as torchrun would, and wait for all."""
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(world)}
    ranks = [
        subprocess.Popen(
            command,
            env=environment(**shared, RANK=str(rank), LOCAL_RANK=str(rank)),
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(world)
    ]
    for rank in ranks:
        error = rank.communicate(timeout=200)[1]
        assert rank.returncode == 0, error[-3000:]


def test_two_ranks_do_what_one_does(tokens: Path, tokenizer: Path, tmp_path: Path) -> None:
    for world in (1, 2):
        run_ranks(world, arguments(tokens, tokenizer, tmp_path / str(world), "--steps", "5"))
    one, two = (read_rows(tmp_path / str(world) / "model" / "metrics.jsonl") for world in (1, 2))
    assert [r["step"] for r in one] == [r["step"] for r in two] == [1, 2, 3, 4, 5]
    for first, second in zip(one, two, strict=True):
        assert second["loss"] == pytest.approx(first["loss"], rel=1e-5)
        assert second["gradient_norm"] == pytest.approx(first["gradient_norm"], rel=1e-4)
    assert two[-1]["bits_per_byte"] == pytest.approx(one[-1]["bits_per_byte"], rel=1e-4)
    states = [
        checkpoint.load_newest(own_folder(tmp_path / str(world) / "checkpoints"))[0] for world in (1, 2)
    ]
    assert states[0] is not None
    assert states[1] is not None
    for name, value in states[0].optimizer.items():
        assert states[1].optimizer[name].shape == value.shape
        torch.testing.assert_close(states[1].optimizer[name], value, rtol=2e-2, atol=1e-4, msg=name)
    # a run goes on with another number of ranks
    command = arguments(tokens, tokenizer, tmp_path / "2", "--steps", "5")
    for path in (tmp_path / "2" / "model").iterdir():
        path.unlink()
    run_ranks(1, command)
    summary = json.loads((tmp_path / "2" / "model" / "training.json").read_text())
    assert summary["figures"]["steps"] == 5


def test_two_ranks_leave_the_evidence_of_one(tokens: Path, tokenizer: Path, tmp_path: Path) -> None:
    run_ranks(1, arguments(tokens, tokenizer, tmp_path, "--steps", "1"))
    command = [
        *(sys.executable, str(SCRIPT.with_name("evaluate_model.py")), "--device", "cpu"),
        *("--model", str(tmp_path / "model"), "--validation", str(tokens / "validation")),
        *("--tokenizer", str(tokenizer)),
    ]
    items = [
        {"query": f"the cat {'sat ' * number}", "answer": "on", "choices": ["on", "a"], "gold": 0}
        for number in range(5)
    ]
    for kind in ("generation", "multiple_choice"):
        write_json(tmp_path / f"tasks/{kind}.json", {"kind": kind, "max_tokens": 3, "items": items})
    command += ["--tasks", str(tmp_path / "tasks")]
    folders = [tmp_path / "one", tmp_path / "two"]
    for world, folder in enumerate(folders, start=1):
        run_ranks(world, [*command, "--out", str(folder / "evaluation.json")])
        assert list(problems(folder)) == []
        assert list(answers.problems(folder)) == []
    given = [answers.read(folder / "answers.parquet") for folder in folders]
    for task in ("generation", "multiple_choice"):
        assert [row["given"] for row in given[0][task]] == [row["given"] for row in given[1][task]]
        assert len(given[0][task]) == 5
    one, two = (Evidence.read(folder / "nats.parquet") for folder in folders)
    assert one.document == two.document
    assert one.bytes.tolist() == two.bytes.tolist()
    assert two.nats == pytest.approx(one.nats, rel=1e-12)


def own_folder(checkpoints: Path) -> Path:
    """Return the folder of the one run that has checkpoints."""
    (found,) = {path.parent for path in checkpoints.rglob("step_*")}
    return found


def interrupt(command: list[str], checkpoints: Path, step: int) -> str:
    """Start a run, tell it to stop once it has done more than `step` steps, and return what it printed."""
    run = subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True)
    limit = time.monotonic() + 120
    while not any(
        row["step"] > step for table in checkpoints.rglob("metrics.jsonl") for row in read_rows(table)
    ):
        assert run.poll() is None, run.communicate()[1][-6000:]
        assert time.monotonic() < limit, "no step in two minutes"
        time.sleep(0.05)
    run.send_signal(signal.SIGTERM)
    error = run.communicate(timeout=60)[1]
    assert run.returncode == EXIT_STOPPED, error[-9000:]
    return error


@pytest.mark.parametrize("processes", [1, 2])
def test_sigterm_saves_and_the_next_start_goes_on(
    tokens: Path, tokenizer: Path, tmp_path: Path, processes: int
) -> None:
    python, *script = arguments(tokens, tokenizer, tmp_path, "--steps", "400")
    command = [python, str(LAUNCH), "--processes", str(processes), *script]
    assert "told to stop" in interrupt(command, tmp_path / "checkpoints", 0)
    found, _ = checkpoint.load_newest(own_folder(tmp_path / "checkpoints"))
    assert found is not None
    assert 1 <= found.step < 400
    assert not (tmp_path / "model").exists()
    assert f"resumes from step {found.step}" in interrupt(command, tmp_path / "checkpoints", found.step)


def test_a_run_with_other_options_begins_anew(tokens: Path, tokenizer: Path, tmp_path: Path) -> None:
    run_ranks(1, arguments(tokens, tokenizer, tmp_path, "--steps", "3"))
    before = own_folder(tmp_path / "checkpoints")
    run_ranks(1, arguments(tokens, tokenizer, tmp_path, "--steps", "3", "--matrix-lr", "0.01"))
    after = {path.parent for path in (tmp_path / "checkpoints").rglob("step_*")} - {before}
    assert len(after) == 1
