"""How much memory and time a job asks for, and how one that spans GPUs and nodes is started.

Plain Python, so that it can be tested with no Snakemake. Partitions and accounts stand in the profiles.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from typing import Any

Scaled = Callable[[Any, Any, int], int]


def size(files: Iterable[str]) -> int:
    """Return the bytes of files. Snakemake's own `input.size_mb` takes a sixth of a large plan's time.

    Raises:
        FileNotFoundError: if one is not there yet; Snakemake asks again when it is.
    """
    return sum(map(os.path.getsize, files))


def memory(base_mb: int, per_input_mb: float = 0.0) -> Scaled:
    """Return a function for `mem_mb`: a base and a share of the inputs' size, doubled at each retry."""

    def mem_mb(wildcards: Any, input: Any, attempt: int) -> int:
        size_mb = size(input) / 1e6 if per_input_mb else 0
        return math.ceil(base_mb + per_input_mb * size_mb) * 2 ** (attempt - 1)

    return mem_mb


def minutes(base: int, per_input_gb: float = 0.0) -> Scaled:
    """Return a function for `runtime`: a base and a share of the inputs' size, doubled at each retry."""

    def runtime(wildcards: Any, input: Any, attempt: int) -> int:
        size_gb = size(input) / 1e9 if per_input_gb else 0
        return math.ceil(base + per_input_gb * size_gb) * 2 ** (attempt - 1)

    return runtime


def torchrun(wildcards: Any, resources: Any) -> str:
    """Return the command that starts a script on `processes` processes of each of the job's `nodes`.

    One launcher runs on each node and starts a process for each GPU. On one node nothing else is needed; on
    several, `srun` starts the launchers, which meet on the first node. A profile asks for nodes and GPUs.
    """
    nodes, processes = resources.get("nodes", 1), resources.processes
    if nodes == 1:
        return f"torchrun --standalone --nproc-per-node={processes}"
    return (
        f"srun --nodes={nodes} --ntasks={nodes} --ntasks-per-node=1 --kill-on-bad-exit=1"
        " bash -c 'exec torchrun"
        f" --nnodes={nodes} --nproc-per-node={processes} --node-rank=$SLURM_NODEID"
        ' --master-addr=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)'
        ' --master-port=$((20000 + SLURM_JOB_ID % 20000)) "$@"\' torchrun'
    )
