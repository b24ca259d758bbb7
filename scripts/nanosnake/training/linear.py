"""Matrix products of the layers, with weight gradients that fill the GPU, and an MLP that keeps little for them."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nanosnake.training.kernels import fused

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


def mlp(x_ND: Tensor, up_FD: Tensor, down_DF: Tensor, *, in_products: bool) -> Tensor:
    """Return relu(x @ up.T) squared @ down.T [N, D].

    Of the widest tensors of the model only the squares are kept for the backward pass: the derivative is twice their
    root. That saves a fifth of the memory of training.

    Args:
        in_products: square, and multiply by the derivative, inside the products (`kernels.fused`).
    """
    out: Tensor = _Mlp.apply(x_ND, up_FD, down_DF, in_products)
    return out


def up_product(x_ND: Tensor, up_FD: Tensor) -> Tensor:
    """Return relu(x @ up.T) squared [N, F]."""
    return F.linear(x_ND, up_FD).relu_().square_()


def down_backward(grad_ND: Tensor, down_DF: Tensor, squares_NF: Tensor) -> Tensor:
    """Return the gradient [N, F] of the input of the squared ReLU."""
    return (grad_ND @ (2.0 * down_DF)).mul_(squares_NF.sqrt())


class _Mlp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_ND: Tensor, up_FD: Tensor, down_DF: Tensor, in_products: bool) -> Tensor:
        up = fused.up_product if in_products else up_product
        squares_NF = up(x_ND, up_FD)
        ctx.save_for_backward(x_ND, up_FD, down_DF, squares_NF)
        ctx.in_products = in_products
        return F.linear(squares_NF, down_DF)

    @staticmethod
    def backward(ctx: Any, grad_ND: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x_ND, up_FD, down_DF, squares_NF = ctx.saved_tensors
        back = fused.down_backward if ctx.in_products else down_backward
        grad_NF = back(grad_ND, down_DF, squares_NF)
        return grad_NF @ up_FD, weight_gradient(grad_NF, x_ND), weight_gradient(grad_ND, squares_NF), None
