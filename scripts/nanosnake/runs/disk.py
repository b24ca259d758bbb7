"""Report once, with advice, that the folder where Snakemake runs is full or read-only."""

from __future__ import annotations

import errno
import logging
import sys
import tempfile
from pathlib import Path

from nanosnake.files import NO_ROOM

CANNOT_WRITE = (*NO_ROOM, errno.EROFS, errno.EACCES)

ROOM = 1 << 20
"""Bytes that a run needs at least for its logs and notes; a folder with fewer counts as full."""


def cannot_write(error: OSError, folder: Path | None = None) -> str:
    """Return the message for a folder of Snakemake that is full or read-only."""
    return (
        f"{folder or Path.cwd()}: {error.strerror}; results, logs and notes are made in the folder where Snakemake runs: "
        "free some space there, or run in a folder that you can write to (--directory)"
    )


def hush_log_files() -> None:
    """Leave out the traceback that `logging` prints for each line that finds no room in Snakemake's log file."""
    told = logging.Handler.handleError

    def tell(handler: logging.Handler, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if not (isinstance(error, OSError) and error.errno in CANNOT_WRITE):
            told(handler, record)

    logging.Handler.handleError = tell  # type: ignore[assignment, method-assign]


def say_if_full(folder: Path) -> None:
    """Print, as the last line of a failed run, that its folder is full, if it is.

    Snakemake writes a log, a benchmark and a note per result, and if there is no room for one of them, it asks for
    permissions or says nothing. The room is tested by writing, since free space does not show a quota.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as stream:
            stream.write(b"\0" * ROOM)
    except OSError as error:
        print(cannot_write(error, folder), file=sys.stderr)
