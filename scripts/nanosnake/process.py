"""Running a script as a process: signals, exit statuses, one message instead of a traceback, the job's record."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NoReturn

from nanosnake.messages import expected_message, log, wants_traceback
from nanosnake.provenance.record import VARIABLE as LOG_VARIABLE
from nanosnake.provenance.record import recorded

PR_SET_PDEATHSIG = 1
"""Of prctl(2)."""


def run_main(main: Callable[[list[str] | None], int]) -> NoReturn:
    """Run a script's `main` and exit with its code.

    A failure that a user can act on (NanosnakeError, OSError, the Rust crate's errors) gives one message on
    stderr and exit code 1; with `--verbose` or the variable NANOSNAKE_TRACEBACK=1 its traceback appears above the
    message. Ctrl-C exits with 130 and SIGTERM with 143, both after temporary files are removed. Anything else is a
    bug and keeps its traceback. A run that succeeds writes its record if the rule asks for one.
    """
    signal.signal(signal.SIGTERM, _terminated)
    try:
        if os.environ.get(LOG_VARIABLE):
            _end_with_parent()
        code = recorded(main)
        sys.stdout.flush()
    except KeyboardInterrupt:
        _fail("stopped by Ctrl-C", 130)
    except _Terminated as stopped:
        _fail(f"stopped by {stopped}", 128 + stopped.number)
    except BrokenPipeError:
        # the reader of our stdout has closed it; without this, Python prints a second error on exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(1)
    except BaseException as error:  # a panic of a library is not an Exception
        message = expected_message(error)
        if message is None:
            raise
        if wants_traceback():
            sys.excepthook(type(error), error, error.__traceback__)
        _fail(message, 1)
    sys.exit(code)


def _fail(message: str, code: int) -> NoReturn:
    sys.stdout.flush()
    log(f"{Path(sys.argv[0]).name}: error: {message}")
    sys.exit(code)


class _Terminated(SystemExit):
    """A signal has asked the process to end.

    It is reported after the stack has unwound: a handler that interrupts a write cannot write a line itself.
    """

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number

    def __str__(self) -> str:
        return signal.Signals(self.number).name


def _terminated(number: int, frame: FrameType | None) -> NoReturn:
    raise _Terminated(number)


def _end_with_parent() -> None:
    """Let the kernel send SIGTERM to this process when its parent ends, where it can (Linux).

    To Snakemake, a job whose shell is killed has failed, and it forgets what the job's files were made from. A file
    that gets its final name after that would count as made, even if the configuration has changed since.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    parent = os.getppid()
    try:  # the parent may have ended before: then the process that adopted this one works elsewhere, or is not readable
        gone = parent == 1 or Path(f"/proc/{parent}/cwd").readlink() != Path.cwd()
    except OSError:
        gone = True
    if gone:
        signal.raise_signal(signal.SIGTERM)
