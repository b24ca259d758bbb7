"""How much memory and time a job asks for.

Plain Python, so that it can be tested without Snakemake. Partitions and accounts are in the profiles.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from nanosnake.snakemake_internals import with_known_signature

Scaled = Callable[[Any, Any, int], int]


def size(files: Iterable[str]) -> int:
    """Return the bytes of files. Snakemake's own `input.size_mb` takes a sixth of a large plan's time.

    Raises:
        FileNotFoundError: if one does not exist yet; Snakemake asks again when it does.
    """
    return sum(map(os.path.getsize, files))


def memory(base_mb: int, per_input_mb: float = 0.0) -> Scaled:
    """Return a function for `mem_mb`: a base and a share of the inputs' size, doubled at each retry."""

    @with_known_signature
    def mem_mb(wildcards: Any, input: Any, attempt: int) -> int:
        size_mb = size(input) / 1e6 if per_input_mb else 0
        return math.ceil(base_mb + per_input_mb * size_mb) * int(2 ** (attempt - 1))

    return mem_mb


def minutes(base: float, per_input_gb: float = 0.0) -> Scaled:
    """Return a function for `runtime`: a base and a share of the inputs' size, doubled at each retry."""

    @with_known_signature
    def runtime(wildcards: Any, input: Any, attempt: int) -> int:
        size_gb = size(input) / 1e9 if per_input_gb else 0
        return math.ceil(base + per_input_gb * size_gb) * int(2 ** (attempt - 1))

    return runtime


def by_name(wildcard: str, named: Mapping[str, Scaled], otherwise: Scaled) -> Scaled:
    """Return a function for a resource that depends on the value of a wildcard."""

    @with_known_signature
    def resource(wildcards: Any, input: Any, attempt: int) -> int:
        return named.get(getattr(wildcards, wildcard), otherwise)(wildcards, input, attempt)

    return resource
