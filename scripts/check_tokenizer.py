"""Check a tokenizer in one respect and write the verdict; it exits with 0 whatever the verdict is.

Inputs: a tokenizer folder, a folder of texts, sampled documents. Output: the verdict, JSON. Whether a verdict
stops anything is for scripts/decide_gate.py; this one exits with 1 only if the check could not run.

    python scripts/check_tokenizer.py --check compression --mode warn --thresholds '{"min_bytes_per_token": 3}' \\
        --tokenizer results/demo/bpe4k/tokenizer --texts resources/texts \\
        --samples results/demo/samples/train.jsonl results/demo/samples/validation.jsonl \\
        --output results/demo/bpe4k/checks/compression.json
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nanosnake import cli
from nanosnake.checks import CHECKS, MODES, Verdict
from nanosnake.checks.material import Subject, read_texts, sample_items
from nanosnake.checks.run import run_check
from nanosnake.checks.verdict import skipped
from nanosnake.files import NanosnakeError, write_json
from nanosnake.tokenizer.baselines import Baselines, load_baselines
from nanosnake.tokenizer.folder import load

NEEDS_BASELINES = {"compression"}


@dataclass(frozen=True)
class Options:
    """What to check, with what, and where to write the verdict."""

    check: str
    mode: str
    thresholds: Mapping[str, float | None]
    tokenizer: Path
    texts: Path
    samples: tuple[Path, ...]
    baseline_cache: Path
    offline: bool
    output: Path


def check_tokenizer(options: Options) -> Verdict:
    """Run the check and write its verdict."""
    if options.mode == "off":
        verdict = skipped(CHECKS[options.check])
    else:
        found = Baselines({}, [])
        if options.check in NEEDS_BASELINES:
            found = load_baselines(options.baseline_cache, network=not options.offline)
        subject = Subject(
            load(options.tokenizer),
            [*sample_items(options.samples), *read_texts(options.texts)],
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


def main(argv: list[str] | None = None) -> int:
    """Read the command line and run the check."""
    parser = cli.parser(__doc__)
    parser.add_argument("--check", choices=CHECKS, required=True)
    parser.add_argument("--mode", choices=MODES, required=True, help="kept in the verdict, for the gate")
    parser.add_argument("--thresholds", default="{}", help="JSON object, or @FILE; default: the check's own")
    parser.add_argument("--tokenizer", type=Path, required=True, help="tokenizer folder")
    parser.add_argument("--texts", type=Path, required=True, help="folder of .txt files")
    parser.add_argument("--samples", type=Path, nargs="*", default=(), help="files of sampled documents")
    parser.add_argument(
        "--baseline-cache", type=Path, default=Path(".cache/baselines"), help="where baselines are kept"
    )
    parser.add_argument("--offline", action="store_true", help="do not look for baselines on the network")
    parser.add_argument("--output", type=Path, required=True, help="verdict file to write")
    arguments = parser.parse_args(argv)
    arguments.thresholds = parse_thresholds(arguments.thresholds)
    arguments.samples = tuple(arguments.samples)
    verdict = check_tokenizer(cli.fill(Options, arguments))
    cli.log(f"{verdict.check}: {verdict.verdict}: {verdict.summary}")
    for line in [*(failure.message for failure in verdict.failures), *verdict.notes]:
        cli.log(f"  {line}")
    return 0


if __name__ == "__main__":
    cli.run_main(main)
