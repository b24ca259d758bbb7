"""The name of a run: one start of Snakemake and all its jobs, on whatever host they run."""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime

RUN_VARIABLE = "NANOSNAKE_RUN_ID"


def run_id() -> str:
    """Return the name of this run, and set it for the processes that it starts.

    The first process of a run creates it: the time in UTC and eight random digits. A script that is run by hand
    is its own run.
    """
    made = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
    return os.environ.setdefault(RUN_VARIABLE, made)
