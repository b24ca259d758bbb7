"""Code that only reports, moves or plans: an edit of it outdates nothing. Every entry says why."""

from __future__ import annotations

import re
from fnmatch import translate
from functools import cache

PLUMBING = {
    "scripts/nanosnake/__init__.py": "the version",
    "scripts/nanosnake/layout.py": "says where results are; what is in them does not depend on that",
    "scripts/nanosnake/messages.py": "log lines and progress",
    "scripts/nanosnake/naming.py": "writes lists of names in few words, and reads them back",
    "scripts/nanosnake/options.py": "the help of options",
    "scripts/nanosnake/process.py": "exit codes, signals, messages of errors",
    "scripts/nanosnake/snakemake_internals.py": "reads what Snakemake says of itself",
    "scripts/nanosnake/stages.py": "command lines; what a stage is given is in the command of its rule",
    "scripts/nanosnake/crate.py": "imports the Rust extension",
    "scripts/nanosnake/files.py": "writes a file whole or not at all; what is in it, the caller decides",
    "scripts/nanosnake/checks/__init__.py": "names the checks; the job of each has its module",
    "scripts/nanosnake/closures/*": "decides what is outdated, not what is made",
    "scripts/nanosnake/provenance/__init__.py": "a docstring",
    "scripts/nanosnake/provenance/code.py": "records the commit",
    "scripts/nanosnake/provenance/record.py": "records a job",
    "scripts/nanosnake/provenance/run_id.py": "names a run",
    "scripts/nanosnake/provenance/verify.py": "reads manifests",
    "scripts/nanosnake/commands/*": "commands for people; no rule calls them",
    "scripts/nanosnake/console/*": "shows a run",
    "scripts/nanosnake/serving/*": "answers people; no rule calls it",
    "scripts/snakemake_logger_plugin_nanosnake/*": "shows a run",
    "scripts/nanosnake/config/*": "reads the configuration; what it says is in the commands of the rules",
    "scripts/nanosnake/workflow/*": "decides which jobs run, and their commands",
    "scripts/nanosnake/runs/*": "runs beside each other, and what a killed one left",
    "scripts/nanosnake/slurm/*": "jobs on a cluster: progress, summary, what a killed run left",
    "scripts/nanosnake/sources/download/*": "a download is the host's file, compared by size and checksum",
    "scripts/nanosnake/sources/formats/peek.py": "looks at files while planning, to say what is wrong with them",
    "scripts/nanosnake/sources/hub.py": "finds files of the hub while planning; a download is compared by checksum",
    "scripts/nanosnake/sources/unchanged.py": "refuses a file that was changed under its name",
    "scripts/nanosnake/s3/*": "the same from a bucket",
    "scripts/nanosnake/publish/*": "published copies are compared by checksum",
    "scripts/nanosnake/evaluation/recompute.py": "computes parts of an evaluation again, for people; no rule calls it",
    "scripts/nanosnake/ladders/again.py": "judges a claim again, for people; no rule calls it",
    "scripts/nanosnake/report/index.py": "writes the page of all results when a run ends",
    "scripts/nanosnake/exports/modeling_nanosnake.py": "copied into exports; the rule has it among its inputs",
    "scripts/nanosnake/training/recipe.py": "says whether a finished model is the one that is asked for",
    "scripts/nanosnake/training/metrics.py": "log lines, and the table of what the trainer has measured",
    "scripts/nanosnake/py.typed": "for type checkers",
    "scripts/launch.py": "starts one process for each GPU",
    "scripts/download_shard.py": "a download is the host's file, compared by size and checksum",
    "scripts/fetch_published.py": "run by hand",
    "scripts/check_destination.py": "run by hand",
    "scripts/cluster_jobs.py": "run by hand",
    "scripts/publish_files.py": "published copies are compared by checksum",
    "scripts/publish_manifest.py": "published copies are compared by checksum",
    "scripts/write_environment.py": "writes a file of the repository",
    "scripts/write_schema.py": "writes a file of the repository",
    "rustbpe/core/src/error.rs": "words of errors",
    "rustbpe/core/src/artifacts/mod.rs": "names the modules",
    "rustbpe/core/src/artifacts/replacing.rs": "writes a file whole or not at all",
    "rustbpe/core/src/progress.rs": "progress and interruption",
    "rustbpe/core/src/lib.rs": "names the modules",
    "rustbpe/core/src/*/tests.rs": "compiled for tests alone",
    "rustbpe/core/src/*/reference.rs": "compiled for tests alone",
    "rustbpe/python/src/lib.rs": "names the functions",
    "rustbpe/python/src/stages/mod.rs": "names the modules",
    "rustbpe/python/src/doorway.rs": "releases the interpreter's lock, and hands errors and interruptions on",
    "rustbpe/python/src/errors.rs": "words of errors",
}
"""Patterns of paths, from the repository; a star matches slashes too."""

CRATES = {
    "pyo3*": "hands values between Python and Rust",
    "libc": "asks the system for memory in large pages",
    "thiserror*": "words of errors",
    "cc": "builds C sources of other crates",
    "pkg-config": "finds C libraries while building",
    "jobserver": "builds side by side",
    "find-msvc-tools": "finds a compiler",
    "autocfg": "asks for the compiler's version",
    "version_check": "asks for the compiler's version",
    "rustc_version": "asks for the compiler's version",
    "rustversion": "asks for the compiler's version",
    "chrono": "types of dates, which no artifact has",
    "windows*": "another system",
    "wasi*": "another system",
}
"""Patterns of crates of which no release can change a result."""


@cache
def is_plumbing(path: str) -> bool:
    """Return whether a file affects no result."""
    return _any_of(tuple(PLUMBING)).fullmatch(path) is not None


@cache
def is_plumbing_crate(name: str) -> bool:
    """Return whether a crate affects no result."""
    return _any_of(tuple(CRATES)).fullmatch(name) is not None


@cache
def _any_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(translate, patterns)))
