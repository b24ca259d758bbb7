"""Snakemake's plugin `--logger nanosnake`: a line for each job that ends, and a bar; see `nanosnake.console`.

Its name and that of the class are what Snakemake looks for.
"""

from nanosnake.console.handler import LogHandler

__all__ = ["LogHandler"]
