"""A tokenizer and a model on a mixture: nothing is counted again, and other shares make only what depends on them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pyarrow.parquet as pq

from nanosnake.crate import rustbpe
from workflow.project import TINY_MODEL, Project, write_shard


def mixed(folder: Path) -> Project:
    """Return a project with two data sets, a mixture for its tokenizer, and one for its model."""
    project = Project(folder)
    for seed, name in enumerate(("c", "held_out_too"), start=7):
        write_shard(project.folder / f"data/{name}.parquet", seed=seed, documents=60)
    local = {"kind": "local", "path": "data"}
    project.config["datasets"] = {
        "tiny": {"source": local, "train": ["a", "b"], "validation": "held_out"},
        "small": {
            "source": {"kind": "local", "path": "data/*.parquet"},
            "train": "c",
            "validation": "held_out_too",
        },
        "mix": {"source": {"kind": "mixture", "parts": {"tiny": 1, "small": 2}}},
        "even": {"source": {"kind": "mixture", "parts": ["tiny", "small"], "temperature": 0.0}},
    }
    project.config["tokenizers"]["bpe"]["dataset"] = "mix"
    project.config["models"] = {"d1": {**TINY_MODEL, "dataset": "even"}}
    return project


def test_a_mixture_from_shards_to_a_model(tmp_path: Path) -> None:
    project = mixed(tmp_path)
    jobs = project.plan()
    assert {
        name: jobs[name] for name in ("count_pretokens", "merge_counts", "mix_counts", "plan_mixture")
    } == {
        "count_pretokens": 3,
        "merge_counts": 2,
        "mix_counts": 1,
        "plan_mixture": 1,
    }
    project.make()
    check_counts(project)
    check_report(project)
    check_model(project)
    check_other_shares(project)


def check_counts(project: Project) -> None:
    """The tokenizer learned from the documents of the parts, repeated."""
    merged = project.folder / "results/mix/counts/nanochat/merged/train"
    weights = {
        row["part"]: row["weight"] for row in json.loads(merged.with_suffix(".json").read_text())["parts"]
    }
    shards = {name: project.folder / f"data/{name}.parquet" for name in ("a", "b", "c")}
    repeated = [
        text
        for name, path in shards.items()
        for text in pq.read_table(path)["text"].to_pylist() * weights["small" if name == "c" else "tiny"]
    ]
    header = rustbpe.Counts.header(merged.with_suffix(".arrow"))
    assert header["documents"] == len(repeated)
    assert header["bytes"] == sum(len(text.encode()) for text in repeated)


def check_report(project: Project) -> None:
    home = project.folder / "results/mix/bpe"
    rows = {row["text"]: row for row in json.loads((home / "checks/parts.json").read_text())["figures"]}
    assert set(rows) == {"tiny", "small", "no part alone"}
    assert abs(rows["tiny"]["share_of_text"] - 1 / 3) < 1e-3
    assert 1 < rows["tiny"]["bytes_per_token"] < 6
    assert abs(sum(row["share_of_vocabulary"] for row in rows.values()) - 1) < 1e-9
    page = (home / "report/index.html").read_text()
    assert "Parts of the mixture" in page
    shards = {row["shard"] for row in json.loads((home / "tokenizer/meta.json").read_text())["shards"]}
    assert shards == {"results/tiny/shards/a", "results/tiny/shards/b", "results/small/shards/c"}


def check_model(project: Project) -> None:
    home = project.folder / "results/even/bpe/d1"
    plan = json.loads((home / "plan.json").read_text())
    assert {part["name"]: round(part["share"], 3) for part in plan["parts"]} == {"tiny": 0.5, "small": 0.5}
    evaluation = json.loads((home / "evaluation.json").read_text())
    assert [row["part"] for row in evaluation["parts"]] == ["tiny", "small"]
    assert sum(row["bytes"] for row in evaluation["parts"]) == evaluation["bytes"]
    recipe = json.loads((home / "training.json").read_text())["recipe"]["data"]
    digest = hashlib.sha256((home / "plan.json").read_bytes()).hexdigest()[:16]
    assert recipe["plan"] == [["plan.json", digest]]


def check_other_shares(project: Project) -> None:
    """Another mixture of the model makes the plan and the model again; another one of the tokenizer counts nothing."""
    assert project.plan() == {}
    project.config["datasets"]["even"]["source"]["temperature"] = 1.0
    jobs = project.plan()
    assert jobs == {
        "plan_mixture": 1,
        "train_model": 1,
        "evaluate_model": 1,
        "make_model_report": 1,
        "make_manifest": 1,
    }
    project.config["datasets"]["mix"]["source"]["parts"]["small"] = 3
    jobs = project.plan()
    assert jobs["mix_counts"] == 1
    assert not jobs.keys() & {"link_shard", "count_pretokens", "merge_counts", "sample_documents"}
