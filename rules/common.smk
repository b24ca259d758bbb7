"""The typed configuration and what the rules ask it."""

import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(Path(workflow.basedir, "scripts")))  # the library, where it is not installed

from nanosnake import config as configuration
from nanosnake.files import NanosnakeError
from nanosnake.provenance.run_id import run_id

from nanosnake.runs.clock import check_times
from nanosnake.runs.disk import hush_log_files, say_if_full
from nanosnake.workflow.graph import (
    BASELINES,
    CHECKPOINTS,
    COUNTS,
    HISTORY,
    MODEL,
    SAMPLES,
    SHARDS,
    TOKENIZER,
    TOKENS,
    Graph,
    any_of,
    folder_of,
    put_python_first,
)
from nanosnake.workflow.snakemake_internals import plan_quickly
from nanosnake.workflow.products import EXPORTED, Products
from nanosnake.workflow.resources import memory, minutes

hush_log_files()
plan_quickly()
put_python_first()
run_id()  # all jobs of this run inherit it

try:
    CONFIG = configuration.load(config, origin=", ".join(map(str, workflow.configfiles)))
except NanosnakeError as error:
    raise WorkflowError(str(error)) from None

SETTINGS = CONFIG.model_dump(mode="json")  # with every default, for lookup()
graph = Graph(CONFIG, Path(os.path.relpath(workflow.basedir)))
products = Products(graph)


wildcard_constraints:
    dataset=any_of(CONFIG.datasets),
    tokenizer=any_of(CONFIG.tokenizers),
    counting=any_of({tokenizer.counting for tokenizer in CONFIG.tokenizers.values()}),
    selection=r"[^/]+",
    shard=r"[^/]+",
    split="train|validation",
    check=any_of(graph.checks()),
    model=any_of(CONFIG.models),
