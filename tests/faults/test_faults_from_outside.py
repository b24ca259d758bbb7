"""What the world around a run may do to it: each fault has an end, and the ordinary command goes on afterwards."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from workflow.project import TINY_MODEL, Project

UNTIL = ("--until", "export_tokenizer")
"""The ordinary command, up to what is compared here."""


def artifacts(project: Project) -> dict[str, bytes]:
    """Return what is compared: counts, merges and what other tools read."""
    results = project.folder / "results/tiny"
    files = [
        *results.glob("counts/**/*.arrow"),
        *results.glob("bpe/merges.arrow"),
        *results.glob("bpe/tokenizer/*"),
    ]
    return {str(path.relative_to(results)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return what a run makes to which nothing happens."""
    project = Project(tmp_path_factory.mktemp("undisturbed"))
    project.make(*UNTIL)
    return artifacts(project)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project in which nothing was made yet."""
    return Project(tmp_path)


def mounted(folder: Path, *options: str) -> None:
    """Mount a file system in memory, or change how it is mounted; without the right to, the test is skipped."""
    ended = subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True, check=False)
    if ended.returncode:
        reason = f"no file system could be mounted: {ended.stderr.strip()}"
        if os.environ.get("NANOSNAKE_REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Project]:
    """Return a project on a disk of its own, of 8 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted(folder, "-t", "tmpfs", "-o", "size=8m", "tmpfs")
    try:
        yield Project(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path, leave: int) -> Path:
    """Fill a disk but for so many bytes, and return the file that does."""
    filler = folder / "filler"
    room = os.statvfs(folder)
    with filler.open("wb") as stream:
        stream.write(b"\0" * (room.f_bavail * room.f_frsize - leave))
    return filler


@pytest.mark.parametrize(
    "leave",
    [60_000, 92_000, 105_000, 120_000, 200_000, 290_000],
    ids=["while planning", "before the locks", "at the locks", "first job", "second job", "later job"],
)
def test_a_full_disk(
    small_disk: Project, wanted: dict[str, bytes], leave: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # it would take the room first; and of a full disk CPython makes modules cut in half (docs/reliability.md)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    filler = fill(small_disk.folder, leave)
    ended = small_disk.snakemake(*UNTIL)
    printed = ended.stdout + ended.stderr
    assert ended.returncode != 0
    assert f"{small_disk.folder}: No space left on device; results, logs and notes are made" in printed
    assert "Traceback (most recent call last)" not in printed
    if leave > 110_000:  # which file finds no room depends on how the jobs run beside each other
        assert "--directory" in printed.splitlines()[-1]
    made = artifacts(small_disk)
    assert made == {name: wanted[name] for name in made}
    filler.unlink()
    small_disk.make(*UNTIL)
    assert artifacts(small_disk) == wanted


@pytest.mark.parametrize("part", ["results", "."], ids=["results", "everything"])
def test_a_folder_that_cannot_be_written(small_disk: Project, wanted: dict[str, bytes], part: str) -> None:
    """Root may write where the mode forbids it: only a mount holds it back."""
    small_disk.snakemake("--version")  # writes the configuration
    folder = small_disk.folder / part
    if part == "results":
        folder.mkdir()
        mounted(folder, "-t", "tmpfs", "-o", "size=8m,ro", "tmpfs")
    else:
        mounted(folder, "-o", "remount,ro")
    try:
        ended = small_disk.snakemake(*UNTIL)
        printed = ended.stdout + ended.stderr
        assert ended.returncode != 0
        assert "Read-only file system" in printed
        assert (str(small_disk.folder) in printed) if part == "." else ("results/tiny" in printed)
        assert artifacts(small_disk) == {}
        mounted(folder, "-o", "remount,rw")
        small_disk.make(*UNTIL)
        assert artifacts(small_disk) == wanted
    finally:
        if part == "results":
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_changed_model_in_a_folder_that_cannot_be_written(small_disk: Project) -> None:
    small_disk.config["models"] = {"d1": TINY_MODEL}
    small_disk.plan()
    small_disk.config["models"] = {"d1": {**TINY_MODEL, "depth": 2}}
    small_disk.snakemake("--version")  # writes the configuration
    mounted(small_disk.folder, "-o", "remount,ro")
    ended = small_disk.snakemake()
    printed = ended.stdout + ended.stderr
    assert ended.returncode != 0
    assert f"{small_disk.folder}: Read-only file system; results, logs and notes are made" in printed
    assert "Traceback (most recent call last)" not in printed


VANISHING = """\
include: "Snakefile"


onstart:
    leftovers.start()
    Path("data/b.parquet").rename("elsewhere.parquet")
"""
"""The workflow, with a file that goes away after all was planned and before the first job."""


def test_a_file_that_vanishes_between_the_plan_and_the_job(
    project: Project, wanted: dict[str, bytes]
) -> None:
    (project.folder / "vanishing.smk").write_text(VANISHING)
    ended = project.snakemake("--snakefile", "vanishing.smk", *UNTIL, "--", "all")
    printed = ended.stdout + ended.stderr
    assert ended.returncode != 0
    assert "Missing files" in printed
    assert "data/b.parquet" in printed
    made = artifacts(project)
    assert made == {name: wanted[name] for name in made}
    assert "bpe/merges.arrow" not in made
    (project.folder / "elsewhere.parquet").rename(project.folder / "data/b.parquet")
    project.make(*UNTIL)
    assert artifacts(project) == wanted


def test_a_clock_that_jumps_back(project: Project, wanted: dict[str, bytes]) -> None:
    """What was made before the jump has times to come. (Times of files are the kernel's: a library that tells a
    process another time does not change them, so that they are set here.)"""
    project.make("--until", "count_pretokens")
    tomorrow = time.time() + 86_400
    for path in (project.folder / "results").rglob("*"):
        os.utime(path, (tomorrow, tomorrow), follow_symlinks=False)
    for path in (project.folder / "data").iterdir():
        os.utime(path, (tomorrow - 60, tomorrow - 60))
    ended = project.snakemake(*UNTIL)
    printed = ended.stdout + ended.stderr
    assert ended.returncode != 0
    assert re.search(r"which is in the future \(\d+ such files\): the clock was set back", printed)
    assert "Traceback" not in printed
    command = re.search(r"the current time: (find .*)", printed)
    assert command
    subprocess.run(["bash", "-c", command[1]], cwd=project.folder, check=True)
    project.make(*UNTIL)
    assert artifacts(project) == wanted
