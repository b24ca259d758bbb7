"""The optional packages with faster kernels, and every function of theirs that we call.

Some of these functions are not public and may change with any release, which is why the group `gpu` pins the
versions. Where a package is missing, fails to import, or lacks a function, training takes the next best way, and
`missing` says so in one line.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

GROUP = "uv sync --group gpu"
"""The command that installs them."""


@dataclass(frozen=True)
class Package:
    """A package: the GPUs it is for, the version that ran on one, and what we call."""

    distribution: str
    tested: str
    generations: tuple[int, ...]
    """First number of the compute capability: 9 is Hopper, 10 Blackwell."""
    functions: tuple[tuple[str, str, tuple[str, ...]], ...]
    """(module, name, parameters that we give by name) of each function."""


_DOCUMENTS = ("cu_seqlens_q", "cu_seqlens_k", "max_seqlen_q", "max_seqlen_k", "causal", "window_size_left")
FLASH_ATTN_4 = Package(
    "flash-attn-4",
    "4.0.0b36",
    (9, 10),
    (
        ("flash_attn.cute.interface", "_flash_attn_fwd", (*_DOCUMENTS, "window_size_right", "return_lse")),
        ("flash_attn.cute.interface", "_flash_attn_bwd", (*_DOCUMENTS, "window_size_right")),
    ),
)
QUACK = Package(
    "quack-kernels",
    "0.6.5",
    (9,),
    (("quack.epilogue", "gemm_epilogue", ()), ("quack.activation", "relu", ()), ("cutlass.cute", "math", ())),
)


@cache
def functions(package: Package) -> tuple[Any, ...]:
    """Return the functions of a package, in their order.

    Raises:
        ImportError, AttributeError, TypeError: where parts are missing or a function is not as it was tested.
    """
    found = []
    for module, name, wanted in package.functions:
        function = getattr(importlib.import_module(module), name)
        if wanted and (lost := set(wanted) - set(inspect.signature(function).parameters)):
            raise TypeError(f"{name} takes no {min(lost)}")
        found.append(function)
    return tuple(found)


@cache
def fault(package: Package) -> str | None:
    """Return why a package that the GPU could use is not used, in one line; None: nothing is wrong."""
    try:
        found = importlib.metadata.version(package.distribution)
    except importlib.metadata.PackageNotFoundError:
        return f"{package.distribution} is not installed; `{GROUP}` brings it"
    try:
        functions(package)
    except Exception as error:  # a package may fail in any way while it is imported
        why = (str(error).splitlines() or [""])[0]
        return (
            f"{package.distribution} {found} is installed but does not load ({type(error).__name__}: {why}); "
            f"`{GROUP}` installs {package.tested}, which was tested"
        )
    return None


def suits(package: Package) -> bool:
    """Return whether the GPU is one that the package is made for."""
    return torch.cuda.is_available() and torch.cuda.get_device_capability()[0] in package.generations


def usable(package: Package) -> bool:
    """Return whether the package and a GPU that it is made for are there."""
    return suits(package) and fault(package) is None


def missing() -> list[str]:
    """Return a line for each package that would make training on this GPU faster and is not used."""
    lines = (fault(package) for package in (FLASH_ATTN_4, QUACK) if suits(package))
    return [line for line in lines if line]
