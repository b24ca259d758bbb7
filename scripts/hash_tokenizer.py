"""Write the hashes of a tokenizer's files, as `sha256sum` does: one small file that represents all of them.

Inputs: files in one folder. Output: a line for each file; `sha256sum --check` reads it, run in the output's folder.

    python scripts/hash_tokenizer.py --files results/demo/bpe-4096/tokenizer/tokenizer.json \\
        --output results/demo/bpe-4096/tokenizer.sha256
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from nanosnake.files import replacing, sha256_file
from nanosnake.stages import Stage, main


@dataclass(frozen=True, kw_only=True)
class HashTokenizer(Stage):
    """Write the SHA-256 of a tokenizer's files."""

    files: tuple[Path, ...]
    """The tokenizer's files."""
    output: Path
    """File to write."""

    def run(self) -> str | None:
        folder = self.output.parent
        lines = [f"{sha256_file(file)}  {os.path.relpath(file, folder)}\n" for file in sorted(self.files)]
        with replacing(self.output) as temporary:
            temporary.write_text("".join(lines), encoding="utf-8")
        return f"{self.output}: {len(lines)} files"


if __name__ == "__main__":
    main(HashTokenizer)
