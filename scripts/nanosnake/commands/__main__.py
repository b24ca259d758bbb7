"""The command `nanosnake`: `nanosnake --help` lists what it can do, `nanosnake COMMAND --help` explains one.

It works from any directory. Commands on tokenizers and finished results need only their folders; commands that plan or
run a workflow need a checkout of nanosnake.
"""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

from nanosnake.commands.chat import Chat
from nanosnake.commands.clean import Clean
from nanosnake.commands.compare import Compare
from nanosnake.commands.decode import Decode
from nanosnake.commands.encode import Encode
from nanosnake.commands.init import Init
from nanosnake.commands.plan import Plan
from nanosnake.commands.sample import Sample
from nanosnake.commands.serve import Serve
from nanosnake.commands.show import Show
from nanosnake.commands.status import Status
from nanosnake.commands.track import Track
from nanosnake.commands.verify import Verify
from nanosnake.messages import log
from nanosnake.process import run_main
from nanosnake.stages import Stage, add_options, from_arguments

COMMANDS: dict[str, type[Stage]] = {
    "init": Init,
    "plan": Plan,
    "status": Status,
    "verify": Verify,
    "clean": Clean,
    "encode": Encode,
    "decode": Decode,
    "show": Show,
    "compare": Compare,
    "sample": Sample,
    "chat": Chat,
    "serve": Serve,
    "track": Track,
}


def main(argv: list[str] | None = None) -> int:
    """Run the command that the command line names."""
    parser = argparse.ArgumentParser(
        prog="nanosnake",
        description="From text shards to a checked tokenizer, token shards and a trained GPT.",
        epilog="nanosnake COMMAND --help explains a command and gives examples.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", title="commands")
    for name, kind in COMMANDS.items():
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
    outcome = from_arguments(COMMANDS[arguments.command], arguments).run()
    if isinstance(outcome, int):
        return outcome
    if outcome:
        log(outcome)
    return 0


def run() -> NoReturn:
    """Run the command and exit."""
    run_main(main)


if __name__ == "__main__":
    sys.argv[0] = "nanosnake"
    run()
