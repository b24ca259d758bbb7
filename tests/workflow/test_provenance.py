"""The manifest that a run leaves: it answers for each file, and `nanosnake verify` finds whatever was changed since."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nanosnake import layout
from nanosnake.closures import read_closure
from nanosnake.closures.plumbing import is_plumbing
from nanosnake.files import sha256_file, write_json
from workflow.project import REPOSITORY, Project, write_shard

IDENTITY = ("-c", "user.name=n", "-c", "user.email=e@example.org")
MANIFEST = "results/tiny/bpe/manifest.json"
OF_A_TOKENIZER = ("merges.arrow", "tokenizer/*.json", "tokenizer/*.tiktoken")
OF_TOKENS = ("tokens/*/*.ds", "tokens/*/*.ds.index", "tokens/*/*.ds.metadata", "tokens/*/*.json")


def verify(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `nanosnake verify` in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "nanosnake.commands", "verify", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "scripts")},
    )


def read(project: Project, name: str = MANIFEST) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((project.folder / name).read_text())
    return manifest


def jobs_of(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the job of each file, with its environment in place of the number of it."""
    return {
        entry["path"]: {
            **manifest["jobs"][entry["job"]],
            "environment": manifest["environments"][manifest["jobs"][entry["job"]]["environment"]],
        }
        for entry in manifest["files"]
    }


def test_every_file_of_the_tokenizer_is_answered_for(finished: Project) -> None:
    manifest = read(finished)
    folder = finished.path("")
    named = {entry["path"] for entry in manifest["files"]}
    there = {str(path.relative_to(finished.folder)) for path in folder.rglob("*") if path.is_file()}
    assert there - named == {MANIFEST}
    assert named <= there
    for entry in manifest["files"]:
        assert entry["sha256"] == sha256_file(finished.folder / entry["path"])
    for path, job in jobs_of(manifest).items():
        assert path in job["outputs"]
        assert job["script"].endswith(".py")
        assert job["began"] <= job["ended"]
        assert {"code", "versions", "host"} == job["environment"].keys()


def test_inputs_are_followed_to_what_no_rule_made(finished: Project) -> None:
    manifest = read(finished)
    kinds = {entry["path"]: entry["kind"] for entry in manifest["inputs"]}
    assert kinds["data/a.parquet"] == "given"
    assert kinds["resources/texts/korean.txt"] == "given"
    assert kinds["results/tiny/shards/held_out.parquet"] == "shard"
    assert kinds["results/tiny/counts/nanochat/merged/train.arrow"] == "made"
    assert kinds["scripts/train_tokenizer.py"] == "code"
    assert kinds["rustbpe/core/src/train/mod.rs"] == "code"
    job = jobs_of(manifest)["results/tiny/bpe/merges.arrow"]
    assert job["rule"] == "train_tokenizer"
    assert job["inputs"] == ["results/tiny/counts/nanochat/merged/train.arrow"]
    assert "scripts/train_tokenizer.py" in manifest["code"][job["code"]]
    assert job["benchmark"]["threads"] == 2
    assert job["benchmark"]["resources"]["mem_mb"] > 0
    rules = {job["rule"] for job in manifest["jobs"]}
    assert {"link_shard", "count_pretokens", "merge_counts"} <= rules


def test_the_settings_and_the_run_are_named(finished: Project) -> None:
    manifest = read(finished)
    assert manifest["config"]["tokenizers"]["bpe"]["vocab_size"] == 320
    assert manifest["config"]["datasets"]["tiny"]["train"] == ["a", "b"]
    assert manifest["path"] == MANIFEST
    assert {job["run"] for job in manifest["jobs"]} == {manifest["run"]["id"]}


def test_a_model_has_a_manifest_of_its_own(finished_model: Project) -> None:
    manifest = read(finished_model, "results/tiny/bpe/d1/manifest.json")
    there = {path.name for path in finished_model.path("d1").rglob("*") if path.is_file()}
    assert {Path(entry["path"]).name for entry in manifest["files"]} == there - {"manifest.json"}
    job = jobs_of(manifest)["results/tiny/bpe/d1/model.safetensors"]
    assert job["rule"] == "train_model"
    assert "torch" in job["environment"]["versions"], "the record is of the trainer, not of its launcher"
    kinds = {entry["path"]: entry["kind"] for entry in manifest["inputs"]}
    assert kinds["results/tiny/bpe/tokens/train/a.ds"] == "tokens"
    assert kinds["results/tiny/bpe/tokenizer/tokenizer.json"] == "made"
    assert manifest["config"]["models"]["d1"]["depth"] == 1
    ended = verify(finished_model.folder)
    assert ended.returncode == 0, ended.stdout
    assert [line.split(":")[0] for line in ended.stdout.splitlines()] == [
        "results/tiny/bpe/d1/manifest.json",
        MANIFEST,
    ]


def closures_of(project: Project, stem: str) -> list[dict[str, str]]:
    return [read_closure(path) for path in (project.folder / layout.CODE).glob(f"{stem}*.sha256")]


def test_jobs_loaded_nothing_of_ours_that_is_in_no_closure(finished_model: Project) -> None:
    """What a job has loaded is in the closure of its script or plumbing: what decides a result was followed."""
    records = [json.loads(path.read_text()) for path in (finished_model.folder / "logs").rglob("*.json")]
    scripts = set()
    by_plumbing = "scripts/nanosnake/training/config.py"  # which names the options that recipe.py compares
    # pages and the gate name a check by its words; an edit of it makes its verdict again, which they read
    of_checks = {path for closure in closures_of(finished_model, "check_") for path in closure}
    for record in records:
        script = record["script"]
        # each check has its own
        known = {
            path for closure in closures_of(finished_model, script.removesuffix(".py")) for path in closure
        }
        if script in ("decide_gate.py", "record_figures.py", "make_report.py"):
            known |= {path for path in of_checks if path.startswith("scripts/nanosnake/checks/")}
        for name in record["environment"]["code"]["loaded"]:
            if name.startswith("rustbpe"):
                continue
            path = f"scripts/{name}" if name.endswith(".py") else f"scripts/{name.replace('.', '/')}.py"
            if not (finished_model.folder / path).exists():
                path = f"{path.removesuffix('.py')}/__init__.py"
            assert path in known or is_plumbing(path) or path == by_plumbing, f"{script} has loaded {path}"
        scripts.add(script)
    assert {"count_pretokens.py", "tokenize_shard.py", "train_model.py", "evaluate_model.py"} <= scripts


def test_without_a_repository_the_manifest_says_so(finished: Project) -> None:
    log = (finished.folder / "logs/tiny/bpe/manifest.log").read_text()
    assert "no commit (fatal: not a git repository" in log
    for job in jobs_of(read(finished)).values():
        assert job["environment"]["code"]["commit"] is None
        assert job["environment"]["code"]["loaded_sha256"]


def test_what_is_as_recorded_is_said_in_one_line(finished: Project) -> None:
    ended = verify(finished.folder)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    (line,) = ended.stdout.splitlines()
    assert line.startswith(f"{MANIFEST}: 22 files, ")
    assert line.endswith(", all as recorded")


def test_a_copy_elsewhere_is_verified_without_its_inputs(finished: Project, tmp_path: Path) -> None:
    shutil.copytree(finished.path(""), tmp_path / "copy")
    ended = verify(tmp_path, "copy")
    assert ended.returncode == 0, ended.stdout
    assert "all as recorded" in ended.stdout
    assert "outside its project" in ended.stderr
    (tmp_path / "copy/tokenizer/tokenizer.json").unlink()
    ended = verify(tmp_path, "copy/manifest.json")
    assert ended.returncode == 1
    assert "results/tiny/bpe/tokenizer/tokenizer.json: missing" in ended.stdout.splitlines()


def test_a_copy_of_all_results_is_no_project(finished: Project, tmp_path: Path) -> None:
    shutil.copytree(finished.folder / "results", tmp_path / "results", symlinks=True)
    ended = verify(tmp_path)
    assert ended.returncode == 0, ended.stdout
    assert "outside its project" in ended.stderr


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def add_a_line(path: Path, line: str) -> None:
    path.write_text(f"{path.read_text()}\n{line}\n")


def test_comments_in_the_code_are_no_mismatch(made: Project) -> None:
    for name, comment in (("scripts/train_tokenizer.py", "#"), ("rustbpe/core/src/train/mod.rs", "//")):
        add_a_line(made.folder / name, f"{comment} more")
    ended = verify(made.folder)
    assert ended.returncode == 0, ended.stdout


def edit_manifest(key: str, value: Any) -> Callable[[Project], None]:
    """Return a change of the manifest of one value, `files.0.sha256`."""

    def change(project: Project) -> None:
        manifest = read(project)
        *way, last = key.split(".")
        place: Any = manifest
        for step in way:
            place = place[int(step) if step.isdigit() else step]
        place[last] = value
        write_json(project.folder / MANIFEST, manifest)

    return change


TAMPERED: dict[str, tuple[Callable[[Project], object], str]] = {
    "a bit of an artifact": (
        lambda project: flip_a_bit(project.path("tokenizer/tokenizer.tiktoken")),
        "results/tiny/bpe/tokenizer/tokenizer.tiktoken: SHA-256 is ",
    ),
    "a byte more": (
        lambda project: project.path("gate.json").write_bytes(project.path("gate.json").read_bytes() + b"\n"),
        "results/tiny/bpe/gate.json: has ",
    ),
    "a file removed": (
        lambda project: project.path("report/index.html").unlink(),
        "results/tiny/bpe/report/index.html: missing",
    ),
    "an input changed": (
        lambda project: write_shard(project.folder / "data/a.parquet", seed=9),
        "input data/a.parquet: ",
    ),
    "a bit of an input": (
        lambda project: flip_a_bit(project.folder / "resources/texts/korean.txt"),
        "input resources/texts/korean.txt: SHA-256 is ",
    ),
    "an input removed": (
        lambda project: (project.folder / "resources/texts/korean.txt").unlink(),
        "input resources/texts/korean.txt: missing",
    ),
    "the code": (
        lambda project: add_a_line(project.folder / "scripts/train_tokenizer.py", "MORE = 1"),
        "input scripts/train_tokenizer.py: has ",
    ),
    "the merged counts": (
        lambda project: flip_a_bit(project.folder / "results/tiny/counts/nanochat/merged/train.arrow"),
        "input results/tiny/counts/nanochat/merged/train.arrow: SHA-256 is ",
    ),
    "the manifest's settings": (
        edit_manifest("config.tokenizers.bpe.vocab_size", 321),
        f"{MANIFEST}: was edited",
    ),
    "the manifest's record of the code": (
        edit_manifest("environments.0.code.commit", "a" * 40),
        f"{MANIFEST}: was edited",
    ),
    "the manifest's seal": (edit_manifest("seal", "a" * 64), f"{MANIFEST}: was edited"),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_whatever_was_changed_is_named_in_one_line(made: Project, name: str) -> None:
    change, expected = TAMPERED[name]
    change(made)
    ended = verify(made.folder, MANIFEST)
    assert ended.returncode == 1
    *problems, summary = ended.stdout.splitlines()
    assert [line for line in problems if line.startswith(expected)], ended.stdout
    assert len(problems) <= 2, "a linked shard and the file it links to change together, nothing else does"
    assert "of these differ" in summary


def test_both_lines_are_said_where_a_file_and_its_record_were_changed(made: Project) -> None:
    flip_a_bit(made.path("merges.arrow"))
    manifest = read(made)
    place = next(n for n, entry in enumerate(manifest["files"]) if entry["path"].endswith("merges.arrow"))
    edit_manifest(f"files.{place}.sha256", sha256_file(made.path("merges.arrow")))(made)
    ended = verify(made.folder)
    assert ended.returncode == 1
    assert [line for line in ended.stdout.splitlines() if "was edited" in line]


def test_deleted_intermediates_keep_no_manifest_from_being_written(made: Project) -> None:
    shutil.rmtree(made.folder / "results/tiny/samples")
    shutil.rmtree(made.folder / "results/tiny/counts")
    made.make("--forcerun", "make_report")
    kinds = {entry["path"]: entry["kind"] for entry in read(made)["inputs"]}
    assert "results/tiny/samples/train.jsonl" not in kinds
    assert kinds["results/tiny/shards/a.parquet"] == "shard"
    assert verify(made.folder).returncode == 0


def test_deleted_intermediates_are_no_mismatch(made: Project) -> None:
    shutil.rmtree(made.folder / "results/tiny/counts")
    ended = verify(made.folder)
    assert ended.returncode == 0, ended.stdout
    assert "1 more inputs were deleted since" in ended.stdout


def test_a_file_that_cannot_be_read_hides_nothing_else(finished_model: Project, tmp_path: Path) -> None:
    shutil.copytree(finished_model.folder / "results", tmp_path / "results")
    model = tmp_path / "results/tiny/bpe/d1"
    for path in (model / "nats.parquet", model / "evaluation.json", tmp_path / MANIFEST):
        path.write_bytes(path.read_bytes()[:-40])
    flip_a_bit(model / "model.safetensors")
    ended = verify(tmp_path)
    assert ended.returncode == 1
    for name in ("nats.parquet", "evaluation.json", "model.safetensors"):
        assert f"{name}: " in ended.stdout, "these differ from their manifest"
    for path in ("results/tiny/bpe/d1/evaluation.json", MANIFEST):
        assert f"error: {path}: not a JSON file" in ended.stderr


def test_what_is_no_manifest_is_refused(made: Project) -> None:
    ended = verify(made.folder, "results/tiny/bpe/gate.json")
    assert ended.returncode == 1
    assert "is not a manifest that this version can read" in ended.stderr
    ended = verify(made.folder / "data")
    assert ended.returncode == 1
    assert "run Snakemake first" in ended.stderr
    for option, problem in (
        ("--threads=0", "is 0; use 1 or more"),
        ("--documents=-3", "is -3; use 0 or more"),
    ):
        ended = verify(made.folder, option)
        assert ended.returncode == 1
        assert problem in ended.stderr.splitlines()[-1]


def git(project: Project, *arguments: str) -> str:
    return subprocess.run(
        ["git", *IDENTITY, *arguments], cwd=project.folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_a_file_keeps_the_record_of_when_it_was_made(made: Project) -> None:
    (made.folder / ".gitignore").write_text("results/\nlogs/\nhistory/\n.snakemake/\n.cache/\ntest.yaml\n")
    git(made, "init", "-q")
    git(made, "add", ".")
    git(made, "commit", "-q", "-m", "one")
    commit = git(made, "rev-parse", "HEAD")
    made.make("--forcerun", "decide_gate")
    (made.folder / "scripts/notes.py").write_text("# untracked code\n")
    made.make("--forcerun", "record_figures")
    code = {path: job["environment"]["code"] for path, job in jobs_of(read(made)).items()}
    assert code["results/tiny/bpe/merges.arrow"]["commit"] is None, "it was made before there was a commit"
    gate = code["results/tiny/bpe/gate.json"]
    assert (gate["commit"], gate["dirty"]) == (commit, False)
    figures = code["results/tiny/bpe/figures.json"]
    assert (figures["commit"], figures["dirty"]) == (commit, True)
    assert figures["changes_sha256"]
    log = (made.folder / "logs/tiny/bpe/manifest.log").read_text()
    assert f"commit {commit[:12]}; commit {commit[:12]} with changes; no commit" in log


def test_where_records_are_gone_the_manifest_says_so(made: Project) -> None:
    shutil.rmtree(made.folder / "logs/tiny/bpe")
    made.make("--forcerun", "make_manifest")
    log = (made.folder / "logs/tiny/bpe/manifest.log").read_text()
    assert "no record of how 22 of them were made" in log
    assert verify(made.folder).returncode == 0


def contents(project: Project, *patterns: str) -> dict[str, str]:
    """Return the hashes of the files below the tokenizer's folder."""
    return {
        str(path.relative_to(project.path(""))): sha256_file(path)
        for pattern in patterns
        for path in sorted(project.path("").glob(pattern))
    }


@pytest.mark.parametrize("threads", [1, 16])
def test_two_runs_give_the_same_bytes_on_any_number_of_threads(
    project: Project, made: Project, threads: int
) -> None:
    made.make("tokens")
    rules = ("count_pretokens", "merge_counts", "train_tokenizer", "tokenize_shard")
    project.make("tokens", "--cores", str(threads), "--set-threads", *(f"{rule}={threads}" for rule in rules))
    artifacts, tokens = contents(made, *OF_A_TOKENIZER), contents(made, *OF_TOKENS)
    assert len(artifacts) == 5
    assert len(tokens) == 12
    assert contents(project, *OF_A_TOKENIZER) == artifacts
    assert contents(project, *OF_TOKENS) == tokens
    assert verify(project.folder, "results/tiny/bpe/tokens").returncode == 0
