"""The commands of rules: written from the stages' dataclasses, so that a wrong option fails while Snakemake plans."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterable
from dataclasses import MISSING, fields
from pathlib import Path
from re import escape
from typing import Any

from nanosnake.provenance.code import REPOSITORY
from nanosnake.provenance.record import VARIABLE
from nanosnake.stages import Stage, check_names, flag, is_positional

Wildcards = Any  # Snakemake's: an attribute per wildcard


RECORDED = f"{VARIABLE}={{{{log:q}}}} python {{}} &> {{{{log:q}}}}"
"""A command that keeps a log, and a record beside it; `format` puts script and options in."""

EARLIER_WORDS = {
    "NANOSNAKE_RECORD={log.record:q} ": f"{VARIABLE}={{log:q}} ",
    " &> {log.text:q}": " &> {log:q}",
}
"""Words of commands when the record was a second log: results of these commands are not outdated."""


def as_is(value: Any) -> Callable[[Wildcards], Any]:
    """Return a function that returns a value, because Snakemake would take braces in a plain text for wildcards."""

    def given(wildcards: Wildcards) -> Any:
        return value

    return given


def script(kind: type[Stage]) -> str:
    """Return the path of a stage's script, as seen from the working directory."""
    return repository_path(f"scripts/{kind.__module__}.py")


def launcher(nodes: object, processes: object) -> str:
    """Return the words of a command that start a script once for each GPU."""
    return f"{shlex.quote(repository_path('scripts/launch.py'))} --nodes {nodes} --processes {processes}"


def repository_path(name: str) -> str:
    """Return the path of a file of the repository, as seen from the working directory."""
    return os.path.relpath(REPOSITORY / name)


def from_anywhere(path: str) -> str:
    """Return the path of a file as a part of a name: of a file in our `resources`, the same in every working directory."""
    ours = os.path.relpath(path, REPOSITORY)
    return ours if ours.startswith("resources/") else path


def command(kind: type[Stage], *options: str, launcher: str = "", **values: str) -> str:
    """Return the shell command of a rule.

    Args:
        kind: the stage.
        options: words that are already formatted, such as "{params.options}".
        launcher: a script, with its arguments, that starts this one.
        values: what Snakemake fills in for a field: "input.shard" for `{input.shard:q}`.

    Raises:
        TypeError: if a name is not a field of the stage, or a field without default gets no value.
    """
    check_names(kind, values)
    required = [
        field.name
        for field in fields(kind)  # type: ignore[arg-type]
        if field.default is MISSING and field.default_factory is MISSING
    ]
    if not options and (missing := sorted(set(required) - set(values))):
        raise TypeError(f"{kind.__name__}: the rule passes no {missing[0]!r}")
    words = [*([launcher] if launcher else []), shlex.quote(script(kind)), *options]
    ordered = sorted(values.items(), key=lambda item: is_positional(kind, item[0]))
    words += [
        f"{{{value}:q}}" if is_positional(kind, name) else f"{flag(name)} {{{value}:q}}"
        for name, value in ordered
    ]
    return RECORDED.format(" ".join(words))


def of_model(files: Callable[[str], list[str]]) -> Callable[[Wildcards], list[str]]:
    """Return what gives files by a model's name as a function of a rule's wildcards."""
    return lambda wildcards: files(wildcards.model)


def any_of(names: Iterable[str]) -> str:
    """Return the constraint of a wildcard: one of these names; if there are none, nothing matches."""
    return "|".join(map(escape, sorted(names))) or "(?!)"


def folder_of(name: str) -> Callable[[Wildcards, Any], str]:
    """Return the function that gives a rule the folder of its input or inputs of this name."""

    def folder(wildcards: Wildcards, input: Any) -> str:
        files = getattr(input, name)
        return str(Path(files if isinstance(files, str) else files[0]).parent)

    return folder


def put_python_first() -> None:
    """Let jobs run with the Python that runs Snakemake, even if its environment was not activated."""
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
