"""The closure of a stage: each file, crate and package that decides its result, with its state.

Snakemake sees the text of a rule but not what its script imports, and compares bytes rather than meaning. So a rule
has one input file with a line for each part of its closure; it is rewritten only if a line changes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

from nanosnake.closures import python, rust, rust_tokens
from nanosnake.closures.plumbing import is_plumbing
from nanosnake.closures.python import PythonFile
from nanosnake.closures.rust import RustFile
from nanosnake.closures.rust_closure import Workspace
from nanosnake.files import sha256_file, write_if_changed

READ = "read.json"
MOST_READ = 2000
"""Number of files that are remembered; beyond that, the memory starts over."""


class Closures:
    """The closures of the scripts of a repository.

    Args:
        repository: the folder of the Snakefile, as seen from the working directory.
        folder: where the files of closures are, and what was read last time.
    """

    def __init__(self, repository: Path, folder: Path) -> None:
        self.repository, self.folder = repository, folder
        self._memory = Memory(folder / READ)
        self._python: dict[str, PythonFile] = {}
        self._rust: dict[str, RustFile] = {}
        self._workspace = Workspace(repository, self._read_rust)

    def path(self, script: str, module: str = "") -> Path:
        """Return the file of a script's closure."""
        return self.folder / f"{script}{module.removeprefix(python.PACKAGE)}.sha256"

    def write(self, script: str, packages: Iterable[str] = (), module: str = "") -> None:
        """Write the closure of a script, if it has changed.

        Raises:
            OSError: if it cannot be written.
        """
        lines = [f"{state}  {name}\n" for name, state in self.of(script, packages, module).items()]
        write_if_changed(self.path(script, module), "".join(lines))
        self._memory.save()

    def of(self, script: str, packages: Iterable[str] = (), module: str = "") -> dict[str, str]:
        """Return what decides the result of a script, with the state of each part.

        Args:
            script: its name in the folder of scripts, without ending.
            packages: names of Python packages whose version outdates the result when it changes.
            module: a module that the script imports by its name.
        """
        found: dict[str, str] = {}
        crate: set[str] = set()
        pending = [f"scripts/{script}.py", *(self._python_files(module) if module else ())]
        while pending:
            path = pending.pop()
            if path in found or is_plumbing(path):
                continue
            content = self._read_python(path)
            found[path] = content.digest
            crate.update(content.crate)
            if content.reads_data:
                found |= self._data(Path(path).parent)
            for name in content.imports:
                pending += self._python_files(name)
        found |= self._workspace.of(sorted(crate))
        found |= {f"package {name}": _version(name) for name in packages}
        return dict(sorted(found.items()))

    def _read_python(self, path: str) -> PythonFile:
        if path not in self._python:
            module = path.removeprefix("scripts/").removesuffix(".py").replace("/", ".")
            source = (self.repository / path).read_bytes()
            self._python[path] = self._memory.of(
                PythonFile, source, lambda: python.read(source, module), module
            )
        return self._python[path]

    def _read_rust(self, path: str) -> RustFile:
        if path not in self._rust:
            source = (self.repository / path).read_bytes()
            self._rust[path] = self._memory.of(RustFile, source, lambda: rust.read(source))
        return self._rust[path]

    def _data(self, folder: Path) -> dict[str, str]:
        """Return the files below a folder that are not Python, with their hashes."""
        files = (
            path for path in (self.repository / folder).rglob("*.*") if path.suffix not in (".py", ".pyc")
        )
        return {str(path.relative_to(self.repository)): sha256_file(path) for path in sorted(files)}

    def _python_files(self, name: str) -> list[str]:
        """Return the files that run when a module, or a name `module:name` of one, is imported."""
        module, _, attribute = name.partition(":")
        parts = module.split(".")
        if attribute and self._module_file([*parts, attribute]):
            parts.append(attribute)
        files = (self._module_file(parts[:depth]) for depth in range(1, len(parts) + 1))
        return [file for file in files if file is not None]

    def _module_file(self, parts: list[str]) -> str | None:
        path = "/".join(["scripts", *parts])
        return next((file for file in (f"{path}/__init__.py", f"{path}.py") if file in self._places), None)

    @cached_property
    def _places(self) -> set[str]:
        return {
            str(path.relative_to(self.repository)) for path in (self.repository / "scripts").rglob("*.py")
        }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def read_closure(file: Path) -> dict[str, str]:
    """Return the closure in a file that `write` has written."""
    pairs = (line.split("  ", 1) for line in file.read_text(encoding="utf-8").splitlines())
    return {name: state for state, name in pairs}


def meaning(file: Path) -> str:
    """Return a digest of a code file that ignores comments and formatting; of other files, a digest of the bytes."""
    source = file.read_bytes()
    with contextlib.suppress(SyntaxError, ValueError):
        if file.suffix == ".py":
            return python.read(source, "").digest
        if file.suffix == ".rs":
            return rust.read(source).digest
    return hashlib.sha256(source).hexdigest()


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the names whose state differs between two closures."""
    return sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))


File = TypeVar("File", PythonFile, RustFile)


class Memory:
    """What was found in files, cached by their content, because parsing all of them takes a second."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._changed = False
        self._reader = hashlib.sha256(
            b"".join(Path(str(part.__file__)).read_bytes() for part in (python, rust, rust_tokens))
        ).hexdigest()
        self._found: dict[str, Any] = {}
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            value = json.loads(path.read_bytes())
            if value["reader"] == self._reader:
                self._found = value["found"]

    def of(self, kind: type[File], source: bytes, read: Callable[[], File], name: str = "") -> File:
        """Return what is known about a content, which is parsed if it is new."""
        key = hashlib.sha256(name.encode() + b"\0" + source).hexdigest()
        if key in self._found:
            return kind.from_json(self._found[key])
        found = read()
        self._found[key] = found.to_json()
        self._changed = True
        return found

    def save(self) -> None:
        """Save what was parsed since the last time, so that the next process need not parse it."""
        if not self._changed:
            return
        self._changed = False
        if len(self._found) > MOST_READ:
            self._found.clear()
        temporary = self.path.with_suffix(f".{os.getpid()}.part")
        temporary.write_text(json.dumps({"reader": self._reader, "found": self._found}), encoding="utf-8")
        temporary.replace(self.path)
