"""Floating-point operations of the model, and the peak rates of GPUs."""

from __future__ import annotations

from nanosnake.training.config import GATE_CHANNELS, SMEAR_CHANNELS, ModelConfig

# dense bf16 FLOP/s by the vendors' data sheets; the first name that is part of the device's name counts
PEAKS = (
    ("GB200", 2.5e15),
    ("B200", 2.25e15),
    ("H200 NVL", 836e12),
    ("H200", 989e12),
    ("GH200", 989e12),
    ("H100 NVL", 835e12),
    ("H100 PCIe", 756e12),
    ("H100", 989e12),
    ("A100", 312e12),
    ("L40S", 362e12),
)


def peak_flops(device_name: str) -> float | None:
    """Return the peak bf16 FLOP/s of a GPU by its name, None if unknown."""
    for name, peak in PEAKS:
        if name.lower() in device_name.lower():
            return peak
    return None


def matmul_flops_per_token(config: ModelConfig) -> float:
    """Return the FLOPs of all matrix products with the tokens, forward and backward: 6 per weight."""
    smear = SMEAR_CHANNELS if config.architecture == "nanosnake" else 0
    gates = len(config.value_layers) * config.kv_heads * GATE_CHANNELS + smear
    return 6.0 * (config.matrix_parameters + config.padded_vocab * config.width + gates)


def flops_per_token(config: ModelConfig) -> float:
    """Return FLOPs per token by the usual count (PaLM's, nanochat's): 12 x heads x head dimension x window.

    The count takes every window as full: neither the causal mask nor documents shorter than the window
    lower it.
    """
    attention = sum(12.0 * config.heads * config.head_dim * window for window in config.windows)
    return matmul_flops_per_token(config) + attention
