"""Files from the future: Snakemake would refuse them after the work; this reports them before it.

Plain Python, so that it can be tested without Snakemake.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from nanosnake.files import NanosnakeError

SKEW = 60.0
"""Seconds by which clocks of different hosts may differ."""


def check_times(files: Iterable[str]) -> None:
    """Check that no file was modified in the future; those that do not exist yet are skipped.

    Raises:
        NanosnakeError: if one was. Its outputs would be older than it, so Snakemake would reject them at the end of the
            job, for instance after a day of training.
    """
    latest = time.time() + SKEW
    found = {}
    for file in set(files):
        try:
            changed = os.lstat(file).st_mtime
        except OSError:
            continue
        if changed > latest:
            found[file] = changed
    if not found:
        return
    first = min(found)
    places = {Path(file).parent if Path(file).is_absolute() else Path(file).parts[0] for file in found}
    folders = shlex.join(sorted(map(str, places)))
    raise NanosnakeError(
        f"{first} was modified on {datetime.fromtimestamp(found[first]):%Y-%m-%d %H:%M:%S}, which is in the future "
        f"({len(found)} such files): the clock was set back, or another host's is ahead. Snakemake would refuse what is "
        "made from them, so nothing was run. Set the clock right; or, if it is right now, give them the current time: "
        f'find {folders} -newermt now -exec touch -h -d "$(date)" {{}} +'
    )
