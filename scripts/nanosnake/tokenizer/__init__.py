"""The tokenizer folder, its exports, and the vocabularies it is compared with."""

from typing import Literal, get_args

BaselineName = Literal["gpt2", "cl100k_base", "o200k_base"]
BASELINE_NAMES: tuple[BaselineName, ...] = get_args(BaselineName)
"""The vocabularies of GPT-2, GPT-4 and GPT-4o, which every tokenizer is compared with."""
