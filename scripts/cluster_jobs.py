"""Look after the jobs that Snakemake handed to SLURM from this folder.

python scripts/cluster_jobs.py list       # those that wait or run
python scripts/cluster_jobs.py wait       # until all have ended; their work is kept
python scripts/cluster_jobs.py cancel
python scripts/cluster_jobs.py summary    # the last run's jobs by rule: times, CPU and memory used
"""

from __future__ import annotations

from pathlib import Path

from nanosnake import cli, slurm


def main(argv: list[str] | None = None) -> int:
    """Read the command line and do what it says."""
    parser = cli.parser(__doc__)
    parser.add_argument("action", choices=["list", "wait", "cancel", "summary"])
    parser.add_argument("--folder", type=Path, default=Path(), help="where Snakemake runs; here by default")
    arguments = parser.parse_args(argv)
    if arguments.action == "summary":
        print(slurm.summarize(arguments.folder))
    elif arguments.action == "wait":
        slurm.wait(arguments.folder, say=print)
    else:
        act = slurm.cancel if arguments.action == "cancel" else slurm.unfinished
        for job in act(arguments.folder):
            print(job)
    return 0


if __name__ == "__main__":
    cli.run_main(main)
