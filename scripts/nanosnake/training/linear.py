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

from nanosnake.training.quantize import quantize, quantize_normed, quantize_rows


def linear(x_NI: Tensor, weight_OI: Tensor, fp8: bool, *, normed: bool = False) -> Tensor:
    """Return x @ weight.T [N, O]; `normed` says that x comes from an RMS norm."""
    if fp8:
        out: Tensor = _Fp8Linear.apply(x_NI, weight_OI, normed)
        return out
    return F.linear(x_NI, weight_OI)


def scaled_product(
    a_MK: Tensor, a_scale_M1: Tensor, b_NK: Tensor, b_scale_N1: Tensor, out_dtype: torch.dtype
) -> Tensor:
    """Return a @ b.T [M, N] of operands that are quantized by rows."""
    return torch._scaled_mm(
        a_MK, b_NK.t(), scale_a=a_scale_M1, scale_b=b_scale_N1.t(), out_dtype=out_dtype, use_fast_accum=True
    )


class _Fp8Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_NI: Tensor, weight_OI: Tensor, normed: bool) -> Tensor:
        ctx.save_for_backward(x_NI, weight_OI)
        small = quantize_normed(x_NI) if normed else quantize(x_NI)
        return scaled_product(*small, *quantize_rows(weight_OI), x_NI.dtype)

    @staticmethod
    def backward(ctx: Any, grad_NO: Tensor) -> tuple[Tensor, Tensor, None]:
        x_NI, weight_OI = ctx.saved_tensors
        columns = quantize_rows(weight_OI.t().contiguous())
        grad_x_NI = scaled_product(*quantize(grad_NO), *columns, grad_NO.dtype)
        return grad_x_NI, grad_NO.t() @ x_NI, None
