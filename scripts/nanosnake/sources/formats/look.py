"""What a file is: by its first bytes, and by its name where those leave it open."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from nanosnake.files import NanosnakeError

Format = Literal["jsonl", "text", "csv", "tsv", "arrow", "parquet"]
FORMATS: tuple[str, ...] = get_args(Format)
Documents = Literal["line", "file", "blocks"]
OnError = Literal["stop", "skip"]

ENDINGS: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".txt": "text",
    ".text": "text",
    ".md": "text",
    ".csv": "csv",
    ".tsv": "tsv",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".parquet": "parquet",
}
PACKED_ENDINGS = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2", ".xz": "xz"}

_PACKED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2", b"\xfd7zXZ\0": "xz"}
_TABLES: dict[bytes, Format] = {b"PAR1": "parquet", b"ARROW1": "arrow", b"\xff\xff\xff\xff": "arrow"}
_OTHERS = {
    b"%PDF": "a PDF document; extract its text first",
    b"PK\x03\x04": "a zip archive; unpack it first",
    b"SQLite format 3": "an SQLite database; export its text first",
    b"\xff\xfe": "text in UTF-16; convert it with: iconv -f UTF-16 -t UTF-8",
    b"\xfe\xff": "text in UTF-16; convert it with: iconv -f UTF-16 -t UTF-8",
    b"version https://git-lfs": "a Git LFS pointer, not the file itself; fetch it with: git lfs pull",
}
_WEB = (b"<!doctype", b"<html")

START = 4096
"""Bytes that are looked at."""
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Look:
    """What a file's name says."""

    format: Format | None
    packing: str | None


def by_name(path: str | Path) -> Look:
    """Return what a file's name says about it."""
    endings = [f".{ending}" for ending in str(path).rpartition("/")[2].lower().split(".")[1:]]
    packing = PACKED_ENDINGS.get(endings[-1]) if endings else None
    if packing:
        endings.pop()
    return Look(ENDINGS.get(endings[-1]) if endings else None, packing)


def stem(path: str | Path) -> str:
    """Return the name of a file without its folder and the endings that say what it is."""
    name = Path(path).name
    for endings in (PACKED_ENDINGS, ENDINGS):
        ending = Path(name).suffix
        if ending.lower() in endings:
            name = name.removesuffix(ending)
    return name


def format_of(path: str | Path) -> Format:
    """Return the format that a file's name indicates.

    Raises:
        NanosnakeError: if it indicates none.
    """
    if found := by_name(path).format:
        return found
    raise NanosnakeError(
        f"{path}: the name does not say what the file is (known endings: {', '.join(ENDINGS)}, each also with "
        f"{', '.join(PACKED_ENDINGS)}); set the source's format to one of {', '.join(FORMATS)}"
    )


def packing_of(path: str | Path, start: bytes) -> str | None:
    """Return how a file is compressed: gzip, zstd, bz2, xz or not at all.

    Raises:
        NanosnakeError: if its name says otherwise.
    """
    found = next((packing for magic, packing in _PACKED.items() if start.startswith(magic)), None)
    named = by_name(path).packing
    if named is not None and start and found != named:
        looks = f"compressed with {found}" if found else what_it_is(start) or "not compressed"
        raise NanosnakeError(
            f"{path}: named as compressed with {named}, but it looks {_as(looks)}; rename it"
        )
    return found


def check_format(path: str | Path, start: bytes, wanted: Format) -> None:
    """Check the first bytes of a file, unpacked, against the format that it is read as.

    Raises:
        NanosnakeError: if the file is something else; it says what it looks like.
    """
    if not start:
        return  # an empty file holds no documents, whatever its format; tables refuse it themselves
    table = next((kind for magic, kind in _TABLES.items() if start.startswith(magic)), None)
    if table == wanted:
        return
    looks = what_it_is(start)
    if wanted == "jsonl" and start.startswith(b"{"):
        return  # whatever else is in it, the reader names the line
    if looks is None and wanted in ("arrow", "parquet"):
        looks = "like text"
    text = start.removeprefix(BOM).lstrip()
    if looks is None and wanted == "jsonl" and text.startswith(b"["):
        looks = "like a JSON array; make JSON Lines of it with: jq -c '.[]'"
    if looks is None and wanted == "jsonl" and not text.startswith(b"{"):
        looks = "like text that is not JSON; a line of JSON Lines begins with {"
    if looks is not None:
        raise NanosnakeError(
            f"{path}: to be read as {wanted}, but it looks {_as(looks)}; rename the file, or set the source's format"
        )


def what_it_is(start: bytes) -> str | None:
    """Return what first bytes are, where they are not text that could be documents."""
    for magic, kind in _TABLES.items():
        if start.startswith(magic):
            return f"like {kind}"
    for magic, packing in _PACKED.items():
        if start.startswith(magic):
            return f"compressed with {packing}, within what was unpacked; unpack it once more"
    for magic, other in _OTHERS.items():
        if start.startswith(magic):
            return f"like {other}"
    if start.removeprefix(BOM).lstrip().lower().startswith(_WEB):
        return "like a web page; the address was wrong, or the host sent an error page"
    if b"\0" in start:
        return "like binary data (it holds zero bytes)"
    return None


def _as(looks: str) -> str:
    return looks if looks.startswith(("like", "compressed", "not")) else f"like {looks}"
