"""The files that decide a script's result are found through its imports."""

from __future__ import annotations

from pathlib import Path

import pytest

from nanosnake.workflow.modules import imported_files


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    sources = {
        "work.py": "import os\nfrom nanosnake import files\nfrom nanosnake.deep.one import thing\n",
        "nanosnake/__init__.py": "",
        "nanosnake/files.py": "import json\n",
        "nanosnake/unused.py": "",
        "nanosnake/deep/__init__.py": "",
        "nanosnake/deep/one.py": "def f():\n    from . import two\n",
        "nanosnake/deep/two.py": "import nanosnake.deep.three\n",
        "nanosnake/deep/three.py": "from nanosnake.deep import one\n",
    }
    for name, text in sources.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_imports_are_followed_and_nothing_else(scripts: Path) -> None:
    found = [str(file.relative_to(scripts)) for file in imported_files(scripts / "work.py")]
    assert found == [
        "nanosnake/__init__.py",
        "nanosnake/deep/__init__.py",
        "nanosnake/deep/one.py",
        "nanosnake/deep/three.py",
        "nanosnake/deep/two.py",
        "nanosnake/files.py",
        "work.py",
    ]


def test_what_only_tells_of_a_job_decides_nothing() -> None:
    """An edit of the record must not make every result outdated."""
    folder = Path(__file__).parents[2] / "scripts"
    for script in folder.glob("*.py"):
        found = {file.name for file in imported_files(script) if file.parent.name == "provenance"}
        assert not found & {"record.py", "code.py"}, script


def test_no_script_depends_on_the_configuration() -> None:
    """An edit of the models must not make every result outdated."""
    folder = Path(__file__).parents[2] / "scripts"
    for script in folder.glob("*.py"):
        if script.name != "write_schema.py":
            assert not [file for file in imported_files(script) if "config" in file.parts], script
