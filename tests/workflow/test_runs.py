"""Runs of the whole workflow on three tiny shards, as a user would start them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tiktoken
import yaml
from tokenizers import Tokenizer

from nanosnake.files import sha256_file
from nanosnake.tokenizer.folder import load_tiktoken
from workflow.project import REPOSITORY, Project

ARTIFACTS = ("tokenizer.json", "tokenizer.tiktoken", "meta.json")


def test_a_run_leaves_a_tokenizer_verdicts_a_gate_and_a_report(finished: Project) -> None:
    encoding = load_tiktoken(finished.path("tokenizer"))
    assert isinstance(encoding, tiktoken.Encoding)
    assert encoding.n_vocab == 320
    hugging_face = Tokenizer.from_file(str(finished.path("tokenizer/tokenizer.json")))
    text = "Nanosnake token shard 12 é."
    assert hugging_face.encode(text, add_special_tokens=False).ids == encoding.encode(text)
    assert json.loads(finished.path("gate.json").read_text())["open"] is True
    assert (
        len(list(finished.path("checks").glob("*.json"))) == 13
    )  # all but stability, which is off by default
    assert "<html" in finished.path("report/index.html").read_text()
    table = pd.read_csv(finished.folder / "results/tiny/shards.csv")
    assert table["shard"].tolist() == ["a", "b", "held_out"]
    assert table["split"].tolist() == ["train", "train", "validation"]


def test_no_partial_file_is_left(finished: Project) -> None:
    left = [path for path in (finished.folder / "results").rglob(".*") if path.name != ".snakemake_timestamp"]
    assert left == []


def test_each_output_has_its_log_and_its_benchmark(finished: Project) -> None:
    for name in ("shards/a", "counts/nanochat/a", "bpe/merges", "bpe/checks/round_trip"):
        assert (finished.folder / f"logs/tiny/{name}.log").stat().st_size > 0
        benchmark = pd.read_csv(finished.folder / f"logs/tiny/{name}.tsv", sep="\t")
        assert benchmark["s"][0] >= 0


def test_the_history_has_one_record_per_state(made: Project) -> None:
    history = made.folder / "history/tiny/bpe.jsonl"
    assert len(history.read_text().splitlines()) == 1
    made.make("--forcerun", "record_figures")
    assert len(history.read_text().splitlines()) == 1
    made.config["tokenizers"]["bpe"]["vocab_size"] = 300
    made.make()
    records = [json.loads(line) for line in history.read_text().splitlines()]
    assert [record["vocab_size"] for record in records] == [320, 300]


def test_the_plan_is_shown_before_anything_was_made(project: Project) -> None:
    plan = project.plan()
    assert plan["link_shard"] == 3
    assert plan["count_pretokens"] == 2
    graph = project.make("--rulegraph", "mermaid-js")
    assert "count_pretokens" in graph
    assert not (project.folder / "results").exists()


def test_equal_inputs_give_equal_artifacts_on_any_number_of_threads(
    project: Project, finished: Project
) -> None:
    project.make(
        "--cores", "1", "--", *[str(Path("results/tiny/bpe/tokenizer") / name) for name in ARTIFACTS]
    )
    for name in ("merges.arrow", *(f"tokenizer/{name}" for name in ARTIFACTS)):
        assert sha256_file(project.path(name)) == sha256_file(finished.path(name)), name


def test_a_limit_of_characters_counts_one_shard_in_part(made: Project) -> None:
    whole = json.loads(made.path("tokenizer/meta.json").read_text())["counting"]["characters"]
    first = json.loads((made.folder / "results/tiny/shards/a.json").read_text())["characters"]
    made.config["tokenizers"]["bpe"]["max_chars"] = first + 1000
    made.make()
    limited = json.loads(made.path("tokenizer/meta.json").read_text())["counting"]["characters"]
    assert first + 1000 < limited < whole


def test_a_closed_gate_stops_nothing_but_what_is_expensive_and_says_why(made: Project) -> None:
    made.config["checks"] = {"compression": {"mode": "block", "min_bytes_per_token": 50.0}}
    ended = made.snakemake()
    printed = ended.stdout + ended.stderr
    assert ended.returncode != 0
    assert "the gate stays closed: compression failed" in printed
    assert "50" in printed
    assert "gate CLOSED by compression" in printed
    assert "the gate stays closed: compression failed" in ended.stderr.partition("\nFAILED: decide_gate")[2]
    assert not made.path("gate.json").exists()
    report = made.path("report/index.html").read_text()
    assert (
        made.path("report/index.html").stat().st_mtime >= made.path("checks/compression.json").stat().st_mtime
    )
    assert "closed" in report


def test_a_warning_stands_on_the_last_line_of_the_run(made: Project) -> None:
    made.config["checks"] = {"compression": {"mode": "warn", "min_bytes_per_token": 50.0}}
    ended = made.snakemake()
    assert ended.returncode == 0, ended.stderr
    *_, verdict, index = ended.stderr.splitlines()
    assert re.fullmatch(
        r"bpe: 320 tokens, [\d.]+ bytes per token.*, gate open; warnings: compression; see results/tiny/bpe/report/index.html",
        verdict,
    )
    assert index == "all results: results/index.html"
    assert made.path("gate.json").exists()


def test_a_wrong_configuration_stops_before_any_job(project: Project) -> None:
    project.config["tokenizers"]["bpe"]["vocab_size"] = 100
    ended = project.snakemake()
    printed = ended.stdout + ended.stderr
    assert ended.returncode != 0
    assert "test.yaml: a mistake; nothing was run" in printed
    assert "tokenizers.bpe.vocab_size: 256 bytes and 9 special tokens need at least 265; got 100" in printed
    assert "Traceback" not in printed
    assert not (project.folder / "results").exists()


def test_a_path_that_cannot_be_looked_at_is_named_without_a_traceback(project: Project) -> None:
    project.config["datasets"]["tiny"]["source"]["path"] = f"data/{'a' * 300}"
    printed = project.snakemake().stderr
    assert f"{'a' * 300}: File name too long" in printed
    assert ", line " not in printed


def test_a_bad_shard_leaves_nothing_and_the_others_are_made(project: Project) -> None:
    pq.write_table(pa.table({"body": ["no text column"]}), project.folder / "data/b.parquet")
    ended = project.snakemake()
    assert ended.returncode != 0
    assert "body" in ended.stderr.partition("\nFAILED: link_shard tiny b")[2], "the cause is the last thing"
    assert "report/index.html" not in ended.stderr, "there is none"
    assert not (project.folder / "results/tiny/shards/b.parquet").is_symlink()
    assert (project.folder / "results/tiny/counts/nanochat/a.arrow").exists()
    assert not project.path("merges.arrow").exists()


def test_a_killed_run_goes_on_with_the_ordinary_command(project: Project, finished: Project) -> None:
    (project.folder / "test.yaml").write_text(yaml.safe_dump(project.config))
    command = [sys.executable, "-m", "snakemake", "--configfile", "test.yaml", "--cores", "2"]
    running = subprocess.Popen(
        command,
        cwd=project.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    counts = project.folder / "results/tiny/counts/nanochat"
    end = time.monotonic() + 120
    while not list(counts.glob("*.arrow")) and time.monotonic() < end:
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    project.make()
    for name in ARTIFACTS:
        assert sha256_file(project.path(f"tokenizer/{name}")) == sha256_file(
            finished.path(f"tokenizer/{name}")
        )


@pytest.mark.parametrize("name", ["config", "fineweb-edu", "climbmix"])
def test_every_shipped_configuration_has_a_plan(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "rules", "--snakefile"]
    command += [str(REPOSITORY / "Snakefile"), "--configfile", str(REPOSITORY / f"config/{name}.yaml")]
    command += ["--directory", str(tmp_path)]
    (tmp_path / "resources").symlink_to(REPOSITORY / "resources")
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "count_pretokens" in ended.stdout + ended.stderr


def test_a_model_is_trained_behind_the_gate_and_evaluated(made: Project, finished_model: Project) -> None:
    made.config["models"] = finished_model.config["models"]
    assert made.plan() == {
        "hash_tokenizer": 1,
        "tokenize_shard": 3,
        "train_model": 1,
        "evaluate_model": 1,
        "make_model_report": 1,
        "make_manifest": 1,
    }
    evaluation = json.loads(finished_model.path("d1/evaluation.json").read_text())
    assert 0 < evaluation["bits_per_byte"] < 10


def test_a_closed_gate_keeps_shards_from_being_encoded(made: Project) -> None:
    made.config["checks"] = {"compression": {"mode": "block", "min_bytes_per_token": 50.0}}
    ended = made.snakemake("tokens")
    assert ended.returncode != 0
    assert "the gate stays closed" in ended.stdout + ended.stderr
    assert not list((made.folder / "results/tiny/bpe").glob("tokens/*/*.ds"))
