"""The MLP in 8-bit floating point, with its squared ReLU inside the matrix products.

All operands of the products are rows that were divided by their lengths. So what a product makes is the cosine
between a token's row and a weight's row, times a constant: at most that constant, and ready to be stored in 8
bits by the product itself, with no look at the rest of its row. With D the width, u a row of `up`, d a column
of `down`, g a gradient, 448 the largest value:

    squares = relu(x . u)^2          = |u|^2 D / 448         * (448 cos(x, u)^2, stored)
    gradient = (g . d) 2 relu(x . u) = 2 sqrt(D) |u| |d|     * |g| / 448 * (448 cos(g, d) cos(x, u), stored)

The factors in front belong to a row of `up`. They go into the weights that the stored values are multiplied with
next, before those are quantized, and into the weights' gradients. The length of g is left as a row's scale.
Where bf16 is needed, for the weights' gradients, the products store both.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor

from nanosnake.training.kernels import fused
from nanosnake.training.kernels.quantize import FP8, FP8_MAX, quantize, quantize_normed, quantize_rows
from nanosnake.training.linear import scaled_product, weight_gradient

COSINE = FP8_MAX**-1.5
"""Makes of a product of two quantized rows the cosine between them, times the root of fp8's largest value."""
SHAPE = {"tile_M": 128, "tile_N": 192, "cluster_M": 2, "cluster_N": 1, "pingpong": True}
"""Tiles of the products: two groups of threads take turns, one multiplies while the other stores."""


@cache
def _products() -> tuple[Any, Any]:
    """Return (product, then squared ReLU; product, then times the root of `c`), each stored twice."""
    epilogue, relu, cute = fused.parts()

    def relu_square(acc):  # type: ignore[no-untyped-def]
        positive = relu(acc) * COSINE
        square = positive * positive
        return {"D": square, "small": square}

    def times_root(acc, c, scale):  # type: ignore[no-untyped-def]
        gradient = acc * COSINE * cute.math.sqrt(c, approx=True, ftz=True)
        return {"D": gradient * scale, "small": gradient}

    return epilogue(outputs=("small",))(relu_square), epilogue(outputs=("small",))(times_root)


def _run(product: Any, a: Tensor, b: Tensor, out: Tensor, c: Tensor | None, **operands: Tensor) -> None:
    # no second set of registers for the sums, as `use_fast_accum` asks of cuBLAS
    fast = (("fp8_slow_accum", False),)
    product.gemm(a, b, out, c, epi_args=operands, post_init_attrs=fast, **SHAPE)


@torch.library.custom_op("nanosnake::up8", mutates_args=())
def up_product(x_ND: Tensor, up_FD: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return (squared ReLU of x @ up.T [N, F], the same in 8 bits), both as stored."""
    squares_NF = x_ND.new_empty(x_ND.size(0), up_FD.size(0), dtype=dtype)
    small_NF = torch.empty_like(squares_NF, dtype=FP8)
    _run(_products()[0], x_ND, up_FD, squares_NF, None, small=small_NF)
    return squares_NF, small_NF


@up_product.register_fake
def _(x_ND: Tensor, up_FD: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    squares_NF = x_ND.new_empty(x_ND.size(0), up_FD.size(0), dtype=dtype)
    return squares_NF, torch.empty_like(squares_NF, dtype=FP8)


@torch.library.custom_op("nanosnake::down8_backward", mutates_args=())
def down_backward(
    grad_ND: Tensor, scale_N1: Tensor, down_FD: Tensor, squares_NF: Tensor
) -> tuple[Tensor, Tensor]:
    """Return (gradient [N, F] of what stands before the squared ReLU, the same in 8 bits and without
    the row's scale)."""
    grad_NF = torch.empty_like(squares_NF)
    small_NF = torch.empty_like(squares_NF, dtype=FP8)
    scale_1N = scale_N1.view(1, -1)
    _run(_products()[1], grad_ND, down_FD, grad_NF, squares_NF, scale=scale_1N, small=small_NF)
    return grad_NF, small_NF


@down_backward.register_fake
def _(grad_ND: Tensor, scale_N1: Tensor, down_FD: Tensor, squares_NF: Tensor) -> tuple[Tensor, Tensor]:
    return torch.empty_like(squares_NF), torch.empty_like(squares_NF, dtype=FP8)


class _Mlp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_ND: Tensor, up_FD: Tensor, down_DF: Tensor) -> Tensor:
        up8_FD, up_scale_F1 = quantize_rows(up_FD)
        squares_NF, small_NF = up_product(quantize_normed(x_ND)[0], up8_FD, x_ND.dtype)
        factor_F = x_ND.size(1) * FP8_MAX * up_scale_F1.squeeze(1).square()
        ctx.save_for_backward(x_ND, up_FD, down_DF, squares_NF, up_scale_F1, factor_F)
        ones_N1 = torch.ones(x_ND.size(0), 1, device=x_ND.device)
        down8 = quantize_rows(down_DF.float() * factor_F)
        return scaled_product(small_NF, ones_N1, *down8, x_ND.dtype)

    @staticmethod
    def backward(ctx: Any, grad_ND: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x_ND, up_FD, down_DF, squares_NF, up_scale_F1, factor_F = ctx.saved_tensors
        grad8_ND, scale_N1 = quantize(grad_ND)
        down8_FD, down_scale_F1 = quantize_rows(down_DF.t().contiguous())
        grad_NF, small_NF = down_backward(grad8_ND, scale_N1, down8_FD, squares_NF)
        factor_F1 = 2.0 * x_ND.size(1) ** 0.5 * FP8_MAX**2 * up_scale_F1 * down_scale_F1
        up8 = quantize_rows((up_FD.float() * factor_F1).t().contiguous())
        grad_x_ND = scaled_product(small_NF, scale_N1, *up8, grad_ND.dtype)
        grad_up_FD = weight_gradient(grad_NF, x_ND).float() * factor_F1
        grad_down_DF = weight_gradient(grad_ND, squares_NF).float() * factor_F
        return grad_x_ND, grad_up_FD.to(up_FD.dtype), grad_down_DF.to(down_DF.dtype)


def mlp(x_ND: Tensor, up_FD: Tensor, down_DF: Tensor) -> Tensor:
    """Return relu(x @ up.T) squared @ down.T [N, D]; x has to come from an RMS norm."""
    out: Tensor = _Mlp.apply(x_ND, up_FD, down_DF)
    return out
