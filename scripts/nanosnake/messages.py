"""What people read while a job runs: log lines, a progress line, and one message for an expected failure."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Concatenate, ParamSpec, TextIO, TypeVar

from nanosnake.files import NO_ROOM, NanosnakeError

TRACEBACK_VARIABLE = "NANOSNAKE_TRACEBACK"

Given = TypeVar("Given")
Rest = ParamSpec("Rest")
Result = TypeVar("Result")


def log(message: str) -> None:
    """Print a line for people on stderr, which is the rule's log file under Snakemake."""
    print(message, file=sys.stderr, flush=True)


def expected_message(error: BaseException) -> str | None:
    """Return the message for an expected failure, or None if the error is a bug."""
    if isinstance(error, NanosnakeError):
        return str(error)
    if isinstance(error, OSError):
        if error.strerror is None:
            return str(error) or type(error).__name__
        names = [str(name) for name in (error.filename, error.filename2) if name is not None]
        message = ": ".join([" -> ".join(names), error.strerror] if names else [error.strerror])
        return f"{message}; make room and run again" if error.errno in NO_ROOM else message
    rustbpe = sys.modules.get("rustbpe")  # not imported here, because most scripts do not need it
    if isinstance(error, getattr(rustbpe, "RustbpeError", ())):
        return str(error)
    if is_panic(error):
        return (
            f"a library panicked ({error}); the lines above name it, and the traceback (--verbose) the place"
        )
    return None


def is_panic(error: BaseException) -> bool:
    """Return whether an error is a panic of a library in Rust: each has its own class, which is not an Exception."""
    return type(error).__name__ == "PanicException"


class Panicked(NanosnakeError):
    """A library panicked.

    Attributes:
        given: the text, or the ids if it was decoding.
    """

    def __init__(self, engine: str, error: BaseException, given: object) -> None:
        words = repr(given)
        super().__init__(f"{engine} panics on {words if len(words) <= 60 else f'{words[:59]}…'} ({error})")
        self.given = given


def named(
    engine: str, call: Callable[Concatenate[Given, Rest], Result]
) -> Callable[Concatenate[Given, Rest], Result]:
    """Wrap a function of a Rust library: its panic is raised as Panicked, which names the library and the text.

    After a panic on a list of texts, each is tried alone, to find the one that causes it.
    """

    def guarded(given: Given, /, *rest: Rest.args, **options: Rest.kwargs) -> Result:
        try:
            return call(given, *rest, **options)
        except BaseException as error:
            if not is_panic(error):
                raise
            texts = given if isinstance(given, list) and given and isinstance(given[0], str) else [given]
            if len(texts) > 1:
                for text in texts:
                    guarded([text], *rest, **options)  # type: ignore[arg-type]  # one of the same
            raise Panicked(engine, error, texts[0] if len(texts) == 1 else texts) from None

    return guarded


def wants_traceback() -> bool:
    """Return whether the user asked for tracebacks."""
    return "--verbose" in sys.argv[1:] or os.environ.get(TRACEBACK_VARIABLE, "") not in ("", "0")


class Progress:
    """A progress line: rewritten in place on a terminal, a new line now and then in a log.

    It is also a callable `(done, total)`, the form in which the Rust crate reports progress.

    Args:
        what: what is being done, the first words of the line.
        total: the number of units at the end, None while unknown.
        unit: the unit's name; with `scale`, figures are divided by it ("MB" and 1e6 for bytes).
        start: units done before this run (by a resumed download); they do not count towards the speed.
        every: seconds between lines in a log; a terminal gets four a second.
    """

    def __init__(
        self,
        what: str,
        total: int | None = None,
        *,
        unit: str = "",
        scale: float = 1,
        start: int = 0,
        every: float = 10.0,
        stream: TextIO | None = None,
    ) -> None:
        self.what, self.total, self.unit, self.scale, self.start = what, total, unit, scale, start
        self.stream = sys.stderr if stream is None else stream
        self.terminal = self.stream.isatty()
        self.every = 0.25 if self.terminal else every
        self.began = self.shown = time.monotonic()
        self.width = 0

    def __call__(self, done: int, total: int | None = None) -> None:
        """Report that `done` of `total` units are done; most calls print nothing."""
        if total:
            self.total = total
        now = time.monotonic()
        if now - self.shown >= self.every:
            self.shown = now
            self._print(self.line(done, now - self.began))

    def line(self, done: int, seconds: float) -> str:
        """Return the line for `done` units after `seconds`."""
        speed = max(done - self.start, 0) / seconds if seconds > 0 else 0.0
        text = f"{self.what}: {self._figure(done)}"
        if self.total:
            text += f" of {self._figure(self.total)}{self._unit()} ({100 * done / self.total:.0f}%)"
        else:
            text += self._unit()
        text += f", {self._figure(speed)}{self._unit()}/s"
        if self.total and speed > 0 and done < self.total:
            text += f", {duration((self.total - done) / speed)} left"
        return text

    def close(self) -> None:
        """End the line on a terminal; the next output begins a new one."""
        if self.width:
            self.stream.write("\r" + " " * self.width + "\r")
            self.stream.flush()
            self.width = 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _print(self, line: str) -> None:
        if self.terminal:
            self.stream.write("\r" + line.ljust(self.width))
            self.width = len(line)
        else:
            self.stream.write(line + "\n")
        self.stream.flush()

    def _figure(self, value: float) -> str:
        return f"{value / self.scale:,.1f}" if self.scale != 1 else f"{value:,.0f}"

    def _unit(self) -> str:
        return f" {self.unit}" if self.unit else ""


def duration(seconds: float) -> str:
    """Return seconds as people read them: `8 s`, `3 min 20 s`, `2 h 5 min`, `3 days 4 h`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 48 * 3600:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400:,} days {whole % 86400 // 3600} h"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as text in columns, the first to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
