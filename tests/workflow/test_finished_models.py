"""A finished model is trained again only if options or data have changed, and is never lost on the way."""

from __future__ import annotations

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from closures.table import edited
from nanosnake.config.tokenizers import NANOCHAT_SPECIAL_TOKENS
from nanosnake.snakemake_internals import mark_of
from nanosnake.training.recipe import RESULTS
from workflow.project import Project
from workflow.test_provenance import jobs_of, read, verify

HOME = "results/tiny/bpe/d1"
CHECKPOINTS = "checkpoints/tiny/bpe/d1"


def environment(project: Project) -> dict[str, Any]:
    """What the model was trained in, by its manifest."""
    manifest = read(project, f"{HOME}/manifest.json")
    return jobs_of(manifest)[f"{HOME}/model.safetensors"]["environment"]


def training(project: Project) -> dict[str, Any]:
    said: dict[str, Any] = json.loads((project.folder / HOME / "training.json").read_text())
    return said


def weights(project: Project) -> bytes:
    return (project.folder / HOME / "model.safetensors").read_bytes()


def log_of(project: Project) -> str:
    return (project.folder / "logs/tiny/bpe/d1/train.log").read_text()


def steps(project: Project, number: int) -> None:
    project.config["models"]["d1"]["options"]["steps"] = number


def edit(project: Project, name: str) -> None:
    path = project.folder / name
    path.write_text(edited(name, path.read_text()))


def test_other_options_train_again_and_the_old_ones_bring_the_old_model_back(made_model: Project) -> None:
    first = weights(made_model)
    steps(made_model, 4)
    printed = made_model.make(f"{HOME}/training.json")
    assert "d1: is trained again (options: steps from 3 to 4); the one that is there took " in printed
    assert " on 1 x " in printed
    assert training(made_model)["figures"]["steps"] == 4
    assert weights(made_model) != first
    steps(made_model, 3)
    printed = made_model.make(f"{HOME}/training.json")
    assert "d1: is taken from its checkpoints (options: steps from 4 to 3)" in printed
    assert "nothing is trained" in log_of(made_model)
    assert weights(made_model) == first
    assert len(list((made_model.folder / CHECKPOINTS).glob("*/finished"))) == 2
    assert not (made_model.folder / CHECKPOINTS / "aside").exists()
    assert "train_model" not in made_model.plan()


def test_a_plan_of_other_options_during_a_run_does_not_change_what_was_given(made_model: Project) -> None:
    launcher, waits, ready = (made_model.folder / name for name in ("scripts/launch.py", "waits", "ready"))
    first = "from __future__ import annotations\n"
    wait = f"import pathlib, time\npathlib.Path({str(waits)!r}).touch()\n"
    wait += f"while not pathlib.Path({str(ready)!r}).exists():\n    time.sleep(0.1)\n"
    launcher.write_text(launcher.read_text().replace(first, first + wait, 1))
    options = made_model.config["models"]["d1"]["options"]
    made_model.config["models"]["d1"]["options"] = {**options, "lr_scale": 0.5}
    with ThreadPoolExecutor() as threads:
        run = threads.submit(made_model.make, f"{HOME}/training.json")
        while not waits.exists() and not run.done():
            time.sleep(0.1)
        made_model.config["models"]["d1"]["options"] = options
        made_model.plan()
        ready.touch()
        run.result()
    assert "lr_scale" in training(made_model)["recipe"]["given"]
    assert made_model.plan()["train_model"] == 1, "the model has another lr_scale than the default"


def test_older_code_is_said_and_trained_again_when_asked_for(made_model: Project) -> None:
    edit(made_model, "scripts/nanosnake/training/optimizer.py")
    printed = made_model.make()
    note = "trained by older code (training/optimizer.py)"
    assert f"d1: {note}; --forcerun train_model trains it again" in printed
    assert note in (made_model.folder / HOME / "report/index.html").read_text()
    ended = verify(made_model.folder)
    assert ended.returncode == 0, ended.stdout
    before = training(made_model)
    printed = made_model.make("--forcerun", "train_model")
    assert "d1: is trained again, as asked for; the one that is there took " in printed
    assert "nothing is trained" not in log_of(made_model)
    assert "step 3/3" in log_of(made_model)
    assert "older code" not in printed
    assert training(made_model)["recipe"]["code"] != before["recipe"]["code"]
    assert made_model.plan() == {}


def test_what_was_asked_for_and_killed_is_trained_when_asked_for_again(made_model: Project) -> None:
    for name in RESULTS:
        mark = made_model.folder / mark_of(f"{HOME}/{name}")
        mark.parent.mkdir(exist_ok=True)
        mark.write_text('{"external_jobid": null}')
    printed = made_model.make("--forcerun", "train_model", "--", f"{HOME}/training.json")
    assert "d1: is trained again, as asked for" in printed
    assert "step 3/3" in log_of(made_model)


def test_verify_says_which_model_older_code_has_trained(made_model: Project) -> None:
    said = training(made_model)
    said["recipe"]["code"]["scripts/nanosnake/training/optimizer.py"] = "0" * 64
    (made_model.folder / HOME / "training.json").write_text(json.dumps(said))
    ended = verify(made_model.folder, f"{HOME}/manifest.json")
    assert f"{HOME}/manifest.json: trained by older code (training/optimizer.py)" in ended.stdout


def test_token_shards_that_come_out_the_same_train_nothing(made_model: Project) -> None:
    edit(made_model, "scripts/tokenize_shard.py")
    first, ran_in = training(made_model), environment(made_model)
    printed = made_model.make()
    assert (
        "d1: is trained again if its token shards come out as others; made again: a, b, held_out" in printed
    )
    assert "nothing is trained" in log_of(made_model)
    assert training(made_model) == first
    assert environment(made_model) == ran_in, "it says in what the model was trained"
    assert made_model.plan() == {}


def test_a_special_token_more_trains_again(made_model: Project) -> None:
    """Ranks and token shards are the same, but the model has a token more."""
    tokenizer, before = made_model.config["tokenizers"]["bpe"], weights(made_model)
    tokenizer |= {"vocab_size": 321, "special_tokens": [*NANOCHAT_SPECIAL_TOKENS, "<|more|>"]}
    made_model.make("--", f"{HOME}/training.json")
    assert "step 3/3" in log_of(made_model)
    assert training(made_model)["model"]["vocab_size"] == 321
    tokenizer |= {"vocab_size": 320, "special_tokens": NANOCHAT_SPECIAL_TOKENS}
    made_model.make("--", f"{HOME}/training.json")
    assert "nothing is trained" in log_of(made_model)
    assert weights(made_model) == before


def test_a_special_token_of_another_name_trains_nothing_and_the_model_says_it(made_model: Project) -> None:
    renamed = [*NANOCHAT_SPECIAL_TOKENS[:-1], "<|other|>"]
    made_model.config["tokenizers"]["bpe"]["special_tokens"] = renamed
    made_model.make("--", f"{HOME}/training.json")
    assert "nothing is trained" in log_of(made_model)
    said = json.loads((made_model.folder / HOME / "model.json").read_text())
    assert list(said["tokenizer"]["special_tokens"]) == sorted(renamed)
    assert made_model.plan("--", f"{HOME}/training.json") == {}


def test_a_failed_training_gives_the_old_model_back(made_model: Project) -> None:
    first = {name: (made_model.folder / HOME / name).stat() for name in RESULTS}
    before = weights(made_model)
    steps(made_model, 4)
    made_model.config["models"]["d1"]["options"]["matrix_lr"] = 1e30  # soon nothing is finite
    ended = made_model.snakemake()
    assert ended.returncode != 0
    said = ended.stdout + ended.stderr
    assert f"d1: was not trained again; the model from before is back in {HOME}" in said
    for name, stat in first.items():
        now = (made_model.folder / HOME / name).stat()
        assert (now.st_ino, now.st_mtime_ns) == (stat.st_ino, stat.st_mtime_ns)
    assert "train_model" in made_model.plan(), "it is still to be trained"
    steps(made_model, 3)
    del made_model.config["models"]["d1"]["options"]["matrix_lr"]
    made_model.make(f"{HOME}/training.json")
    assert training(made_model)["figures"]["steps"] == 3
    assert "nothing is trained" in log_of(made_model), "the job that failed, which takes what is finished"
    assert weights(made_model) == before


def test_a_failed_training_on_other_shards_is_still_to_be_done(made_model: Project) -> None:
    made_model.config["tokenizers"]["bpe"]["shards"] = ["a"]
    made_model.make()
    made_model.config["datasets"]["tiny"]["train"] = ["a"]
    trainer = made_model.folder / "scripts/train_model.py"
    text = trainer.read_text()
    trainer.write_text(text.replace("            train_model(self)\n", "            raise ValueError\n"))
    ended = made_model.snakemake()
    assert "the model from before is back" in ended.stdout + ended.stderr
    trainer.write_text(text)
    assert "train_model" in made_model.plan()


def test_a_model_that_was_deleted_comes_from_its_checkpoints(made_model: Project) -> None:
    first = weights(made_model)
    shutil.rmtree(made_model.folder / HOME)
    made_model.make(f"{HOME}/training.json")
    assert "nothing is trained" in log_of(made_model)
    assert weights(made_model) == first


@pytest.mark.parametrize("option", ["depth", "matrix_lr"])
def test_a_changed_option_is_named(made_model: Project, option: str) -> None:
    model = made_model.config["models"]["d1"]
    if option == "depth":
        model["depth"] = 2
    else:
        model["options"]["matrix_lr"] = 0.01
    assert made_model.plan()["train_model"] == 1
