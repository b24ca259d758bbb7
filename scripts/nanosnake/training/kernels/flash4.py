"""FlashAttention 4 over documents laid end to end, as an operator that torch.compile accepts.

Used if the package `flash-attn-4` is installed and the GPU is a Hopper or Blackwell; its kernels are about
twice as fast on a Hopper as the flash kernels inside PyTorch.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nanosnake.training.kernels import packages


def usable() -> bool:
    """Return whether the package is installed and the GPU supported."""
    return packages.usable(packages.FLASH_ATTN_4)


@torch.library.custom_op("nanosnake::flash4", mutates_args=())
def flash4(
    q_NHE: Tensor, k_NKE: Tensor, v_NKE: Tensor, ends: Tensor, length: int, window: int | None
) -> tuple[Tensor, Tensor]:
    """Return (causal attention within each document [N, H, E], log of the softmax's sums [H, N]).

    Args:
        ends: int32[documents + 1]: first token of each document, then N.
        length: tokens of the longest document, or more.
        window: tokens before its own that a token sees; None for all.
    """
    found = packages.functions(packages.FLASH_ATTN_4)[0](
        q_NHE,
        k_NKE,
        v_NKE,
        cu_seqlens_q=ends,
        cu_seqlens_k=ends,
        max_seqlen_q=length,
        max_seqlen_k=length,
        causal=True,
        window_size_left=window,
        window_size_right=None if window is None else 0,
        return_lse=True,
    )
    return found[0], found[1]


@flash4.register_fake
def _(
    q_NHE: Tensor, k_NKE: Tensor, v_NKE: Tensor, ends: Tensor, length: int, window: int | None
) -> tuple[Tensor, Tensor]:
    sums = q_NHE.new_empty((q_NHE.size(1), q_NHE.size(0)), dtype=torch.float32)
    return q_NHE.new_empty(q_NHE.shape), sums


@torch.library.custom_op("nanosnake::flash4_backward", mutates_args=())
def flash4_backward(
    grad: Tensor,
    q_NHE: Tensor,
    k_NKE: Tensor,
    v_NKE: Tensor,
    out: Tensor,
    sums: Tensor,
    ends: Tensor,
    length: int,
    window: int | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of q, k and v."""
    found = packages.functions(packages.FLASH_ATTN_4)[1](
        q_NHE,
        k_NKE,
        v_NKE,
        out,
        grad.contiguous(),
        sums,
        causal=True,
        window_size_left=window,
        window_size_right=None if window is None else 0,
        cu_seqlens_q=ends,
        cu_seqlens_k=ends,
        max_seqlen_q=length,
        max_seqlen_k=length,
    )
    return found[0], found[1], found[2]


@flash4_backward.register_fake
def _(
    grad: Tensor,
    q_NHE: Tensor,
    k_NKE: Tensor,
    v_NKE: Tensor,
    out: Tensor,
    sums: Tensor,
    ends: Tensor,
    length: int,
    window: int | None,
) -> tuple[Tensor, Tensor, Tensor]:
    return torch.empty_like(q_NHE), torch.empty_like(k_NKE), torch.empty_like(v_NKE)


def _setup(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    q_NHE, k_NKE, v_NKE, ends, ctx.length, ctx.window = inputs
    ctx.save_for_backward(q_NHE, k_NKE, v_NKE, output[0], output[1], ends)


def _backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
    grads = flash4_backward(grad, *ctx.saved_tensors, ctx.length, ctx.window)
    return (*grads, None, None, None)


flash4.register_autograd(_backward, setup_context=_setup)
