"""Metrics go to a tracker once each, afterwards or while the run writes them."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from nanosnake.commands import track
from nanosnake.commands.__main__ import main
from nanosnake.files import NanosnakeError


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What three trackers, made up here, were given."""
    got: list[Any] = []

    class Run:
        def __init__(self, **options: str) -> None:
            got.append(options)

        def log(self, values: dict[str, float], step: int) -> None:
            got.append((step, values))

        def finish(self) -> None:
            got.append("finished")

    class Writer:
        def __init__(self, folder: str) -> None:
            got.append(folder)

        def add_scalar(self, key: str, value: float, step: int) -> None:
            got.append((step, {key: value}))

        def close(self) -> None:
            got.append("finished")

    run = Run.__new__(Run)
    modules = {
        "wandb": {"init": Run},
        "trackio": {"init": lambda **options: got.append(options), "log": run.log, "finish": run.finish},
        "torch.utils.tensorboard": {"SummaryWriter": Writer},
    }
    for name, members in modules.items():
        module = types.ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
    return got


def write(path: Path, *steps: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"step": step, "loss": step / 10}) + "\n" for step in steps))


@pytest.mark.parametrize("tracker", ["wandb", "trackio", "tensorboard"])
def test_a_finished_run_is_sent(tmp_path: Path, sent: list[Any], tracker: str) -> None:
    write(tmp_path / "tiny/metrics.jsonl", 1, 2)
    assert main(["track", str(tmp_path / "tiny"), "--to", tracker, "--project", "p"]) == 0
    begun = "runs/tiny" if tracker == "tensorboard" else {"project": "p", "name": "tiny"}
    assert sent == [begun, (1, {"loss": 0.1}), (2, {"loss": 0.2}), "finished"]


def test_a_run_that_goes_on_from_a_checkpoint_repeats_no_step(
    tmp_path: Path, sent: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "checkpoints/0a1b/2c3d/metrics.jsonl"
    write(table, 10, 20, 30)
    later = iter([(10, 20, 25), (10, 20, 25, 35)])

    def sleep(seconds: float) -> None:
        steps = next(later, None)
        if steps is None:
            raise KeyboardInterrupt
        write(table, *steps)

    monkeypatch.setattr(track.time, "sleep", sleep)
    assert main(["track", str(tmp_path / "checkpoints"), "--to", "wandb", "--follow"]) == 0
    assert [item[0] for item in sent if isinstance(item, tuple)] == [10, 20, 30, 35]
    assert sent[-1] == "finished"


@pytest.mark.parametrize("place", ["checkpoints/d12", "checkpoints/d12/0a1b/2c3d/metrics.jsonl", "."])
def test_a_run_is_called_as_its_folder(
    tmp_path: Path, sent: list[Any], monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Checkpoints are in folders named after hashes."""
    monkeypatch.chdir(tmp_path)
    write(Path("checkpoints/d12/0a1b/2c3d/metrics.jsonl"), 1)
    assert main(["track", place, "--to", "wandb"]) == 0
    named = {"checkpoints/d12": "d12", ".": tmp_path.name}.get(place, "2c3d")
    assert sent[0] == {"project": "nanosnake", "name": named}


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NanosnakeError, match=r"has no metrics\.jsonl"):
        main(["track", str(tmp_path), "--to", "wandb"])
    write(tmp_path / "metrics.jsonl", 1)
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(NanosnakeError, match="pip install wandb"):
        main(["track", str(tmp_path), "--to", "wandb"])
