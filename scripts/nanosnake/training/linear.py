"""Matrix products of the layers: in the activations' type, or in 8-bit floating point on Hopper.

The 8-bit products scale each row of each operand by itself, so that no state is kept and one long row spoils
no other. Forward and input gradients are 8-bit; weight gradients, where errors add up over the whole batch,
stay in bf16.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nanosnake.training.kernels.quantize import quantize, quantize_normed, quantize_rows

PIECE = 1 << 14
"""Tokens whose part of a wide weight's gradient is one product."""
WIDE = 1024
"""Rows and columns from which a weight is wide: of narrower ones cuBLAS cuts the tokens itself."""


def linear(x_NI: Tensor, weight_OI: Tensor, fp8: bool, *, normed: bool = False) -> Tensor:
    """Return x @ weight.T [N, O]; `normed` says that x comes from an RMS norm."""
    out: Tensor = _Fp8Linear.apply(x_NI, weight_OI, normed) if fp8 else _Linear.apply(x_NI, weight_OI)
    return out


def weight_gradient(grad_NO: Tensor, x_NI: Tensor) -> Tensor:
    """Return grad.T @ x [O, I], of a wide weight as the sum over pieces of the tokens.

    Its tiles do not fill the GPU's multiprocessors evenly: one and a half rounds of them take as long as two.
    With as many tiles again for each piece, the last round matters less.
    """
    pieces = grad_NO.size(0) // PIECE
    narrow = min(grad_NO.size(1), x_NI.size(1)) < WIDE
    if narrow or pieces < 2 or grad_NO.size(0) % PIECE:
        return grad_NO.t() @ x_NI
    grad_SPO, x_SPI = (t.reshape(pieces, PIECE, -1) for t in (grad_NO, x_NI))
    return torch.bmm(grad_SPO.transpose(1, 2), x_SPI).float().sum(0).to(x_NI.dtype)


def scaled_product(
    a_MK: Tensor, a_scale_M1: Tensor, b_NK: Tensor, b_scale_N1: Tensor, out_dtype: torch.dtype
) -> Tensor:
    """Return a @ b.T [M, N] of operands that are quantized by rows."""
    return torch._scaled_mm(
        a_MK, b_NK.t(), scale_a=a_scale_M1, scale_b=b_scale_N1.t(), out_dtype=out_dtype, use_fast_accum=True
    )


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_NI: Tensor, weight_OI: Tensor) -> Tensor:
        ctx.save_for_backward(x_NI, weight_OI)
        return F.linear(x_NI, weight_OI)

    @staticmethod
    def backward(ctx: Any, grad_NO: Tensor) -> tuple[Tensor, Tensor]:
        x_NI, weight_OI = ctx.saved_tensors
        return grad_NO @ weight_OI, weight_gradient(grad_NO, x_NI)


class _Fp8Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_NI: Tensor, weight_OI: Tensor, normed: bool) -> Tensor:
        ctx.save_for_backward(x_NI, weight_OI)
        x8_NI, x_scale_N1 = quantize_normed(x_NI) if normed else quantize(x_NI)
        weight8_OI, weight_scale_O1 = quantize_rows(weight_OI)
        return scaled_product(x8_NI, x_scale_N1, weight8_OI, weight_scale_O1, x_NI.dtype)

    @staticmethod
    def backward(ctx: Any, grad_NO: Tensor) -> tuple[Tensor, Tensor, None]:
        x_NI, weight_OI = ctx.saved_tensors
        grad8_NO, scale_N1 = quantize(grad_NO)
        weight8_IO, weight_scale_I1 = quantize_rows(weight_OI.t().contiguous())
        grad_x_NI = scaled_product(grad8_NO, scale_N1, weight8_IO, weight_scale_I1, grad_NO.dtype)
        return grad_x_NI, weight_gradient(grad_NO, x_NI), None
