"""What a Snakemake that was killed left at work, here or on a cluster, and others in this folder: nothing is made twice."""

from nanosnake.workflow.leftovers import Leftovers

leftovers = Leftovers(workflow)
