"""The library that the scripts of nanosnake share; it imports nothing of Snakemake."""

__version__ = "0.1.0"
