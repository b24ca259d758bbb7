"""GGUF, the format of llama.cpp: a tokenizer, or a Llama-shaped model with its tokenizer, in one file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nanosnake.exports.formats import gguf_pattern, gguf_problem
from nanosnake.exports.transformers import llama_tensors
from nanosnake.files import NanosnakeError, read_json, replacing
from nanosnake.tokenizer.folder import TOKENIZER_JSON, TokenizerFolder, load
from nanosnake.tokenizer.transformers import TOKENIZER_CONFIG
from nanosnake.training.model import GPT, LLAMA_EPSILON, Llama

if TYPE_CHECKING:
    from gguf import GGUFWriter

TOKENIZER = "tokenizer.gguf"
MODEL = "model.gguf"

TENSORS = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
"""llama.cpp's names by those of transformers, without `model.layers.N.` and `blk.N.`"""


def export_tokenizer(tokenizer: TokenizerFolder, folder: Path) -> None:
    """Write `tokenizer.gguf`, which llama.cpp loads as a vocabulary without a model.

    Raises:
        NanosnakeError: if llama.cpp does not know the split pattern, or the package gguf is missing.
    """
    with replacing(folder / TOKENIZER) as temporary:
        writer = new_writer(temporary)
        add_tokenizer(writer, tokenizer)
        finish(writer)


def export(model: GPT, tokenizer: Path, folder: Path, *, dtype: str = "bfloat16") -> None:
    """Write `model.gguf`: weights, shape and tokenizer, as llama.cpp loads them.

    Vectors are kept in float32, as llama.cpp wants them.

    Raises:
        NanosnakeError: as `export_tokenizer`, and for another architecture.
    """
    config = model.config
    if not isinstance(model, Llama):
        raise NanosnakeError(
            f"gguf: the model's architecture is {config.architecture}, llama.cpp knows llama; train one with "
            "architecture llama, or export for transformers"
        )
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / MODEL) as temporary, torch.no_grad():
        writer = new_writer(temporary)
        writer.add_vocab_size(config.vocab_size)
        writer.add_context_length(config.sequence_length)
        writer.add_embedding_length(config.width)
        writer.add_block_count(config.depth)
        writer.add_feed_forward_length(config.hidden)
        writer.add_head_count(config.heads)
        writer.add_head_count_kv(config.kv_heads)
        writer.add_key_length(config.head_dim)
        writer.add_value_length(config.head_dim)
        writer.add_rope_dimension_count(config.head_dim)
        writer.add_rope_freq_base(config.rotary_base)
        writer.add_layer_norm_rms_eps(LLAMA_EPSILON)
        add_tokenizer(writer, load(tokenizer))
        for name, tensor in llama_tensors(model).items():
            add_tensor(writer, name, tensor, config.head_dim, dtype)
        finish(writer)


def add_tensor(writer: GGUFWriter, name: str, tensor: Tensor, head_dim: int, dtype: str) -> None:
    """Add a tensor by transformers' name, vectors in float32."""
    from gguf import GGMLQuantizationType

    layer, inside = "", name.removesuffix(".weight")
    if inside.startswith("model.layers."):
        _, _, number, inside = inside.split(".", 3)
        layer = f"blk.{number}."
    if inside in ("self_attn.q_proj", "self_attn.k_proj"):
        tensor = interleaved(tensor, head_dim)
    told = f"{layer}{TENSORS[inside]}.weight"
    if dtype == "bfloat16" and tensor.dim() > 1:
        raw = tensor.bfloat16().contiguous().view(torch.uint8).numpy()
        writer.add_tensor(told, raw, raw_dtype=GGMLQuantizationType.BF16)
    else:
        writer.add_tensor(told, tensor.float().contiguous().numpy())


def interleaved(weight: Tensor, head_dim: int) -> Tensor:
    """Return the matrix of queries or keys with the two parts of each rotated pair next to each other."""
    return weight.view(-1, 2, head_dim // 2, weight.size(1)).transpose(1, 2).reshape(weight.shape)


def new_writer(path: Path) -> GGUFWriter:
    """Return a writer of a file of the Llama architecture."""
    try:
        from gguf import GGUFWriter
    except ImportError as error:
        raise NanosnakeError(
            f"gguf: the package is not installed ({error}); run `uv sync --group gguf`, or remove gguf from exports"
        ) from error
    return GGUFWriter(path, "llama")


def finish(writer: GGUFWriter) -> None:
    """Write what a writer was given."""
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def add_tokenizer(writer: GGUFWriter, tokenizer: TokenizerFolder) -> None:
    """Add a tokenizer: its tokens and merges, the name of its pattern, and the roles of its special tokens.

    Raises:
        NanosnakeError: if llama.cpp does not know the split pattern.
    """
    from gguf import TokenType

    if problem := gguf_problem(tokenizer.pattern):
        raise NanosnakeError(f"{tokenizer.folder}: {problem}")
    model = read_json(tokenizer.folder / TOKENIZER_JSON)["model"]
    learned = sorted(model["vocab"], key=model["vocab"].__getitem__)
    special = tokenizer.special_tokens
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(str(gguf_pattern(tokenizer.pattern)))
    writer.add_token_list([*learned, *special])
    writer.add_token_types([TokenType.NORMAL] * len(learned) + [TokenType.CONTROL] * len(special))
    writer.add_token_merges(model["merges"])
    config = read_json(tokenizer.folder / TOKENIZER_CONFIG)
    writer.add_bos_token_id(special[config["bos_token"]])
    writer.add_eos_token_id(special[config["eos_token"]])
    writer.add_pad_token_id(special[config["pad_token"]])
    writer.add_add_bos_token(True)
    if "chat_template" in config:
        writer.add_chat_template(config["chat_template"])
