"""The command `nanosnake`: `nanosnake --help` lists what it can do, `nanosnake COMMAND --help` explains one.

It works from any directory. Commands on tokenizers and finished results need only their folders; commands that plan or
run a workflow need a checkout of nanosnake.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import os
import re
import sys
from typing import NoReturn

from nanosnake.files import NanosnakeError
from nanosnake.messages import log
from nanosnake.process import run_main
from nanosnake.stages import Stage, add_options, from_arguments

COMMANDS = (
    *("init", "plan", "status", "verify", "clean"),
    *("encode", "decode", "show", "compare", "sample", "chat", "serve", "track"),
)
"""The commands, in the order of the help; each is a module of this package, with a class of the same name."""

_SURROGATE = re.compile("[\ud800-\udfff]")
"""What Python makes of a byte that is not of the locale's encoding."""


def stage_of(name: str) -> type[Stage]:
    """Return a command's class. Its module is imported now: all of them take half a second."""
    module = importlib.import_module(f"nanosnake.commands.{name}")
    found: type[Stage] = getattr(module, name.capitalize())
    return found


def main(argv: list[str] | None = None) -> int:
    """Run the command that the command line names."""
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(
        prog="nanosnake",
        description="From text shards to a checked tokenizer, token shards and a trained GPT.",
        epilog="nanosnake COMMAND --help explains a command and gives examples.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", title="commands")
    for name in (argv[0],) if argv and argv[0] in COMMANDS else COMMANDS:
        kind = stage_of(name)
        module = sys.modules[kind.__module__]
        command = commands.add_parser(
            name,
            help=(kind.__doc__ or "").rstrip("."),
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        add_options(command, kind)
    arguments = parser.parse_args(argv)
    stage = from_arguments(stage_of(arguments.command), arguments)
    check_texts(stage)
    outcome = stage.run()
    if isinstance(outcome, int):
        return outcome
    if outcome:
        log(outcome)
    return 0


def check_texts(stage: Stage) -> None:
    """Refuse a text of the command line that is not UTF-8; files may have any name.

    Raises:
        NanosnakeError: if there is one.
    """
    given = [value if isinstance(value, tuple) else (value,) for value in vars(stage).values()]
    for text in itertools.chain(*given):
        if isinstance(text, str) and _SURROGATE.search(text) and not os.path.exists(text):  # noqa: PTH110
            raise NanosnakeError(
                f"{text!a}: is not UTF-8; convert it first, or set LANG to a locale of UTF-8 such as C.UTF-8"
            )


def run() -> NoReturn:
    """Run the command and exit."""
    run_main(main)


if __name__ == "__main__":
    sys.argv[0] = "nanosnake"
    run()
