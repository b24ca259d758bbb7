"""What SLURM knows of the workflow's jobs."""

from nanosnake.cluster.jobs import Unfinished, cancel, leftovers, settle, unfinished, wait
from nanosnake.cluster.owner import sign
from nanosnake.cluster.progress import watch
from nanosnake.cluster.summary import records, summarize

__all__ = [
    "Unfinished",
    "cancel",
    "leftovers",
    "records",
    "settle",
    "sign",
    "summarize",
    "unfinished",
    "wait",
    "watch",
]
