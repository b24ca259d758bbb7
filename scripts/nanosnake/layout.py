"""Where results are stored: the one module that knows a path below results/, logs/, checkpoints/ or history/.

A source is named after the first data set that reads it: data sets of the same source share shards and counts.
A log, a record and a benchmark follow from the path of a result.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

RESULTS = "results"
INDEX = "results/index.html"

SHARDS = "results/{source}/shards"
SHARD = f"{SHARDS}/{{shard}}.parquet"
SHARD_METADATA = f"{SHARDS}/{{shard}}.json"
FILES_READ = "results/{source}/read/{shard}.json"
FILES_LEFT_OUT = "results/{source}/read/{shard}.left_out.jsonl"
SHARD_TABLE = "results/{dataset}/shards.csv"
SAMPLES = "results/{dataset}/samples/{split}.jsonl"

COUNTS = "results/{source}/counts/{counting}"
SHARD_COUNTS = f"{COUNTS}/{{shard}}.arrow"
MERGED_COUNTS = "results/{dataset}/counts/{counting}/merged/{selection}.arrow"
MIXED = "results/{dataset}/counts/{counting}/merged/{selection}.json"
"""The weight of each part of a mixture."""

TOKENIZER = "results/{dataset}/{tokenizer}"
GIVEN = f"{TOKENIZER}/given.arrow"
"""Merges of a tokenizer that was made elsewhere."""
MERGES = f"{TOKENIZER}/merges.arrow"
TOKENIZER_FOLDER = f"{TOKENIZER}/tokenizer"
TOKENIZER_HASHES = f"{TOKENIZER}/tokenizer.sha256"
VERDICT = f"{TOKENIZER}/checks/{{check}}.json"
GATE = f"{TOKENIZER}/gate.json"
FIGURES = f"{TOKENIZER}/figures.json"
CURVE = f"{TOKENIZER}/curve.json"
COMPARISON = "results/{dataset}/comparisons/{comparison}/index.html"
TOKENIZER_PAGE = f"{TOKENIZER}/report/index.html"
HISTORY = "history/{dataset}/{tokenizer}.jsonl"
HUB_LISTING = "history/hub/{key}.json"

TOKENS = f"{TOKENIZER}/tokens/{{split}}"
TOKEN_SHARD = f"{TOKENS}/{{shard}}.ds"
TOKEN_INDEX = f"{TOKENS}/{{shard}}.ds.index"
TOKEN_MASK = f"{TOKENS}/{{shard}}.ds.mask"
"""Of conversations: which tokens a model learns."""
TOKEN_METADATA = f"{TOKENS}/{{shard}}.ds.metadata"
TOKEN_FACTS = f"{TOKENS}/{{shard}}.json"
TOKEN_HASHES = {"sha256": ".ds", "index_sha256": ".ds.index", "mask_sha256": ".ds.mask"}
"""Files of a token shard that decide what is trained on, by the names of their hashes in its facts."""
TOKEN_ENDINGS = (".ds", ".ds.index", ".ds.metadata", ".json")

OVERLAP = f"{TOKENIZER}/overlap/{{task}}/{{shard}}.json"
"""Items of a task that a training shard also contains."""

MODEL = f"{TOKENIZER}/{{model}}"
PLAN = f"{MODEL}/plan.json"
CONTAMINATION = f"{MODEL}/contamination.json"
WEIGHTS = f"{MODEL}/model.safetensors"
KEPT = f"{MODEL}/steps/{{step}}/model.safetensors"
"""Weights kept after intermediate steps."""
EVALUATION = f"{MODEL}/evaluation.json"
NATS = f"{MODEL}/nats.parquet"
ANSWERS = f"{MODEL}/answers.parquet"
MODEL_EXPORT = f"{MODEL}/export/{{format}}"
MODEL_PAGE = f"{MODEL}/report/index.html"
CHECKPOINTS = "checkpoints/{dataset}/{tokenizer}/{model}"
RECIPE = ".cache/models/{dataset}.{tokenizer}.{model}.json"
"""Options that were given for a model."""

LADDER = "results/{dataset}/ladders/{ladder}"
LADDER_CURVE = f"{LADDER}/curve.json"
LADDER_PAGE = f"{LADDER}/index.html"
LADDER_COMPARISON = "results/{dataset}/comparisons/{compared}/comparison.json"
LADDER_COMPARISON_PAGE = "results/{dataset}/comparisons/{compared}/index.html"
CLAIM = "results/{dataset}/claims/{compared}.json"
PREREGISTRATION = "history/preregistrations/{compared}.json"
"""What a comparison claimed, and when that was recorded."""

CORE_TASKS = "results/_core"
"""CORE's task files; no data set can have that name."""
PUBLISHED_TASK = "results/_tasks/{task}.json"
"""The file of a task that is made from a published data set."""

MANIFEST = f"{TOKENIZER}{{part}}/manifest.json"
PUBLISHED = f"{TOKENIZER}/published"

BASELINES = ".cache/baselines"
TRIALS = ".cache/trials"
"""The engines' answers about patterns and special tokens."""
CODE = ".cache/code"
"""One file per stage that lists what decides its result."""

RESERVED_IN_DATASET = {"shards", "read", "counts", "samples", "comparisons", "ladders", "claims"}
"""Folders of a data set that no tokenizer can be named after."""
RESERVED_IN_TOKENIZER = {"checks", "overlap", "published", "report", "tokenizer", "tokens"}
"""Folders of a tokenizer that no model can be named after."""


def stem(path: str) -> str:
    """Return the path of a result's logs, without their ending."""
    folder, _, name = path.rpartition("/")
    inside = folder.removeprefix(RESULTS)
    if name == "index.html":  # a page is the only result in its folder
        return f"logs{inside}"
    return f"logs{inside}/{name.rpartition('.')[0] or name}"


def log_of(path: str) -> str:
    """Return the log of the job that makes a result."""
    return f"{stem(path)}.log"


def record_of(log: str) -> str:
    """Return the record that a job leaves beside its log."""
    return f"{log.removesuffix('.log')}.json"


def benchmark_of(path: str) -> str:
    """Return the benchmark file of the job that makes a result."""
    return f"{stem(path)}.tsv"


def log_folder(path: str) -> str:
    """Return the log folder that belongs to a folder of results."""
    return f"logs{path.removeprefix(RESULTS)}"


def of_tokenizer(model: Path, name: str) -> list[Path]:
    """Return where a file or folder of a model's tokenizer is: next to the model, or in the folders of other data sets.

    A model that was trained on another data set than its tokenizer is in the folder of that data set.
    """
    home = Path(os.path.abspath(model)).parent  # noqa: PTH100  (a model may be a link to another disk)
    others = sorted(home.parent.parent.glob(f"*/{home.name}/{name}"))
    return [place for place in (model.parent / name, *others) if place.exists()]


def token_files(shard: Path) -> dict[str, Path]:
    """Return the files of a token shard that decide what is trained on, by the names of their hashes in its facts."""
    return {key: shard.with_suffix(ending) for key, ending in TOKEN_HASHES.items()}


def claims(project: Path) -> Iterator[Path]:
    """Yield the claims of a project."""
    yield from sorted(project.glob(CLAIM.format(dataset="*", compared="*")))


def manifests(project: Path) -> Iterator[Path]:
    """Yield the manifests of a project, but not the copies that were published."""
    patterns = ("*/*/manifest.json", "*/*/*/manifest.json")
    for path in sorted(found for pattern in patterns for found in (project / RESULTS).glob(pattern)):
        if path.parent.name != Path(PUBLISHED).name:
            yield path
