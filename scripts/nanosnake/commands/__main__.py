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
from pathlib import Path
from typing import NoReturn

from nanosnake import cli
from nanosnake.files import NanosnakeError
from nanosnake.provenance.verify import verify

WHERE = ("*/*/manifest.json", "*/*/*/manifest.json")
NOT_OURS = "published"
"""Folder of the copies that were sent elsewhere; their files stand there."""


def manifests() -> list[Path]:
    """Return the manifests of the project in the working directory.

    Raises:
        NanosnakeError: if there is none.
    """
    found = [path for pattern in WHERE for path in Path("results").glob(pattern)]
    found = sorted(path for path in found if path.parent.name != NOT_OURS)
    if not found:
        raise NanosnakeError("results: holds no manifest.json; run Snakemake first, or name a manifest")
    return found


def verify_all(arguments: argparse.Namespace) -> int:
    """Look at each manifest; return 1 if something does not fit."""
    code = 0
    for path in arguments.manifests or manifests():
        path = path / "manifest.json" if path.is_dir() else path
        with cli.Progress(f"hashing {path}", unit="MB", scale=1e6) as progress:
            outcome = verify(path, inputs=not arguments.files_only, threads=arguments.threads, say=progress)
        for problem in outcome.problems:
            print(problem)
        print(f"{path}: {outcome.summary}")
        if not outcome.looked_at_inputs and not arguments.files_only:
            cli.log(f"{path}: stands outside its project, so the inputs were not looked at")
        code = code or int(bool(outcome.problems))
    return code


def main(argv: list[str] | None = None) -> int:
    """Read the command line and do what it asks."""
    parser = cli.parser(__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    command = commands.add_parser("verify", help="hash again what a manifest names")
    command.add_argument(
        "manifests", type=Path, nargs="*", metavar="MANIFEST", help="default: all in results/"
    )
    command.add_argument("--files-only", action="store_true", help="leave the inputs out")
    command.add_argument("--threads", type=int, default=min(8, os.cpu_count() or 1), help="files at once")
    return verify_all(parser.parse_args(argv))


def run() -> NoReturn:
    """Run the command and exit."""
    cli.run_main(main)


if __name__ == "__main__":
    sys.argv[0] = "nanosnake"
    run()
