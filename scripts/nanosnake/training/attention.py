"""Attention that stays inside each document, through PyTorch's own kernels.

Backends with the same result: `flash4` and `varlen` (flash kernels over documents laid end to end; the first is an
optional package, the second PyTorch's own), `flex` (FlexAttention with block masks), `sdpa` (scaled dot
product with a dense mask; the CPU's way, and the reference in tests). Rows of T tokens lie end to end in N
= B x T; a document never crosses the end of a row.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from nanosnake.files import NanosnakeError
from nanosnake.training.config import Attention, ModelConfig
from nanosnake.training.kernels import flash4, packages

_varlen_attn: Callable[..., Any] | None = None
if torch.cuda.is_available():  # it imports the compiler, which takes seconds and is of no use on a CPU
    with contextlib.suppress(ImportError):  # PyTorch before 2.10
        from torch.nn.attention.varlen import varlen_attn as _varlen_attn
_VARLEN_NAMES = set(inspect.signature(_varlen_attn).parameters) if _varlen_attn else set()

BACKENDS = get_args(Attention)[1:]
_VARLEN_WINDOW = "window_size" in _VARLEN_NAMES
# the argument for shared key/value heads differs between versions; the kernel supports them in all
_VARLEN_GQA = "enable_gqa" in _VARLEN_NAMES


@dataclass(frozen=True)
class Documents:
    """Where documents lie in a micro-batch, in the form that the chosen kernel needs.

    `length`: tokens of a row (T here; evaluation also uses shorter rows than the model's T).
    `ends` (int32, varlen): first token of each document and N, the last entry repeated as padding.
    `long` and `short`: masks of the two windows (bool[B, 1, T, T] for sdpa, BlockMask for flex).
    """

    length: int
    ends: Tensor | None = None
    long: Any = None
    short: Any = None


def choose_backend(wanted: str, device: torch.device) -> str:
    """Return the backend to use: the requested one, or the fastest available on the device."""
    if wanted == "auto":
        if device.type != "cuda":
            return "sdpa"
        if flash4.usable():
            return "flash4"
        return "varlen" if _VARLEN_WINDOW else "flex"
    if wanted not in BACKENDS:
        raise NanosnakeError(f"attention is {wanted!r}; use auto, {', '.join(BACKENDS)}")
    if wanted == "varlen" and not _VARLEN_WINDOW:
        raise NanosnakeError(
            f"attention is varlen, but torch {torch.__version__} has no varlen_attn with windows; use flex"
        )
    if wanted == "flash4" and not flash4.usable():
        why = packages.fault(packages.FLASH_ATTN_4) or "the GPU is not a Hopper or Blackwell"
        raise NanosnakeError(f"attention is flash4, but {why}; or use auto")
    return wanted


def describe_kernels(backend: str, fused: bool) -> str:
    """Return a log line: which attention and matrix products run, and what would make them faster."""
    line = f"attention by {backend}, products by {'quack-kernels and ' if fused else ''}PyTorch"
    return "; ".join([line, *packages.missing()])


def describe_documents(
    backend: str, config: ModelConfig, positions_N: Tensor, ends: Tensor | None, length: int | None = None
) -> Documents:
    """Return what `attend` needs for one micro-batch.

    Args:
        positions_N: position of each token in its document (0 = first).
        ends: document boundaries for `varlen`.
        length: tokens of a row; None: the model's sequence length.
    """
    length = length or config.sequence_length
    if backend in ("flash4", "varlen"):
        return Documents(length, ends=ends)
    document_BT = (positions_N == 0).cumsum(0).view(-1, length)
    mask = _dense_mask if backend == "sdpa" else _block_mask
    # an evaluation row may be longer than a training row, with the same windows
    whole = length if config.architecture == "llama" else min(length, config.sequence_length)
    return Documents(length, long=mask(document_BT, whole), short=mask(document_BT, config.short_window))


def _dense_mask(document_BT: Tensor, window: int) -> Tensor:
    at = torch.arange(document_BT.size(1), device=document_BT.device)
    distance_TT = at[:, None] - at[None, :]
    near_TT = (distance_TT >= 0) & (distance_TT <= window)
    same_BTT = document_BT[:, :, None] == document_BT[:, None, :]
    return (same_BTT & near_TT)[:, None]


def _block_mask(document_BT: Tensor, window: int) -> Any:
    from torch.nn.attention.flex_attention import create_block_mask

    def visible(b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
        return (q >= k) & (q - k <= window) & (document_BT[b, q] == document_BT[b, k])

    rows, length = document_BT.shape
    return create_block_mask(
        visible, rows, None, length, length, device=str(document_BT.device), _compile=True
    )


def attend(
    backend: str, q_NHE: Tensor, k_NKE: Tensor, v_NKE: Tensor, documents: Documents, window: int | None
) -> Tensor:
    """Return attention's output [N, H, E]; `window` is the tokens before its own that one sees, None for
    all."""
    length = documents.length
    if backend == "flash4":
        assert documents.ends is not None
        packed: Tensor = flash4.flash4(q_NHE, k_NKE, v_NKE, documents.ends, length, window)[0]
        return packed
    if backend == "varlen":
        more: dict[str, Any] = {"enable_gqa": q_NHE.size(1) != k_NKE.size(1)} if _VARLEN_GQA else {}
        ends, left = documents.ends, -1 if window is None else window
        assert _varlen_attn is not None
        out: Tensor = _varlen_attn(
            q_NHE, k_NKE, v_NKE, ends, ends, length, length, window_size=(left, 0), **more
        )
        return out
    q, k, v = (x.view(-1, length, x.size(1), x.size(2)).transpose(1, 2) for x in (q_NHE, k_NKE, v_NKE))
    mask = documents.long if window is None else documents.short
    shared = q.size(1) != k.size(1)
    if backend == "sdpa":
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=shared)
    else:
        from torch.nn.attention.flex_attention import flex_attention

        out = flex_attention(q, k, v, block_mask=mask, enable_gqa=shared)
    return out.transpose(1, 2).reshape(q_NHE.shape)
