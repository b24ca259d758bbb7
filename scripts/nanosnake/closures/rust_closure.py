"""What a stage uses of the Rust workspace: from the names that its Python calls, item by item, to the crates."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from nanosnake.closures.plumbing import is_plumbing, is_plumbing_crate
from nanosnake.closures.rust import RustFile, digest_of

CORE, BINDING = "rustbpe/core", "rustbpe/python"
WORKSPACE = {"rustbpe_core": CORE}
"""Workspace crates that other workspace crates name."""

Module = tuple[str, tuple[str, ...]]
"""A crate, and the names of the modules down to one."""


class Workspace:
    """The files of the crates, and what names in them mean.

    Args:
        repository: the folder of the Snakefile.
        read: reads a file, by its path from there.
    """

    def __init__(self, repository: Path, read: Callable[[str], RustFile]) -> None:
        self.repository, self.read = repository, read
        found = (path for crate in (CORE, BINDING) for path in (repository / crate / "src").rglob("*.rs"))
        self.files = sorted(str(path.relative_to(repository)) for path in found)
        self.places = {module_of(file): file for file in self.files}
        self._edge = Edge(self)
        self._known: dict[frozenset[str], dict[str, str]] = {}

    def of(self, names: Iterable[str]) -> dict[str, str]:
        """Return what Python's use of some names of the extension depends on, with the state of each part."""
        key = frozenset(names)
        if key not in self._known:
            self._known[key] = self._walk(key)
        return self._known[key]

    def _walk(self, names: Iterable[str]) -> dict[str, str]:
        pending = [node for name in names for node in self._edge.places(*self.defined(name))]
        seen: set[tuple[str, int]] = set()
        parts: dict[str, set[str]] = {}
        crates: set[str] = set()
        while pending:
            node = pending.pop()
            if node in seen:
                continue
            seen.add(node)
            edges = self._edge.of(node)
            pending += edges.items
            crates |= edges.crates
            for file, said in edges.passed:
                if not is_plumbing(file):
                    parts.setdefault(file, set()).add(said)
        for file, at in seen:
            parts.setdefault(file, set()).add(f"{at:06} {self.read(file).items[at].digest}")
        found = {file: digest_of(sorted(said)) for file, said in parts.items()}
        return found | dict(self._crates(crates))

    def _crates(self, names: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Yield the state of crates: the version, and a digest of all that each uses in turn."""
        for crate, features in sorted(self.asked[name] for name in names):
            states, seen, pending = [features], set(), [crate]
            while pending:
                current = pending.pop().split(" ")[0]
                if current in seen or is_plumbing_crate(current):
                    continue
                seen.add(current)
                for entry in self.locked[current]:
                    states.append(f"{current} {entry['version']} {entry.get('checksum')}")
                    pending += entry.get("dependencies", ())
            if seen:
                version = "+".join(entry["version"] for entry in self.locked[crate])
                yield f"crate {crate}", f"{version}:{digest_of(sorted(states))[:16]}"

    def defined(self, name: str) -> tuple[str, str]:
        """Return the file of the binding that defines a name of the extension, and the item in it.

        Raises:
            ValueError: if there is none.
        """
        binding = [file for file in self.files if file.startswith(BINDING)]
        for file in binding:
            if any(name in item.names for item in self.read(file).items):
                return file, name
        for file in (
            binding
        ):  # module.add("NAME", path::function(..)), or what represents a class, such as an exception
            for constant, path in (pair for item in self.read(file).items for pair in item.added):
                if constant == name:
                    return (self.resolve(path, file) if path else None) or (file, "*")
        for file in binding:  # a macro defines it, such as an exception
            if any(name in item.words for item in self.read(file).items):
                return file, "*"
        raise ValueError(f"rustbpe.{name} is used, and nothing in {BINDING} defines it")

    @cached_property
    def abroad(self) -> dict[str, set[str]]:
        """Files that implement something for what another file defines, by that file."""
        found: dict[str, set[str]] = {}
        for file in self.files:
            for name in self.read(file).abroad & self.read(file).uses.keys():
                home = self.resolve(name, file)
                if home is not None and home[0] != file:
                    found.setdefault(home[0], set()).add(file)
        return found

    def resolve(
        self, path: str, file: str, passed: Callable[[str, str], None] | None = None
    ) -> tuple[str, str] | None:
        """Return the file and the item that a path means, seen from a file; None if it is of a foreign crate.

        Args:
            path: names with `::` between them. The item is empty where they end at a module.
            file: where the path is written.
            passed: is called with each file that only passes the name on, and what it says.
        """
        parts = path.split("::")
        crate, module = module_of(file)
        if parts[0] in WORKSPACE:
            return self._descend((WORKSPACE[parts[0]], ()), parts[1:], passed)
        if parts[0] == "crate":
            return self._descend((crate, ()), parts[1:], passed)
        if parts[0] in ("self", "super"):
            while parts and parts[0] in ("self", "super"):
                module = module[:-1] if parts.pop(0) == "super" else module
            return self._descend((crate, module), parts, passed)
        if (crate, (*module, parts[0])) in self.places:
            return self._descend((crate, module), parts, passed)
        used = self.read(file).uses.get(parts[0])
        if used is None or used.split("::")[0] == parts[0]:
            return None
        return self.resolve("::".join([used, *parts[1:]]), file, passed)

    def _descend(
        self, at: Module, parts: list[str], passed: Callable[[str, str], None] | None
    ) -> tuple[str, str] | None:
        while parts and (at[0], (*at[1], parts[0])) in self.places:
            at, parts = (at[0], (*at[1], parts[0])), parts[1:]
        file = self.places.get(at)
        if file is None:
            return None
        used = self.read(file).uses.get(parts[0]) if parts else None
        if used is None:
            return file, parts[0] if parts else ""
        if passed is not None:
            passed(file, f"{parts[0]} = {used}")
        return self.resolve("::".join([used, *parts[1:]]), file, passed)

    @cached_property
    def locked(self) -> dict[str, list[dict[str, Any]]]:
        """Entries of the lock file by the name of the crate."""
        found: dict[str, list[dict[str, Any]]] = {}
        text = (self.repository / "rustbpe/Cargo.lock").read_text(encoding="utf-8")
        for entry in tomllib.loads(text)["package"]:
            found.setdefault(entry["name"], []).append(entry)
        return found

    @cached_property
    def asked(self) -> dict[str, tuple[str, str]]:
        """Crates that ours ask for, by the name in the code: the crate, and with which features."""
        found: dict[str, tuple[str, str]] = {}
        for crate in (BINDING, CORE):
            manifest = tomllib.loads((self.repository / crate / "Cargo.toml").read_text(encoding="utf-8"))
            for part in (manifest, *manifest.get("target", {}).values()):
                for name, wanted in part.get("dependencies", {}).items():
                    features = sorted(wanted.items()) if isinstance(wanted, dict) else []
                    said = repr([pair for pair in features if pair[0] != "version"])
                    found[name.replace("-", "_")] = (name, said)
        return found


@cache
def module_of(file: str) -> Module:
    """Return the crate and the module of a file."""
    crate, _, inside = file.partition("/src/")
    parts = inside.removesuffix(".rs").split("/")
    return crate, tuple(parts[:-1] if parts[-1] in ("mod", "lib") else parts)


@dataclass(frozen=True)
class Edges:
    """What an item uses."""

    items: frozenset[tuple[str, int]]
    """Files and places of items in them."""
    crates: frozenset[str]
    """Foreign crates, as the code names them."""
    passed: frozenset[tuple[str, str]]
    """Files that only pass a name on, and what they say."""


class Edge:
    """Finds the edges of items; each is computed once for all stages."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._traits: dict[str, list[str]] = {}
        self._known: dict[tuple[str, int], Edges] = {}

    def of(self, node: tuple[str, int]) -> Edges:
        """Return what an item uses."""
        if node not in self._known:
            self._known[node] = self._find(*node)
        return self._known[node]

    def places(self, file: str, name: str) -> Iterator[tuple[str, int]]:
        """Yield the items that a name of a file means; all of them for `*` and for a name that no item has.

        Items without a name in the file, such as an implementation for another file's type, belong to each.
        """
        if is_plumbing(file) or not name:
            return
        items = self.workspace.read(file).items
        own = {known for item in items if item.kind != "impl" for known in item.names}
        for at, item in enumerate(items):
            if name not in own or name in item.names or own.isdisjoint(item.names):
                yield file, at
        for other in self.workspace.abroad.get(file, ()):
            yield from ((other, at) for at in range(len(self.workspace.read(other).items)))

    def _find(self, file: str, at: int) -> Edges:
        content = self.workspace.read(file)
        item = content.items[at]
        found: set[tuple[str, int]] = set()
        crates: set[str] = set()
        passed: set[tuple[str, str]] = set()
        for name in item.words.intersection(name for other in content.items for name in other.names):
            found.update(self.places(file, name))
        for path in content.globs:
            if (home := self.workspace.resolve(path, file)) is not None:
                found.update(self.places(home[0], "*"))
        for path in {*item.paths, *item.words.intersection(content.uses), *self._traits_of(file)}:
            home = self.workspace.resolve(path, file, lambda *said: passed.add(said))
            if home is not None:
                found.update(self.places(*home))
            else:
                first = content.uses.get(path.split("::")[0], path).split("::")[0]
                crates.update({first} & self.workspace.asked.keys())
        return Edges(frozenset(found), frozenset(crates), frozenset(passed))

    def _traits_of(self, file: str) -> list[str]:
        """Return the traits that a file brings in: their methods do not name them, so each counts for all items."""
        if file not in self._traits:
            self._traits[file] = [
                name for name in self.workspace.read(file).uses if self._is_trait(name, file)
            ]
        return self._traits[file]

    def _is_trait(self, name: str, file: str) -> bool:
        home = self.workspace.resolve(name, file)
        items = self.workspace.read(home[0]).items if home else ()
        return any(item.kind == "trait" and home is not None and home[1] in item.names for item in items)
