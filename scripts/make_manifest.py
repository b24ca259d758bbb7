"""Write the manifest of a tokenizer, its token shards or a model: what each file was made from.

In:  the files, what Snakemake noted of the jobs that made them, and the records and benchmarks in logs/.
Out: manifest.json, which `nanosnake verify` reads.

Hashes of shards and token shards were taken when these were made, and are read from the JSON files beside them.

    python scripts/make_manifest.py --dataset demo --tokenizer bpe4k --part tokenizer --config '{}' --code . \\
        --files results/demo/bpe4k/tokenizer/tokenizer.json --output results/demo/bpe4k/manifest.json
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from nanosnake import cli
from nanosnake.files import write_json
from nanosnake.naming import expand
from nanosnake.provenance.manifest import Subject, build, states, unrecorded


def summary(manifest: Mapping[str, Any]) -> str:
    """Return the lines for the log."""
    code = "; ".join(states(manifest)) or "nothing is known of the code"
    lines = [f"{manifest['path']}: {len(manifest['files']):,} files, {len(manifest['jobs']):,} jobs, {code}"]
    if without := unrecorded(manifest):
        lines.append(
            f"note: how {len(without):,} of them were made is not known, {without[0]} among them: the records in "
            "logs/ or the notes in .snakemake/ are gone; delete the files and run again to have them"
        )
    return "\n".join(lines)


def token_files(word: str) -> list[str]:
    """Return the files of token shards: `tokens/train/shard_[00000-00003].ds` names four of each kind."""
    folder, _, names = word.removesuffix(".ds").rpartition("/")
    return [f"{folder}/{name}{ending}" for name in expand(names) for ending in (".ds", ".ds.index", ".json")]


def main(argv: list[str] | None = None) -> int:
    """Read the command line and write the manifest."""
    parser = cli.parser(__doc__)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--part", required=True, help="tokenizer, tokens, or the name of a model")
    parser.add_argument("--config", type=json.loads, required=True, help="the settings, as JSON")
    parser.add_argument("--code", required=True, help="folder of the Snakefile")
    parser.add_argument("--files", nargs="*", default=[], help="what the manifest is of")
    parser.add_argument(
        "--token-shards",
        nargs="*",
        default=[],
        metavar="FOLDER/SHARDS.ds",
        help="and all files of token shards",
    )
    parser.add_argument("--output", type=Path, required=True, help="manifest to write")
    arguments = parser.parse_args(argv)
    subject = Subject(
        path=str(arguments.output),
        files=(*arguments.files, *chain.from_iterable(map(token_files, arguments.token_shards))),
        dataset=arguments.dataset,
        tokenizer=arguments.tokenizer,
        part=arguments.part,
        config=arguments.config,
        code=arguments.code,
    )
    manifest = build(subject, Path.cwd())
    write_json(arguments.output, manifest)
    cli.log(summary(manifest))
    return 0


if __name__ == "__main__":
    cli.run_main(main)
