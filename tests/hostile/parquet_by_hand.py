"""Parquet files written byte by byte, so that any number in them can be a lie.

A file has one optional text column. Headers and footer are structs of Thrift's compact protocol; here a struct is a
dict from field number to value, where an int is an i32, `Long` an i64, and str, bytes, list and dict are themselves.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CODECS = {"none": 0, "snappy": 1, "gzip": 2, "brotli": 4, "lz4": 5, "zstd": 6}
PLAIN, RLE, DELTA_BINARY_PACKED, DELTA_LENGTH, DELTA_BYTE_ARRAY, RLE_DICTIONARY = 0, 3, 5, 6, 7, 8


class Long(int):
    """A number that is written as an i64."""


def varint(number: int) -> bytes:
    """Return a number that is not negative, seven bits to a byte."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def zigzag(number: int) -> bytes:
    """Return a signed number as Thrift and the delta encodings write it."""
    return varint(number << 1 if number >= 0 else (-number << 1) - 1)


def _kind(value: Any) -> int:
    kinds = [(Long, 6), (int, 5), ((str, bytes), 8), (list, 9), (Mapping, 12)]
    return next(kind for types, kind in kinds if isinstance(value, types))


def thrift(value: Any) -> bytes:
    """Return a value in the compact protocol."""
    if isinstance(value, int):
        return zigzag(value)
    if isinstance(value, str | bytes):
        data = value.encode() if isinstance(value, str) else value
        return varint(len(data)) + data
    if isinstance(value, list):
        size, kind = len(value), _kind(value[0]) if value else 5
        head = bytes([size << 4 | kind]) if size < 15 else bytes([0xF0 | kind]) + varint(size)
        return head + b"".join(map(thrift, value))
    out, last = b"", 0
    for field, inner in value.items():
        out += bytes([(field - last) << 4 | _kind(inner)]) + thrift(inner)
        last = field
    return out + b"\0"


@dataclass(frozen=True)
class Page:
    """A page: its bytes as they stand in the file, and what its header claims."""

    data: bytes
    uncompressed: int
    values: int
    encoding: int = PLAIN
    dictionary: bool = False
    compressed: int | None = None

    def bytes(self) -> bytes:
        """Return header and data."""
        compressed = len(self.data) if self.compressed is None else self.compressed
        head: dict[int, Any] = {1: 2 if self.dictionary else 0, 2: self.uncompressed, 3: compressed}
        if self.dictionary:
            head[7] = {1: self.values, 2: PLAIN}
        else:
            head[5] = {1: self.values, 2: self.encoding, 3: RLE, 4: RLE}
        return thrift(head) + self.data


def levels(values: int, *, defined: bool = True) -> bytes:
    """Return the definition levels of a page whose rows all have a value, or none of which has one."""
    run = varint(values << 1) + bytes([defined])
    return struct.pack("<I", len(run)) + run


def plain(texts: Sequence[bytes]) -> bytes:
    """Return texts in the encoding PLAIN."""
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def equal_lengths(number: int, length: int) -> bytes:
    """Return so many equal lengths in the encoding DELTA_BINARY_PACKED: a few bytes for every 128."""
    blocks = -(-max(number - 1, 0) // (1 << 16))
    head = varint(1 << 16) + varint(1) + varint(number) + zigzag(length)
    return head + (zigzag(0) + b"\0") * blocks


def file(
    pages: Sequence[Page], *, rows: int, codec: str = "none", schema: list[dict[int, Any]] | None = None
) -> bytes:
    """Return a parquet file of one row group whose footer claims so many rows."""
    body = b"".join(page.bytes() for page in pages)
    columns: dict[int, Any] = {
        1: 6, 2: [PLAIN, RLE], 3: ["text"], 4: CODECS[codec], 5: Long(rows),
        6: Long(sum(page.uncompressed for page in pages)), 7: Long(len(body)), 9: Long(4),
    }  # fmt: skip
    if pages and pages[0].dictionary:
        columns[9] = Long(4 + len(pages[0].bytes()))
        columns[11] = Long(4)
    text = {1: 6, 3: 1, 4: "text", 6: 0}
    footer = thrift({
        1: 1, 2: schema or [{4: "schema", 5: 1}, text], 3: Long(rows),
        4: [{1: [{2: Long(4), 3: columns}], 2: Long(len(body)), 3: Long(rows)}],
    })  # fmt: skip
    return b"PAR1" + body + footer + struct.pack("<I", len(footer)) + b"PAR1"


def nested(depth: int) -> list[dict[int, Any]]:
    """Return the schema of a column that so many groups are around, beside the text column."""
    groups = [{3: 1, 4: f"g{level}", 5: 1} for level in range(depth)]
    return [{4: "schema", 5: 2}, {1: 6, 3: 1, 4: "text", 6: 0}, *groups, {1: 1, 3: 1, 4: "leaf"}]
