"""Checks of a tokenizer. One module is one check; to add one, write the module and name it in `NAMES`.

A job imports only its own check's module, so an edit of a check outdates nothing else. Snakemake imports all of them
while it plans, so they import heavy modules inside functions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nanosnake.checks.spec import Check

NAMES = (
    *("round_trip", "agreement", "reachability", "compression", "languages", "characters", "numbers", "code"),
    *("token_lengths", "vocabulary_use", "residue", "twins", "distribution", "parts", "stability"),
)
"""The checks in the order in which they are shown."""


class _Checks(Mapping[str, "Check"]):
    def __getitem__(self, name: str) -> Check:
        if name not in NAMES:
            raise KeyError(name)
        found: Check = import_module(f"{__name__}.{name}").check
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)


CHECKS: Mapping[str, Check] = _Checks()
"""All checks by name."""
