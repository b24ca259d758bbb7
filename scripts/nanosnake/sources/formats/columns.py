"""The text of a row: a column by its name, one inside another, or a conversation: its JSON, or the text that a template
makes of it."""

from __future__ import annotations

import functools
import json
import string
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

ALLOWED = (
    "string, large_string, string_view, binary, large_binary, binary_view, or a dictionary of one of these"
)


class WrongColumn(Exception):
    """A column that is absent or holds no text; the text says which there are."""


@dataclass(frozen=True)
class Column:
    """Which column holds the documents, and how a conversation in it becomes text.

    Attributes:
        name: the column; `meta.body` is the column `body` inside of `meta`, if no column has the name itself.
        template: the text of one message, such as `{role}: {content}` and a line feed; None for a column of text.
        conversations: whether a document is the JSON of a conversation's messages.
    """

    name: str
    template: str | None = None
    conversations: bool = False

    @property
    def steps(self) -> list[str]:
        """Names from the outermost column inwards."""
        return self.name.split(".")

    def pieces(self) -> list[tuple[str, str | None]]:
        """Return the template as literals, each with the field that follows it."""
        return [(literal, field) for literal, field, _, _ in string.Formatter().parse(self.template or "")]

    def fields(self) -> list[str]:
        """Return the names that the template asks of a message, each once."""
        return list(dict.fromkeys(field for _, field in self.pieces() if field))

    def schema(self) -> pa.Schema:
        """Return what a JSON reader has to look for."""
        kind: pa.DataType = pa.string()
        if self.template is not None:
            kind = pa.list_(pa.struct([(field, pa.string()) for field in self.fields()]))
        for step in reversed(self.steps[1:]):
            kind = pa.struct([(step, kind)])
        return pa.schema([(self.steps[0], kind)])

    def find(self, batch: pa.RecordBatch | pa.Table) -> pa.Array | pa.ChunkedArray:
        """Return the column of a table.

        Raises:
            WrongColumn: if it is absent or present twice.
        """
        names = batch.schema.names
        exact = names.count(self.name)
        if exact == 1:
            return batch.column(self.name)
        if exact > 1:
            raise WrongColumn(f"{exact} columns are named {self.name!r}; one is wanted")
        outer, *inner = self.steps
        if names.count(outer) != 1 or not inner:
            raise WrongColumn(f"no column {self.name!r}; its columns are {listed(names)}")
        found = batch.column(outer)
        for step in inner:
            if not pa.types.is_struct(found.type) or found.type.get_field_index(step) < 0:
                raise WrongColumn(f"no column {self.name!r}; {outer!r} is of type {found.type}")
            found = pc.struct_field(found, step)
        return found

    def texts(self, batch: pa.RecordBatch | pa.Table) -> pa.Array:
        """Return the documents of a table's rows as one array of strings; null where a row has none.

        Raises:
            WrongColumn: if the column is absent, or neither text nor a conversation.
            pa.ArrowInvalid: if a document is not UTF-8.
        """
        found = self.find(batch)
        if isinstance(found, pa.ChunkedArray):
            found = found.chunk(0) if found.num_chunks == 1 else found.combine_chunks()  # which copies
            if isinstance(found, pa.ChunkedArray):
                found = pa.concat_arrays(found.chunks) if found.num_chunks else pa.array([], found.type)
        if self.conversations:
            return _as_json(found, self.name)
        return self._rendered(found) if self.template is not None else _as_text(found, self.name)

    def _rendered(self, found: pa.Array) -> pa.Array:
        """Return conversations as text: each message by the template, one after the other."""
        fields = self.fields()
        kind = found.type
        if not is_messages(kind):
            raise WrongColumn(f"column {self.name!r} is of type {kind}; a template needs a list of messages")
        if absent := [field for field in fields if kind.value_type.get_field_index(field) < 0]:
            there = [kind.value_type.field(index).name for index in range(kind.value_type.num_fields)]
            raise WrongColumn(
                f"the messages of {self.name!r} have no field {absent[0]!r}; theirs are {listed(there)}"
            )
        messages = pc.list_flatten(found)
        values = {
            field: _as_text(pc.struct_field(messages, field), f"{self.name}.{field}") for field in fields
        }
        silent = functools.reduce(pc.and_, (pc.is_null(value) for value in values.values()))
        if pc.any(silent).as_py():
            raise WrongColumn(f"a message of {self.name!r} has none of the fields {listed(fields)}")
        words: list[pa.Array | pa.Scalar] = []
        for literal, field in self.pieces():
            words.append(pa.scalar(literal))
            if field:
                words.append(pc.fill_null(values[field], ""))
        rendered = pc.binary_join_element_wise(*words, "") if len(messages) else pa.array([], pa.string())
        lengths = pc.fill_null(pc.list_value_length(found), 0).cast(pa.int64())
        ends = pc.cumulative_sum(lengths) if len(lengths) else lengths
        offsets = pa.concat_arrays([pa.array([0], pa.int64()), ends])
        joined = pc.binary_join(pa.LargeListArray.from_arrays(offsets, rendered), "")
        return pc.if_else(pc.is_null(found), pa.scalar(None, pa.string()), joined)


def _as_text(found: pa.Array, name: str) -> pa.Array:
    if pa.types.is_null(found.type):
        return pa.nulls(len(found), pa.string())
    if not is_text(found.type):
        raise WrongColumn(f"column {name!r} is of type {found.type}; wanted: {ALLOWED}")
    if pa.types.is_dictionary(found.type):
        found = found.dictionary_decode()
    text = found if pa.types.is_string(found.type) else found.cast(pa.string())
    text.validate(full=True)  # a string column need not be UTF-8: writers do not always check
    return text


def _as_json(found: pa.Array, name: str) -> pa.Array:
    """Return lists of messages as JSON; a column of text is JSON already."""
    kind = found.type
    if is_text(kind):
        return _as_text(found, name)
    if not is_messages(kind):
        raise WrongColumn(f"column {name!r} is of type {kind}; conversations are lists of messages")
    try:
        values = found.to_pylist()
        texts = [
            None if value is None else json.dumps(value, ensure_ascii=False, default=_plain)
            for value in values
        ]
    except UnicodeDecodeError as error:
        raise pa.ArrowInvalid(str(error)) from None
    return pa.array(texts, pa.string())


def _plain(value: Any) -> str:
    """Return what JSON has no form for as text: bytes, and the dates that some data sets have beside a message."""
    return value.decode() if isinstance(value, bytes) else str(value)


def is_messages(kind: pa.DataType) -> bool:
    """Return whether a column of this type holds lists of messages."""
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    return bool(is_list and pa.types.is_struct(kind.value_type))


def is_text(kind: pa.DataType) -> bool:
    """Return whether a column of this type can be turned into documents."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return any(
        is_kind(kind)
        for is_kind in (
            pa.types.is_string,
            pa.types.is_large_string,
            pa.types.is_string_view,
            pa.types.is_binary,
            pa.types.is_large_binary,
            pa.types.is_binary_view,
        )
    )


def listed(names: list[str]) -> str:
    """Return names for a message, at most 20 of them and 60 characters of each."""
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return (", ".join(repr(name[:60]) for name in names[:20]) or "none") + more
