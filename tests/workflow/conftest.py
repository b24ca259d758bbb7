"""Projects for the tests: a fresh one, and copies of one that was made."""

from __future__ import annotations

import shutil
from copy import deepcopy
from pathlib import Path

import pytest

from workflow.project import Project


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


@pytest.fixture
def made(finished: Project, tmp_path: Path) -> Project:
    """Return a copy of the finished project, which a test may change."""
    shutil.copytree(finished.folder, tmp_path, symlinks=True, dirs_exist_ok=True)
    copy = Project.__new__(Project)
    copy.folder = tmp_path
    copy.config = deepcopy(finished.config)
    return copy
