"""What a comparison claims, written down before its first model is trained.

`history/preregistrations/NAME.json` has an entry for each time that the terms changed: the terms, when they were
recorded, and which of the comparison's models had been started by then. A run writes it before its first job.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nanosnake.files import NanosnakeError, read_json, write_json


def record(path: Path, terms: Mapping[str, Any], begun: Sequence[str]) -> None:
    """Add the terms of a comparison, unless the last entry has them.

    Args:
        begun: the comparison's models that exist or have checkpoints.
    """
    known = entries(path)
    if not known or known[-1]["terms"] != terms:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        write_json(path, {"entries": [*known, {"recorded": now, "terms": terms, "begun": sorted(begun)}]})


def entries(path: Path) -> list[dict[str, Any]]:
    """Return what was recorded, the oldest first.

    Raises:
        NanosnakeError: if the file is not one of these.
    """
    if not path.exists():
        return []
    found = read_json(path)
    kept = found.get("entries") if isinstance(found, dict) else None
    if not isinstance(kept, list) or not all(
        isinstance(one, dict) and {"recorded", "terms", "begun"} <= one.keys() for one in kept
    ):
        raise NanosnakeError(
            f"{path}: is not a record of a comparison's terms; undo the edit, or delete the file: the claim is then "
            "not preregistered"
        )
    return kept


def judge(path: Path, terms: Mapping[str, Any]) -> dict[str, Any]:
    """Return whether the terms were recorded before any of the models was begun, and why not."""
    known = entries(path)
    same = [one for one in known if one["terms"] == terms]
    found: dict[str, Any] = {"recorded": same[0]["recorded"] if same else None, "versions": len(known)}
    if not same:
        return {**found, "preregistered": False, "why": "the terms were not recorded"}
    if begun := same[0]["begun"]:
        changed = " and the terms were changed since they were first recorded" if len(known) > 1 else ""
        why = f"{begun[0]} had been begun when the terms were recorded{changed}"
        return {**found, "preregistered": False, "why": why}
    return {
        **found,
        "preregistered": True,
        "why": "the terms were recorded before any of the models was begun",
    }
