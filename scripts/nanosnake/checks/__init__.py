"""Checks of a tokenizer. One module is one check; to add one, write the module and name it in `CHECKS`.

The modules are read whenever Snakemake plans, so they import what is heavy where they need it.
"""

from nanosnake.checks import (
    agreement,
    characters,
    code,
    compression,
    distribution,
    languages,
    numbers,
    parts,
    reachability,
    residue,
    round_trip,
    stability,
    token_lengths,
    twins,
    vocabulary_use,
)
from nanosnake.checks.spec import MODES, Check, Threshold
from nanosnake.checks.verdict import Failure, Findings, Verdict, read_verdict

_IN_ORDER = (
    round_trip,
    agreement,
    reachability,
    compression,
    languages,
    characters,
    numbers,
    code,
    token_lengths,
    vocabulary_use,
    residue,
    twins,
    distribution,
    parts,
    stability,
)

CHECKS: dict[str, Check] = {module.check.name: module.check for module in _IN_ORDER}
"""All checks by name, in the order in which they are shown."""

__all__ = [
    "CHECKS",
    "MODES",
    "Check",
    "Failure",
    "Findings",
    "Threshold",
    "Verdict",
    "read_verdict",
]
