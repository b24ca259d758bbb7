"""What is built on is pinned by hash, comes from the two registries, and has a licence that deny.toml allows."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

REPOSITORY = Path(__file__).parents[2]
HASH = re.compile(r"sha256:[0-9a-f]{64}")
ALLOWED = set(tomllib.loads((REPOSITORY / "rustbpe/deny.toml").read_text())["licenses"]["allow"])


def locked(path: str) -> list[dict[str, Any]]:
    packages: list[dict[str, Any]] = tomllib.loads((REPOSITORY / path).read_text())["package"]
    return packages


def test_every_python_package_is_locked_with_a_hash() -> None:
    for package in locked("uv.lock"):
        if "registry" not in package["source"]:
            assert package["name"] in ("nanosnake", "nanosnake-rustbpe"), package
            continue
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        assert files, package["name"]
        assert all(HASH.fullmatch(file["hash"]) for file in files), package["name"]
        assert urlsplit(package["source"]["registry"]).scheme == "https", package["name"]


@pytest.mark.parametrize("lock", ["rustbpe/Cargo.lock", "rustbpe/fuzz/Cargo.lock"])
def test_every_crate_is_locked_with_a_hash(lock: str) -> None:
    ours = {"rustbpe-core", "rustbpe-python", "rustbpe-fuzz"}
    for package in locked(lock):
        if package["name"] in ours:
            continue
        assert package["source"] == "registry+https://github.com/rust-lang/crates.io-index", package
        assert re.fullmatch(r"[0-9a-f]{64}", package["checksum"]), package


def fits(licence: str) -> bool:
    """Return whether an SPDX expression can be met with the allowed licences; AND binds more than OR."""
    licence = licence.replace("/", " OR ")
    while inner := re.search(r"\(([^()]*)\)", licence):
        licence = licence.replace(inner[0], "MIT" if fits(inner[1]) else "none")
    return any(all(part.strip() in ALLOWED for part in one.split(" AND ")) for one in licence.split(" OR "))


def test_licences_are_understood() -> None:
    assert fits("MIT OR LGPL-2.1")
    assert fits("(MIT OR GPL-3.0) AND Unicode-3.0")
    assert not fits("MIT AND GPL-3.0")
    assert not fits("(GPL-3.0 OR LGPL-2.1) AND MIT")


def test_every_crate_has_a_licence_that_is_allowed() -> None:
    command = [
        "cargo",
        "metadata",
        "--locked",
        "--format-version",
        "1",
        "--manifest-path",
        "rustbpe/Cargo.toml",
    ]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    packages = json.loads(done.stdout)["packages"]
    assert len(packages) > 50
    assert [package["name"] for package in packages if not fits(package["license"] or "none")] == []
