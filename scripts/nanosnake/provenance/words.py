"""A record in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def code_words(code: Mapping[str, Any]) -> str:
    """Return the state of the code in words: `commit 0123456789ab with changes`."""
    if code["commit"] is None:
        return f"no commit ({code['problem']})"
    return f"commit {code['commit'][:12]}" + (" with changes" if code["dirty"] else "")
