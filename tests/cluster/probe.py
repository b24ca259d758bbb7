"""Run by torchrun: each process writes where it runs and what it sees, and all add up their ranks.

torchrun … probe.py OUTPUT JOURNAL
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch
import torch.distributed


def main(output: Path, journal: Path) -> None:
    """Write one line to the journal; the first process writes the sum of all ranks."""
    torch.distributed.init_process_group("gloo")
    total = torch.tensor([float(torch.distributed.get_rank())])
    torch.distributed.all_reduce(total)
    seen = [os.environ[name] for name in ("SLURM_NODEID", "LOCAL_WORLD_SIZE", "CUDA_VISIBLE_DEVICES")]
    with journal.open("a") as stream:
        stream.write(" ".join([*seen, str(os.getppid())]) + "\n")
    torch.distributed.barrier()
    if torch.distributed.get_rank() == 0:
        output.write_text(f"{torch.distributed.get_world_size()} {total.item():g}\n")
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
