"""Matrix products of the layers: in the activations' type, or in 8-bit floating point on Hopper.

The 8-bit products scale each row of each operand to the type's range by itself, so that no state is kept and
one large value spoils one row only. Forward and input gradients are 8-bit; weight gradients, where errors add
up over the whole batch, stay in bf16.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

FP8 = torch.float8_e4m3fn
FP8_MAX = torch.finfo(FP8).max
_compiled: list[Callable[[Tensor], tuple[Tensor, Tensor]]] = []


def linear(x_NI: Tensor, weight_OI: Tensor, fp8: bool) -> Tensor:
    """Return x @ weight.T [N, O]."""
    if fp8:
        out: Tensor = _Fp8Linear.apply(x_NI, weight_OI)
        return out
    return F.linear(x_NI, weight_OI)


def quantize_rows(x_RC: Tensor) -> tuple[Tensor, Tensor]:
    """Return (x / scale as fp8 [R, C], scale float32[R, 1]); a row's largest value becomes fp8's largest."""
    x32 = x_RC.float()
    scale_R1 = x32.abs().amax(dim=-1, keepdim=True).clamp_min(1e-12) / FP8_MAX
    return (x32 / scale_R1).to(FP8), scale_R1


def quantize_function(compiled: bool) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """Return `quantize_rows`, compiled once per process where asked."""
    if not compiled:
        return quantize_rows
    if not _compiled:
        _compiled.append(torch.compile(quantize_rows, dynamic=False))
    return _compiled[0]


def scaled_product(
    a_MK: Tensor, a_scale_M1: Tensor, b_NK: Tensor, b_scale_N1: Tensor, out_dtype: torch.dtype
) -> Tensor:
    """Return a @ b.T [M, N] of operands that are quantized by rows."""
    return torch._scaled_mm(
        a_MK, b_NK.t(), scale_a=a_scale_M1, scale_b=b_scale_N1.t(), out_dtype=out_dtype, use_fast_accum=True
    )


def fp8_product(a_MK: Tensor, b_NK: Tensor, out_dtype: torch.dtype) -> Tensor:
    """Return a @ b.T [M, N], quantizing both operands by rows."""
    return scaled_product(*quantize_rows(a_MK), *quantize_rows(b_NK), out_dtype)


class _Fp8Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_NI: Tensor, weight_OI: Tensor) -> Tensor:
        ctx.save_for_backward(x_NI, weight_OI)
        return fp8_product(x_NI, weight_OI, x_NI.dtype)

    @staticmethod
    def backward(ctx: Any, grad_NO: Tensor) -> tuple[Tensor, Tensor]:
        x_NI, weight_OI = ctx.saved_tensors
        grad_x_NI = fp8_product(grad_NO, weight_OI.t().contiguous(), grad_NO.dtype)
        return grad_x_NI, grad_NO.t() @ x_NI
