"""What the commands that run the workflow share: the checkout, and its Snakemake."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from nanosnake.config.written import parsed
from nanosnake.files import NanosnakeError

CHECKOUT = Path(__file__).parents[3]


def snakefile() -> Path:
    """Return the Snakefile of the checkout that this library belongs to, or of the working directory.

    Raises:
        NanosnakeError: if there is neither.
    """
    for folder in (Path(), CHECKOUT):
        if (folder / "Snakefile").is_file() and (folder / "rules").is_dir():
            return folder / "Snakefile"
    raise NanosnakeError(
        "this command needs the workflow, which pip does not install: clone nanosnake, and run the command in that "
        "folder (uv run nanosnake …)"
    )


def written(configfile: Path) -> dict[str, Any]:
    """Return what a configuration says, as Snakemake reads it: JSON or YAML.

    Raises:
        NanosnakeError: if the file cannot be read; Snakemake would not name it, or show a traceback.
    """
    if not configfile.is_file():
        raise NanosnakeError(f"{configfile}: no such file; name a configuration with --configfile")
    try:
        said = parsed(configfile.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise NanosnakeError(f"{configfile}: cannot be read as a configuration ({error})") from None
    if not isinstance(said, dict):
        raise NanosnakeError(f"{configfile}: has no keys; config/README.md of nanosnake describes them")
    return said


def configured(configfile: Path | None, directory: Path | None) -> list[str]:
    """Return the words of a Snakemake command line that name the workflow, its configuration and the run's folder.

    Raises:
        NanosnakeError: if there is no workflow, no such configuration, or the folder cannot be written; Snakemake would
            show a traceback.
    """
    if configfile:
        written(configfile)
    folder = directory or Path()
    if folder.is_dir() and not os.access(folder, os.W_OK):
        raise NanosnakeError(
            f"{folder.resolve()}: cannot be written, and Snakemake keeps notes there even to plan; ask for the right to "
            "write, or copy the folder"
        )
    path = snakefile()
    profile = (path.parent / "profiles/default").resolve()
    words = ["--snakefile", str(path.resolve()), "--workflow-profile", str(profile)]
    words += ["--directory", str(directory)] if directory else []
    return [*words, "--configfile", str(configfile)] if configfile else words


def snakemake(
    words: Sequence[str], *, capture: bool = False, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Snakemake with this Python; return how it ended."""
    command = [sys.executable, "-m", "snakemake", *words]
    return subprocess.run(
        command, text=True, check=False, capture_output=capture, env={**os.environ, **(environment or {})}
    )
