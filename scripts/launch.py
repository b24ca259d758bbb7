"""Start a script, one process for each GPU: alone, or under torchrun on each node of the job.

    python scripts/launch.py --nodes 1 --processes 4 scripts/train_model.py --depth 12 …

One process of one node needs no torchrun. On several nodes `srun` starts the launchers inside SLURM's allocation
and they meet on its first node. The number of nodes and processes is not part of a result, so it is not in any rule's
parameters.

Exit status: the script's own; on one node also 75 (told to stop, checkpoint written), although torchrun itself
reports only 0 or 1. On several nodes, srun's status.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from nanosnake.process import run_main
from nanosnake.training.config import EXIT_STOPPED, STATUS_VARIABLE

ON_EACH_NODE = (
    'exec torchrun --nnodes="$1" --nproc-per-node="$2" --node-rank="$SLURM_NODEID"'
    ' --master-addr="$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)"'
    ' --master-port="$((20000 + SLURM_JOB_ID % 20000))" "${@:3}"'
)


def launch_command(nodes: int, processes: int, script: list[str]) -> list[str]:
    """Return the command that runs `script`, with its arguments, in `processes` processes of each node."""
    if nodes == processes == 1:
        return [sys.executable, *script]
    if nodes == 1:
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        return [*torchrun, f"--nproc-per-node={processes}", *script]
    steps = [f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1", "--kill-on-bad-exit=1"]
    return ["srun", *steps, "bash", "-c", ON_EACH_NODE, "torchrun", str(nodes), str(processes), *script]


def run_torchrun(command: list[str]) -> int:
    """Run torchrun on this node; return 75 if the script says that it was told to stop, else torchrun's status."""
    with tempfile.TemporaryDirectory(prefix="launch-") as folder:
        said = Path(folder) / "status"
        run = subprocess.Popen(command, env={**os.environ, STATUS_VARIABLE: str(said)})
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, frame: run.send_signal(number))
        status = run.wait()
        if status and said.is_file() and said.read_text().strip() == str(EXIT_STOPPED):
            return EXIT_STOPPED
        return status if status >= 0 else 128 - status


def main(argv: list[str] | None = None) -> int:
    """Read the command line and start the script."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--nodes", type=int, default=1, help="nodes of the job")
    parser.add_argument("--processes", type=int, default=1, help="processes on each: one per GPU")
    parser.add_argument("script", nargs=argparse.REMAINDER, help="the script and its arguments")
    arguments = parser.parse_args(argv)
    if arguments.nodes < 1 or arguments.processes < 1:
        parser.error(f"--nodes is {arguments.nodes} and --processes {arguments.processes}; use 1 or more")
    command = launch_command(arguments.nodes, arguments.processes, arguments.script)
    # on a shared CPU, threads that wait by spinning take time from those that they wait for
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if arguments.nodes == 1 and arguments.processes > 1:
        # does not return: the script writes the job's record, not this process
        sys.exit(run_torchrun(command))
    os.execvp(command[0], command)


if __name__ == "__main__":
    run_main(main)
