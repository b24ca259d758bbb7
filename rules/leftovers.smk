"""A Snakemake that was killed leaves jobs behind on a cluster: none of them may be made twice."""

from pathlib import Path

from snakemake.exceptions import WorkflowError

from nanosnake import cluster
from nanosnake.files import NanosnakeError


onstart:
    try:
        cluster.refuse_leftovers(Path.cwd())
    except NanosnakeError as error:
        raise WorkflowError(str(error)) from None
