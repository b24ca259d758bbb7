"""Check a tokenizer in one respect and write the verdict; it exits with 0 whatever the verdict is.

Inputs: a tokenizer folder, folders of texts, sampled documents. Output: the verdict, JSON. Whether a verdict
stops anything is for scripts/decide_gate.py; this one exits with 1 only if the check could not run.

    python scripts/check_tokenizer.py --check compression --mode warn --thresholds '{"min_bytes_per_token": 3}' \\
        --tokenizer results/demo/bpe4k/tokenizer --texts resources/texts \\
        --samples results/demo/samples/train.jsonl results/demo/samples/validation.jsonl \\
        --output results/demo/bpe4k/checks/compression.json
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from nanosnake.checks import CHECKS, Verdict
from nanosnake.checks.material import Subject, read_texts, sample_items
from nanosnake.checks.run import run_check
from nanosnake.checks.verdict import skipped
from nanosnake.files import NanosnakeError, write_json
from nanosnake.stages import Object, Stage, main
from nanosnake.tokenizer.baselines import Baselines, load_baselines
from nanosnake.tokenizer.folder import load

NEEDS_BASELINES = {"compression"}


@dataclass(frozen=True, kw_only=True)
class CheckTokenizer(Stage):
    """Check a tokenizer in one respect."""

    check: str
    """Name of the check."""
    mode: Literal["block", "warn", "off"]
    """What a failure does; kept in the verdict, for the gate."""
    thresholds: Object = field(default_factory=dict)
    """Thresholds as a JSON object, or @FILE; the check's own for those that are absent."""
    tokenizer: Path
    """Tokenizer folder."""
    texts: tuple[Path, ...]
    """Folders of .txt files."""
    samples: tuple[Path, ...] = ()
    """Files of sampled documents."""
    baseline_cache: Path = Path(".cache/baselines")
    """Where baselines are kept."""
    offline: bool = False
    """Do not look for baselines on the network."""
    output: Path
    """Verdict to write, JSON."""

    def run(self) -> str | None:
        verdict = check_tokenizer(self)
        lines = [*(failure.message for failure in verdict.failures), *verdict.notes]
        return "\n  ".join([f"{verdict.check}: {verdict.verdict}: {verdict.summary}", *lines])


def check_tokenizer(options: CheckTokenizer) -> Verdict:
    """Run the check and write its verdict."""
    if options.mode == "off":
        verdict = skipped(CHECKS[options.check])
    else:
        found = Baselines({}, [])
        if options.check in NEEDS_BASELINES:
            found = load_baselines(options.baseline_cache, network=not options.offline)
        subject = Subject(
            load(options.tokenizer),
            [*sample_items(options.samples), *read_texts(*options.texts)],
            found.encodings,
            found.notes,
        )
        verdict = run_check(options.check, options.mode, options.thresholds, subject)
    write_json(options.output, verdict.as_json())
    return verdict


def parse_thresholds(text: str) -> dict[str, float | None]:
    """Return the thresholds of a JSON object, or of a JSON file whose name begins with `@`.

    Raises:
        NanosnakeError: if it is no JSON object.
    """
    try:
        given = json.loads(Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text)
    except ValueError as error:
        raise NanosnakeError(f"--thresholds: {text!r} is not JSON ({error})") from error
    if not isinstance(given, dict):
        raise NanosnakeError(f"--thresholds: {text!r} is no JSON object such as '{{\"max_failures\": 0}}'")
    return given


if __name__ == "__main__":
    main(CheckTokenizer)
