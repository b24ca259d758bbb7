"""What the fields of a dataclass of options say: marks of their types, and their docstrings."""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import textwrap
from collections.abc import Callable
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
