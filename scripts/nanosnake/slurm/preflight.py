"""Before the first job: would SLURM accept what the rules of a plan request? `sbatch --test-only` answers at once."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable

from nanosnake.files import NanosnakeError
from nanosnake.snakemake_internals import Submission

KEYS = (
    (r"processors|cpu|task", "cores, the most threads of a job, or cpus_per_task of a rule with GPUs"),
    (r"time limit", "runtime, in minutes"),
    (r"memory", "mem_mb"),
    (r"partition", "slurm_partition"),
    (r"account|association", "slurm_account in default-resources"),
    (r"qos", "qos in default-resources"),
    (r"gres|generic resource", "gres and processes"),
    (
        r"node configuration|not available|can not be satisfied",
        "slurm_partition, gres, nodes, mem_mb, cores (the most threads of a job) or cpus_per_task",
    ),
)
"""Patterns of SLURM's messages, and the keys of the profile to change; the first match counts."""

UNREACHABLE = re.compile(r"unable to contact|resolve_ctls|connection refused|communication", re.IGNORECASE)

PASSES = re.compile(UNREACHABLE.pattern + r"|timed out|temporarily|submit limit|try again", re.IGNORECASE)
"""Patterns of refusals that may be temporary."""


def check(submissions: Iterable[Submission]) -> None:
    """Check that SLURM would accept each of some requests.

    Raises:
        NanosnakeError: if it refuses one, or does not answer; the message says what to change.
    """
    refused = []
    for submission in submissions:
        words = _refusal(submission.call)
        if UNREACHABLE.search(words):
            raise NanosnakeError(f"SLURM does not answer, so nothing was submitted: {words}")
        if words:
            refused.append(
                f"{submission.rule} asks for {submission.asked}\n{_explained(submission.rule, words)}"
            )
    if refused:
        raise NanosnakeError(
            "SLURM refuses what this run would ask for, so nothing was submitted:\n\n" + "\n\n".join(refused)
        )


def hopeless(rule: str, words: str) -> str | None:
    """Return what to say about a job that sbatch refused with some words; None if another try may succeed."""
    return None if PASSES.search(words) else f"SLURM refused {rule}\n{_explained(rule, _plain(words))}"


def _explained(rule: str, words: str) -> str:
    return f"  SLURM says: {words}\n  in the profile, change for {rule}: {_key(words)}"


def _refusal(call: str) -> str:
    """Return why SLURM would refuse a call of sbatch; nothing if it would accept it."""
    try:
        ended = subprocess.run(
            f"{call} --test-only --wrap=true",
            shell=True,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "sbatch: unable to contact the controller within a minute"
    if ended.returncode == 0:
        return ""
    return _plain(ended.stderr) or "no reason given"


def _plain(words: str) -> str:
    """Return what sbatch said in one line, each thing once, without its own name."""
    lines = [
        line.removeprefix("sbatch: ").removeprefix("error: ").removeprefix("allocation failure: ")
        for line in words.strip().splitlines()
    ]
    return "; ".join(dict.fromkeys(lines))


def _key(words: str) -> str:
    return next((keys for sign, keys in KEYS if re.search(sign, words, re.IGNORECASE)), "what it asks for")
