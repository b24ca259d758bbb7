"""CORE's tasks (DCLM, arXiv:2406.11794) from the bundle in which they are published.

A bundle is a zip file or a folder with `core.yaml`, `eval_meta_data.csv` and `eval_data/`. The items of a task are
written in the order in which nanochat evaluates them, on which the draw of solved items depends.
"""

from __future__ import annotations

import csv
import io
import json
import random
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from nanosnake.files import NanosnakeError, write_json

CORE = frozenset(
    (
        *(
            "agi_eval_lsat_ar",
            "arc_challenge",
            "arc_easy",
            "bigbench_cs_algorithms",
            "bigbench_dyck_languages",
        ),
        *("bigbench_language_identification", "bigbench_operators", "bigbench_qa_wikidata"),
        *("bigbench_repeat_copy_logic", "boolq", "commonsense_qa", "copa", "coqa", "hellaswag"),
        *("hellaswag_zeroshot", "jeopardy", "lambada_openai", "openbook_qa", "piqa", "squad", "winograd"),
        "winogrande",
    )
)
"""Names of CORE's tasks (appendix G)."""

CORRECTED = {"agi_eval_lsat_ar": 0.25, "bigbench_language_identification": 0.25, "commonsense_qa": 0.403}
"""Accuracy of guessing where the bundle's table is wrong, from DCLM's later table (its issue 114)."""

ORDER_SEED = 1337
"""Seed of nanochat's order of the items."""

Bundled = Literal["corrected", "bundle"]
"""Random baselines of the bundle: with DCLM's corrections, or without them, as in nanochat."""
BUNDLED = get_args(Bundled)

Read = Callable[[str], str]


def convert(bundle: Path, baselines: str, out: Path) -> dict[str, int]:
    """Write a task file for each of CORE's tasks; return the number of items of each.

    Args:
        baselines: one of BUNDLED, or a table in the same form.

    Raises:
        NanosnakeError: if the bundle has another form, or lacks a task.
    """
    read = reader(bundle)
    tasks = {task["label"]: task for task in yaml.safe_load(read("core.yaml"))["icl_tasks"]}
    if missing := sorted(CORE - tasks.keys()):
        raise NanosnakeError(
            f"{bundle}: core.yaml has no task {missing[0]!r}; CORE has 22: {', '.join(sorted(CORE))}"
        )
    if baselines in BUNDLED:
        name, table = f"{bundle}: eval_meta_data.csv", read("eval_meta_data.csv")
    else:
        name, table = baselines, Path(baselines).read_text(encoding="utf-8")
    chance = dict(_chances(table, name)) | (CORRECTED if baselines == "corrected" else {})
    counts = {}
    for label in sorted(CORE):
        if label not in chance:
            raise NanosnakeError(f"{name}: has no random baseline of {label!r}; add a row for it")
        task = tasks[label]
        items = [json.loads(line.strip()) for line in io.StringIO(read(f"eval_data/{task['dataset_uri']}"))]
        random.Random(ORDER_SEED).shuffle(items)
        said = {
            "kind": task["icl_task_type"],
            "few_shot": task["num_fewshot"][0],
            "delimiter": task.get("continuation_delimiter", " "),
            "chance": chance[label],
            "items": items,
        }
        write_json(out / f"{label}.json", said)
        counts[label] = len(items)
    return counts


def reader(bundle: Path) -> Read:
    """Return what reads a file of a bundle by its name.

    Raises:
        NanosnakeError: if there is no such bundle, or, when asked, no such file in it.
    """
    root: Path | zipfile.Path = bundle
    if bundle.is_dir():
        names = [str(path.relative_to(bundle)) for path in bundle.rglob("core.yaml")]
    else:
        try:
            archive = zipfile.ZipFile(bundle)
        except (OSError, zipfile.BadZipFile) as error:
            raise NanosnakeError(
                f"{bundle}: is neither a folder nor a zip file ({error}); name CORE's bundle"
            ) from None
        root, names = zipfile.Path(archive), archive.namelist()
    first = next((name.removesuffix("core.yaml") for name in sorted(names) if name.endswith("core.yaml")), "")

    def read(name: str) -> str:
        file = root / f"{first}{name}"
        if not file.is_file():
            raise NanosnakeError(f"{bundle}: holds no {first}{name}; name CORE's bundle, whole")
        return file.read_text(encoding="utf-8")

    return read


def _chances(table: str, name: str) -> Iterator[tuple[str, float]]:
    """Yield the accuracy of guessing of each task, from a table with percentages."""
    for row in csv.DictReader(io.StringIO(table)):
        said: Any = row.get("Random baseline")
        try:
            yield str(row["Eval Task"]), 0.01 * float(said)
        except (KeyError, TypeError, ValueError):
            raise NanosnakeError(
                f"{name}: a row has the random baseline {said!r}; the columns 'Eval Task' and 'Random baseline' are "
                "needed, the latter in percent"
            ) from None
