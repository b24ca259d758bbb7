"""Export a tokenizer in nanochat's formats: tokenizer.pkl and token_bytes.pt.

Input: a tokenizer folder. Outputs: the two files, in the folder named by --output.

    python scripts/export_nanochat.py --tokenizer results/demo/bpe4k/tokenizer --output results/demo/bpe4k/tokenizer
"""

from __future__ import annotations

from pathlib import Path

from nanosnake import cli
from nanosnake.tokenizer import nanochat
from nanosnake.tokenizer.folder import load


def main(argv: list[str] | None = None) -> int:
    """Read the command line and write both files."""
    parser = cli.parser(__doc__)
    parser.add_argument("--tokenizer", type=Path, required=True, help="tokenizer folder")
    parser.add_argument("--output", type=Path, required=True, help="folder to write into")
    options = parser.parse_args(argv)
    tokenizer = load(options.tokenizer)
    nanochat.export(tokenizer, options.output)
    cli.log(f"{options.output}: {nanochat.PICKLE} and {nanochat.TOKEN_BYTES} of {tokenizer.name}")
    return 0


if __name__ == "__main__":
    cli.run_main(main)
