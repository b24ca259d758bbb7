"""nanochat's formats, for those who train with nanochat: `tokenizer.pkl` and `token_bytes.pt`.

`tokenizer.pkl` is a pickled `tiktoken.Encoding` named "rustbpe"; `token_bytes.pt` an int32 tensor with the
bytes of every token, 0 for special tokens. We write them and never read them: a pickle runs code when it is
loaded. The same tokenizer gives the same bytes.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import tiktoken

from nanosnake.files import NanosnakeError, replacing
from nanosnake.tokenizer.folder import TokenizerFolder

PICKLE = "tokenizer.pkl"
TOKEN_BYTES = "token_bytes.pt"
NAME = "rustbpe"
PROTOCOL = 4


def pickled(tokenizer: TokenizerFolder) -> bytes:
    """Return the content of `tokenizer.pkl`."""
    encoding = tiktoken.Encoding(
        name=NAME,
        pat_str=tokenizer.pattern,
        mergeable_ranks={token: rank for rank, token in enumerate(tokenizer.tokens)},
        special_tokens=tokenizer.special_tokens,
    )
    return pickle.dumps(encoding, protocol=PROTOCOL)


def token_bytes(tokenizer: TokenizerFolder) -> bytes:
    """Return the content of `token_bytes.pt`.

    Raises:
        NanosnakeError: if torch is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise NanosnakeError(
            f"{TOKEN_BYTES} is a torch file and torch is not installed ({error}); install the dependency group "
            "train (uv sync --group train), or remove nanochat from the tokenizer's exports"
        ) from error
    stream = io.BytesIO()  # a path would put its own name into the file
    torch.save(torch.from_numpy(tokenizer.token_lengths), stream)
    return stream.getvalue()


def export(tokenizer: TokenizerFolder, folder: str | Path) -> None:
    """Write both files into a folder."""
    for name, content in ((PICKLE, pickled(tokenizer)), (TOKEN_BYTES, token_bytes(tokenizer))):
        with replacing(Path(folder) / name) as temporary:
            temporary.write_bytes(content)
