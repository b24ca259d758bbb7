"""How much a job asks for, and how one that spans GPUs and nodes is started.

Plain Python, so that it can be tested with no Snakemake. Partitions and accounts stand in the profiles.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

Scaled = Callable[[Any, Any, int], int]


def memory(base_mb: int, per_input_mb: float = 0.0) -> Scaled:
    """Return a function for `mem_mb`: a base and a share of the inputs' size, doubled at each retry."""

    def mem_mb(wildcards: Any, input: Any, attempt: int) -> int:
        size_mb = input.size_mb if per_input_mb else 0
        return math.ceil(base_mb + per_input_mb * size_mb) * 2 ** (attempt - 1)

    return mem_mb


def minutes(base: int, per_input_gb: float = 0.0) -> Scaled:
    """Return a function for `runtime`: a base and a share of the inputs' size, doubled at each retry."""

    def runtime(wildcards: Any, input: Any, attempt: int) -> int:
        size_gb = input.size_gb if per_input_gb else 0
        return math.ceil(base + per_input_gb * size_gb) * 2 ** (attempt - 1)

    return runtime


def allocation(*, nodes: int, gpus: int, model: str | None = None) -> dict[str, int | str]:
    """Return the resources of a job that starts `torchrun` once on each of its nodes.

    Args:
        nodes: nodes of the job.
        gpus: GPUs on each node; 0 to train on CPUs.
        model: which GPUs, as the cluster names them; any where None.

    A request for GPUs makes the executor ask for one task per GPU, so that `torchrun` would run as often as
    there are GPUs, each seeing one: `tasks_per_gpu=0` says no. On several nodes the rule calls `srun` itself,
    which the executor has to know (`mpi`), and the tasks are the launchers: one a node.
    """
    wanted: dict[str, int | str] = {"nodes": nodes}
    if gpus:
        kind = f"gpu:{model}" if model else "gpu"
        wanted |= {"gres": f"{kind}:{gpus}", "tasks_per_gpu": 0}
    if nodes > 1:
        wanted |= {"tasks": nodes, "mpi": "srun"}
    return wanted


def launcher(*, nodes: int, processes: int) -> str:
    """Return the command that a training script and its arguments follow.

    Args:
        nodes: nodes of the job; on more than one, the first is where all meet.
        processes: processes on each node: one per GPU.
    """
    if nodes == 1:
        return f"torchrun --standalone --nproc-per-node={processes}"
    return (
        f"srun --nodes={nodes} --ntasks={nodes} --ntasks-per-node=1 --kill-on-bad-exit=1"
        " bash -c 'exec torchrun"
        f" --nnodes={nodes} --nproc-per-node={processes} --node-rank=$SLURM_NODEID"
        ' --master-addr=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)'
        ' --master-port=$((20000 + SLURM_JOB_ID % 20000)) "$@"\' torchrun'
    )
