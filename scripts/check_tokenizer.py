"""Run one check on a tokenizer and write the verdict; exits with 0 whatever the verdict.

Inputs: a tokenizer folder, folders of texts, sampled documents, and what else the check needs: counts of the training
text, parallel text. Output: the verdict, JSON. scripts/decide_gate.py decides whether a verdict stops anything; this
script exits with 1 only if the check could not run.

    python scripts/check_tokenizer.py --check compression --mode warn --thresholds '{"min_bytes_per_token": 3}' \\
        --tokenizer results/demo/bpe-4096/tokenizer --texts resources/texts \\
        --samples results/demo/samples/train.jsonl results/demo/samples/validation.jsonl \\
        --output results/demo/bpe-4096/checks/compression.json
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from nanosnake.checks import CHECKS
from nanosnake.files import read_json, write_json
from nanosnake.stages import Names, Object, Stage, main

if TYPE_CHECKING:
    import tiktoken

    from nanosnake.checks.material import Part, Subject
    from nanosnake.checks.parallel import Language
    from nanosnake.checks.verdict import Verdict


@dataclass(frozen=True, kw_only=True)
class CheckTokenizer(Stage):
    """Run one check on a tokenizer."""

    packages = ("tiktoken", "tokenizers")

    check: str
    """Name of the check."""
    mode: Literal["block", "warn", "off"]
    """What a failure does; kept in the verdict, for the gate."""
    thresholds: Object = field(default_factory=dict)
    """Thresholds as a JSON object, or @FILE; missing ones take the check's defaults."""
    tokenizer: Path
    """Tokenizer folder."""
    texts: tuple[Path, ...]
    """Folders of .txt files."""
    samples: tuple[Path, ...] = ()
    """Files of sampled documents."""
    counts: Path | None = None
    """Counts of the training text."""
    count_folder: Path | None = None
    """Folder of the counts of its shards."""
    shard_folder: Path | None = None
    """Folder of the shards, if they are too few to resample their counts."""
    shards: Names = ()
    """Names of the shards that the tokenizer was trained on."""
    mixture: Path | None = None
    """Record of the mixture that the tokenizer was trained on."""
    parts: tuple[Path, ...] = ()
    """Counts of its parts, in the order of the record."""
    parallel: Path | None = None
    """Folder of parallel text; if absent, Django's message catalogues are used."""
    baseline_cache: Path = Path(".cache/baselines")
    """Where baselines are kept."""
    offline: bool = False
    """Use cached baselines only; do not download any."""
    output: Path
    """Verdict to write, JSON."""

    def run(self) -> str | None:
        verdict = check_tokenizer(self)
        lines = [*(failure.message for failure in verdict.failures), *verdict.notes]
        return "\n  ".join([f"{verdict.check}: {verdict.verdict}: {verdict.summary}", *lines])


def check_tokenizer(options: CheckTokenizer) -> Verdict:
    """Run the check and write its verdict."""
    from nanosnake.checks.run import run_check
    from nanosnake.checks.verdict import skipped

    if options.mode == "off":
        verdict = skipped(CHECKS[options.check])
    else:
        verdict = run_check(options.check, options.mode, options.thresholds, subject_of(options))
    write_json(options.output, verdict.as_json())
    return verdict


def subject_of(options: CheckTokenizer) -> Subject:
    """Return what the check looks at; read only what it needs."""
    from nanosnake.checks.material import Subject, read_texts, sample_items
    from nanosnake.tokenizer.folder import load

    needs = CHECKS[options.check].needs
    encodings: dict[str, tiktoken.Encoding] = {}
    languages: list[Language] = []
    notes: list[str] = []
    if "parallel" in needs:
        from nanosnake.checks.parallel import read_parallel

        languages, source = read_parallel(options.parallel)
        notes.append(source)
    if "baselines" in needs:
        from nanosnake.tokenizer.baselines import load_baselines

        found = load_baselines(options.baseline_cache, network=not options.offline)
        encodings = found.encodings
        notes += found.notes
    return Subject(
        load(options.tokenizer),
        [*(sample_items(options.samples) if "samples" in needs else ()), *read_texts(*options.texts)],
        encodings,
        notes,
        counts=options.counts,
        units=[options.count_folder / f"{name}.arrow" for name in options.shards]
        if options.count_folder
        else (),
        shards=[options.shard_folder / f"{name}.parquet" for name in options.shards]
        if options.shard_folder
        else (),
        parts=parts_of(options),
        parallel=languages,
    )


def parts_of(options: CheckTokenizer) -> list[Part]:
    """Return the parts of the mixture that a tokenizer was trained on."""
    from nanosnake.checks.material import Part

    if options.mixture is None:
        return []
    rows = read_json(options.mixture)["parts"]
    return [
        Part(row["part"], counts, row["bytes"], row["weight"], row["share"])
        for row, counts in zip(rows, options.parts, strict=True)
    ]


if __name__ == "__main__":
    main(CheckTokenizer)
