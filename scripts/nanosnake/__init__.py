"""The library that the scripts of nanosnake share; it imports nothing of Snakemake."""

__version__ = "0.2.0"
