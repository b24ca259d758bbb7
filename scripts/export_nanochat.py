"""Export a tokenizer in nanochat's formats: tokenizer.pkl and token_bytes.pt.

Input: a tokenizer folder. Outputs: the two files, in the folder named by --output.

    python scripts/export_nanochat.py --tokenizer results/demo/bpe4k/tokenizer --output results/demo/bpe4k/tokenizer
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nanosnake.stages import Stage, main


@dataclass(frozen=True, kw_only=True)
class ExportNanochat(Stage):
    """Write nanochat's tokenizer.pkl and token_bytes.pt."""

    tokenizer: Path
    """Tokenizer folder."""
    output: Path
    """Folder to write into."""

    def run(self) -> str | None:
        from nanosnake.tokenizer import nanochat
        from nanosnake.tokenizer.folder import load

        tokenizer = load(self.tokenizer)
        nanochat.export(tokenizer, self.output)
        return f"{self.output}: {nanochat.PICKLE} and {nanochat.TOKEN_BYTES} of {tokenizer.name}"


if __name__ == "__main__":
    main(ExportNanochat)
