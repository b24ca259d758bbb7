"""A change is followed by a correct and minimal recomputation."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from closures.table import edited
from nanosnake.checks import CHECKS
from nanosnake.snakemake_internals import NOTES
from workflow.project import REPOSITORY, Project, write_shard

RUN = [check for check in CHECKS.values() if check.mode != "off" and "parts" not in check.needs]
OF_CORPUS = sum("counts" in check.needs for check in RUN)
ALL_CHECKS = {"check_tokenizer": len(RUN) - OF_CORPUS, "check_corpus": OF_CORPUS}
"""Checks that run where the configuration does not say which."""

AFTER_MERGES = {
    "export_tokenizer": 1,
    **ALL_CHECKS,
    "decide_gate": 1,
    "record_figures": 1,
    "measure_vocabulary_curve": 1,
    "make_report": 1,
    "make_manifest": 1,
}
AFTER_CHECKS = {"decide_gate": 1, "record_figures": 1, "make_report": 1, "make_manifest": 1}


def nothing(project: Project) -> None:
    """Change nothing."""


def vocabulary_size(project: Project) -> None:
    project.config["tokenizers"]["bpe"]["vocab_size"] = 300


def another_tokenizer(project: Project) -> None:
    project.config["tokenizers"]["small"] = {"dataset": "tiny", "vocab_size": 300}


def another_pattern(project: Project) -> None:
    project.config["tokenizers"]["bpe"]["pattern"] = "gpt2"


def new_shard(project: Project) -> None:
    write_shard(project.folder / "data/c.parquet", seed=7)
    project.config["datasets"]["tiny"]["train"] = ["a", "b", "c"]


def unused_file_in_the_folder(project: Project) -> None:
    write_shard(project.folder / "data/aa.parquet", seed=7)


def changed_shard(project: Project) -> None:
    write_shard(project.folder / "data/b.parquet", seed=8)


def shard_of_an_older_file(project: Project) -> None:
    path = project.folder / "data/b.parquet"
    path.unlink()
    write_shard(path, seed=9)
    os.utime(path, (10**9, 10**9))


def character_limit(project: Project) -> None:
    project.config["tokenizers"]["bpe"]["max_chars"] = 20_000


def evaluation_text(project: Project) -> None:
    path = project.folder / "resources/texts/korean.txt"
    path.write_bytes(path.read_bytes() + "끝.\n".encode())


def evaluation_text_of_an_older_file(project: Project) -> None:
    evaluation_text(project)
    os.utime(project.folder / "resources/texts/korean.txt", (10**9, 10**9))


def threshold(project: Project) -> None:
    project.config["checks"] = {"compression": {"min_bytes_per_token": 1.5}}


def touched_text(project: Project) -> None:
    (project.folder / "resources/texts/korean.txt").touch()


def edit(name: str) -> Callable[[Project], None]:
    """Return a change of what one of our files does."""

    def change(project: Project) -> None:
        path = project.folder / name
        path.write_text(edited(name, path.read_text()))

    return change


def code_after_a_clock_was_ahead(project: Project) -> None:
    """Edit code after all was made by a clock that was an hour ahead."""
    ahead = time.time() + 3600
    for path in (path for name in ("results", "logs") for path in (project.folder / name).rglob("*")):
        os.utime(path, (ahead, ahead), follow_symlinks=False)
    edit("scripts/train_tokenizer.py")(project)


def comments_everywhere(project: Project) -> None:
    for path in (project.folder / "scripts").rglob("*.py"):
        path.write_text(path.read_text() + "\n# changed\n")
    for path in (project.folder / "rustbpe").rglob("*.rs"):
        path.write_text(path.read_text() + "\n// changed\n")


def comment_in_a_rule(project: Project) -> None:
    path = project.folder / "rules/counts.smk"
    path.write_text(re.sub(r"^rule ", "# a comment\nrule ", path.read_text(), flags=re.MULTILINE))


def deleted_counts(project: Project) -> None:
    shutil.rmtree(project.folder / "results/tiny/counts")


def deleted_samples(project: Project) -> None:
    shutil.rmtree(project.folder / "results/tiny/samples")


def deleted_token_shards(project: Project) -> None:
    shutil.rmtree(project.path("tokens"))


def deleted_checkpoints(project: Project) -> None:
    shutil.rmtree(project.folder / "checkpoints")


def deleted_artifact(project: Project) -> None:
    project.path("tokenizer/tokenizer.json").unlink()


def more_steps(project: Project) -> None:
    project.config["models"]["d1"]["options"]["steps"] = 4


def more_steps_and_another_threshold(project: Project) -> None:
    more_steps(project)
    threshold(project)


def gate_that_had_closed(project: Project) -> None:
    threshold(project)
    project.path("gate.json").unlink()


def more_steps_and_back(project: Project) -> None:
    more_steps(project)
    assert "train_model" in project.plan()
    project.config["models"]["d1"]["options"]["steps"] = 3


def more_log_lines(project: Project) -> None:
    project.config["models"]["d1"]["options"]["log_every"] = 1


def a_default_spelled_out(project: Project) -> None:
    project.config["models"]["d1"]["options"]["matrix_lr"] = 0.02
    project.config["models"]["d1"]["window_pattern"] = "SSSL"


def another_way_to_run_the_trainer(project: Project) -> None:
    path = project.folder / "rules/model.smk"
    text = (
        path.read_text()
        .replace('"{params.command}"', '"nice {params.command}"')
        .replace("threads: 64", "threads: 1", 1)
    )
    assert text != path.read_text()
    path.write_text(text)
    words = project.folder / "scripts/nanosnake/workflow/models.py"
    words.write_text(words.read_text().replace('f"{launcher} {script', 'f"{launcher}  {script'))


def commands_of_an_earlier_version(project: Project) -> None:
    """Let Snakemake's notes have the words of the commands when a record was a second log."""
    earlier = {"NANOSNAKE_LOG={log:q}": "NANOSNAKE_RECORD={log.record:q}", "&> {log:q}": "&> {log.text:q}"}
    for path in filter(Path.is_file, (project.folder / NOTES).rglob("*")):
        text = path.read_text()
        for now, before in earlier.items():
            assert now in text
            text = text.replace(now, before)
        path.write_text(text)


def followed(change: Callable[[Project], None]) -> Callable[[Project], None]:
    """Return a change of a project that follows the trainer's code from the beginning."""

    def follow(project: Project) -> None:
        project.config["models"]["d1"]["follow_code"] = True
        change(project)

    return follow


Changes = list[tuple[Callable[[Project], None], dict[str, int]]]

CHANGES: Changes = [
    (nothing, {}),
    (touched_text, {}),
    (comment_in_a_rule, {}),
    (comments_everywhere, {}),
    (unused_file_in_the_folder, {}),
    (deleted_counts, {}),
    (deleted_samples, {}),
    (deleted_artifact, AFTER_MERGES),
    (vocabulary_size, {"train_tokenizer": 1, **AFTER_MERGES}),
    (another_tokenizer, {"train_tokenizer": 1, **AFTER_MERGES}),
    (another_pattern, {"count_pretokens": 2, "merge_counts": 1, "train_tokenizer": 1, **AFTER_MERGES}),
    (character_limit, {"merge_counts": 1, "train_tokenizer": 1, **AFTER_MERGES}),
    (
        new_shard,
        {
            "link_shard": 1,
            "list_shards": 1,
            "sample_documents": 1,
            "count_pretokens": 1,
            "merge_counts": 1,
            "train_tokenizer": 1,
            **AFTER_MERGES,
        },
    ),
    (
        changed_shard,
        {
            "link_shard": 1,
            "list_shards": 1,
            "sample_documents": 1,
            "count_pretokens": 1,
            "merge_counts": 1,
            "train_tokenizer": 1,
            **AFTER_MERGES,
        },
    ),
    (
        shard_of_an_older_file,
        {
            "link_shard": 1,
            "list_shards": 1,
            "sample_documents": 1,
            "count_pretokens": 1,
            "merge_counts": 1,
            "train_tokenizer": 1,
            **AFTER_MERGES,
        },
    ),
    (evaluation_text, {**ALL_CHECKS, **AFTER_CHECKS}),
    (evaluation_text_of_an_older_file, {**ALL_CHECKS, **AFTER_CHECKS}),
    (threshold, {"check_tokenizer": 1, **AFTER_CHECKS}),
    (edit("rustbpe/core/src/train/merge.rs"), {"train_tokenizer": 1, **AFTER_MERGES}),
    (
        edit("rustbpe/core/src/feed.rs"),
        {"count_pretokens": 2, "merge_counts": 1, "train_tokenizer": 1, **AFTER_MERGES},
    ),
    (edit("scripts/nanosnake/checks/twins.py"), {"check_corpus": 1, **AFTER_CHECKS}),
    (edit("scripts/nanosnake/checks/material.py"), {**ALL_CHECKS, **AFTER_CHECKS}),
    (edit("scripts/train_tokenizer.py"), {"train_tokenizer": 1, **AFTER_MERGES}),
    (code_after_a_clock_was_ahead, {"train_tokenizer": 1, **AFTER_MERGES}),
    (edit("scripts/nanosnake/sources/download/__init__.py"), {}),
    (edit("scripts/nanosnake/provenance/verify.py"), {}),
    (edit("scripts/nanosnake/provenance/manifest.py"), {"make_manifest": 1}),
    (edit("scripts/nanosnake/config/models.py"), {}),
    (edit("scripts/nanosnake/report/style.css"), {"make_report": 1, "make_manifest": 1}),
]


AFTER_TRAINING = {"evaluate_model": 1, "make_model_report": 1, "make_manifest": 1}

CHANGES_WITH_A_MODEL: Changes = [
    (nothing, {}),
    (evaluation_text, {**ALL_CHECKS, **AFTER_CHECKS, "make_manifest": 2}),  # whose inputs are also the gate's
    (threshold, {"check_tokenizer": 1, **AFTER_CHECKS, "make_manifest": 2}),
    (deleted_counts, {}),
    (gate_that_had_closed, {"check_tokenizer": 1, **AFTER_CHECKS, "make_manifest": 2}),
    (deleted_token_shards, {}),
    (deleted_checkpoints, {}),
    (edit("scripts/nanosnake/training/trainer.py"), {"make_model_report": 1, "make_manifest": 1}),
    (followed(edit("scripts/nanosnake/training/trainer.py")), {"train_model": 1, **AFTER_TRAINING}),
    (more_log_lines, {"make_manifest": 1}),
    (a_default_spelled_out, {"make_manifest": 1}),  # which has all settings
    (another_way_to_run_the_trainer, {}),
    (commands_of_an_earlier_version, {}),
    (more_steps_and_back, {}),
    (edit("scripts/evaluate_model.py"), AFTER_TRAINING),
    (edit("scripts/tokenize_shard.py"), {"tokenize_shard": 3, "train_model": 1, **AFTER_TRAINING}),
    (
        edit("scripts/nanosnake/report/style.css"),
        {"make_report": 1, "make_model_report": 1, "make_manifest": 2},
    ),
    (edit("scripts/nanosnake/provenance/record.py"), {}),
    (more_steps, {"train_model": 1, **AFTER_TRAINING}),
    (
        more_steps_and_another_threshold,
        {"check_tokenizer": 1, **AFTER_CHECKS, "train_model": 1, **AFTER_TRAINING, "make_manifest": 2},
    ),
    (
        vocabulary_size,
        {
            "train_tokenizer": 1,
            **AFTER_MERGES,
            "hash_tokenizer": 1,
            "tokenize_shard": 3,
            "train_model": 1,
            **AFTER_TRAINING,
            "make_manifest": 2,
        },
    ),
]


def ids(changes: Changes) -> list[str]:
    """Return a name for each change."""
    return [f"{getattr(change, '__name__', '?')}-{n}" for n, (change, _) in enumerate(changes)]


@pytest.mark.parametrize(("change", "expected"), CHANGES, ids=ids(CHANGES))
def test_a_change_makes_again_what_depends_on_it_and_nothing_else(
    made: Project, change: Callable[[Project], None], expected: dict[str, int]
) -> None:
    change(made)
    assert made.plan() == expected


@pytest.mark.parametrize(("change", "expected"), CHANGES_WITH_A_MODEL, ids=ids(CHANGES_WITH_A_MODEL))
def test_a_change_trains_a_model_again_only_where_it_must(
    made_model: Project, change: Callable[[Project], None], expected: dict[str, int]
) -> None:
    change(made_model)
    assert made_model.plan() == expected


def test_a_gate_that_closes_keeps_a_model_from_being_trained_again(made_model: Project) -> None:
    more_steps(made_model)
    made_model.config["checks"] = {"compression": {"mode": "block", "min_bytes_per_token": 50.0}}
    ended = made_model.snakemake()
    assert ended.returncode != 0
    assert "the gate stays closed: compression failed" in ended.stdout + ended.stderr
    assert not re.findall(r"^ *\d+/\d+ +train_model", ended.stderr, re.MULTILINE)


def test_after_a_change_is_made_nothing_is_left_to_do(made: Project) -> None:
    new_shard(made)
    made.make()
    assert made.plan() == {}


def damaged_shard(project: Project) -> None:
    (project.folder / "data/b.parquet").write_bytes(b"PAR1 and no more")


def code_that_fails(project: Project) -> None:
    path = project.folder / "scripts/merge_counts.py"
    path.write_text(re.sub(r"(    def run\(self\).*\n)", r"\1        raise ValueError\n", path.read_text()))


@pytest.mark.parametrize("change", [damaged_shard, code_that_fails])
def test_what_failed_is_still_to_be_made(made: Project, change: Callable[[Project], None]) -> None:
    change(made)
    planned = made.plan()
    assert made.snakemake().returncode != 0
    assert made.plan() == planned


def test_what_was_made_while_its_text_was_edited_is_made_again(made: Project) -> None:
    text, script = made.folder / "texts/mine.txt", made.folder / "scripts/check_tokenizer.py"
    text.parent.mkdir()
    text.write_text("before")
    made.config["evaluation"]["texts"] = "texts"
    edit_once = f"        edited = Path({str(text)!r})\n        if edited.read_text() == 'before':\n"
    edit_once += "            edited.write_text('after')\n"
    script.write_text(re.sub(r"(    def run\(self\).*\n)", rf"\1{edit_once}", script.read_text()))
    verdict = "results/tiny/bpe/checks/compression.json"
    assert f"texts/mine.txt changed while {verdict} was made from it" in made.make(verdict)
    assert made.plan("--", verdict) == {"check_tokenizer": 1}
    made.make(verdict)
    assert made.plan("--", verdict) == {}


def test_what_was_made_again_for_others_and_then_deleted_still_counts(made: Project) -> None:
    shard_of_an_older_file(made)
    planned = made.plan()
    made.make("--until", "count_pretokens")
    deleted_counts(made)
    shutil.rmtree(made.folder / "results/tiny/shards")
    left = made.plan()
    assert {rule: left[rule] for rule in AFTER_MERGES} == {rule: planned[rule] for rule in AFTER_MERGES}


def test_results_without_notes_of_how_they_were_made_are_named(made: Project) -> None:
    shutil.rmtree(made.folder / ".snakemake")
    vocabulary_size(made)
    assert re.search(r"^note: .*other settings are not noticed.* train_tokenizer$", made.make(), re.MULTILINE)
    words = [sys.executable, "-m", "nanosnake.commands", "status", "--configfile", "test.yaml"]
    ended = subprocess.run(words, cwd=made.folder, capture_output=True, text=True, check=True)
    assert "other settings are not noticed" in ended.stderr


def test_results_stay_up_to_date_in_another_place_and_with_another_checkout(
    made_model: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the manifests are written again: they name our files as seen from the project."""
    touched_text(made_model)  # a checkout is newer than the results
    code = made_model.folder / "code"
    elsewhere = made_model.move_code(code)
    monkeypatch.setenv("PYTHONPATH", f"{code}/scripts")
    assert made_model.plan(*elsewhere) == {"make_manifest": 2}
    made_model.make(*elsewhere)
    assert made_model.plan(*elsewhere) == {}
    verify = [sys.executable, "-m", "nanosnake.commands", "verify"]
    ended = subprocess.run(verify, cwd=made_model.folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout


def test_a_project_that_was_moved_with_its_data_links_them_no_second_time(made: Project) -> None:
    tokens = made.plan("--", "tokens")
    for link in (made.folder / "results/tiny/shards").glob("*.parquet"):
        time_of_link = link.lstat().st_mtime_ns
        link.unlink()
        link.symlink_to(f"/the/place/before/data/{link.name}")
        os.utime(link, ns=(time_of_link, time_of_link), follow_symlinks=False)
    assert made.plan("--", "tokens") == tokens
    assert (made.folder / "results/tiny/shards/a.parquet").samefile(made.folder / "data/a.parquet")


def test_a_tokenizer_and_its_smaller_sibling_share_their_counts(project: Project) -> None:
    another_tokenizer(project)
    plan = project.plan()
    assert plan["count_pretokens"] == 2
    assert plan["merge_counts"] == 1
    assert plan["train_tokenizer"] == 2


NAMES = {
    "count_pretokens": "counts",
    "merge_counts": "their sums",
    "train_tokenizer": "merges",
    "export_tokenizer": "tokenizer",
    "check_tokenizer": "checks",
    "decide_gate": "gate",
    "make_report": "report",
    "tokenize_shard": "token shards",
    "train_model": "model",
    "evaluate_model": "evaluation",
    "make_model_report": "its report",
}
"""What README calls the results of rules, in the order of its cells."""

README = {
    "a vocabulary size": vocabulary_size,
    "the list of shards": new_shard,
    "a split pattern": another_pattern,
    "an evaluation text": evaluation_text,
    "a threshold of a check": threshold,
    "a model's options": more_steps,
    "a comment, a docstring, the formatting": comments_everywhere,
}
"""Rows of README's table that say what a change makes again, each with its case above."""


@pytest.mark.parametrize("row", README)
def test_the_table_of_the_readme_says_what_these_cases_show(row: str) -> None:
    expected = dict([*CHANGES, *CHANGES_WITH_A_MODEL])[README[row]]
    cell = ", ".join(name for rule, name in NAMES.items() if rule in expected) or "nothing"
    assert f"| {row} | {cell} |" in (REPOSITORY / "README.md").read_text().splitlines()
