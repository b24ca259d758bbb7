"""Write a tokenizer in the format of another tool.

Input: a tokenizer folder. Outputs, in the folder named by --output: tokenizer.pkl and token_bytes.pt for nanochat,
tokenizer.gguf for llama.cpp.

    python scripts/convert_tokenizer.py --tokenizer results/demo/bpe-4096/tokenizer --format nanochat --output out
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nanosnake.exports.formats import TOKENIZER_FILES, TokenizerFormat
from nanosnake.stages import Stage, main


@dataclass(frozen=True, kw_only=True)
class ConvertTokenizer(Stage):
    """Write a tokenizer in the format of another tool."""

    tokenizer: Path
    """Tokenizer folder."""
    format: TokenizerFormat
    """Whose format."""
    output: Path
    """Folder to write into."""

    def run(self) -> str | None:
        from nanosnake.exports import gguf, nanochat
        from nanosnake.tokenizer.folder import load

        tokenizer = load(self.tokenizer)
        write = {"nanochat": nanochat.export, "gguf": gguf.export_tokenizer}[self.format]
        write(tokenizer, self.output)
        return f"{self.output}: {' and '.join(TOKENIZER_FILES[self.format])} of {tokenizer.name}"


if __name__ == "__main__":
    main(ConvertTokenizer)
