"""Write the manifest of a tokenizer, its token shards or a model: what each file was made from.

In:  the files, Snakemake's notes on the jobs that made them, and the records and benchmarks in logs/.
Out: manifest.json, which `nanosnake verify` reads.

Hashes of shards and token shards are read from the JSON files written next to them.

    python scripts/make_manifest.py --dataset demo --tokenizer bpe-4096 --part tokenizer --config '{}' --code . \\
        --files results/demo/bpe-4096/tokenizer/tokenizer.json --output results/demo/bpe-4096/manifest.json
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from nanosnake.files import write_json
from nanosnake.layout import TOKEN_ENDINGS
from nanosnake.naming import expand
from nanosnake.stages import Object, Stage, main


def summary(manifest: Mapping[str, Any]) -> str:
    """Return the lines for the log."""
    from nanosnake.provenance.manifest import states, unrecorded

    code = "; ".join(states(manifest)) or "the code's version is unknown"
    lines = [f"{manifest['path']}: {len(manifest['files']):,} files, {len(manifest['jobs']):,} jobs, {code}"]
    if without := unrecorded(manifest):
        lines.append(
            f"note: no record of how {len(without):,} of them were made, such as {without[0]}: the records in "
            "logs/ or the notes in .snakemake/ are gone; delete the files and run again to get records"
        )
    return "\n".join(lines)


def token_files(word: str) -> list[str]:
    """Return the files of token shards: `tokens/train/shard_[00000-00003].ds` names four of each kind."""
    folder, _, names = word.removesuffix(".ds").rpartition("/")
    return [f"{folder}/{name}{ending}" for name in expand(names) for ending in TOKEN_ENDINGS]


@dataclass(frozen=True, kw_only=True)
class MakeManifest(Stage):
    """Write the manifest of a tokenizer, of its token shards, or of a model."""

    dataset: str
    """Name of the data set."""
    tokenizer: str
    """Name of the tokenizer."""
    part: str
    """tokenizer, tokens, or the name of a model."""
    config: Object
    """The settings that decide the files."""
    code: str
    """Folder of the Snakefile."""
    files: tuple[str, ...] = ()
    """Files that the manifest lists."""
    token_shards: tuple[str, ...] = ()
    """Token shards, FOLDER/SHARDS.ds, all of whose files are listed too."""
    output: Path
    """Manifest to write."""

    def run(self) -> str | None:
        from nanosnake.provenance.manifest import Subject, build

        subject = Subject(
            path=str(self.output),
            files=(*self.files, *chain.from_iterable(map(token_files, self.token_shards))),
            dataset=self.dataset,
            tokenizer=self.tokenizer,
            part=self.part,
            config=dict(self.config),
            code=self.code,
        )
        manifest = build(subject, Path.cwd())
        write_json(self.output, manifest)
        return summary(manifest)


if __name__ == "__main__":
    main(MakeManifest)
