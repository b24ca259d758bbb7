"""List results that no configuration asks for any more, with sizes; remove them on request.

    nanosnake clean                                                     what config/config.yaml does not ask for
    nanosnake clean --configfiles config/config.yaml my.yaml            what neither file asks for
    nanosnake clean --configfiles my.yaml --yes                         remove it without asking

It looks at results and checkpoints. Files that no rule made, logs and history are left alone. A checkpoint is kept if
its run could still resume: it is not finished, and the trainer's code is the same. Earlier finished models are kept as
long as a run would make the model again: it may take one of them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from nanosnake import config as configuration
from nanosnake import layout, runs
from nanosnake.closures import Closures
from nanosnake.commands.workflow import written
from nanosnake.config import Config
from nanosnake.files import NanosnakeError
from nanosnake.provenance.code import REPOSITORY
from nanosnake.snakemake_internals import NOTES, note_name
from nanosnake.stages import Stage
from nanosnake.training.recipe import FINISHED, RESULTS, Recipe

TARGETS = ("all", "tokens")
"""Targets that together list everything a configuration makes."""

PENDING = "update pending"
"""What Snakemake's summary says of a file that a run would make."""


@dataclass(frozen=True, kw_only=True)
class Clean(Stage):
    """List results that no configuration asks for any more, and remove them on request."""

    configfiles: tuple[Path, ...] = ()
    """Configurations whose results are kept; default: config/config.yaml."""
    yes: bool = False
    """Remove the listed results without asking."""

    def run(self) -> str:
        files = self.configfiles or (REPOSITORY / "config/config.yaml",)
        found = list(unasked(Path(), files))
        for path, size in found:
            print(f"{size:>16,}  {path}")
        total = f"{len(found):,} files and folders, {sum(size for _, size in found):,} bytes"
        if not found:
            return "nothing to remove: all results belong to the given configurations"
        if not self.yes and not (
            sys.stdin.isatty() and input(f"remove {total}? [y/N] ").strip().lower() == "y"
        ):
            return f"{total}, in the list; nothing was removed. --yes removes it"
        if at_work := [str(owner) for owner in runs.owners(Path()).values() if owner.alive]:
            raise NanosnakeError(
                f"{', '.join(at_work)} is making files in this folder; nothing was removed. Wait until it ends"
            )
        for path, _ in found:
            remove(path)
        return f"removed: {total}"


def unasked(project: Path, files: tuple[Path, ...]) -> Iterator[tuple[Path, int]]:
    """Yield results that no configuration asks for, with their sizes.

    Raises:
        NanosnakeError: if a configuration cannot be read or planned.
    """
    wanted: set[str] = set()
    outdated: set[str] = set()
    configs = []
    for file in files:
        configs.append(read(file))
        plan = planned(project, file)
        wanted |= plan.keys()
        outdated |= {name for name, said in plan.items() if said == PENDING}
    for path in sorted(walk(project / layout.RESULTS)):
        name = str(path.relative_to(project))
        if name not in wanted and (project / NOTES / note_name(name)).is_file():
            yield path, path.lstat().st_size
    yield from checkpoints(project, configs, outdated)


def read(file: Path) -> Config:
    """Return the configuration in a file."""
    return configuration.load(written(file), origin=str(file))


def planned(project: Path, file: Path) -> dict[str, str]:
    """Return what Snakemake's summary says of every file that a configuration has rules for: whether to make it."""
    command = [sys.executable, "-m", "snakemake", *TARGETS, "--snakefile", str(REPOSITORY / "Snakefile")]
    command += [
        "--directory",
        str(project),
        "--configfile",
        str(file.resolve()),
        "--summary",
        "--nolock",
        "--quiet",
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise NanosnakeError(
            f"{file}: Snakemake could not plan it; nothing was removed:\n{ended.stderr.strip()}"
        )
    rows = [line.split("\t") for line in ended.stdout.splitlines() if "\t" in line]
    return {row[0]: row[-1] for row in rows}


def walk(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder; a link is a file, whatever it points to."""
    for where, _, names in os.walk(folder):
        yield from (Path(where, name) for name in names)


def checkpoints(
    project: Path, configs: list[Config], outdated: AbstractSet[str]
) -> Iterator[tuple[Path, int]]:
    """Yield the folders of checkpoints that no run would resume from, and of finished models that nobody asks for."""
    code = Closures(REPOSITORY, project / layout.CODE).of("train_model")
    kept = [folder for config in configs for folder in models(project, config)]
    for folder in sorted((project / "checkpoints").glob("*/*/*")):
        if folder not in kept:
            yield folder, size_of(folder)
            continue
        for key in sorted(path for path in folder.iterdir() if path.is_dir() and path.name != "aside"):
            home = result_of(project, folder)
            settled = str((home / RESULTS[0]).relative_to(project)) not in outdated
            yield from ((path, size_of(path)) for path in unused(key, home if settled else None, code))


def models(project: Path, config: Config) -> list[Path]:
    """Return the folders of checkpoints of the models of a configuration."""
    return [
        project
        / layout.CHECKPOINTS.format(dataset=config.dataset_of(name), tokenizer=model.tokenizer, model=name)
        for name, model in config.models.items()
    ]


def result_of(project: Path, folder: Path) -> Path:
    """Return the folder of the model whose checkpoints are in a folder."""
    dataset, tokenizer, model = folder.parts[-3:]
    return project / layout.MODEL.format(dataset=dataset, tokenizer=tokenizer, model=model)


def unused(key: Path, home: Path | None, code: Mapping[str, str]) -> Iterator[Path]:
    """Yield the folders of one recipe's checkpoints that are no longer useful.

    Args:
        home: folder of the existing model; None if a run would make it again.
    """
    finished = key / FINISHED
    then = Recipe.of_result(finished)
    now = home and Recipe.of_result(home)
    if then is not None and now is not None and now != then:
        yield key  # with other options or data than the existing model
        return
    own = Recipe({}, frozenset(), {}, code).code_key
    for run in sorted(path for path in key.iterdir() if path.is_dir() and path.name != finished.name):
        if then is not None or not run.name.startswith(own):
            yield run


def size_of(folder: Path) -> int:
    """Return the bytes of the files below a folder."""
    return sum(path.lstat().st_size for path in walk(folder))


def remove(path: Path) -> None:
    """Remove a file or a folder, and its parent folders that are empty afterwards."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    parent = path.parent
    while parent != Path() and not any(parent.iterdir()):
        parent.rmdir()
        parent = parent.parent
