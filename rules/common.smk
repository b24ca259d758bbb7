"""The typed configuration, the folders, and the functions that say what a rule depends on."""

import os
import re
from pathlib import Path

from snakemake.exceptions import WorkflowError

from nanosnake import config as configuration
from nanosnake.files import NanosnakeError
from nanosnake.modules import imported_files
from nanosnake.naming import compact


def load_configuration():
    files = ", ".join(map(str, workflow.configfiles)) or "the configuration"
    try:
        return configuration.load(config, origin=files)
    except NanosnakeError as error:
        raise WorkflowError(str(error)) from None


CONFIG = load_configuration()
SETTINGS = CONFIG.model_dump(mode="json")  # with every default, for lookup()
REPOSITORY = Path(os.path.relpath(workflow.basedir))

SHARDS = "results/{dataset}/shards"
COUNTS = "results/{dataset}/counts/{counting}"
TOKENIZER = "results/{dataset}/{tokenizer}"


def any_of(names):
    """Return a wildcard's constraint: one of these names, or nothing at all where there is none."""
    return "|".join(map(re.escape, names)) or "(?!)"


wildcard_constraints:
    dataset=any_of(CONFIG.datasets),
    tokenizer=any_of(CONFIG.tokenizers),
    counting=any_of({tokenizer.counting for tokenizer in CONFIG.tokenizers.values()}),
    selection=r"[^/]+",
    shard=r"[^/]+",
    split="train|validation",


def code(script, *rust):
    """Return the inputs that stand for a script: itself, what it imports, and modules of the Rust crate.

    Snakemake sees a rule's text and not what its script imports; named as inputs, these make a result
    outdated when they change. `rust` names only the modules that decide the result.
    """
    folder = Path(workflow.basedir)
    files = [file for file in imported_files(folder / "scripts" / script) if file.name != script]
    for module in rust:
        files += sorted(folder.glob(f"rustbpe/core/src/{module}.rs"))
        files += sorted(folder.glob(f"rustbpe/core/src/{module}/**/*.rs"))
    return {
        "script": str(REPOSITORY / "scripts" / script),
        "modules": [str(REPOSITORY / file.relative_to(folder)) for file in files],
    }


def datasets_from(kind):
    """Return the names of the datasets whose source is of a kind."""
    return [name for name, dataset in CONFIG.datasets.items() if dataset.source.kind == kind]


def of_each_tokenizer(pattern):
    """Return a file of each tokenizer."""
    return [
        pattern.format(dataset=tokenizer.dataset, tokenizer=name)
        for name, tokenizer in CONFIG.tokenizers.items()
    ]
