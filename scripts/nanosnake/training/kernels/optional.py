"""Packages that are used where they are installed and the GPU is one that they are made for."""

from __future__ import annotations

import importlib.util
from functools import cache

import torch


@cache
def usable(module: str, *generations: int) -> bool:
    """Return whether a module is installed and the GPU is of one of the generations (9 is Hopper)."""
    try:
        found = importlib.util.find_spec(module) is not None
    except ImportError:
        found = False
    return found and torch.cuda.is_available() and torch.cuda.get_device_capability()[0] in generations
