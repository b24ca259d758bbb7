"""The Rust extension, and the sources that it was built from."""

from __future__ import annotations

import importlib.metadata
import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from nanosnake.crate import built_before


def test_sources_that_changed_after_the_extension_was_built_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crate = tmp_path / "rustbpe"
    source = crate / "core/src/merge.rs"
    source.parent.mkdir(parents=True)
    source.write_text("fn main() {}")
    (crate / "pyproject.toml").write_text('[tool.uv]\ncache-keys = [{ file = "core/src/**/*.rs" }]')
    built = {"secs_since_epoch": 10**9, "nanos_since_epoch": 5}
    said = {
        "direct_url.json": json.dumps({"url": crate.as_uri()}),
        "uv_cache.json": json.dumps({"timestamp": built}),
    }
    installed = SimpleNamespace(read_text=lambda name: said.get(name))
    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: installed)
    os.utime(source, ns=(10**18 + 5, 10**18 + 5))
    assert built_before(tmp_path) is None
    os.utime(source, ns=(10**18 + 6, 10**18 + 6))
    assert f"note: {source} has changed since the Rust extension was built" in str(built_before(tmp_path))
    assert built_before(tmp_path / "another checkout") is None
    del said["uv_cache.json"]  # pip, or an older uv
    assert built_before(tmp_path) is None
