"""What the fields of a dataclass of options say: marks of their types, bounds, and their docstrings."""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import math
import operator
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Word:
    """How to write a value as one word of a command line, and how to read it; long words go through a file."""

    read: Callable[[str], Any]
    write: Callable[[Any], str]
    secret: bool = False
    """Whether a wrong value is left out of the message: it may hold a password."""


class Positional:
    """Marks a field that is given without its name."""


BOUNDS: dict[str, tuple[Callable[[Any, Any], bool], str]] = {
    "ge": (operator.ge, "{} or more"),
    "gt": (operator.gt, "more than {}"),
    "le": (operator.le, "{} or less"),
    "multiple_of": (lambda value, factor: value % factor == 0, "a multiple of {}"),
}
"""The bounds in the `metadata` of a field."""


def out_of_bounds(options: Any) -> Iterator[tuple[str, str]]:
    """Yield each field whose value is not finite or not within its bounds, and what is wrong with it."""
    for option in dataclasses.fields(options):
        value = getattr(options, option.name)
        if isinstance(value, float) and not math.isfinite(value):
            yield option.name, f"is {value}; use a finite number"
        for bound, limit in option.metadata.items():
            holds, wanted = BOUNDS.get(bound, (None, ""))
            if holds and not holds(value, limit):
                yield option.name, f"is {value}; use {wanted.format(limit)}"


@functools.cache
def docstrings(kind: Any) -> dict[str, str]:
    """Return the docstring under each field of a dataclass and of its base classes."""
    found: dict[str, str] = {}
    parts: list[Any] = [part for part in reversed(kind.__mro__) if dataclasses.is_dataclass(part)]
    for part in parts:
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(part))).body
        assert isinstance(definition, ast.ClassDef)
        for field, text in zip(definition.body, definition.body[1:], strict=False):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(text, ast.Expr)
                and isinstance(field.target, ast.Name)
            ):
                found[field.target.id] = " ".join(str(ast.literal_eval(text.value)).split())
    return found
