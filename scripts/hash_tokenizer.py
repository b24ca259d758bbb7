"""Write the hashes of a tokenizer's files, as `sha256sum` does: one small file that stands for all of them.

Inputs: files in one folder. Output: a line for each, `sha256sum --check` reads it from the output's own folder.

    python scripts/hash_tokenizer.py --files results/demo/bpe4k/tokenizer/tokenizer.json \\
        --output results/demo/bpe4k/tokenizer.sha256
"""

from __future__ import annotations

import os
from pathlib import Path

from nanosnake import cli
from nanosnake.files import replacing, sha256_file


def main(argv: list[str] | None = None) -> int:
    """Read the command line and write the hashes."""
    parser = cli.parser(__doc__)
    parser.add_argument("--files", type=Path, nargs="+", required=True, help="the tokenizer's files")
    parser.add_argument("--output", type=Path, required=True, help="file to write")
    options = parser.parse_args(argv)
    folder = options.output.parent
    lines = [f"{sha256_file(file)}  {os.path.relpath(file, folder)}\n" for file in sorted(options.files)]
    with replacing(options.output) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8")
    cli.log(f"{options.output}: {len(lines)} files")
    return 0


if __name__ == "__main__":
    cli.run_main(main)
