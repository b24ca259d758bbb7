"""Snakemake's own options do with this workflow what they do with any; a configuration is read as it was written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from nanosnake.console.handler import NOTHING_LEFT
from workflow.project import REPOSITORY, Project, write_shard


def refusal(project: Project, *arguments: str) -> str:
    ended = project.snakemake("--dry-run", *arguments)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    return ended.stdout + ended.stderr


def test_until_and_omit_from_leave_out_what_comes_after(project: Project) -> None:
    counted = {"link_shard": 2, "count_pretokens": 2}
    assert project.plan("--until", "count_pretokens") == counted
    left = project.plan("--omit-from", "train_tokenizer")
    assert left.keys() == {"link_shard", "list_shards", "count_pretokens", "merge_counts", "sample_documents"}


@pytest.mark.parametrize("arguments", [(), ("--dry-run",)])
def test_options_that_leave_no_job_are_said(project: Project, arguments: tuple[str, ...]) -> None:
    assert NOTHING_LEFT in project.make("--until", "tokenize_shard", *arguments)


def test_a_batch_is_a_part_of_a_rules_inputs(project: Project) -> None:
    project.make("--batch", "list_shards=1/2", "--", "shards")
    assert len(list(project.folder.glob("results/tiny/shards/*.parquet"))) == 1
    rest = project.plan("--batch", "list_shards=2/2", "--", "shards")
    assert (rest["link_shard"], rest["list_shards"]) == (2, 1)


def test_touch_makes_old_results_new_and_runs_nothing(made: Project) -> None:
    merges = made.path("merges.arrow").read_bytes()
    (made.folder / "scripts/train_tokenizer.py").touch()
    made.make("--touch")
    assert made.plan() == {}
    assert made.path("merges.arrow").read_bytes() == merges


def test_a_summary_names_each_file_with_its_state(made: Project) -> None:
    rows = [line.split("\t") for line in made.make("--summary").splitlines() if line.startswith("results/")]
    assert {"results/tiny/shards/a.parquet", "results/tiny/bpe/merges.arrow"} <= {row[0] for row in rows}
    assert {row[-1] for row in rows} == {"no update"}


def test_of_two_files_the_second_wins_key_by_key(project: Project) -> None:
    (project.folder / "second.yaml").write_text("tokenizers: {bpe: {vocab_size: 10}}\n")
    (project.folder / "third.yaml").write_text("tokenizers: {bpe: {vocab_size: 330, min_count: 2}}\n")
    message = refusal(project, "--configfile", "test.yaml", "second.yaml")
    assert "second.yaml: a mistake; nothing was run" in message
    assert "tokenizers.bpe.vocab_size: 256 bytes and 9 special tokens need at least 265; got 10" in message
    printed = project.make("--dry-run", "--printshellcmds", "--configfile", "test.yaml", "third.yaml")
    assert "--vocab-size 330" in printed
    assert "--min-count 2" in printed


def test_the_command_line_wins_over_the_file_by_type(project: Project) -> None:
    word = 'tokenizers={"bpe": {"vocab_size": 333}}'
    assert "--vocab-size 333" in project.make("--dry-run", "--printshellcmds", "--config", word)
    assert "--config, line 1: tokenizers.bpe.vocab_size: YAML reads 0333 as 219" in refusal(
        project, "--config", "tokenizers={bpe: {vocab_size: 0333}}"
    )


def test_what_yaml_misreads_is_refused_with_file_and_line(project: Project) -> None:
    text = yaml.safe_dump(project.config).replace("vocab_size: 320", "vocab_size: 0320")
    (project.folder / "odd.yaml").write_text(text + "tokenizers: {}\n")
    message = refusal(project, "--configfile", "odd.yaml")
    assert (
        "tokenizers.bpe.vocab_size: YAML reads 0320 as 208; write '0320' in quotes, or 208 for that"
        in message
    )
    assert "tokenizers: this key is in line" in message


def test_a_byte_order_mark_and_windows_line_ends_change_no_plan(project: Project) -> None:
    plan = project.plan()
    text = yaml.safe_dump(project.config).replace("\n", "\r\n")
    (project.folder / "windows.yaml").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert project.plan("--configfile", "windows.yaml") == plan


def test_a_numbered_file_that_is_missing_is_named(project: Project) -> None:
    project.config["datasets"]["tiny"] = {
        "source": {"kind": "local", "path": "data/part-{shard:03d}.parquet"},
        "train": "0-1",
        "validation": 2,
    }
    (project.folder / "data/a.parquet").rename(project.folder / "data/part-000.parquet")
    (project.folder / "data/b.parquet").rename(project.folder / "data/part-002.parquet")
    message = refusal(project)
    assert "Missing input files" in message
    assert "data/part-001.parquet" in message


def test_from_outside_the_clone_the_shipped_texts_are_found(tmp_path: Path) -> None:
    config = tmp_path / "mine.yaml"
    config.write_text(
        "datasets: {demo: {source: {kind: embedded}, train: 0-3, validation: 4}}\n"
        "tokenizers: {bpe: {dataset: demo, vocab_size: 300}}\n"
    )
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile")]
    command += ["--configfile", str(config), "--cores", "1", "--dry-run", "--printshellcmds"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stderr
    texts = os.path.relpath(REPOSITORY / "resources/texts", tmp_path)
    assert f"--texts {texts}" in ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("pattern", "words"),
    [(r"\w+\K|\W", r"\K is read differently"), ("a*", "let each alternative take a character")],
)
def test_a_pattern_that_an_engine_cannot_do_is_refused_before_any_job(
    project: Project, pattern: str, words: str
) -> None:
    project.config["tokenizers"]["bpe"]["pattern"] = pattern
    message = refusal(project)
    assert "tokenizers.bpe.pattern: tiktoken panics on" in message
    assert words in message
    assert not (project.folder / "results").exists()


def test_a_name_with_twenty_equal_characters_is_planned(tmp_path: Path) -> None:
    """Snakemake takes such a name for a rule that feeds itself without end."""
    for number in range(2):
        write_shard(tmp_path / f"part-{number:020d}.parquet", seed=number)
    (tmp_path / "mine.yaml").write_text(
        "datasets: {mine: {source: {kind: local, path: 'part-{shard:020d}.parquet'}, train: 0, validation: 1}}\n"
        "tokenizers: {bpe: {dataset: mine, vocab_size: 300}}\n"
    )
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile"), "--dry-run"]
    command += ["--configfile", "mine.yaml", "--directory", str(tmp_path)]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert re.search(r"^link_shard +2 ", ended.stdout + ended.stderr, re.MULTILINE)


def test_limits_of_tasks_reach_the_models_that_have_tasks(project: Project) -> None:
    (project.folder / "tasks").mkdir()
    (project.folder / "tasks/cloze.json").write_text("{}")
    project.config["models"] = {
        "asked": {"tokenizer": "bpe", "depth": 1, "tasks": "tasks"},
        "not_asked": {"tokenizer": "bpe", "depth": 1},
    }
    project.config["evaluation"] = {"max_items": 5, "task_context": 64}
    printed = project.make("--dry-run", "--printshellcmds")
    words = {
        re.search(r"--out results/tiny/bpe/(\w+)/evaluation", line)[1]: line  # type: ignore[index]
        for line in printed.splitlines()
        if "scripts/evaluate_model.py" in line
    }
    assert "--max-items 5 --task-context 64" in words["asked"]
    assert "--max-items" not in words["not_asked"]
