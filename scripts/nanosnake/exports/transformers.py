"""A folder that transformers loads: configuration, weights, tokenizer, model card, and our code if it is needed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from nanosnake.files import read_json, replacing, write_json
from nanosnake.tokenizer.conversations import ENDS_ANSWER
from nanosnake.tokenizer.folder import TOKENIZER_JSON
from nanosnake.tokenizer.transformers import TOKENIZER_CONFIG
from nanosnake.training.config import ModelConfig
from nanosnake.training.model import GPT, LLAMA_EPSILON, Llama
from nanosnake.training.tensors import write_tensors

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
GENERATION_CONFIG = "generation_config.json"
CODE = "modeling_nanosnake.py"


@dataclass(frozen=True)
class Form:
    """How an architecture is written for transformers."""

    config: Callable[[ModelConfig], dict[str, Any]]
    """Its part of `config.json`."""
    tensors: Callable[[GPT], dict[str, Tensor]]
    """Its weights by their names in the modeling file, without the rows after the vocabulary."""
    code: bool
    """Whether it needs our modeling file."""


def nanosnake_config(config: ModelConfig) -> dict[str, Any]:
    """Return what `modeling_nanosnake.NanosnakeConfig` takes."""
    return {
        "architectures": ["NanosnakeForCausalLM"],
        "model_type": "nanosnake",
        "auto_map": {
            "AutoConfig": "modeling_nanosnake.NanosnakeConfig",
            "AutoModelForCausalLM": "modeling_nanosnake.NanosnakeForCausalLM",
        },
        "windows": [None if size >= config.sequence_length else size for size in config.windows],
        "value_layers": config.value_layers,
        "rotary_base": config.rotary_base,
        "softcap": config.softcap,
        "tie_word_embeddings": False,
    }


def nanosnake_tensors(model: GPT) -> dict[str, Tensor]:
    """Return the weights, a layer at a time."""
    config, vocabulary = model.config, model.config.vocab_size
    tables_VLX = model.value_embedding.view(config.padded_vocab, len(config.value_layers), -1)
    found = {
        "embed_tokens.weight": model.embedding[:vocabulary],
        "lm_head.weight": model.head[:vocabulary],
        "smear_gate.weight": model.smear_gate[None],
        "smear_scale": model.smear_scale,
    }
    for i in range(config.depth):
        key, value = model.key_value[i].chunk(2)
        layer = {
            "q_proj.weight": model.query[i],
            "k_proj.weight": key,
            "v_proj.weight": value,
            "o_proj.weight": model.out[i],
            "up_proj.weight": model.up[i],
            "down_proj.weight": model.down[i],
            "residual_scale": model.residual_scale[i, None],
            "embedding_scale": model.embedding_scale[i, None],
        }
        if i in config.value_layers:
            number = config.value_layers.index(i)
            layer["value_embedding.weight"] = tables_VLX[:vocabulary, number]
            layer["value_gate.weight"] = model.value_gate[number]
        found |= {f"layers.{i}.{name}": tensor for name, tensor in layer.items()}
    return found


def llama_config(config: ModelConfig) -> dict[str, Any]:
    """Return what transformers' LlamaConfig takes."""
    rope = {"rope_type": "default", "rope_theta": config.rotary_base}
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "rms_norm_eps": LLAMA_EPSILON,
        "rope_theta": config.rotary_base,  # up to transformers 4
        "rope_parameters": rope,  # from transformers 5 on
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": config.tied_head,
    }


def llama_tensors(model: Llama) -> dict[str, Tensor]:
    """Return the weights by the names of transformers' LlamaForCausalLM, a layer at a time."""
    config, vocabulary = model.config, model.config.vocab_size
    found = {"model.embed_tokens.weight": model.embedding[:vocabulary], "model.norm.weight": model.last_norm}
    if not config.tied_head:
        found["lm_head.weight"] = model.head[:vocabulary]
    for i in range(config.depth):
        key, value = model.key_value[i].chunk(2)
        gate, up = model.gate_up[i].chunk(2)
        layer = {
            "input_layernorm.weight": model.norms[i, 0],
            "post_attention_layernorm.weight": model.norms[i, 1],
            "self_attn.q_proj.weight": turned(model.query[i], config.head_dim),
            "self_attn.k_proj.weight": turned(key, config.head_dim),
            "self_attn.v_proj.weight": value,
            "self_attn.o_proj.weight": model.out[i],
            "mlp.gate_proj.weight": gate,
            "mlp.up_proj.weight": up,
            "mlp.down_proj.weight": model.down[i],
        }
        found |= {f"model.layers.{i}.{name}": tensor for name, tensor in layer.items()}
    return found


def turned(weight: Tensor, head_dim: int) -> Tensor:
    """Return the matrix of queries or keys for rotations by the positive angle: ours go the other way.

    With the second half of each head negated, the rotation by minus the angle is that by the angle.
    """
    left, right = weight.view(-1, 2, head_dim // 2, weight.size(1)).unbind(1)
    return torch.stack([left, -right], dim=1).view_as(weight)


FORMS: Mapping[str, Form] = {
    "nanosnake": Form(nanosnake_config, nanosnake_tensors, code=True),
    "llama": Form(llama_config, cast(Any, llama_tensors), code=False),
}


def export(model: GPT, tokenizer: Path, folder: Path, *, dtype: str = "bfloat16", card: str) -> None:
    """Write the folder.

    Args:
        tokenizer: the tokenizer's folder.
        dtype: type of the weights, bfloat16 or float32.
        card: content of README.md.
    """
    form = FORMS[model.config.architecture]
    special = read_json(tokenizer / "meta.json")["special_tokens"]
    own = read_json(tokenizer / TOKENIZER_CONFIG)
    roles = {f"{role}_token_id": special[own[f"{role}_token"]] for role in ("bos", "eos", "pad")}
    ends = [roles["eos_token_id"]]
    if "chat_template" in own and (ends_answer := special.get(ENDS_ANSWER)) not in (None, *ends):
        ends.append(ends_answer)
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / WEIGHTS) as temporary, torch.no_grad():
        tensors = {name: tensor.to(getattr(torch, dtype)) for name, tensor in form.tensors(model).items()}
        write_tensors(temporary, tensors, {"format": "pt"})
    write_json(
        folder / CONFIG,
        {**_common_config(model.config), **form.config(model.config), **roles, "dtype": dtype},
    )
    write_json(folder / GENERATION_CONFIG, {**roles, "eos_token_id": ends if len(ends) > 1 else ends[0]})
    own["model_max_length"] = model.config.sequence_length
    contents = {
        TOKENIZER_JSON: (tokenizer / TOKENIZER_JSON).read_bytes(),
        TOKENIZER_CONFIG: (json.dumps(own, ensure_ascii=False, indent=1) + "\n").encode(),
        "README.md": card.encode(),
    }
    if form.code:
        contents[CODE] = Path(__file__).with_name(CODE).read_bytes()
    for name, content in contents.items():
        with replacing(folder / name) as temporary:
            temporary.write_bytes(content)


def _common_config(config: ModelConfig) -> dict[str, Any]:
    """Return what `config.json` says for every architecture, by transformers' names."""
    return {
        "vocab_size": config.vocab_size,
        "hidden_size": config.width,
        "intermediate_size": config.hidden,
        "num_hidden_layers": config.depth,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_dim,
        "max_position_embeddings": config.sequence_length,
    }
