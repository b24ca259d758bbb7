"""What a Python file means, and what it imports.

Two files mean the same if they differ in formatting, comments or docstrings alone, whichever Python reads them.
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

PACKAGE = "nanosnake"
CRATE = "rustbpe"


@dataclass(frozen=True)
class PythonFile:
    """What decides a result in a Python file."""

    digest: str
    """SHA-256 of its syntax tree."""
    imports: tuple[str, ...]
    """Modules of the package, and names in them as `module:name`."""
    crate: tuple[str, ...]
    """Names of the Rust extension that it uses."""
    reads_data: bool
    """Whether it reads files that are installed next to it, by `importlib.resources`."""

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return the file that `to_json` gave."""
        return cls(value["digest"], tuple(value["imports"]), tuple(value["crate"]), value["reads_data"])

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return dataclasses.asdict(self)


def read(source: bytes, module: str) -> PythonFile:
    """Return what decides a result in a file.

    Args:
        source: its text.
        module: its dotted name, against which relative imports are read; of a package, with `.__init__`.

    Raises:
        SyntaxError: if it is not Python.
    """
    tree = ast.parse(source)
    names = set(_imports(_at_run_time(tree), module.rpartition(".")[0]))
    return PythonFile(
        digest=hashlib.sha256("".join(_words(tree)).encode()).hexdigest(),
        imports=tuple(sorted(name for name in names if name.partition(":")[0].split(".")[0] == PACKAGE)),
        crate=tuple(sorted(set(_crate_names(tree)))),
        reads_data="importlib:resources" in names,
    )


def _words(node: object) -> Iterator[str]:
    """Yield a syntax tree as text, without what is empty: newer Pythons add fields that older ones do not have."""
    if isinstance(node, ast.JoinedStr):  # Python 3.12 adds an empty text after a nested width
        node.values = [
            part for part in node.values if not (isinstance(part, ast.Constant) and part.value == "")
        ]
    if isinstance(node, ast.AST):
        yield type(node).__name__ + "("
        for field, value in ast.iter_fields(node):
            if value is not None and value != []:
                yield field + "="
                yield from _words(value)
        yield ")"
    elif isinstance(node, list):
        yield "["
        for part in node:
            if not _is_docstring(part):
                yield from _words(part)
        yield "]"
    else:
        yield repr(node) + ","


def _is_docstring(node: object) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _at_run_time(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a tree except those under `if TYPE_CHECKING:`, which never run."""
    pending = [tree]
    while pending:
        node = pending.pop()
        yield node
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            pending.extend(node.orelse)
        else:
            pending.extend(ast.iter_child_nodes(node))


def _imports(nodes: Iterator[ast.AST], package: str) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.rsplit(".", node.level - 1)[0] if node.level > 1 else package
                base = f"{above}.{base}".rstrip(".")
            yield from (f"{base}:{alias.name}" for alias in node.names)


def _crate_names(tree: ast.AST) -> Iterator[str]:
    """Yield the names that a file uses of the Rust extension.

    Raises:
        ValueError: if it gives the extension another name, under which its uses could not be seen.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == CRATE:
            if not node.attr.startswith("__"):  # its version, which affects no result
                yield node.attr
        elif isinstance(node, ast.ImportFrom) and node.module == CRATE and not node.level:
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Import | ast.ImportFrom) and any(map(_renames_crate, node.names)):
            raise ValueError(f"{CRATE} is imported under another name: what is used of it could not be seen")


def _renames_crate(alias: ast.alias) -> bool:
    return alias.name == CRATE and alias.asname not in (None, CRATE)
