"""Runs in a folder: which are active, what a killed run left, the disk and the clock."""

from nanosnake.runs.orphans import stop_orphans
from nanosnake.runs.owner import OWNERS, Owner, owners, sign, take_turn

__all__ = ["OWNERS", "Owner", "owners", "sign", "stop_orphans", "take_turn"]
