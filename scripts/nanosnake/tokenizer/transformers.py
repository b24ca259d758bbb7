"""`tokenizer_config.json`: what transformers needs to know about a tokenizer besides `tokenizer.json`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from nanosnake.files import NanosnakeError

TOKENIZER_CONFIG = "tokenizer_config.json"
NO_LENGTH = int(1e30)
"""The value that transformers writes for a tokenizer without a maximum length."""

CHAT_TOKENS = ("<|user_start|>", "<|user_end|>", "<|assistant_start|>", "<|assistant_end|>")
"""The special tokens that nanochat's conversations need."""
TOOL_TOKENS = ("<|python_start|>", "<|python_end|>", "<|output_start|>", "<|output_end|>")
"""Those around a program that an assistant calls, and around its output."""

CHAT_TEMPLATE = """\
{%- set start = 0 -%}
{%- set system = '' -%}
{%- if messages[0]['role'] == 'system' -%}
    {%- set start = 1 -%}
    {%- set system = messages[0]['content'] + '\\n\\n' -%}
{%- endif -%}
{{- bos_token -}}
{%- for message in messages[start:] -%}
    {%- if message['role'] == 'user' and loop.index0 is even -%}
        {{- '<|user_start|>' + (system if loop.first else '') + message['content'] + '<|user_end|>' -}}
    {%- elif message['role'] == 'assistant' and loop.index0 is odd -%}
        {{- '<|assistant_start|>' -}}
        {%- if message['content'] is string -%}
            {{- message['content'] -}}
        {%- else -%}
            {%- for part in message['content'] -%}
                {%- if part['type'] == 'python' -%}
                    {{- '<|python_start|>' + part['text'] + '<|python_end|>' -}}
                {%- elif part['type'] == 'python_output' -%}
                    {{- '<|output_start|>' + part['text'] + '<|output_end|>' -}}
                {%- else -%}
                    {{- part['text'] -}}
                {%- endif -%}
            {%- endfor -%}
        {%- endif -%}
        {{- '<|assistant_end|>' -}}
    {%- else -%}
        {{- raise_exception('After a system message, roles alternate: user, assistant, user, ...') -}}
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- '<|assistant_start|>' -}}
{%- endif -%}
"""
"""nanochat's conversations: a system message becomes the beginning of the first user's."""


@dataclass(frozen=True)
class Roles:
    """The roles of the special tokens."""

    bos: str
    """Begins every document."""
    eos: str
    """Ends generation. A document ends only where the next one begins, so this is `bos` by default."""
    pad: str
    """Fills rows of a batch; masked, so any token will do."""
    chat_template: str | None
    """Jinja template of conversations; None: the tokens for nanochat's are missing and no other was given."""

    @classmethod
    def of(
        cls,
        special_tokens: Sequence[str],
        *,
        bos: str | None = None,
        eos: str | None = None,
        pad: str | None = None,
        chat_template: str | None = None,
    ) -> Self:
        """Return the roles, with defaults for what is None.

        Raises:
            NanosnakeError: if a role's token is not one of the special tokens.
        """
        for role, token in (("bos", bos), ("eos", eos), ("pad", pad)):
            if token is not None and token not in special_tokens:
                raise NanosnakeError(
                    f"{role}: {token!r} is not among special_tokens; add it there, at the end"
                )
        bos = bos or special_tokens[0]
        eos = eos or bos
        if chat_template is None and set(CHAT_TOKENS) <= set(special_tokens):
            chat_template = CHAT_TEMPLATE
        return cls(bos, eos, pad or eos, chat_template)


def config_json(special_tokens: Sequence[str], roles: Roles) -> bytes:
    """Return the content of `tokenizer_config.json`."""
    content: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": roles.bos,
        "eos_token": roles.eos,
        "pad_token": roles.pad,
        "additional_special_tokens": [
            t for t in special_tokens if t not in (roles.bos, roles.eos, roles.pad)
        ],
        "model_max_length": NO_LENGTH,
        "model_input_names": ["input_ids", "attention_mask"],  # no token_type_ids, which models refuse
        "clean_up_tokenization_spaces": False,  # the default removes blanks before punctuation
    }
    if roles.chat_template is not None:
        content["chat_template"] = roles.chat_template
    return (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode()


def begins_with(bos: str, rank: int) -> dict[str, Any]:
    """Return the post-processor of `tokenizer.json` that begins a text with `bos`, where it is asked to add
    special tokens."""

    def part(name: str, row: int) -> dict[str, Any]:
        return {name: {"id": bos if name == "SpecialToken" else "AB"[row], "type_id": row}}

    first, second = ([part("SpecialToken", row), part("Sequence", row)] for row in (0, 1))
    return {
        "type": "TemplateProcessing",
        "single": first,
        "pair": first + second,
        "special_tokens": {bos: {"id": bos, "ids": [rank], "tokens": [bos]}},
    }
