"""The table of formats: their files, and their limits. Read while Snakemake plans, so it imports nothing heavy.

A format has its own module here, an entry in a table below, and one in the script that calls it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from nanosnake.crate import rustbpe

TokenizerFormat = Literal["nanochat", "gguf"]
"""Formats of a tokenizer, in addition to the folder that each has."""

TOKENIZER_FILES: Mapping[TokenizerFormat, tuple[str, ...]] = {
    "nanochat": ("tokenizer.pkl", "token_bytes.pt"),
    "gguf": ("tokenizer.gguf",),
}

ModelFormat = Literal["transformers", "gguf"]
"""Formats of a model with its tokenizer."""

_TRANSFORMERS = (
    *("README.md", "config.json", "generation_config.json", "model.safetensors"),
    *("tokenizer.json", "tokenizer_config.json"),
)
MODEL_FILES: Mapping[tuple[ModelFormat, str], tuple[str, ...]] = {
    ("transformers", "nanosnake"): (*_TRANSFORMERS, "modeling_nanosnake.py"),
    ("transformers", "llama"): _TRANSFORMERS,
    ("gguf", "llama"): ("model.gguf",),
}
"""Files of a format by the model's architecture; a combination that is missing here is not supported."""

LLAMA_CPP_NAMES = {"gpt2": "gpt-2", "gpt4": "llama-bpe"}
"""llama.cpp's names of the split patterns that it knows. It does not accept a user's own pattern."""


def gguf_problem(regex: str) -> str | None:
    """Return why llama.cpp cannot split as a pattern does; None if it can."""
    if gguf_pattern(regex):
        return None
    known = " or ".join(LLAMA_CPP_NAMES)
    return f"llama.cpp knows few split patterns, and not this tokenizer's; use pattern {known}, or leave out gguf"


def gguf_pattern(regex: str) -> str | None:
    """Return llama.cpp's name of a split pattern, None if it has none."""
    return next((name for ours, name in LLAMA_CPP_NAMES.items() if rustbpe.PATTERNS[ours] == regex), None)
