"""Tables of checksums, as sha256sum writes them: 64 digits, blanks, a file's name."""

from __future__ import annotations

import re
from pathlib import Path

from nanosnake.files import NanosnakeError

_LINE = re.compile(r"([0-9a-fA-F]{64}) [ *]?(\S.*)")


def check_sha256(value: str, where: str) -> str:
    """Return a SHA-256 in small letters.

    Raises:
        NanosnakeError: if it is not 64 hexadecimal digits.
    """
    if not re.fullmatch(r"[0-9a-fA-F]{64}", value):
        raise NanosnakeError(f"{where}: {value!r} is not a SHA-256; wanted: 64 hexadecimal digits")
    return value.lower()


def look_up(table: Path, names: list[str]) -> str:
    """Return the SHA-256 of a file by its name, without folders.

    Args:
        table: the file of checksums; blank lines and those that begin with `#` are skipped.
        names: what the file may be called.

    Raises:
        NanosnakeError: if a line is of another form, or the file has no line or several that differ.
    """
    found = set()
    for number, line in enumerate(table.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line.rstrip())
        if match is None:
            raise NanosnakeError(
                f"{table}, line {number}: {line[:80]!r} is not of the form that sha256sum writes: "
                "64 hexadecimal digits, two blanks, the file's name"
            )
        if match[2].rsplit("/", 1)[-1] in names:
            found.add(match[1].lower())
    if len(found) != 1:
        what = "has no line for" if not found else f"has {len(found)} different checksums for"
        raise NanosnakeError(
            f"{table}: {what} {' or '.join(names)}; complete the table, or leave it out of the dataset's source"
        )
    return found.pop()
