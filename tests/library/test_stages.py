"""A stage's dataclass is its command line, its help, and the words of its rule."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import pytest

from nanosnake.files import NanosnakeError
from nanosnake.options import Positional
from nanosnake.provenance.code import REPOSITORY
from nanosnake.stages import Names, Object, Stage, call, parse, words
from nanosnake.workflow.shell import command, from_anywhere, repository_path

LONGEST = 131_072
"""Bytes of a word that Linux takes at most."""


@dataclass(frozen=True, kw_only=True)
class Cut(Stage):
    """Cut something."""

    source: Path
    """The file."""
    shards: Names = ()
    """Names of shards."""
    thresholds: Object | None = None
    """Limits."""
    mode: Literal["fast", "exact"] = "exact"
    """How."""
    size: int | None = None
    """Bytes."""
    share: float = field(default=0.5, metadata={"gt": 0, "le": 1})
    """Part of it."""
    checked: bool = True
    """Whether it is checked."""
    words: tuple[str, ...] = ()
    """Any words."""
    files: Annotated[tuple[Path, ...], Positional] = ()
    """More files."""

    def run(self) -> int:
        return 3 if self.size is None else 0


def back(**values: object) -> Cut:
    """Return the stage that the words of a rule give."""
    return parse(Cut, shlex.split(words(Cut, **values)))


def test_words_give_the_same_values_back() -> None:
    values = {
        "source": Path("a b"),
        "shards": ("s_00", "s_01", "s_02", "other"),
        "thresholds": {"most": 3, "text": "it's"},
        "mode": "fast",
        "size": 0,
        "share": 0.25,
        "checked": False,
        "words": ("$HOME", "<|bos|>", "a\nb"),
    }
    assert back(**values) == Cut(**values)  # type: ignore[arg-type]


def test_what_equals_its_default_is_left_out_so_that_a_new_option_changes_no_command() -> None:
    assert words(Cut, source="a", share=0.5, checked=True, size=None, words=()) == "--source a"


@pytest.mark.parametrize(
    "make", [lambda: words(Cut, sauce="a"), lambda: command(Cut, source="input", sauce="x")]
)
def test_a_name_that_is_not_an_option_fails_at_once(make: object) -> None:
    with pytest.raises(TypeError, match="Cut has no option 'sauce'; it has checked, files"):
        make()  # type: ignore[operator]


def test_a_rule_that_leaves_out_what_is_needed_fails_at_once() -> None:
    with pytest.raises(TypeError, match="Cut: the rule passes no 'source'"):
        command(Cut, size="threads")


def test_the_exit_status_is_that_of_the_stage() -> None:
    assert call(Cut, ["--source", "a"]) == 3
    assert call(Cut, ["--source", "a", "--size", "1", "one", "two"]) == 0


@pytest.mark.parametrize(
    ("share", "problem"),
    [("0", "0.0; use more than 0"), ("1.5", "1.5; use 1 or less"), ("nan", "nan; use a finite number")],
)
def test_a_value_out_of_its_bounds_is_named(share: str, problem: str) -> None:
    with pytest.raises(NanosnakeError, match=f"^--share is {problem}$"):
        call(Cut, ["--source", "a", "--share", share])


def test_help_is_made_of_the_docstrings(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(Cut, ["--help"])
    printed = capsys.readouterr().out
    assert "Part of it. (default: 0.5)" in printed
    assert "--no-checked" in printed


@pytest.mark.parametrize(
    "name",
    ["part-{0:05d}-0e1b5a7c-3d1f-4a57-9b0e-{1:012x}-c000.snappy", "train-{0:05d}-of-06543", "shard_{0:05d}"],
)
def test_any_number_of_names_fits_on_a_command_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = tuple(name.format(number, number * 7919) for number in range(6543))
    written = words(Cut, source="a", shards=names, words=names)
    assert len(written) < LONGEST / 2
    assert parse(Cut, shlex.split(written)) == Cut(source=Path("a"), shards=names, words=names)
    assert words(Cut, source="a", shards=names, words=names) == written, (
        "the same names give the same command"
    )


def test_a_file_of_ours_has_one_name_in_every_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deep/er").mkdir(parents=True)
    for folder in (REPOSITORY, tmp_path, tmp_path / "deep/er"):
        monkeypatch.chdir(folder)
        assert from_anywhere(repository_path("resources/tasks/one.json")) == "resources/tasks/one.json"
    for theirs in ("resources/tasks/one.json", "../tasks/one.json", str(tmp_path / "one.json")):
        assert from_anywhere(theirs) == theirs
