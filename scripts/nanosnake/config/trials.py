"""Try patterns and special tokens in the engines before any job, and cache the answers."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from nanosnake.config.models import Config
from nanosnake.config.tokenizers import NANOCHAT_SPECIAL_TOKENS
from nanosnake.crate import rustbpe
from nanosnake.files import write_json
from nanosnake.provenance.code import REPOSITORY

CODE = [REPOSITORY / "scripts/nanosnake/tokenizer" / name for name in ("trial.py", "oniguruma.py")]
"""What an answer depends on, besides the engines' versions."""

SECONDS = 60
"""A pattern that takes longer than this on these few texts counts as one that never ends."""


def engine_problems(config: Config, folder: Path) -> Iterator[str]:
    """Try the settings of tokenizers in each engine, to find what would otherwise fail only after training."""
    blocks = {name for name, settings in config.checks if settings.mode == "block"}
    later = {"differs": "agreement", "loses": "round_trip"}
    for name, tokenizer in config.tokenizers.items():
        pattern = None if tokenizer.pattern in rustbpe.PATTERNS else tokenizer.pattern
        if pattern is None and tokenizer.special_tokens == NANOCHAT_SPECIAL_TOKENS:
            continue  # the built-in patterns are covered by a test
        found = remembered(pattern, tokenizer.special_tokens, folder)
        for problem in found.pop("special_tokens", []):
            yield f"tokenizers.{name}.special_tokens: {problem}"
        for kind, problems in found.items():
            if kind not in later or later[kind] in blocks:
                allow = (
                    f"; to continue anyway, set checks.{later[kind]}.mode to warn" if kind in later else ""
                )
                yield from (
                    f"tokenizers.{name}.pattern: {problem}{allow}; got {pattern!r}" for problem in problems
                )
    for name, comparison in config.tokenizer_comparisons.items():
        for other, settings in comparison.others.items():
            if settings.pattern is None or settings.pattern in rustbpe.PATTERNS:
                continue
            found = remembered(settings.pattern, NANOCHAT_SPECIAL_TOKENS, folder)
            for problem in (*found.get("fails", ()), *found.get("loses", ())):
                key = f"tokenizer_comparisons.{name}.others.{other}.pattern"
                yield f"{key}: {problem}; got {settings.pattern!r}"


def remembered(pattern: str | None, special_tokens: Sequence[str], folder: Path) -> dict[str, list[str]]:
    """Return what is wrong with a pattern and with special tokens, from an earlier trial or a new one.

    Args:
        pattern: a regex; None for one of the known patterns, which need no trial.
        special_tokens: their texts.
        folder: where answers are kept.
    """
    versions = {name: importlib.metadata.version(name) for name in ("tiktoken", "tokenizers")}
    asked = {
        "pattern": pattern,
        "special_tokens": list(special_tokens),
        "versions": {"rustbpe": rustbpe.__version__, **versions},
        "code": [hashlib.sha256(file.read_bytes()).hexdigest() for file in CODE],
    }
    path = folder / f"{hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]}.json"
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))["problems"])
    except (OSError, ValueError, KeyError):
        found = _in_a_process(asked)
    with contextlib.suppress(OSError):  # another part reports that the folder cannot be written
        write_json(path, {**asked, "problems": found})
    return found


def _in_a_process(asked: Mapping[str, object]) -> dict[str, list[str]]:
    """Return the problems that a new process finds; that it crashes or never ends is a problem too."""
    path = os.pathsep.join([str(REPOSITORY / "scripts"), os.environ.get("PYTHONPATH", "")])
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "nanosnake.tokenizer.trial"],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            env={**os.environ, "PYTHONPATH": path},
        )
    except subprocess.TimeoutExpired:
        return {"fails": [f"no end within {SECONDS} s on short texts; use a pattern that backtracks less"]}
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or ["no message"])[-1]
        return {"fails": [f"trying it ended with {ended.returncode} ({last}); use another pattern"]}
    return dict(json.loads(ended.stdout))
