"""The conda environment names the versions that uv.lock pins."""

from __future__ import annotations

from pathlib import Path

import write_environment

REPOSITORY = Path(__file__).parents[2]


def test_the_environment_file_is_the_lock_files() -> None:
    written = (REPOSITORY / "envs/nanosnake.yaml").read_text()
    assert written == write_environment.render(REPOSITORY / "uv.lock"), "run `just envs`"


def test_what_conda_lacks_is_installed_at_the_same_versions() -> None:
    script = (REPOSITORY / "envs/nanosnake.post-deploy.sh").read_text()
    groups = (REPOSITORY / "pyproject.toml").read_text()
    for name in write_environment.NOT_IN_CONDA:
        pin = next(word.strip('",[]') for word in groups.split() if name + "==" in word)
        assert pin in script
