"""The library that the scripts of nanosnake share; it does not import Snakemake."""

__version__ = "0.2.0"
