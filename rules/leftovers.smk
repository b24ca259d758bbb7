"""What is looked at before the first job: what would be made twice, and what could not be published at the end.

A Snakemake that was killed leaves jobs behind on a cluster. And that a bucket cannot be written is better known
before days of training than after them. As a file that the trainer depends on, this would be asked only once, and
a new input would make every tokenizer outdated.
"""

from leftovers import Leftovers
from snakemake.exceptions import WorkflowError

from nanosnake.files import NanosnakeError

leftovers = Leftovers(workflow)


onstart:
    try:
        publishing.check_destination(job.rule.name for job in workflow.dag.needrun_jobs())
        leftovers.start()
    except NanosnakeError as error:
        raise WorkflowError(str(error)) from None
