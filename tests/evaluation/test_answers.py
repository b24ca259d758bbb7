"""The answers to each item: kept as a file, added up again, and two models paired by them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nanosnake.commands.compare import Compare
from nanosnake.evaluation import answers, evidence
from nanosnake.evaluation.items import Answer, Task, item_hash
from nanosnake.evaluation.tasks import task_scores
from nanosnake.files import NanosnakeError, read_json, sha256_file, write_json

CHOICE = Task(
    "choice",
    "multiple_choice",
    0,
    " ",
    0.5,
    [{"query": f"q{n}", "choices": ["a", "b"], "gold": 1} for n in range(40)],
)
WRITTEN = Task(
    "written", "generation", 0, " ", 0.0, [{"query": f"w{n}", "answer": "#### 1"} for n in range(4)]
)


def keep(folder: Path, right: int, tasks: list[Task]) -> Path:
    """Write a model's folder, where the first items of each task are answered rightly."""
    folder.mkdir()
    given = [
        [Answer("b" if n < right else "a", "b", n < right, (0.5, 0.25)) for n in range(len(task.items))]
        for task in tasks
    ]
    written = answers.write(folder / answers.FILE, tasks, given)
    assert written["sha256"] == sha256_file(folder / answers.FILE)
    assert written["items"] == sum(len(task.items) for task in tasks)
    scores = task_scores(tasks, given) if tasks else {}
    write_json(folder / evidence.EVALUATION, {"bits_per_byte": 1.0, "bytes": 10, **scores})
    write_json(folder / "training.json", {})
    return folder


def test_the_answers_are_kept_and_add_up(tmp_path: Path) -> None:
    folder = keep(tmp_path / "a", 3, [CHOICE, WRITTEN])
    rows = answers.read(folder / answers.FILE)
    assert {name: len(found) for name, found in rows.items()} == {"choice": 40, "written": 4}
    assert rows["written"][0] == {
        **{
            "task": "written",
            "item": item_hash(WRITTEN.items[0]),
            "asked": "w0",
            "expected": "b",
            "given": "b",
        },
        **{"right": True, "nats": [0.5, 0.25]},
    }
    assert list(answers.problems(folder)) == []
    said = read_json(folder / evidence.EVALUATION)
    said["tasks"][0]["accuracy"] = 0.5
    write_json(folder / evidence.EVALUATION, said)
    assert list(answers.problems(folder)) == [
        "evaluation.json: accuracy of choice is 0.5, but answers.parquet adds up to 0.075"
    ]
    write_json(folder / evidence.EVALUATION, {"tasks": said["tasks"][:1]})
    assert "accuracy of written is None, but answers.parquet adds up to 0.75" in "".join(
        answers.problems(folder)
    )


def test_an_answer_that_was_edited_is_seen(tmp_path: Path) -> None:
    folder = keep(tmp_path / "a", 3, [CHOICE])
    said = read_json(folder / evidence.EVALUATION)
    certified = {"sha256": sha256_file(folder / answers.FILE)}
    write_json(folder / evidence.EVALUATION, {**said, "certificate": {"answers": certified}})
    assert list(answers.problems(folder)) == []
    table = pq.read_table(folder / answers.FILE)
    given = pa.array(["edited", *table["given"].to_pylist()[1:]])
    at = table.schema.names.index("given")
    pq.write_table(table.set_column(at, "given", given), folder / answers.FILE)
    (line,) = answers.problems(folder)
    assert line.startswith("evaluation.json: certificate: SHA-256 of answers.parquet is")


def test_a_model_without_tasks_has_an_empty_file(tmp_path: Path) -> None:
    folder = keep(tmp_path / "a", 0, [])
    assert answers.read(folder / answers.FILE) == {}
    assert list(answers.problems(folder)) == []


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(NanosnakeError, match=r"a.parquet: cannot be read .*; evaluate the model again"):
        answers.read(tmp_path / "a.parquet")


def test_two_models_are_paired_by_their_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = keep(tmp_path / "a", 3, [CHOICE, WRITTEN]), keep(tmp_path / "b", 30, [CHOICE, WRITTEN])
    found = dict(answers.differences(a / answers.FILE, b / answers.FILE))
    assert found["choice"].value == pytest.approx(27 / 40)
    assert 0 < found["choice"].low < found["choice"].value < found["choice"].high < 1
    assert found["choice"].documents == 40
    Compare(a=str(a), b=str(b)).run()
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].startswith(
        "b less a in choice, paired over 40 items: +0.675 accuracy, 95% interval +0.5"
    )
    assert lines[-1].endswith(": within noise")


def test_other_items_are_not_paired(tmp_path: Path) -> None:
    a = keep(tmp_path / "a", 3, [CHOICE])
    other = Task(
        "choice", "multiple_choice", 0, " ", 0.5, [*CHOICE.items[1:], {**CHOICE.items[0], "query": "other"}]
    )
    b = keep(tmp_path / "b", 3, [other])
    turned = keep(tmp_path / "c", 3, [Task("choice", "multiple_choice", 0, " ", 0.5, CHOICE.items[::-1])])
    assert list(answers.differences(a / answers.FILE, b / answers.FILE)) == []
    ((_, same),) = answers.differences(a / answers.FILE, turned / answers.FILE)
    assert same.value == 0, "the items are paired, in whatever order they are"
