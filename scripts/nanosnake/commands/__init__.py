"""The command `nanosnake`."""
