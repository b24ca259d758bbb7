"""The last product and the loss, in one function that never holds all logits.

Logits of a 32,768-token vocabulary are the largest tensor of a small GPT. They are made chunk by chunk, and
as the loss is the last thing that happens, each chunk's gradient is computed in its place at once: logits are
written once, read once, and never recomputed.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nanosnake.training.kernels import loss_kernel
from nanosnake.training.kernels.quantize import FP8, quantize
from nanosnake.training.linear import scaled_product

CHUNK_ELEMENTS = 1 << 29
"""Logits held at once on a GPU (1 GiB in bf16)."""
CACHED_ELEMENTS = 1 << 20
"""Logits held at once on a CPU: few enough to stay in its caches between one operation and the next."""
GRADIENT_SCALE = 448.0
"""Gradients of logits are between -1 and 1 by nature, so that one scale, fp8's largest value, does for
all."""


def softcapped(logits: Tensor, softcap: float) -> Tensor:
    """Return logits squashed smoothly to plus or minus `softcap`, in float32."""
    return softcap * torch.tanh(logits.float() / softcap)


def chunk_loss(
    logits_CV: Tensor, targets_C: Tensor, vocab_size: int, softcap: float, fp8: bool
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return (nats[C], d nats / d logits [C, V], the same as fp8 times `GRADIENT_SCALE`) of one chunk.

    Targets below 0 count nothing. Columns from `vocab_size` on are padding: no probability and no gradient.
    On a GPU the gradient may be written over the logits.
    """
    if loss_kernel.usable(logits_CV):
        return loss_kernel.chunk_loss(logits_CV, targets_C, vocab_size, softcap, GRADIENT_SCALE, fp8)
    squashed_CV = torch.tanh(logits_CV.float() / softcap)
    # exp(logit - softcap): capped logits are at most softcap, so that nothing overflows
    gradient_CV = ((squashed_CV - 1.0) * softcap).exp_()
    gradient_CV[:, vocab_size:] = 0.0
    normalizer_C1 = gradient_CV.sum(dim=1, keepdim=True)
    own_C1 = targets_C.clamp_min(0).long()[:, None]
    counts_C1 = (targets_C >= 0)[:, None].float()
    nats_C1 = (normalizer_C1.log() - (squashed_CV.gather(1, own_C1) - 1.0) * softcap) * counts_C1
    gradient_CV.mul_(counts_C1 / normalizer_C1).scatter_add_(1, own_C1, -counts_C1)
    gradient_CV.mul_(squashed_CV.square_().neg_().add_(1.0))
    small_CV = (gradient_CV * GRADIENT_SCALE).to(FP8) if fp8 else None
    return nats_C1.squeeze(1), gradient_CV.to(logits_CV.dtype), small_CV


class Fp8Head:
    """The head's two 8-bit products for one micro-batch; operands are quantized once."""

    def __init__(self, x_ND: Tensor, weight_VD: Tensor) -> None:
        self.x, self.x_scale = quantize(x_ND)
        self.rows, self.row_scale = quantize(weight_VD)
        self.columns, self.column_scale = quantize(weight_VD.t().contiguous())
        self.dtype = x_ND.dtype

    def logits(self, part: slice) -> Tensor:
        """Return the logits [C, V] of a chunk."""
        return scaled_product(self.x[part], self.x_scale[part], self.rows, self.row_scale, self.dtype)

    def input_gradient(self, small_CV: Tensor) -> Tensor:
        """Return the gradient of the head's input [C, D]."""
        scale_C1 = torch.full((small_CV.size(0), 1), 1.0 / GRADIENT_SCALE, device=small_CV.device)
        return scaled_product(small_CV, scale_C1, self.columns, self.column_scale, self.dtype)


class _HeadLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x_ND: Tensor,
        head_VD: Tensor,
        targets_N: Tensor,
        scale: float,
        vocab_size: int,
        softcap: float,
        fp8: bool,
    ) -> Tensor:
        weight_VD = head_VD.to(x_ND.dtype)
        grad_x_ND = torch.empty_like(x_ND)
        grad_head_VD = torch.zeros_like(head_VD)
        nats_N = torch.empty(x_ND.size(0), device=x_ND.device)
        per_chunk = max(1, (CHUNK_ELEMENTS if x_ND.is_cuda else CACHED_ELEMENTS) // head_VD.size(0))
        rows8 = Fp8Head(x_ND, weight_VD) if fp8 else None
        for start in range(0, x_ND.size(0), per_chunk):
            part = slice(start, start + per_chunk)
            x_CD = x_ND[part]
            logits_CV = rows8.logits(part) if rows8 else x_CD @ weight_VD.t()
            nats_N[part], gradient_CV, small_CV = chunk_loss(
                logits_CV, targets_N[part], vocab_size, softcap, fp8
            )
            if rows8 and small_CV is not None:
                grad_x_ND[part] = rows8.input_gradient(small_CV)
            else:
                torch.mm(gradient_CV, weight_VD, out=grad_x_ND[part])
            grad_head_VD += gradient_CV.t() @ x_CD
        ctx.save_for_backward(grad_x_ND, grad_head_VD)
        ctx.scale = scale
        return nats_N.sum() * scale

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        grad_x_ND, grad_head_VD = ctx.saved_tensors
        factor = grad * ctx.scale
        return (
            grad_x_ND * factor.to(grad_x_ND.dtype),
            grad_head_VD * factor,
            None,
            None,
            None,
            None,
            None,
        )


def head_loss(
    x_ND: Tensor,
    head_VD: Tensor,
    targets_N: Tensor,
    *,
    scale: float,
    vocab_size: int,
    softcap: float,
    fp8: bool = False,
) -> Tensor:
    """Return `scale` times the sum of the nats of all targets, differentiable in `x_ND` and `head_VD`."""
    loss: Tensor = _HeadLoss.apply(x_ND, head_VD, targets_N, scale, vocab_size, softcap, fp8)
    return loss


def target_nats(logits_CV: Tensor, targets_C: Tensor, vocab_size: int, softcap: float) -> Tensor:
    """Return the nats of each target [C], 0 where a target is below 0; without gradients, for evaluation."""
    log_C_V = torch.log_softmax(softcapped(logits_CV[:, :vocab_size], softcap), dim=1)
    nats_C = -log_C_V.gather(1, targets_C.clamp_min(0).long()[:, None]).squeeze(1)
    return torch.where(targets_C >= 0, nats_C, 0.0)
