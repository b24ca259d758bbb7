"""A Snakemake that was killed leaves jobs behind on a cluster: none of them may be made twice."""

from leftovers import Leftovers
from snakemake.exceptions import WorkflowError

from nanosnake.files import NanosnakeError

leftovers = Leftovers(workflow)


onstart:
    try:
        leftovers.start()
    except NanosnakeError as error:
        raise WorkflowError(str(error)) from None
