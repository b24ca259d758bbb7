"""A model that begins with another's weights and goes on with conversations: what is made, and made again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nanosnake.files import sha256_file
from workflow.project import Project
from workflow.test_provenance import jobs_of, read, verify

PARENT = "results/tiny/bpe/d1"
CHILD = "results/talks/bpe/chat"


def write_talks(path: Path, count: int, first: int = 0) -> None:
    talks = [
        [{"role": "user", "content": f"number {n}?"}, {"role": "assistant", "content": f"it is {n}"}]
        for n in range(first, first + count)
    ]
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{json.dumps({'messages': talk})}\n" for talk in talks))


def with_chat(project: Project) -> Project:
    """Add conversations and a model that learns them, on top of the project's."""
    write_talks(project.folder / "talks/a.jsonl", 60)
    write_talks(project.folder / "talks/b.jsonl", 12, first=60)
    project.config["datasets"]["talks"] = {
        "source": {"kind": "files", "path": "talks"},
        "content": "conversations",
        "train": "a",
        "validation": "b",
    }
    options = {"epochs": 1.0, "global_batch": 256, "micro_batch": 2, "compile": False, "lr_scale": 0.5}
    project.config["models"]["chat"] = {"from": "d1", "dataset": "talks", "options": options}
    return project


def training(project: Project) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((project.folder / CHILD / "training.json").read_text())
    return found


def test_a_model_that_goes_on_with_conversations(made_model: Project) -> None:
    project = with_chat(made_model)
    assert project.plan()["tokenize_conversations"] == 2
    project.make()
    assert project.plan() == {}
    parent = project.folder / PARENT / "model.safetensors"
    said = training(project)
    assert said["recipe"]["data"]["parent"] == [["d1", sha256_file(parent)[:16]]]
    manifest = read(project, f"{CHILD}/manifest.json")
    inputs = {entry["path"]: entry for entry in manifest["inputs"]}
    assert inputs[f"{PARENT}/model.safetensors"]["sha256"] == sha256_file(parent)
    mask = f"{CHILD.rpartition('/')[0]}/tokens/train/a.ds.mask"
    assert inputs[mask]["sha256"] == sha256_file(project.folder / mask)
    assert mask in jobs_of(manifest)[f"{CHILD}/model.safetensors"]["inputs"]
    assert verify(project.folder).returncode == 0
    talks = json.loads((project.folder / CHILD / "evaluation.json").read_text())["talks"]
    assert [row["model"] for row in talks["models"]] == ["d1", "chat"]
    assert all(0 <= row["ended"] <= 1 and row["bits_per_byte"] > 0 for row in talks["models"])
    assert [sample["expected"] for sample in talks["samples"][:2]] == ["it is 60", "it is 61"]
    page = (project.folder / CHILD / "report/index.html").read_text()
    assert "it is 60" in page
    assert "number 60?" in page

    # another parent makes the child again, and so do other conversations; neither makes the parent again
    project.config["models"]["d1"]["options"]["steps"] = 4
    jobs = project.plan()
    assert jobs["train_model"] == 2
    printed = project.make()
    assert "chat: is trained again if its token shards come out as others; made again: d1" in printed
    assert training(project)["recipe"]["data"]["parent"] != said["recipe"]["data"]["parent"]
    write_talks(project.folder / "talks/a.jsonl", 61)
    jobs = project.plan()
    assert (jobs["make_shards"], jobs["tokenize_conversations"], jobs["train_model"]) == (1, 1, 1)
    before = training(project)
    project.make()
    assert training(project)["recipe"]["data"]["train"] != before["recipe"]["data"]["train"]

    # a model that begins with weights from the middle of a training
    project.config["models"]["d1"]["keep"] = [2]
    project.config["models"]["late"] = {
        "from": "d1@2",
        "options": {"steps": 1, "global_batch": 256, "compile": False},
    }
    project.make("results/tiny/bpe/late/training.json")
    kept = project.folder / PARENT / "steps/2/model.safetensors"
    said = json.loads((project.folder / "results/tiny/bpe/late/training.json").read_text())
    assert said["recipe"]["data"]["parent"] == [["d1@2", sha256_file(kept)[:16]]]
    assert sha256_file(kept) != sha256_file(project.folder / PARENT / "model.safetensors")
    assert json.loads(kept.with_name("model.json").read_text())["figures"] == {"steps": 2}

    # what kept more steps than are asked for is not trained again
    del project.config["models"]["late"], project.config["models"]["d1"]["keep"]
    assert "train_model" not in project.plan()

    # items of tasks are looked for in the parent's training text too
    project.config["models"]["chat"]["tasks"] = "resources/tasks"
    assert project.plan()["find_overlap"] == 3
