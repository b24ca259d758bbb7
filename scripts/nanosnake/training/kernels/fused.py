"""The MLP's squared ReLU inside the matrix products, as operators that torch.compile accepts.

Next to a product of 3,072 columns, squared ReLU as a separate kernel costs half as much again, because it reads and
writes the widest tensors of the model. The package `quack-kernels`, a dependency of `flash-attn-4`, can apply a
function of ours at the end of a product.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor

from nanosnake.training.kernels import packages


def usable() -> bool:
    """Return whether the package is installed and the GPU is a Hopper."""
    return packages.usable(packages.QUACK)


@cache
def _products() -> tuple[Any, Any]:
    """Return (product, then squared ReLU; product, then times the derivative at `c`, the squares)."""
    epilogue, relu, math = packages.functions(packages.QUACK)

    def relu_square(acc):  # type: ignore[no-untyped-def]
        positive = relu(acc)
        return {"D": positive * positive}

    def times_derivative(acc, c):  # type: ignore[no-untyped-def]
        root = math.sqrt(c, approx=True, ftz=True)  # the exact root takes longer than the product
        return {"D": acc * (root + root)}

    return epilogue()(relu_square), epilogue()(times_derivative)


@torch.library.custom_op("nanosnake::up", mutates_args=())
def up_product(x_ND: Tensor, up_FD: Tensor) -> Tensor:
    """Return relu(x @ up.T) squared [N, F]."""
    squares_NF = x_ND.new_empty(x_ND.size(0), up_FD.size(0))
    _products()[0](x_ND, up_FD.t(), out={"D": squares_NF}, tuned=False)
    return squares_NF


@up_product.register_fake
def _(x_ND: Tensor, up_FD: Tensor) -> Tensor:
    return x_ND.new_empty(x_ND.size(0), up_FD.size(0))


@torch.library.custom_op("nanosnake::down_backward", mutates_args=())
def down_backward(grad_ND: Tensor, down_DF: Tensor, squares_NF: Tensor) -> Tensor:
    """Return the gradient [N, F] of the input of the squared ReLU."""
    grad_NF = torch.empty_like(squares_NF)
    _products()[1](grad_ND.contiguous(), down_DF, squares_NF, out={"D": grad_NF}, tuned=False)
    return grad_NF


@down_backward.register_fake
def _(grad_ND: Tensor, down_DF: Tensor, squares_NF: Tensor) -> Tensor:
    return torch.empty_like(squares_NF)
