"""CORE's bundle becomes task files, and its items are answered as nanochat answers them."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from convert_core import ConvertCore
from core_bundle import ITEMS, write_bundle
from nanosnake.config import load
from nanosnake.evaluation.core import CORE, CORRECTED, convert
from nanosnake.evaluation.evaluate import sample
from nanosnake.evaluation.items import Task, load_tasks
from nanosnake.evaluation.tasks import answer, first_items
from nanosnake.files import NanosnakeError, read_json
from nanosnake.training.vocabulary import Vocabulary
from small_models import make

EXPECTED = Path(__file__).with_name("core_expected.json")
"""What nanochat's evaluation (commit 92d63d4) answered with the same model: 1 for right, by task and item."""

LIMIT = 12
"""Items of each task in the second run, of 14."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("core") / "eval_bundle")


def test_the_answers_are_nanochats(tmp_path: Path) -> None:
    small = make("nanosnake", tmp_path / "model")
    vocabulary = Vocabulary.load(small.tokenizer.folder)

    def go_on(text: str) -> str:
        return sample(small.model, vocabulary, text, tokens=1, temperature=0)

    convert(write_bundle(tmp_path / "eval_bundle", go_on), "bundle", tmp_path / "tasks")
    tasks = {task.name: task for task in load_tasks([tmp_path / "tasks"])}

    def answers(task: Task) -> str:
        return "".join(
            str(int(answer(small.model, vocabulary, task, number).right)) for number in range(len(task.items))
        )

    expected = read_json(EXPECTED)
    for name, said in expected["whole"].items():
        assert answers(tasks[name]) == said, name
    for name, said in expected["limited"].items():
        assert answers(first_items(tasks[name], LIMIT)) == said, name
    kinds = {(tasks[name].kind, tasks[name].few_shot) for name in expected["whole"]}
    assert len(kinds) == 9, "all kinds of task, with and without solved items"


def test_a_zip_file_and_a_folder_give_the_same(bundle: Path, tmp_path: Path) -> None:
    zipped = shutil.make_archive(str(tmp_path / "bundle"), "zip", bundle.parent, bundle.name)
    said = []
    for at, source in enumerate((bundle, Path(zipped))):
        ConvertCore(bundle=str(source), out=tmp_path / str(at)).run()
        said.append({path.name: path.read_bytes() for path in (tmp_path / str(at)).iterdir()})
    assert said[0] == said[1]
    assert said[0].keys() == {f"{name}.json" for name in CORE}
    assert len(json.loads(said[0]["squad.json"])["items"]) == ITEMS


def test_baselines_may_be_others(bundle: Path, tmp_path: Path) -> None:
    table = tmp_path / "corrected.csv"
    rows = [f"{name},{62 if name == 'boolq' else 0}" for name in sorted(CORE)]
    table.write_text("\n".join(["Eval Task,Random baseline", *rows]))
    convert(bundle, str(table), tmp_path / "tasks")
    assert read_json(tmp_path / "tasks/boolq.json")["chance"] == pytest.approx(0.62)
    table.write_text("\n".join(["Eval Task,Random baseline", *rows[1:]]))
    with pytest.raises(NanosnakeError, match=r"corrected.csv: has no random baseline of 'agi_eval_lsat_ar'"):
        convert(bundle, str(table), tmp_path / "tasks")
    table.write_text("Eval Task,Random baseline\nboolq,many\n")
    with pytest.raises(NanosnakeError, match="a row has the random baseline 'many'"):
        convert(bundle, str(table), tmp_path / "tasks")


def test_wrong_baselines_of_the_bundle_are_corrected_unless_told(bundle: Path, tmp_path: Path) -> None:
    chance = {}
    for baselines in ("corrected", "bundle"):
        convert(bundle, baselines, tmp_path / baselines)
        chance[baselines] = {
            name: read_json(tmp_path / baselines / f"{name}.json")["chance"] for name in CORE
        }
    assert chance["corrected"] == chance["bundle"] | CORRECTED
    assert chance["corrected"]["commonsense_qa"] == 0.403 != chance["bundle"]["commonsense_qa"]


def test_another_bundle_is_refused(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("no zip file")
    with pytest.raises(NanosnakeError, match=r"text.zip: is neither a folder nor a zip file"):
        convert(tmp_path / "text.zip", "bundle", tmp_path / "tasks")
    part = shutil.copytree(bundle, tmp_path / "part")
    (part / "eval_data/made/boolq.jsonl").unlink()
    with pytest.raises(NanosnakeError, match=r"holds no eval_data/made/boolq.jsonl"):
        convert(part, "bundle", tmp_path / "tasks")
    (part / "core.yaml").write_text("icl_tasks: []")
    with pytest.raises(NanosnakeError, match=r"core.yaml has no task 'agi_eval_lsat_ar'; CORE has 22"):
        convert(part, "bundle", tmp_path / "tasks")


def test_too_few_items_for_the_solved_ones_are_said() -> None:
    task = Task("squad", "language_modeling", 10, " ", 0.0, [{}] * 14)
    assert len(first_items(task, 12).items) == 12
    with pytest.raises(NanosnakeError, match="squad: 10 items are too few for 10 solved ones before each"):
        first_items(replace(task), 10)


CONFIG: dict[str, Any] = {
    "datasets": {"demo": {"source": {"kind": "embedded", "shards": 2}, "train": [0], "validation": [1]}},
    "tokenizers": {"bpe": {"dataset": "demo", "vocab_size": 512}},
    "models": {"d1": {"tokenizer": "bpe", "depth": 1, "tasks": "core"}},
}


def test_the_configuration_names_the_bundle(bundle: Path) -> None:
    found = load({**CONFIG, "evaluation": {"core": {"bundle": str(bundle)}}})
    assert found.models["d1"].tasks == ["core"]
    with pytest.raises(
        NanosnakeError, match=r"evaluation.core.sha256: a bundle behind a URL needs its SHA-256"
    ):
        load({**CONFIG, "evaluation": {"core": {"bundle": "https://host.example/bundle.zip"}}})
    with pytest.raises(NanosnakeError, match=r"models.d1.tasks: .* set evaluation.core"):
        load(CONFIG)


def test_the_rule_reads_the_bundle(bundle: Path) -> None:
    from nanosnake.workflow.datasets import Datasets
    from nanosnake.workflow.models import Models
    from nanosnake.workflow.tokenizers import Tokenizers

    config = load({**CONFIG, "evaluation": {"core": {"bundle": str(bundle)}}})
    models = Models(config, Tokenizers(config, Datasets(config)))
    wildcards = SimpleNamespace(model="d1")
    assert len(models.evaluation_inputs(wildcards)) == 22
    assert len(models.core_bundle(wildcards)) == 24, "the files of a folder are inputs"
    assert models.convert_core(wildcards) == f"--bundle {bundle}"
