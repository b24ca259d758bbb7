"""Projects for the tests: a fresh one, and copies of one that was made."""

from __future__ import annotations

import shutil
from copy import deepcopy
from pathlib import Path

import pytest

from workflow.project import TINY_MODEL, Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a fresh project in which nothing was made yet."""
    return Project(tmp_path)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project whose default target was made once; tests must not change it."""
    project = Project(tmp_path_factory.mktemp("finished"))
    project.make()
    return project


@pytest.fixture(scope="session")
def finished_model(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project in which a small model was trained too; tests must not change it."""
    project = copied(finished, tmp_path_factory.mktemp("model"))
    project.config["models"] = {"d1": TINY_MODEL}
    project.make()
    return project


@pytest.fixture
def made(finished: Project, tmp_path: Path) -> Project:
    """Return a copy of the finished project, which a test may change."""
    return copied(finished, tmp_path)


@pytest.fixture
def made_model(finished_model: Project, tmp_path: Path) -> Project:
    """Return a copy of the project with a model, which a test may change."""
    return copied(finished_model, tmp_path)


def copied(project: Project, folder: Path) -> Project:
    """Copy a project, with all that was made in it."""
    shutil.copytree(project.folder, folder, symlinks=True, dirs_exist_ok=True)
    copy = Project.__new__(Project)
    copy.folder = folder
    copy.config = deepcopy(project.config)
    return copy
