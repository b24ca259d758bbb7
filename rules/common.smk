"""The typed configuration and what the rules need from it."""

import atexit
import sys
from pathlib import Path

here = Path(str(workflow.current_basedir)).parent  # another workflow may take these rules
sys.path.insert(0, str(here / "scripts"))  # if it is not installed

from nanosnake import config as configuration
from nanosnake import layout
from nanosnake.console.outcome import Outcome
from nanosnake.crate import built_before
from nanosnake.files import NanosnakeError
from nanosnake.layout import benchmark_of, log_of
from nanosnake.messages import expected_message, log
from nanosnake.provenance.code import REPOSITORY
from nanosnake.provenance.run_id import run_id
from nanosnake.runs.clock import check_times
from nanosnake.runs.disk import cannot_write, hush_log_files, say_if_full
from nanosnake.snakemake_internals import (
    Run,
    allow_repeated_characters,
    ignore_code_of,
    look_at_every_job,
    note_only_what_was_made,
    notice_what_times_do_not_show,
    plan_quickly,
    read_notes_as_of_today,
    refuse,
    untested,
)
from nanosnake.workflow.code import Code
from nanosnake.workflow.datasets import Datasets
from nanosnake.workflow.keeping import Keeper
from nanosnake.workflow.ladders import Ladders
from nanosnake.workflow.leftovers import Leftovers
from nanosnake.workflow.manifests import Manifests
from nanosnake.workflow.models import Models
from nanosnake.workflow.publishing import THINGS, Publishing
from nanosnake.workflow.resources import by_name, memory, minutes
from nanosnake.workflow.shell import (
    EARLIER_WORDS,
    RECORDED,
    any_of,
    as_is,
    command,
    folder_of,
    launcher,
    of_model,
    put_python_first,
    repository_path,
)
from nanosnake.workflow.tokenizers import Tokenizers

if REPOSITORY != here.resolve():  # the logger has imported another library
    refuse(
        f"the library in {REPOSITORY / 'scripts'} was imported, which is not that of {here}; run `uv sync` there and "
        f"start its own Snakemake, or set PYTHONPATH={here / 'scripts'}"
    )
hush_log_files()
plan_quickly()
allow_repeated_characters()
read_notes_as_of_today(EARLIER_WORDS, code=repository_path("."))
RECIPES = f"{Path(layout.RECIPE).parent}/"  # nanosnake.workflow.keeping decides
note_only_what_was_made(log, ours=RECIPES)
look_at_every_job(log)
notice_what_times_do_not_show(code=layout.CODE, ours=RECIPES)
ignore_code_of("train_model")  # nanosnake.workflow.keeping decides
put_python_first()
run_id()  # all jobs of this run inherit it

run = Run(workflow)
if run.moves_paths:
    refuse(
        "these rules cannot have a prefix or replace_prefix as a module: leave it out of the module's definition"
    )
if run.config_section is None and run.is_main:
    log(
        "note: the configuration is neither a file that the other workflow names with `configfile:` nor a section of "
        "one; keys that are there twice, and values that YAML reads otherwise than they look, were not looked for"
    )
try:
    CONFIG = configuration.load(
        config,
        files=run.config_files,
        given=run.config_words,
        section=run.config_section or (),
        trials=layout.TRIALS,
    )
except (NanosnakeError, OSError) as error:
    refuse(expected_message(error))

code = Code(run)
datasets = Datasets(CONFIG)
if run.is_main:
    try:
        datasets.mend_links()
    except (NanosnakeError, OSError) as error:
        refuse(expected_message(error))
tokenizers = Tokenizers(CONFIG, datasets)
models = Models(CONFIG, tokenizers)
ladders = Ladders(CONFIG, models, run)
manifests = Manifests(CONFIG, tokenizers, models)
publishing = Publishing(CONFIG, tokenizers, models)
keeper = Keeper(models, code, run)
leftovers = Leftovers(run, settle=keeper.settle, begin=keeper.start)
outcome = Outcome(CONFIG, run, keeper.code)
if run.makes_files:
    outcome.catch_up()


wildcard_constraints:
    dataset=any_of(CONFIG.datasets),
    source=any_of(CONFIG.sources),
    tokenizer=any_of(CONFIG.tokenizers),
    counting=any_of({tokenizer.counting for tokenizer in CONFIG.tokenizers.values()}),
    selection=r"[^/]+",
    shard=r"[^/]+",
    split="train|validation",
    check=any_of(tokenizers.checks()),
    comparison=any_of(CONFIG.compared),
    model=any_of(CONFIG.models),
    ladder=any_of(CONFIG.whole_ladders),
    compared=any_of(CONFIG.comparisons),
