"""Jobs on a SLURM cluster: what a killed Snakemake left there, progress, and a summary."""

from nanosnake.slurm.jobs import Unfinished, cancel, leftovers, settle, unfinished, wait
from nanosnake.slurm.preflight import check, hopeless
from nanosnake.slurm.progress import watch
from nanosnake.slurm.summary import records, summarize

__all__ = [
    "Unfinished",
    "cancel",
    "check",
    "hopeless",
    "leftovers",
    "records",
    "settle",
    "summarize",
    "unfinished",
    "wait",
    "watch",
]
