"""A Snakemake that was killed leaves jobs behind on a cluster: none of them may be made twice."""

from leftovers import Leftovers

leftovers = Leftovers(workflow)
