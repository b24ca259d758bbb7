"""Rows of 8-bit floats: each row is divided by its length, so that no value of it can be too large.

An 8-bit float (E4M3) has the same relative precision over five decades, so that a scale need not be tight. The
length of a row is a scale that is known where the largest value is not: a row after an RMS norm is as long as
every other, and the product of two rows is at most that of their lengths, whatever stands in them.
"""

from __future__ import annotations

import torch
from torch import Tensor

if torch.cuda.is_available():  # it takes a second to import, and complains at the end of a run on the CPU
    import triton  # type: ignore[import-untyped]
    import triton.language as tl  # type: ignore[import-untyped]
else:
    triton = None

FP8 = torch.float8_e4m3fn
FP8_MAX = torch.finfo(FP8).max
SHORTEST = 1e-15
"""Rows that are shorter count as being so long: squares of smaller numbers vanish in float32."""


def quantize_rows(x_RC: Tensor) -> tuple[Tensor, Tensor]:
    """Return (x / scale as fp8 [R, C], scale float32[R, 1]); scale is a row's length over fp8's largest value.

    As plain operations, for weights: the compiler makes one kernel of them and what comes before.
    """
    x32_RC = x_RC.float()
    scale_R1 = x32_RC.square().sum(dim=-1, keepdim=True).sqrt().clamp_min(SHORTEST) / FP8_MAX
    return (x32_RC / scale_R1).to(FP8), scale_R1


def quantize_normed(x_RC: Tensor) -> tuple[Tensor, Tensor]:
    """Return what `quantize_rows` does, for rows after an RMS norm: the root of C is the length of each."""
    scale = x_RC.size(1) ** 0.5 / FP8_MAX
    small_RC = (x_RC.float() * (1.0 / scale)).to(FP8)
    return small_RC, torch.full((x_RC.size(0), 1), scale, device=x_RC.device)


if triton is not None:

    @triton.jit  # type: ignore[untyped-decorator]
    def _quantize(  # type: ignore[no-untyped-def]
        x_at, small_at, scale_at, columns, shortest, largest, block: tl.constexpr
    ):
        row = tl.program_id(0).to(tl.int64)
        column = tl.arange(0, block)
        x = tl.load(x_at + row * columns + column, mask=column < columns, other=0.0).to(tl.float32)
        scale = tl.maximum(tl.sqrt(tl.sum(x * x, 0)), shortest) / largest
        small = (x * (1.0 / scale)).to(tl.float8e4nv)
        tl.store(small_at + row * columns + column, small, mask=column < columns)
        tl.store(scale_at + row, scale)


@torch.library.custom_op("nanosnake::quantize", mutates_args=())
def quantize(x_RC: Tensor) -> tuple[Tensor, Tensor]:
    """Return what `quantize_rows` does, reading each row once, for activations and their gradients.

    The compiler's own kernel reads rows that are longer than 1,024 twice, and does again whatever it fused.
    """
    if triton is None or not x_RC.is_cuda:
        return quantize_rows(x_RC)
    x_RC = x_RC.contiguous()
    rows, columns = x_RC.shape
    small_RC = torch.empty_like(x_RC, dtype=FP8)
    scale_R1 = torch.empty(rows, 1, device=x_RC.device)
    block = triton.next_power_of_2(columns)
    _quantize[(rows,)](
        x_RC, small_RC, scale_R1, columns, SHORTEST, FP8_MAX, block, num_warps=min(8, max(1, block // 512))
    )
    return small_RC, scale_R1


@quantize.register_fake
def _(x_RC: Tensor) -> tuple[Tensor, Tensor]:
    return x_RC.new_empty(x_RC.shape, dtype=FP8), x_RC.new_empty((x_RC.size(0), 1), dtype=torch.float32)
