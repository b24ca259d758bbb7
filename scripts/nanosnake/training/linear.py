"""Matrix products of the layers, with weight gradients that fill the GPU."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

PIECE = 1 << 14
"""Tokens whose part of a wide weight's gradient is one product."""
WIDE = 1024
"""Rows and columns from which a weight is wide: of narrower ones cuBLAS cuts the tokens itself."""


def linear(x_NI: Tensor, weight_OI: Tensor) -> Tensor:
    """Return x @ weight.T [N, O]."""
    out: Tensor = _Linear.apply(x_NI, weight_OI)
    return out


def weight_gradient(grad_NO: Tensor, x_NI: Tensor) -> Tensor:
    """Return grad.T @ x [O, I], of a wide weight as the sum over pieces of the tokens.

    The tiles of a product do not fill the GPU's multiprocessors evenly: one and a half rounds take as long as two.
    Each piece adds as many tiles again, so the last round matters less.
    """
    pieces = grad_NO.size(0) // PIECE
    narrow = min(grad_NO.size(1), x_NI.size(1)) < WIDE
    if narrow or pieces < 2 or grad_NO.size(0) % PIECE:
        return grad_NO.t() @ x_NI
    grad_SPO, x_SPI = (t.reshape(pieces, PIECE, -1) for t in (grad_NO, x_NI))
    return torch.bmm(grad_SPO.transpose(1, 2), x_SPI).float().sum(0).to(x_NI.dtype)


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_NI: Tensor, weight_OI: Tensor) -> Tensor:
        ctx.save_for_backward(x_NI, weight_OI)
        return F.linear(x_NI, weight_OI)

    @staticmethod
    def backward(ctx: Any, grad_NO: Tensor) -> tuple[Tensor, Tensor]:
        x_NI, weight_OI = ctx.saved_tensors
        return grad_NO @ weight_OI, weight_gradient(grad_NO, x_NI)
