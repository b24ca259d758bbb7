"""The optional packages with faster kernels, and all their functions that we call.

Some of these functions are not public and may change with any release, which is why the group `gpu` pins the
versions. If a package is missing, fails to import, or lacks a function, training uses the next best kernel, and
`missing` reports it in one line.
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
    """(module, name, parameters that we pass by name) of each function."""


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
        ImportError, AttributeError, TypeError: if a part is missing or a function differs from the tested one.
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
    """Return in one line why a package that the GPU supports is not used; None if it can be used."""
    try:
        found = importlib.metadata.version(package.distribution)
    except importlib.metadata.PackageNotFoundError:
        return f"{package.distribution} is not installed; `{GROUP}` brings it"
    try:
        functions(package)
    except Exception as error:  # an import of a package may fail in any way
        why = (str(error).splitlines() or [""])[0]
        return (
            f"{package.distribution} {found} is installed but does not load ({type(error).__name__}: {why}); "
            f"`{GROUP}` installs {package.tested}, which was tested"
        )
    return None


def suits(package: Package) -> bool:
    """Return whether the package supports the GPU."""
    return torch.cuda.is_available() and torch.cuda.get_device_capability()[0] in package.generations


def usable(package: Package) -> bool:
    """Return whether the package can be used: it loads, and supports the GPU."""
    return suits(package) and fault(package) is None


def missing() -> list[str]:
    """Return a line for each unused package that would make training on this GPU faster."""
    lines = (fault(package) for package in (FLASH_ATTN_4, QUACK) if suits(package))
    return [line for line in lines if line]
