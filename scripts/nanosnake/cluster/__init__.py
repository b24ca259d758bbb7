"""What SLURM knows of the workflow's jobs."""

from nanosnake.cluster.jobs import Unfinished, cancel, refuse_leftovers, unfinished, wait
from nanosnake.cluster.summary import records, summarize

__all__ = ["Unfinished", "cancel", "records", "refuse_leftovers", "summarize", "unfinished", "wait"]
