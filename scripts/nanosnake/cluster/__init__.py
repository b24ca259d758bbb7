"""Who has the workflow's jobs made, what a killed Snakemake left at work, and what SLURM knows of it."""

from nanosnake.cluster.jobs import Unfinished, cancel, leftovers, settle, unfinished, wait
from nanosnake.cluster.orphans import stop_orphans
from nanosnake.cluster.owner import OWNERS, Owner, owners, sign, take_turn
from nanosnake.cluster.progress import watch
from nanosnake.cluster.summary import records, summarize

__all__ = [
    "OWNERS",
    "Owner",
    "Unfinished",
    "cancel",
    "leftovers",
    "owners",
    "records",
    "settle",
    "sign",
    "stop_orphans",
    "summarize",
    "take_turn",
    "unfinished",
    "wait",
    "watch",
]
