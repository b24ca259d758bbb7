"""Start a script under torchrun: one launcher on each node of the job, one process for each GPU.

    python scripts/launch.py --nodes 1 --processes 4 scripts/train_model.py --depth 12 …

On one node nothing else is needed. On several, `srun` starts the launchers inside SLURM's allocation and they meet
on its first node. How many nodes and processes is no part of a result, so it stands in no rule's parameters.
"""

from __future__ import annotations

import argparse
import os

from nanosnake import cli

ON_EACH_NODE = (
    'exec torchrun --nnodes="$1" --nproc-per-node="$2" --node-rank="$SLURM_NODEID"'
    ' --master-addr="$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)"'
    ' --master-port="$((20000 + SLURM_JOB_ID % 20000))" "${@:3}"'
)


def launch_command(nodes: int, processes: int, script: list[str]) -> list[str]:
    """Return the command that runs `script`, with its arguments, in `processes` processes of each node."""
    if nodes == 1:
        return ["torchrun", "--standalone", f"--nproc-per-node={processes}", *script]
    steps = [f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1", "--kill-on-bad-exit=1"]
    return ["srun", *steps, "bash", "-c", ON_EACH_NODE, "torchrun", str(nodes), str(processes), *script]


def main(argv: list[str] | None = None) -> int:
    """Read the command line and become the launcher."""
    parser = cli.parser(__doc__)
    parser.add_argument("--nodes", type=int, default=1, help="nodes of the job")
    parser.add_argument("--processes", type=int, default=1, help="processes on each: one per GPU")
    parser.add_argument("script", nargs=argparse.REMAINDER, help="the script and its arguments")
    arguments = parser.parse_args(argv)
    command = launch_command(arguments.nodes, arguments.processes, arguments.script)
    # on a CPU that others use too, threads that wait by spinning take the time of those that they wait for
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.execvp(command[0], command)


if __name__ == "__main__":
    cli.run_main(main)
