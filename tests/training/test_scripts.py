"""The command lines: train, evaluate with tasks and prompts, export, load; and what they refuse."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))

import evaluate_model  # noqa: E402
import train_model  # noqa: E402
from nanosnake.evaluation import answers  # noqa: E402
from nanosnake.files import NanosnakeError, sha256_file  # noqa: E402
from nanosnake.stages import call  # noqa: E402
from nanosnake.training.schedule import lr_factor, make_plan, momentum  # noqa: E402
from nanosnake.training.tensors import read_tensors  # noqa: E402

from nanosnake.training.config import ModelConfig, TrainOptions  # noqa: E402  isort: skip

BOS = 256
WORDS = ["the ", "cat ", "sat ", "on ", "a ", "mat ", "and ", "dog ", "ran ", "far. "]
TASKS = {
    "choice": {
        "kind": "multiple_choice",
        "few_shot": 1,
        "chance": 0.5,
        "items": [{"query": "the cat sat on", "choices": ["a mat", "zqzq"], "gold": 0}] * 3,
    },
    "schema": {
        "kind": "schema",
        "chance": 0.5,
        "items": [{"context_options": ["zqx", "the cat"], "continuation": "sat on", "gold": 1}] * 3,
    },
    "cloze": {"kind": "language_modeling", "data": "cloze.jsonl"},
    "written": {
        "kind": "generation",
        "few_shot": 1,
        "extract": "first_line",
        "stop": ["."],
        "max_tokens": 9,
        "items": [{"query": "the cat sat on", "answer": "a mat"}, {"query": "a dog", "answer": "zqzq"}],
    },
}


@pytest.fixture(scope="module")
def trained(tokens: Path, tokenizer: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    status = call(
        train_model.TrainModel,
        [
            *("--train", str(tokens / "train"), "--validation", str(tokens / "validation" / "v.ds")),
            *("--tokenizer", str(tokenizer), "--checkpoints", str(folder / "checkpoints")),
            *("--out", str(folder / "model"), "--depth", "2", "--sequence-length", "64", "--device", "cpu"),
            *("--aspect-ratio", "32", "--head-dim", "32", "--global-batch", "512", "--steps", "30"),
            *("--matrix-lr", "0.5", "--embedding-lr", "9", "--head-lr", "0.25", "--eval-every", "0"),
        ],
    )
    assert status == 0
    return folder


def test_evaluation(trained: Path, tokens: Path, tokenizer: Path, tmp_path: Path) -> None:
    for name, task in TASKS.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(task))
    (tmp_path / "cloze.jsonl").write_text('{"context": "the cat sat o", "continuation": "n "}\n')
    (tmp_path / "prompts.txt").write_text("the cat\n")
    status = call(
        evaluate_model.EvaluateModel,
        [
            *("--model", str(trained / "model"), "--validation", str(tokens / "validation")),
            *("--tokenizer", str(tokenizer), "--tasks", str(tmp_path), "--device", "cpu"),
            *("--train", str(tokens / "train" / "a.ds"), str(tokens / "train" / "b.ds")),
            *("--prompts", str(tmp_path / "prompts.txt"), "--out", str(tmp_path / "out" / "evaluation.json")),
        ],
    )
    assert status == 0
    found = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    training = json.loads((trained / "model" / "training.json").read_text())
    assert found["bits_per_byte"] == pytest.approx(training["figures"]["bits_per_byte"], rel=1e-5)
    assert found["bits_per_byte"] < min(found["baselines"].values())
    assert found["baselines"]["order_0"] > found["baselines"]["zlib"]
    accuracy = {row["task"]: row["accuracy"] for row in found["tasks"]}
    assert accuracy["choice"] == accuracy["schema"] == 1.0
    assert accuracy.keys() == TASKS.keys()
    rows = answers.read(tmp_path / "out" / "answers.parquet")
    assert {name: len(given) for name, given in rows.items()} == {
        "choice": 3,
        "cloze": 1,
        "schema": 3,
        "written": 2,
    }
    assert [(row["given"], len(row["nats"])) for row in rows["choice"]] == [("a mat", 2)] * 3
    assert all(len(row["given"]) <= 9 and row["given"] for row in rows["written"])
    assert not rows["written"][1]["right"]
    assert list(answers.problems(tmp_path / "out")) == []
    assert found["certificate"]["answers"]["items"] == 9
    assert found["samples"][0]["prompt"] == "the cat"
    assert len(found["samples"][0]["text"]) > 10
    certificate = found["certificate"]
    assert certificate["model"]["model.safetensors"] == sha256_file(trained / "model" / "model.safetensors")
    assert certificate["tokenizer"].keys() == {"tokenizer.tiktoken", "meta.json"}
    assert [name for name, _ in certificate["text"]] == ["v"]
    assert certificate["evidence"]["sha256"] == sha256_file(tmp_path / "out" / "nats.parquet")
    assert certificate["evidence"]["bytes"] == found["bytes"]
    letters = {ord(letter) for letter in "".join(WORDS)}
    assert found["under_trained"]["unseen"] == 258 - len(letters) - 1
    assert {row["id"] for row in found["under_trained"]["worst"]} == {*letters, BOS}


def test_rows_of_unseen_tokens_move_and_the_padding_stays_as_drawn(trained: Path) -> None:
    """Why the unseen tokens are what the others are compared with, and not the padding."""
    head = read_tensors(trained / "model" / "model.safetensors")["head"].float()
    unseen, padding = head[128:BOS], head[258:]
    assert padding.abs().max() < 0.01  # drawn with a standard deviation of 0.001
    assert unseen.abs().mean() > 10 * padding.abs().mean()
    assert torch.cosine_similarity(unseen[0], unseen[1], dim=0) > 0.9


def test_mistakes_are_told_on_one_line(tmp_path: Path, tokenizer: Path) -> None:
    arguments = [
        *("--train", str(tmp_path), "--validation", str(tmp_path), "--tokenizer", str(tokenizer)),
        *("--checkpoints", str(tmp_path), "--out", str(tmp_path / "out"), "--depth", "2"),
    ]
    command = [sys.executable, str(SCRIPTS / "train_model.py"), *arguments]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr.startswith("train_model.py: error: ")
    assert "no .ds file in this folder" in run.stderr
    assert run.stderr.count("\n") == 1
    with pytest.raises(NanosnakeError, match="log_every is 0; use 1 or more"):
        call(train_model.TrainModel, [*arguments, "--log-every", "0"])


@pytest.mark.parametrize(
    ("option", "value", "wanted"),
    [
        ("sequence_length", "0", "16 or more"),  # each of these was a traceback
        ("aspect_ratio", "0", "1 or more"),
        ("head_dim", "3", "a multiple of 2"),
        ("depth", "1000000", "512 or less"),
        ("seed", "-5", "0 or more"),
        ("epochs", "inf", "a finite number"),
        ("tokens_per_parameter", "nan", "a finite number"),
        ("matrix_lr", "-0.5", "0 or more"),  # and each of these a model that was trained the wrong way
        ("warmdown", "2", "1 or less"),
        ("eval_tokens", "-1", "0 or more"),
    ],
)
def test_a_value_that_cannot_be_is_refused_before_anything_is_read(
    option: str, value: str, wanted: str
) -> None:
    places = [
        word
        for name in ("train", "validation", "tokenizer", "checkpoints", "out")
        for word in (f"--{name}", "none")
    ]
    given = [] if option == "depth" else ["--depth", "2"]
    with pytest.raises(NanosnakeError, match=f"{option} is .*; use {wanted}$"):
        call(train_model.TrainModel, [*places, *given, f"--{option.replace('_', '-')}={value}"])


def test_the_plan_follows_from_the_depth() -> None:
    options = TrainOptions()
    small, large = (ModelConfig.from_depth(depth, 32768, 2048) for depth in (12, 20))
    plan = make_plan(small, options, 1, 140e9)
    assert plan.rows_per_step * 2048 == 524_288
    assert plan.lr_scale == 1.0
    assert plan.weight_decay == pytest.approx(0.28)
    deep = make_plan(large, options, 8, 140e9)
    assert deep.steps > plan.steps
    assert deep.weight_decay < plan.weight_decay
    assert deep.rows_per_step % (8 * deep.micro_batch) == 0
    factors = [lr_factor(options, step, 1000) for step in range(1000)]
    assert factors[0] == pytest.approx(1 / 40)
    assert max(factors) == 1.0
    assert factors[-1] == pytest.approx(0.05, abs=0.01)
    assert momentum(options, 0, 1000) == 0.85
