"""The command `nanosnake`.

    nanosnake verify                                      every manifest of this project
    nanosnake verify results/demo/bpe4k/manifest.json     one of them
    nanosnake verify --files-only copied/manifest.json    the files beside it, and not what they were made from

It hashes again what a manifest names. A line on stdout for each thing that does not fit, and exit code 1; else one
line that says how much was looked at.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NoReturn

from nanosnake import layout
from nanosnake.files import NanosnakeError
from nanosnake.messages import Progress, log
from nanosnake.options import Positional
from nanosnake.process import run_main
from nanosnake.provenance.verify import verify
from nanosnake.stages import Stage, add_options, from_arguments


@dataclass(frozen=True, kw_only=True)
class Verify(Stage):
    """Re-hash all results and their inputs, and list the files that differ from their manifest."""

    manifests: Annotated[tuple[Path, ...], Positional] = ()
    """Manifests, or folders that hold one; default: all in results/."""
    files_only: bool = False
    """Leave the inputs out."""
    threads: int = min(8, os.cpu_count() or 1)
    """Files at once."""

    def run(self) -> int:
        code = 0
        found = self.manifests or tuple(layout.manifests(Path()))
        if not found:
            raise NanosnakeError("results: holds no manifest.json; run Snakemake first, or name a manifest")
        for path in found:
            path = path / "manifest.json" if path.is_dir() else path
            with Progress(f"hashing {path}", unit="MB", scale=1e6) as progress:
                outcome = verify(path, inputs=not self.files_only, threads=self.threads, say=progress)
            for problem in outcome.problems:
                print(problem)
            print(f"{path}: {outcome.summary}")
            if not outcome.looked_at_inputs and not self.files_only:
                log(f"{path}: is outside its project, so the inputs were not looked at")
            code = code or int(bool(outcome.problems))
        return code


COMMANDS: dict[str, type[Stage]] = {"verify": Verify}


def main(argv: list[str] | None = None) -> int:
    """Read the command line and do what it asks."""
    parser = argparse.ArgumentParser(
        prog="nanosnake", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, kind in COMMANDS.items():
        add_options(commands.add_parser(name, help=kind.__doc__, description=kind.__doc__), kind)
    arguments = parser.parse_args(argv)
    outcome = from_arguments(COMMANDS[arguments.command], arguments).run()
    return outcome if isinstance(outcome, int) else 0


def run() -> NoReturn:
    """Run the command and exit."""
    run_main(main)


if __name__ == "__main__":
    sys.argv[0] = "nanosnake"
    run()
