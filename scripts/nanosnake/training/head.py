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

CHUNK_ELEMENTS = 1 << 29
"""Logits held at once on a GPU (1 GiB in bf16)."""
CACHED_ELEMENTS = 1 << 20
"""Logits held at once on a CPU: few enough to stay in its caches between one operation and the next."""


def softcapped(logits: Tensor, softcap: float) -> Tensor:
    """Return logits squashed smoothly to plus or minus `softcap` (0: as they are), in float32."""
    return softcap * torch.tanh(logits.float() / softcap) if softcap else logits.float()


def chunk_loss(
    logits_CV: Tensor, targets_C: Tensor, vocab_size: int, softcap: float
) -> tuple[Tensor, Tensor]:
    """Return (nats[C], d nats / d logits [C, V]) of one chunk.

    Targets below 0 do not count. Columns from `vocab_size` on are padding: no probability and no gradient. On a GPU
    the gradient may be written over the logits.
    """
    if not softcap:
        return uncapped_chunk_loss(logits_CV, targets_C, vocab_size)
    if loss_kernel.usable(logits_CV):
        return loss_kernel.chunk_loss(logits_CV, targets_C, vocab_size, softcap)
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
    return nats_C1.squeeze(1), gradient_CV.to(logits_CV.dtype)


def uncapped_chunk_loss(logits_CV: Tensor, targets_C: Tensor, vocab_size: int) -> tuple[Tensor, Tensor]:
    """Return what `chunk_loss` does, for logits that are not squashed."""
    raised_CV = logits_CV.float()
    raised_CV = raised_CV - raised_CV[:, :vocab_size].amax(dim=1, keepdim=True)
    own_C1 = targets_C.clamp_min(0).long()[:, None]
    counts_C1 = (targets_C >= 0)[:, None].float()
    nats_C1 = -raised_CV.gather(1, own_C1)
    gradient_CV = raised_CV.exp_()
    gradient_CV[:, vocab_size:] = 0.0
    normalizer_C1 = gradient_CV.sum(dim=1, keepdim=True)
    nats_C1 = (nats_C1 + normalizer_C1.log()) * counts_C1
    gradient_CV.mul_(counts_C1 / normalizer_C1).scatter_add_(1, own_C1, -counts_C1)
    return nats_C1.squeeze(1), gradient_CV.to(logits_CV.dtype)


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
    ) -> Tensor:
        weight_VD = head_VD.to(x_ND.dtype)
        grad_x_ND = torch.empty_like(x_ND)
        grad_head_VD = torch.zeros_like(head_VD)
        nats_N = torch.empty(x_ND.size(0), device=x_ND.device)
        per_chunk = max(1, (CHUNK_ELEMENTS if x_ND.is_cuda else CACHED_ELEMENTS) // head_VD.size(0))
        for start in range(0, x_ND.size(0), per_chunk):
            part = slice(start, start + per_chunk)
            x_CD = x_ND[part]
            logits_CV = x_CD @ weight_VD.t()
            nats_N[part], gradient_CV = chunk_loss(logits_CV, targets_N[part], vocab_size, softcap)
            torch.mm(gradient_CV, weight_VD, out=grad_x_ND[part])
            grad_head_VD += gradient_CV.t() @ x_CD
        ctx.save_for_backward(grad_x_ND, grad_head_VD)
        ctx.scale = scale
        return nats_N.sum() * scale

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        grad_x_ND, grad_head_VD = ctx.saved_tensors
        factor = grad * ctx.scale
        return grad_x_ND * factor.to(grad_x_ND.dtype), grad_head_VD * factor, None, None, None, None


def head_loss(
    x_ND: Tensor,
    head_VD: Tensor,
    targets_N: Tensor,
    *,
    scale: float,
    vocab_size: int,
    softcap: float,
) -> Tensor:
    """Return `scale` times the sum of the nats of all targets, differentiable in `x_ND` and `head_VD`."""
    loss: Tensor = _HeadLoss.apply(x_ND, head_VD, targets_N, scale, vocab_size, softcap)
    return loss


def target_nats(logits_CV: Tensor, targets_C: Tensor, vocab_size: int, softcap: float) -> Tensor:
    """Return the nats of each target [C], 0 where a target is below 0; without gradients, for evaluation."""
    log_C_V = torch.log_softmax(softcapped(logits_CV[:, :vocab_size], softcap), dim=1)
    nats_C = -log_C_V.gather(1, targets_C.clamp_min(0).long()[:, None]).squeeze(1)
    return torch.where(targets_C >= 0, nats_C, 0.0)
