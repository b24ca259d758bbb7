"""Documents that cannot be read: the first ends the work, or each is left out and recorded."""

from __future__ import annotations

import json
from typing import IO

from nanosnake.files import NanosnakeError
from nanosnake.sources.formats.look import OnError

NUL = "a zero byte: the file is damaged or not text"


def why_not_text(data: bytes) -> str | None:
    """Return why bytes are not text; None if they are."""
    if b"\0" in data:
        return NUL
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return f"not valid UTF-8 ({error.reason} at its byte {error.start + 1:,})"
    return None


class Refusals:
    """Collects what is wrong with the documents of a source.

    Args:
        on_error: `stop` raises at the first, `skip` writes each down.
        output: where they are written, a JSON object each: file, place, reason and how it begins.
    """

    def __init__(self, on_error: OnError, output: IO[str]) -> None:
        self.on_error = on_error
        self.output = output
        self.count = 0

    def add(self, path: str, place: str, reason: str, start: bytes = b"") -> None:
        """Leave out what is at a place of a file (`line 7`), or raise.

        Raises:
            NanosnakeError: if the first mistake ends the work.
        """
        begins = f"; it begins {start[:60]!r}" if start else ""
        if self.on_error == "stop":
            raise NanosnakeError(
                f"{path}, {place}: {reason}{begins}; correct the file, or set the source's on_error to skip, which "
                "leaves out what cannot be read and writes it down"
            )
        self.count += 1
        entry = {"file": path, "place": place, "reason": reason, "begins": repr(start[:60])[2:-1]}
        self.output.write(json.dumps(entry, ensure_ascii=False) + "\n")
