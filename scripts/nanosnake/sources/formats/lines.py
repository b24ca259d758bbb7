"""Documents of files that consist of lines: JSON Lines and plain text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj
import rustbpe

from nanosnake.files import NanosnakeError
from nanosnake.sources.formats.batch import Batch, kept, numbered
from nanosnake.sources.formats.columns import Column, WrongColumn, listed
from nanosnake.sources.formats.look import BOM, Documents
from nanosnake.sources.formats.refused import NUL, Refusals, why_not_text
from nanosnake.sources.formats.stream import LONGEST, Lines, Stream, lines
from nanosnake.tokenizer import conversations

_NO_OBJECT = "not a JSON object, which begins with {"
_TOO_LONG = f"{{length:,}} bytes in one {{what}}; at most {LONGEST:,} are read"
_TYPE = re.compile(r"Column\((.*?)\) changed from (\w+) to (\w+)")
_TWICE = re.compile(r"Column\((.*?)\) was specified twice")
_BLANK = re.compile(rb"\n[ \t]+(?=\n|\Z)")


class _Unreadable(Exception):
    """Lines that are not what they should be; the text says why."""


class _JsonLines:
    """Reads the text of JSON objects, and says what is wrong with them."""

    def __init__(self, column: Column) -> None:
        self.column = column
        self.options = pj.ParseOptions(
            explicit_schema=column.schema(), unexpected_field_behavior="ignore", newlines_in_values=False
        )

    def parse(self, data: bytes) -> pa.Array:
        """Return the text of each object; the first value must be one, PyArrow 26 crashes where it is `null`.

        Raises:
            _Unreadable: if one of them is not right.
        """
        try:
            reader = pj.open_json(  # takes less time for one block than read_json
                pa.BufferReader(data),
                read_options=pj.ReadOptions(use_threads=False, block_size=len(data) + 1),
                parse_options=self.options,
            )
            return self.column.texts(reader.read_all())
        except (pa.ArrowException, WrongColumn) as error:
            raise _Unreadable(_reason(str(error))) from None


def _reason(message: str) -> str:
    """Return what PyArrow says about a line, in words for a user."""
    if found := _TYPE.search(message):
        where = found[1].strip("/").replace("/[]", "").replace("/", ".") or "the line"
        return f"{where} is of type {found[3]}, wanted: {found[2]}"
    if found := _TWICE.search(message):
        return f"the key {found[1].strip('/')!r} is there twice"
    if "UTF8" in message:
        return "not valid UTF-8"
    return message.splitlines()[0].removeprefix("JSON parse error: ").removesuffix(" in row 0").rstrip(".")


def read_jsonl(stream: Stream, column: Column, refusals: Refusals) -> Iterator[Batch]:
    """Yield the documents of JSON Lines; blank lines are skipped."""
    reader = _JsonLines(column)
    for piece in lines(stream):
        if piece.too_long:
            _refuse_long(stream, piece, refusals)
            continue
        if piece.first == 1:
            check_keys(stream.path, bytes(piece.data), column)
        if column.conversations or column.template is not None:
            found, left = [], list(enumerate(bytes(piece.data).split(b"\n"), piece.first))
        else:
            batch, left = _strings(piece, column)
            found = [batch]
        wanted = []
        for number, line in left:
            if line.lstrip().startswith(b"{"):
                wanted.append((number, line))
            elif line.strip():
                refusals.add(stream.path, f"line {number}", _NO_OBJECT, line)
        if column.conversations:
            found += _conversations(wanted, column, stream, refusals)
        else:
            found += _halved(reader, wanted, stream, refusals)
        if found:
            yield _in_order(found)._replace(span=piece.span)


def _strings(piece: Lines, column: Column) -> tuple[Batch, list[tuple[int, bytes]]]:
    """Return the documents of a piece, and the lines, with their numbers, that serde_json cannot read so."""
    rows = pa.RecordBatchReader.from_stream(rustbpe.JsonLines(piece.data, column.steps)).read_next_batch()
    places, unread = rows["line"].to_numpy() + piece.first, rows["unread"]
    good = unread.is_null().to_numpy(zero_copy_only=False)
    left = list(zip(places[~good].tolist(), unread.drop_null().to_pylist(), strict=True))
    return kept(Batch(rows["text"], places), good), left


def _in_order(batches: list[Batch]) -> Batch:
    """Return the documents of some batches as one, by their lines."""
    if len(batches) == 1:
        return batches[0]
    places = np.concatenate([batch.places for batch in batches])
    order = np.argsort(places)
    texts = pa.concat_arrays([batch.texts for batch in batches])
    return Batch(texts.take(pa.array(order)), places[order])


def _halved(
    reader: _JsonLines, found: list[tuple[int, bytes]], stream: Stream, refusals: Refusals
) -> Iterator[Batch]:
    """Read lines of which some are wrong: by halving, until the wrong ones are isolated."""
    if not found:
        return
    try:
        texts = reader.parse(b"\n".join(line for _, line in found))
        if len(texts) == len(found):
            yield Batch(texts, np.array([number for number, _ in found], dtype=np.int64))
            return
        reason = f"{len(texts)} JSON objects in one line"
    except _Unreadable as error:
        reason = str(error)
    if len(found) == 1:
        _refuse_line(*found[0], reason, stream, refusals)
        return
    middle = len(found) // 2
    yield from _halved(reader, found[:middle], stream, refusals)
    yield from _halved(reader, found[middle:], stream, refusals)


def _refuse_line(number: int, line: bytes, reason: str, stream: Stream, refusals: Refusals) -> None:
    if b"\0" in line:
        reason = NUL  # which PyArrow takes for the end of the line
    if line.strip() == b"{":
        reason += " (an object over several lines: make JSON Lines of it with: jq -c .)"
    refusals.add(stream.path, f"line {number}", reason, line)


def _conversations(
    found: list[tuple[int, bytes]], column: Column, stream: Stream, refusals: Refusals
) -> Iterator[Batch]:
    """Yield the messages of each line as JSON: they differ in form, so that PyArrow has no type for them."""
    good = []
    for number, line in found:
        try:
            value = conversations.loads(line.decode("utf-8-sig"))
            for step in column.steps:
                value = value[step]
            conversations.check(value)
            good.append((number, json.dumps(value, ensure_ascii=False)))
        except (KeyError, TypeError):
            _refuse_line(number, line, f"no key {column.name!r}", stream, refusals)
        except ValueError as error:
            _refuse_line(number, line, str(error), stream, refusals)
    if good:
        yield _listed(good)


def check_keys(path: str, start: bytes, column: Column) -> None:
    """Check that the keys of a file's first object include the column: if it is absent, each document would be null.

    Raises:
        NanosnakeError: if it has no such key; the message names those it has.
    """
    text = start.removeprefix(BOM)
    objects = text.lstrip()
    try:
        value: Any = json.loads(objects.split(b"\n", 1)[0])
    except (RecursionError, ValueError):
        return  # the reader says what is wrong with the line
    for depth, step in enumerate(column.steps):
        if not isinstance(value, dict):
            return
        if step not in value:
            outer = ".".join(column.steps[:depth])
            inside = f" inside {outer!r}" if outer else ""
            line = 1 + text.count(b"\n", 0, len(text) - len(objects))
            raise NanosnakeError(
                f"{path}, line {line}: no key {step!r}{inside}; its keys are {listed(list(value))}; "
                "set the dataset's text_column to the one that holds the documents"
            )
        value = value[step]


def _refuse_long(stream: Stream, piece: Lines, refusals: Refusals) -> None:
    reason = _TOO_LONG.format(length=piece.too_long, what="line")
    refusals.add(stream.path, f"line {piece.first}", reason, bytes(piece.data))


def read_text(stream: Stream, documents: Documents, refusals: Refusals) -> Iterator[Batch]:
    """Yield the documents of plain text; CRLF becomes LF."""
    if documents == "line":
        return _read_lines(stream, refusals)
    if documents == "blocks":
        return _read_blocks(stream, refusals)
    return _read_whole(stream, refusals)


def _read_lines(stream: Stream, refusals: Refusals) -> Iterator[Batch]:
    """Yield each line that is not empty."""
    for piece in lines(stream):
        if piece.too_long:
            _refuse_long(stream, piece, refusals)
            continue
        data = _unix(bytes(piece.data))
        text = _as_text(data)
        if text is not None:
            texts = pc.list_flatten(pc.split_pattern(text, "\n"))
            texts = texts[:-1] if data.endswith(b"\n") else texts
            batch = numbered(texts, piece.first, piece.span)
            yield kept(batch, pc.binary_length(batch.texts).to_numpy() > 0)
            continue
        good = []
        for number, line in enumerate(data.split(b"\n"), piece.first):
            if line and _is_text(line, stream.path, f"line {number}", refusals):
                good.append((number, line.decode()))
        yield _listed(good, piece.span)


def _unix(data: bytes) -> bytes:
    """Return text with CRLF as LF; a replacement that finds nothing takes as long as reading."""
    return data.replace(b"\r\n", b"\n") if b"\r" in data else data


def _read_whole(stream: Stream, refusals: Refusals) -> Iterator[Batch]:
    """Yield the file as one document."""
    chunks, held = [], 0
    while held <= LONGEST and (chunk := stream.read()):
        chunks.append(chunk)
        held += len(chunk)
    data = _unix(b"".join(chunks))
    if held > LONGEST:
        refusals.add(stream.path, "the whole file", f"more than {LONGEST:,} bytes in one document", data[:60])
    elif _is_text(data, stream.path, "the whole file", refusals):
        yield _listed([(1, data.decode())], (0, stream.unpacked))


def _read_blocks(stream: Stream, refusals: Refusals) -> Iterator[Batch]:
    """Yield what is between blank lines."""
    rest, first, begin, dropped = b"", 1, 0, 0
    for piece in lines(stream):
        if piece.too_long:
            yield from _blocks(rest, first, (begin, piece.span[0]), stream, refusals)
            _refuse_long(stream, piece, refusals)
            rest, first, begin = b"", piece.first + 1, piece.span[1]
            continue
        data = _BLANK.sub(b"\n", b"\n" + rest + _unix(bytes(piece.data)))[1:]
        if dropped and b"\n\n" in data:  # the end of a block that was too long
            end = data.index(b"\n\n") + 2
            first += data.count(b"\n", 0, end)
            _refuse_block(f"the block before line {first}", dropped + end, stream, refusals)
            data, dropped = data[end:], 0
        cut = data.rfind(b"\n\n") + 2 if b"\n\n" in data else 0
        yield from _blocks(data[:cut], first, (begin, piece.span[1]), stream, refusals)
        rest, first = data[cut:], first + data.count(b"\n", 0, cut)
        begin = piece.span[0] if cut else begin
        if dropped or len(rest) > LONGEST:
            dropped, first, rest = dropped + len(rest), first + rest.count(b"\n"), rest[-1:]
    if dropped:
        _refuse_block("the last block", dropped, stream, refusals)
    else:
        yield from _blocks(rest, first, (begin, stream.unpacked), stream, refusals)


def _refuse_block(place: str, length: int, stream: Stream, refusals: Refusals) -> None:
    refusals.add(stream.path, place, _TOO_LONG.format(length=length, what="block"))


def _blocks(
    data: bytes, first: int, span: tuple[int, int], stream: Stream, refusals: Refusals
) -> Iterator[Batch]:
    """Yield the blocks of whole blocks, with the line that each begins at."""
    text = _as_text(data)
    if text is None:
        good = []
        for block in re.finditer(rb"[^\n](?:.|\n(?!\n))*", data):
            number = first + data.count(b"\n", 0, block.start())
            if _is_text(block[0], stream.path, f"the block at line {number}", refusals):
                good.append((number, block[0].decode().rstrip("\n")))
        yield _listed(good, span)
        return
    parts = pc.list_flatten(pc.split_pattern(text, "\n\n"))
    whole = pc.count_substring(parts, "\n").to_numpy().astype(np.int64)
    body = pc.ascii_ltrim(parts, "\n")
    lead = whole - pc.count_substring(body, "\n").to_numpy()
    starts = first + np.concatenate([[0], np.cumsum(whole + 2)[:-1]]) + lead
    batch = Batch(pc.ascii_rtrim(body, "\n"), starts, span)
    yield kept(batch, pc.binary_length(batch.texts).to_numpy() > 0)


def _as_text(data: bytes) -> pa.Array | None:
    """Return bytes as an array of one string, without a copy; None if they are not text."""
    if b"\0" in data:
        return None
    offsets = pa.py_buffer(np.array([0, len(data)], dtype=np.int32).tobytes())
    text = pa.StringArray.from_buffers(1, offsets, pa.py_buffer(data))
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        return None
    return text


def _is_text(data: bytes, path: str, place: str, refusals: Refusals) -> bool:
    """Return whether bytes are text; refuse them otherwise."""
    if reason := why_not_text(data):
        refusals.add(path, place, reason, data[:60])
    return reason is None


def _listed(found: list[tuple[int, str]], span: tuple[int, int] | None = None) -> Batch:
    places = np.array([number for number, _ in found], dtype=np.int64)
    return Batch(pa.array([text for _, text in found], pa.string()), places, span)
