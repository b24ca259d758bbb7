"""Which of our files decide a result: the modules that a script imports, and theirs.

Snakemake follows the text of a rule and not what its script imports. The rules name these files among
their inputs, so that an edit makes just the results outdated that it can change.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from nanosnake.files import sha256_file, write_if_changed
from nanosnake.provenance.code import REPOSITORY
from nanosnake.stages import Stage
from nanosnake.workflow.shell import script

PACKAGE = "nanosnake"

HASHES = ".cache/code"
"""Folder of the files that stand for a script's modules among a rule's inputs: a hash and a path on each line."""

WITNESSES = {f"{PACKAGE}.provenance.record", f"{PACKAGE}.provenance.code", f"{PACKAGE}.run_id"}
"""Modules that tell of a job, and decide nothing of what it makes."""


@cache
def imported_files(script: Path) -> tuple[Path, ...]:
    """Return `script` and every file of this package that it imports, directly or not, sorted.

    Args:
        script: a file beside the package's folder. Imports inside functions and under `TYPE_CHECKING`
            count too.
    """
    root = next(folder for folder in script.parents if (folder / PACKAGE).is_dir())
    found: set[Path] = set()
    open_files = [script]
    while open_files:
        file = open_files.pop()
        if file in found:
            continue
        found.add(file)
        open_files.extend(_imported(file, root))
    return tuple(sorted(found))


@cache
def _imported(file: Path, root: Path) -> tuple[Path, ...]:
    """Return the files of this package that a file imports; each file is read once for all scripts."""
    return tuple(path for name in _imports(file, root) for path in _files(root, name))


def _imports(file: Path, root: Path) -> Iterator[str]:
    """Yield the dotted names that a file imports from the package."""
    package = ".".join(file.relative_to(root).parts[:-1])
    for node in ast.walk(ast.parse(file.read_bytes(), filename=str(file))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                package_of = package.rsplit(".", node.level - 1)[0] if node.level > 1 else package
                base = ".".join(filter(None, (package_of, node.module)))
            else:
                base = node.module or ""
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _files(root: Path, name: str) -> Iterator[Path]:
    """Yield the file of a module, and the `__init__` files of the packages above it."""
    parts = name.split(".")
    if parts[0] != PACKAGE:
        return
    for depth in range(1, len(parts) + 1):
        if ".".join(parts[:depth]) in WITNESSES:
            return
        path = root.joinpath(*parts[:depth])
        if (path / "__init__.py").is_file():
            yield path / "__init__.py"
        elif path.with_suffix(".py").is_file():
            yield path.with_suffix(".py")


@cache
def code(kind: type[Stage]) -> str:
    """Return the file that stands for a stage's code among a rule's inputs, after writing it."""
    own = Path(script(kind))
    files = imported_files(own.resolve())
    lines = [f"{sha256_file(file)}  {file.relative_to(REPOSITORY)}\n" for file in files]
    hashes = f"{HASHES}/{kind.__module__}.sha256"
    write_if_changed(hashes, "".join(lines))
    return hashes
