"""The module `rustbpe` of our crate: the library imports it from here, never by its name.

The public package rustbpe is imported under the same name and lacks most of ours.
"""

from __future__ import annotations

import importlib.metadata
import json
import tomllib
from pathlib import Path

import rustbpe as rustbpe

from nanosnake.files import NanosnakeError

DISTRIBUTION = "nanosnake-rustbpe"
"""What the crate is called where packages are installed."""


def foreign(module: object) -> str | None:
    """Return an error message if `module` is another package called `rustbpe`; None if it is ours."""
    if getattr(module, "__distribution__", None) == DISTRIBUTION:
        return None
    return (
        f"{getattr(module, '__file__', 'rustbpe')} is the public package rustbpe, not the crate of nanosnake; "
        f"run `pip uninstall rustbpe`, then install {DISTRIBUTION} again "
        f"(`uv sync --reinstall-package {DISTRIBUTION}` in a checkout)"
    )


def built_before(repository: Path) -> str | None:
    """Return a line to print if the crate of a checkout has changed since uv built the extension from it.

    `uv run` would build it again. Without it, results of the new code would be made by the old one.
    """
    try:
        installed = importlib.metadata.distribution(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:  # not installed: only on the path
        return None
    origin, built = (
        json.loads(installed.read_text(name) or "{}") for name in ("direct_url.json", "uv_cache.json")
    )
    crate, time = repository / "rustbpe", built.get("timestamp")
    if origin.get("url") != crate.as_uri() or not time:
        return None
    keys = tomllib.loads((crate / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["uv"]["cache-keys"]
    files = (path for key in keys for path in crate.glob(key["file"]))
    newest = max(files, key=lambda path: path.stat().st_mtime_ns)
    if newest.stat().st_mtime_ns <= time["secs_since_epoch"] * 10**9 + time["nanos_since_epoch"]:
        return None
    return (
        f"note: {newest} has changed since the Rust extension was built, so the results of the new code are made by the "
        "old one; stop this run, and start it again with `uv run`, or after `uv sync`"
    )


if problem := foreign(rustbpe):
    raise NanosnakeError(problem)
