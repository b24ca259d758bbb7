"""A stage, declared once: a dataclass is its command line, its help, and the words that a rule passes.

    @dataclass(frozen=True, kw_only=True)
    class CountPretokens(Stage):
        shard: Path
        '''The parquet file.'''
        threads: int = 1
        '''Threads.'''

        def run(self) -> str: ...

`main(CountPretokens)` runs it from the command line as `--shard FILE --threads 4`; `words(CountPretokens, ...)` writes
the same options, and a name that is not a field fails there. Modules of stages are imported whenever Snakemake plans,
so they import heavy modules inside `run`.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import hashlib
import json
import shlex
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    NoReturn,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from nanosnake.files import NanosnakeError, write_if_changed
from nanosnake.messages import log
from nanosnake.naming import compact, expand
from nanosnake.options import Positional, Word, docstrings, out_of_bounds
from nanosnake.process import run_main

LISTS = Path(".cache/lists")
"""Folder of words that are too long for a command line; a file is named after its content."""

LONGEST_WORD = 32_768
"""Longest word that is passed directly, in characters; Linux allows at most 131,072."""

AnyStage = TypeVar("AnyStage", bound="Stage")


def read_object(text: str) -> dict[str, Any]:
    """Return a JSON object.

    Raises:
        ValueError: if `text` is something else.
    """
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("a JSON object was expected")
    return value


Names = Annotated[tuple[str, ...], Word(lambda text: tuple(expand(text)), compact)]
"""Names of shards, runs of numbers as shard_[00000-00239]."""

Object = Annotated[Mapping[str, Any], Word(read_object, lambda value: json.dumps(value, sort_keys=True))]
"""A JSON object."""


def read_texts(text: str) -> tuple[str, ...]:
    """Return the texts of a JSON list.

    Raises:
        ValueError: if `text` is something else.
    """
    value = json.loads(text)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError("a JSON list of texts was expected")
    return tuple(value)


Texts = Annotated[tuple[str, ...], Word(read_texts, json.dumps)]
"""Texts that may begin with a dash, as a JSON list."""


class Stage:
    """A stage; subclasses are frozen dataclasses with keyword-only fields, each followed by its docstring."""

    packages: ClassVar[tuple[str, ...]] = ()
    """Packages whose upgrade outdates the result; other packages are only recorded."""

    def run(self) -> str | int | None:
        """Do the work; return a line for the log, or an exit status other than 0, if there is one."""
        raise NotImplementedError


def main(kind: type[Stage]) -> NoReturn:
    """Run a stage from the command line and exit."""

    run_main(lambda argv: call(kind, argv))


def call(kind: type[Stage], argv: list[str] | None = None) -> int:
    """Run a stage as a command line asks; return its exit status."""
    outcome = parse(kind, argv).run()
    if isinstance(outcome, int):
        return outcome
    if outcome:
        log(outcome)
    return 0


def parse(kind: type[AnyStage], argv: list[str] | None = None) -> AnyStage:
    """Return the stage that a command line describes; its help is the module's docstring and those of the fields."""
    made = argparse.ArgumentParser(
        description=sys.modules[kind.__module__].__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_options(made, kind)
    return from_arguments(kind, made.parse_args(argv))


def from_arguments(kind: type[AnyStage], arguments: argparse.Namespace) -> AnyStage:
    """Return the stage that parsed arguments describe.

    Raises:
        NanosnakeError: if one is not within the bounds of its field.
    """
    stage = kind(**{field.name: getattr(arguments, field.name) for field in _fields(kind)})
    for name, problem in out_of_bounds(stage):
        raise NanosnakeError(f"{flag(name)} {problem}")
    return stage


def add_options(made: argparse.ArgumentParser, kind: type[Stage]) -> None:
    """Add an option for each field of a stage."""
    made.add_argument("--verbose", action="store_true", help="also show the traceback of an error")
    helps = docstrings(cast(Any, kind))
    for field in _fields(kind):
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        default = None if required else default_of(field)
        text = helps.get(field.name, "").replace("%", "%%")
        if default not in (None, (), "", False):
            text += f" (default: {default})"
        form = _form(kind, field.name)
        if form.pop("positional", False):
            if required and form.get("nargs") == "*":
                form["nargs"] = "+"
            elif not required:
                form.setdefault("nargs", "?")
            made.add_argument(field.name, default=default, help=text, **form)
        else:
            made.add_argument(flag(field.name), required=required, default=default, help=text, **form)


def _fields(kind: Any) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(kind)


def is_positional(kind: type[Stage], name: str) -> bool:
    """Return whether a field is given without its name."""
    return bool(_form(kind, name).get("positional"))


def default_of(field: dataclasses.Field[Any]) -> Any:
    """Return the default of a field that has one."""
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def flag(name: str) -> str:
    """Return the option of a field."""
    return "--" + name.replace("_", "-")


def _shortened_list(found: list[str]) -> list[str]:
    """Return words, or `@FILE` for a file that holds them if they are too long for a command line."""
    return found if len("".join(found).encode()) <= LONGEST_WORD else [_kept(json.dumps(found))]


def _kept(text: str) -> str:
    """Write a file of words, unless it exists, and return the word that names it."""
    file = LISTS / hashlib.sha256(text.encode()).hexdigest()[:16]
    write_if_changed(file, text)
    return f"@{file}"


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _form(kind: type, name: str) -> dict[str, Any]:
    """Return the arguments of `add_argument` for a field's type."""
    hint = _bare(_hints(cast(Any, kind))[name])
    marks = getattr(hint, "__metadata__", ())
    if word := _word(hint):
        form: dict[str, Any] = {"type": functools.partial(_read_word, word), "metavar": name.upper()}
    else:
        form = _plain(get_args(hint)[0] if marks else hint)
    return {"positional": True, **form} if Positional in marks else form


def _plain(hint: Any) -> dict[str, Any]:
    """Return the arguments of `add_argument` for a type without marks."""
    origin = get_origin(hint)
    if hint is bool:
        return {"action": argparse.BooleanOptionalAction}
    if origin is Literal:
        return {"choices": get_args(hint)}
    if origin is tuple:
        return {"nargs": "*", "type": get_args(hint)[0], "action": _Tuple}
    return {"type": hint}


class _Tuple(argparse.Action):
    """Keeps a list of words as a tuple, as a frozen dataclass wants it; one word may name a file that holds all."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Any = None) -> None:
        if len(values) == 1 and str(values[0]).startswith(f"@{LISTS}/"):
            kind: Any = self.type
            values = map(kind, json.loads(Path(str(values[0])[1:]).read_text(encoding="utf-8")))
        setattr(namespace, self.dest, tuple(values))


def _bare(hint: Any) -> Any:
    """Return a type without the `| None` of an option that may be absent."""
    if get_origin(hint) in (Union, types.UnionType):
        (hint,) = (part for part in get_args(hint) if part is not type(None))
    return hint


def _word(hint: Any) -> Word | None:
    found = [extra for extra in getattr(hint, "__metadata__", ()) if isinstance(extra, Word)]
    return found[0] if found else None


def _read_word(word: Word, text: str) -> Any:
    """Read a word, or the file that `@FILE` names."""
    try:
        return word.read(Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text)
    except (OSError, ValueError, NanosnakeError) as error:
        raise argparse.ArgumentTypeError(
            str(error) if word.secret else f"{error}; got {text[:80]!r}"
        ) from None


def words(kind: type[Stage], **values: Any) -> str:
    """Return options as a shell reads them; None and what equals the default are left out.

    Raises:
        TypeError: if a name is not a field of the stage.
    """
    fields = {field.name: field for field in _fields(kind)}
    check_names(kind, values)
    found: list[str] = []
    for name, value in values.items():
        if value is None or value == fields[name].default:
            continue
        word = _word(_bare(_hints(cast(Any, kind))[name]))
        if word is not None:
            found += [flag(name), _shortened(word.write(value))]
        elif isinstance(value, bool):
            found.append(flag(name) if value else flag(f"no_{name}"))
        elif isinstance(value, list | tuple):
            found += [flag(name), *_shortened_list(list(map(str, value)))]
        else:
            found += [flag(name), str(value)]
    return shlex.join(found)


def check_names(kind: type[Stage], names: Any) -> None:
    """Check that names are fields of a stage.

    Raises:
        TypeError: if one is not.
    """
    known = {field.name for field in _fields(kind)}
    if unknown := sorted(set(names) - known):
        raise TypeError(f"{kind.__name__} has no option {unknown[0]!r}; it has {', '.join(sorted(known))}")


def _shortened(word: str) -> str:
    """Return a word, or `@FILE` for a file that holds it if it is too long for a command line."""
    return word if len(word.encode()) <= LONGEST_WORD else _kept(word)
