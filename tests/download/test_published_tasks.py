"""Tasks from published data sets: what rows become, and a run that fetches them from a hub."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from convert_task import ConvertTask
from download.test_hub import Hub, site  # noqa: F401 (a fixture)
from nanosnake.config import load
from nanosnake.evaluation import answers
from nanosnake.evaluation.items import Task, load_task
from nanosnake.files import NanosnakeError, read_json
from workflow.project import TINY_MODEL, Project

GSM8K = [
    {"question": f"What is {n} + 4?", "answer": f"It is <<{n}+4={n + 4}>>{n + 4}.\n#### {n + 4}"}
    for n in range(6)
]
ARC = [
    {
        "question": "Which is cold?",
        "choices": {"text": ["Ice", "Fire"], "label": ["A", "B"]},
        "answerKey": "A",
    },
    {
        "question": "Which is hot?",
        "choices": {"text": ["Ice", "Fire"], "label": ["1", "2"]},
        "answerKey": "2",
    },
]
MMLU = [{"question": "1 + 1?", "subject": "algebra", "choices": ["1", "2", "3", "4"], "answer": 1}]
TEST_FILE = "/datasets/ns/name/resolve/main/data/test-00000-of-00001.parquet"


def parquet(rows: list[dict[str, Any]]) -> bytes:
    body = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), body)
    return body.getvalue()


def converted(folder: Path, form: Any, rows: list[dict[str, Any]], **options: Any) -> Task:
    (folder / "test.parquet").write_bytes(parquet(rows))
    ConvertTask(form=form, files=(str(folder / "test.parquet"),), out=folder / "task.json", **options).run()
    return load_task(folder / "task.json")


def by_question(task: Task, word: str) -> dict[str, Any]:
    (found,) = (item for item in task.items if word in json.dumps(item))
    return found


def test_gsm8k(tmp_path: Path) -> None:
    task = converted(tmp_path, "gsm8k", GSM8K, few_shot=5)
    assert (task.kind, task.extract, task.few_shot, task.stop) == (
        "generation",
        "number_after_hashes",
        5,
        ("\n\n",),
    )
    item = {"query": "Question: What is 3 + 4?\nAnswer:", "answer": GSM8K[3]["answer"]}
    assert by_question(task, "is 3 +") == item
    order = [int(item["query"].split()[3]) for item in task.items]
    assert order == [3, 2, 5, 4, 1, 0], "numpy's default_rng(42).permutation, as nanochat has it"
    chat = converted(tmp_path, "gsm8k", GSM8K, chat=True)
    assert by_question(chat, "is 3 +")["messages"] == [{"role": "user", "content": "What is 3 + 4?"}]
    assert chat.stop == ()


def test_arc(tmp_path: Path) -> None:
    item = by_question(converted(tmp_path, "arc", ARC), "hot")
    assert item == {"query": "Question: Which is hot?\nAnswer:", "choices": ["Ice", "Fire"], "gold": 1}
    item = by_question(converted(tmp_path, "arc", ARC, chat=True), "hot")
    assert item["choices"] == ["1", "2"], "the labels of the data set"
    assert item["messages"][0]["content"] == (
        "Multiple Choice question: Which is hot?\n- Ice=1\n- Fire=2\n\nRespond only with the letter of the correct answer."
    )


def test_mmlu(tmp_path: Path) -> None:
    (item,) = converted(tmp_path, "mmlu", MMLU).items
    assert item == {
        "query": "1 + 1?\nA. 1\nB. 2\nC. 3\nD. 4\nAnswer:",
        "choices": ["A", "B", "C", "D"],
        "gold": 1,
    }
    (item,) = converted(tmp_path, "mmlu", MMLU, chat=True).items
    assert "- 2=B\n" in item["messages"][0]["content"]


@pytest.mark.parametrize(
    ("form", "rows", "message"),
    [
        (
            "gsm8k",
            ARC,
            r"row 0 is not of the form gsm8k \(KeyError: 'answer'\): \{'question': 'Which is ",
        ),
        (
            "arc",
            [{**ARC[0], "answerKey": "Z"}],
            r"row 0 is not of the form arc \(ValueError: 'Z' is not in list\)",
        ),
        ("mmlu", [*MMLU, {**MMLU[0], "answer": 4}], "row 1 is not of the form mmlu"),
        ("mmlu", [{**MMLU[0], "answer": -1}], "row 0 is not of the form mmlu"),
        (
            "gsm8k",
            [{**GSM8K[0], "answer": "seven"}],
            "item 0 has the answer 'seven', in which number_after_hashes",
        ),
    ],
)
def test_other_rows_are_refused(tmp_path: Path, form: str, rows: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(NanosnakeError, match=message):
        converted(tmp_path, form, rows)


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_text("text")
    with pytest.raises(NanosnakeError, match=r"a.parquet: not a readable parquet file"):
        ConvertTask(form="arc", files=(str(tmp_path / "a.parquet"),), out=tmp_path / "task.json").run()


def config(**published: Any) -> dict[str, Any]:
    return {
        "datasets": {"demo": {"source": {"kind": "embedded", "shards": 2}, "train": [0], "validation": [1]}},
        "tokenizers": {"bpe": {"dataset": "demo", "vocab_size": 512}},
        "models": {"d1": {"tokenizer": "bpe", "depth": 1, "tasks": ["sums"]}},
        "evaluation": {"published": published},
    }


def test_the_configuration_says_what_is_wrong(site: Hub, tmp_path: Path) -> None:  # noqa: F811
    source = {"kind": "huggingface", "name": "ns/name", "split": "test"}
    assert load(config(sums={"source": source, "form": "gsm8k"})).models["d1"].tasks == ["sums"]
    for said, message in (
        (
            {"sum": {"source": source, "form": "gsm8k"}},
            r"models.d1.tasks: .*sums does not exist; evaluation.published has sum;",
        ),
        (
            {"sums": {"source": {**source, "split": "dev"}, "form": "arc"}},
            "no parquet file belongs to split 'dev'",
        ),
        ({"sums": {"source": source, "form": "other"}}, "evaluation.published.sums.form: .*gsm8k"),
        (
            {"sums": {"source": source, "form": "arc", "chat": True, "few_shot": 2}},
            "evaluation.published.sums.few_shot: a conversation has no solved items",
        ),
        (
            {"sums": {"source": {"kind": "local", "path": str(tmp_path / "none")}, "form": "arc"}},
            "no such file or folder",
        ),
    ):
        with pytest.raises(NanosnakeError, match=message):
            load(config(**said))
    base = config(sums={"source": source, "form": "gsm8k", "chat": True})
    base["tokenizers"]["bpe"]["special_tokens"] = ["<|bos|>"]
    with pytest.raises(
        NanosnakeError, match=r"d1.tasks: .*special token <\|user_start\|>, which bpe lacks; .*got 'sums'"
    ):
        load(base)
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/sums.json").write_text("{}")
    twice = config(sums={"source": source, "form": "gsm8k"})
    twice["models"]["d1"]["tasks"] = ["sums", str(tmp_path / "tasks")]
    with pytest.raises(
        NanosnakeError, match=r"models.d1.tasks: two tasks are called 'sums'; rename one of them"
    ):
        load(twice)


def test_a_run(site: Hub, tmp_path: Path) -> None:  # noqa: F811
    site.content[TEST_FILE] = parquet(GSM8K)
    (tmp_path / "project").mkdir()
    project = Project(tmp_path / "project")
    source = {"kind": "huggingface", "name": "ns/name", "split": "test"}
    pq.write_table(pa.Table.from_pylist(ARC), project.folder / "arc.parquet")
    project.config["evaluation"]["published"] = {
        "sums": {"source": source, "form": "gsm8k", "chat": True, "max_tokens": 8, "max_items": 5},
        "arc": {"source": {"kind": "local", "path": "arc.parquet"}, "form": "arc", "few_shot": 1},
    }
    project.config["models"] = {"d1": {**TINY_MODEL, "tasks": ["sums", "arc", "resources/tasks"]}}
    page = str(project.path("d1/report/index.html").relative_to(project.folder))
    project.make("--", page)
    found = read_json(project.path("d1/evaluation.json"))
    rows = answers.read(project.path("d1/answers.parquet"))
    assert {row["task"]: row["items"] for row in found["tasks"]}.items() >= {"sums": 5, "arc": 2}.items()
    assert {name: len(given) for name, given in rows.items()} == {
        row["task"]: row["items"] for row in found["tasks"]
    }
    assert [row["asked"] for row in rows["sums"]] == [f"What is {n} + 4?" for n in (3, 2, 5, 4, 1)]
    assert {row["task"] for row in read_json(project.path("d1/contamination.json"))["tasks"]} == set(rows)
    assert "What is 3 + 4?" in project.path("d1/report/index.html").read_text()
    assert project.plan("--", page) == {}
