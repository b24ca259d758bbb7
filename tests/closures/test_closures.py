"""Every file is in the closure of a stage or is plumbing, and an edit outdates just the stages that it decides."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace

import pytest

from check_tokenizer import CheckTokenizer
from closures import table
from nanosnake.checks import NAMES
from nanosnake.closures import Closures, differences, read_closure
from nanosnake.closures.plumbing import CRATES, PLUMBING, is_plumbing
from nanosnake.workflow.code import Code

CRATE = ["rustbpe/core/src", "rustbpe/python/src"]


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of all code, which a test must leave as it was."""
    return table.copy(tmp_path_factory.mktemp("code"))


def all_of(root: Path) -> dict[str, dict[str, str]]:
    return table.closures(Closures(root, root))


def test_every_file_decides_a_result_or_is_plumbing(code: Path) -> None:
    """A new file in neither fails here: name a stage that uses it, or say in plumbing.py why none has to."""
    decides = {name for closure in all_of(code).values() for name in closure}
    neither = [path for path in table.files(code) if path not in decides and not is_plumbing(path)]
    assert neither == []


def test_every_entry_of_the_plumbing_is_a_file_and_no_closure_has_it(code: Path) -> None:
    files = table.files(code)
    assert [entry for entry in PLUMBING if not any(fnmatch(path, entry) for path in files)] == []
    crates = re.findall(r'^name = "(.*)"$', (code / table.LOCK).read_text(), re.MULTILINE)
    assert [entry for entry in CRATES if not any(fnmatch(name, entry) for name in crates)] == []
    decides = {name for closure in all_of(code).values() for name in closure}
    assert not [name for name in decides if is_plumbing(name)]
    assert all(reason for reason in {**PLUMBING, **CRATES}.values())


def test_an_edit_outdates_what_the_reviewed_table_says(tmp_path: Path) -> None:
    found = table.as_text(table.rows(table.copy(tmp_path)))
    assert found == table.TABLE.read_text(), (
        "review what `python tests/closures/table.py` writes, and commit it"
    )


OF_STRINGS = "snippets.py"
"""A module of texts that look like code: an edit of these is one of its meaning."""


def commented(path: Path) -> str:
    """Return a file with comments and docstrings more."""
    text = path.read_text()
    if path.name == OF_STRINGS:
        return f"{text}\n# more\n"
    if path.suffix == ".rs":
        return "//! More.\n/* and /* more */ */\n" + re.sub(
            r"^( *)(pub )?fn ", r"\1/// More.\n\1// more\n\1\2fn ", text, flags=re.MULTILINE
        )
    text = re.sub(r"^( *)(def .*:)$", r"\1# more\n\1\2\n\1    '''More.'''", text, flags=re.MULTILINE)
    return f"{text}\n# more\n'''More.'''\n"


def test_comments_docstrings_and_the_version_outdate_nothing(code: Path, tmp_path: Path) -> None:
    before = all_of(code)
    edited = shutil.copytree(code, tmp_path / "edited")
    for path in edited.rglob("*"):
        if path.suffix in (".py", ".rs"):
            path.write_text(commented(path))
    version = edited / "scripts/nanosnake/__init__.py"
    version.write_text(re.sub(r'__version__ = ".*"', '__version__ = "99.0"', version.read_text()))
    assert '"99.0"' in version.read_text()
    assert all_of(edited) == before


def test_a_change_of_a_docstring_outdates_nothing(code: Path, tmp_path: Path) -> None:
    before = all_of(code)
    edited = shutil.copytree(code, tmp_path / "edited")
    for path in edited.rglob("*.py"):
        if path.name != OF_STRINGS:
            path.write_text(path.read_text().replace('"""Return ', '"""Give back '))
    assert all_of(edited) == before


@pytest.mark.parametrize("width", [50, 160])
def test_formatting_outdates_nothing(code: Path, tmp_path: Path, width: int) -> None:
    before = all_of(code)
    edited = shutil.copytree(code, tmp_path / "edited")
    lines = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", str(width), "scripts"],
        cwd=edited,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "reformatted" in lines.stdout
    if shutil.which("rustfmt"):
        how = f"max_width={width},use_small_heuristics={'Max' if width > 100 else 'Off'}"
        files = [str(path) for folder in CRATE for path in (edited / folder).rglob("*.rs")]
        subprocess.run(["rustfmt", "--edition", "2024", "--config", how, *files], check=True)
    assert all_of(edited) == before


def test_the_crate_is_formatted_where_it_is_built() -> None:
    """So that formatting of Rust is tried above, wherever the tests run with the compiler."""
    assert (shutil.which("cargo") is None) == (shutil.which("rustfmt") is None)


def test_the_closures_of_all_stages_are_found_quickly(code: Path, tmp_path: Path) -> None:
    for script in table.stages(code):
        Closures(code, tmp_path).write(script)
    began = time.process_time()
    found = Closures(code, tmp_path)
    for script in table.stages(code):
        found.write(script)
    assert time.process_time() - began < 1.0


def test_the_file_of_a_closure_is_written_only_when_it_changes(code: Path, tmp_path: Path) -> None:
    found = Closures(code, tmp_path)
    found.write("train_tokenizer", ["numpy"])
    file = found.path("train_tokenizer")
    names = [line.split("  ")[1] for line in file.read_text().splitlines()]
    assert names == sorted(names)
    assert {"package numpy", "scripts/train_tokenizer.py", "rustbpe/core/src/train/merge.rs"} <= set(names)
    time_of_first = file.stat().st_mtime_ns
    Closures(code, tmp_path).write("train_tokenizer", ["numpy"])
    assert file.stat().st_mtime_ns == time_of_first


def test_only_the_check_of_languages_follows_the_package_of_its_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code = Code(SimpleNamespace(is_main=True))  # type: ignore[arg-type]
    of_checks = {name: read_closure(Path(code(CheckTokenizer, f"nanosnake.checks.{name}"))) for name in NAMES}
    assert [name for name, closure in of_checks.items() if "package django" in closure] == ["languages"]


def test_a_damaged_memory_is_made_again(code: Path, tmp_path: Path) -> None:
    good = all_of(code)
    for damaged in (b"", b"{}", b"[1]", b'{"reader": "other", "found": {}}', b"\xff"):
        (tmp_path / "read.json").write_bytes(damaged)
        found = Closures(code, tmp_path)
        assert found.of("train_tokenizer") == good["train_tokenizer"]


def test_differences_are_what_changed_came_and_went() -> None:
    assert differences({"a": "1", "b": "1", "c": "1"}, {"a": "1", "b": "2", "d": "1"}) == ["b", "c", "d"]


def test_every_stage_is_named_by_a_rule(code: Path) -> None:
    """The rule of a stage takes its closure; that of the trainer only where the configuration asks for it."""
    rules = "".join(path.read_text() for path in (table.REPOSITORY / "rules").glob("*.smk"))
    named = {
        re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
        for name in re.findall(r"\bcode(?:\.of_each)?\((\w+)", rules)
    }
    assert named == set(table.stages(code))
