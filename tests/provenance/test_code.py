"""Which code ran: a clean tree, a changed one, none, and code that a repository around it does not know."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from nanosnake.provenance.code import work_tree

IDENTITY = ("-c", "user.name=n", "-c", "user.email=e@example.org")


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *IDENTITY, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a committed project."""
    folder = tmp_path / "project"
    (folder / "scripts").mkdir(parents=True)
    (folder / "scripts/make.py").write_text("one\n")
    (folder / "notes.md").write_text("one\n")
    (folder / ".gitignore").write_text("results/\n")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "one")
    return folder


def test_a_clean_tree_is_its_commit(project: Path) -> None:
    (project / "results").mkdir()
    (project / "results/made.json").write_text("{}")
    (project / "data.txt").write_text("an untracked file that is no code")
    tree = work_tree(project)
    assert tree.commit == git(project, "rev-parse", "HEAD").strip()
    assert (tree.dirty, tree.changes_sha256, tree.problem) == (False, None, None)


@pytest.mark.parametrize("name", ["scripts/make.py", "notes.md", "scripts/untracked.py"])
def test_a_changed_tree_is_told_by_what_differs(project: Path, name: str) -> None:
    clean = work_tree(project)
    (project / name).write_text("two\n")
    first = work_tree(project)
    assert first.dirty is True
    assert first.commit == clean.commit
    (project / name).write_text("three\n")
    second = work_tree(project)
    assert second.changes_sha256 != first.changes_sha256
    (project / name).write_text("two\n")
    assert work_tree(project) == first


def test_a_removed_file_is_a_change(project: Path) -> None:
    (project / "notes.md").unlink()
    assert work_tree(project).dirty is True


def test_no_repository_is_said_and_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    tree = work_tree(tmp_path)
    assert (tree.commit, tree.dirty) == (None, None)
    assert "not a git repository" in str(tree.problem)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert work_tree(tmp_path).problem == "git is not installed"


def test_a_repository_without_a_commit_has_none(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts/make.py").write_text("one\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    tree = work_tree(tmp_path)
    assert tree.commit is None
    assert tree.problem == "the repository has no commit yet"


def test_the_commit_of_a_repository_that_does_not_know_the_code_says_nothing(project: Path) -> None:
    inner = project / "results/copy"
    (inner / "scripts").mkdir(parents=True)
    (inner / "scripts/make.py").write_text("one\n")
    tree = work_tree(inner)
    assert tree.commit is None
    assert "does not track its code" in str(tree.problem)


def test_reading_takes_no_lock(project: Path) -> None:
    (project / ".git/index.lock").touch()
    assert work_tree(project).dirty is False


def test_a_git_that_was_killed_is_asked_again(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = work_tree(project)
    shim, killed = tmp_path / "bin/git", tmp_path / "killed"
    shim.parent.mkdir()
    shim.write_text(
        f'#!/bin/sh\n[ -e {killed} ] || {{ touch {killed}; kill -9 $$; }}\nexec {shutil.which("git")} "$@"\n'
    )
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{shim.parent}:{os.environ['PATH']}")
    assert work_tree(project) == expected
    assert killed.exists()
    shim.write_text("#!/bin/sh\nkill -9 $$\n")
    assert "SIGKILL" in str(work_tree(project).problem)
