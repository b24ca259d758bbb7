"""Checkpoints: whole or not there, the last ones kept, damage found, a full disk survived."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from nanosnake.files import NanosnakeError
from nanosnake.training import checkpoint
from nanosnake.training.checkpoint import MODEL, OPTIMIZER, STATE, Checkpoint
from nanosnake.training.tensors import read_tensors, write_tensors


def example(step: int) -> Checkpoint:
    generator = torch.Generator().manual_seed(step)
    weights = {
        "a": torch.randn(40, 30, generator=generator),
        "b": torch.randn(7, generator=generator).bfloat16(),
    }
    return Checkpoint(
        step, weights, {"a.first": torch.randn(40, 30, generator=generator)}, {"position": step}
    )


def test_saved_equals_loaded_and_the_last_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 3, 4):
        checkpoint.save(tmp_path, example(step), keep=2)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step_00000003", "step_00000004"]
    found, faults = checkpoint.load_newest(tmp_path)
    assert found is not None
    assert (found.step, found.state, faults) == (4, {"position": 4}, [])
    for name, value in example(4).model.items():
        assert torch.equal(found.model[name], value)
        assert found.model[name].dtype == value.dtype
    assert torch.equal(found.optimizer["a.first"], example(4).optimizer["a.first"])


@pytest.mark.parametrize("name", [MODEL, OPTIMIZER, STATE])
@pytest.mark.parametrize("damage", ["half", "missing", "flipped"])
def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path, name: str, damage: str) -> None:
    for step in (1, 2):
        checkpoint.save(tmp_path, example(step), keep=2)
    path = tmp_path / "step_00000002" / name
    content = path.read_bytes()
    if damage == "half":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "missing":
        path.unlink()
    else:
        middle = len(content) // 2
        path.write_bytes(content[:middle] + b"\x00" + content[middle + 1 :])
        if content[middle : middle + 1] == b"\x00":
            pytest.skip("the byte was 0 before")
    found, faults = checkpoint.load_newest(tmp_path)
    assert found is not None
    assert found.step == 1
    assert len(faults) == 1
    assert "step_00000002" in faults[0]


def test_no_byte_of_the_state_can_change_unnoticed(tmp_path: Path) -> None:
    """A digit of the position that changed would train on other rows, and say nothing."""
    path = checkpoint.save(tmp_path, example(2), keep=1) / STATE
    content = path.read_bytes()
    said = json.loads(content)
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        found, faults = checkpoint.load_newest(tmp_path)
        if found is None:
            assert len(faults) == 1
            assert str(path) in faults[0]
        else:  # a blank between two words became another
            assert json.loads(path.read_bytes()) == said


def test_a_kill_while_saving_leaves_the_one_before(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, example(1), keep=2)
    side = tmp_path / ".step_00000002.part"
    side.mkdir()
    (side / MODEL).write_bytes(b"begun")
    found, faults = checkpoint.load_newest(tmp_path)
    assert found is not None
    assert (found.step, faults) == (1, [])
    checkpoint.save(tmp_path, example(2), keep=2)
    assert not side.exists()


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """Make the system refuse to write past a size, as a full disk would (OSError, not a signal: Python
    ignores it)."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_what_stands(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, example(1), keep=1)
    later = example(2)
    with (
        files_no_larger_than(2000),
        pytest.raises(NanosnakeError, match=r"step 2 could not be written .*Free some space"),
    ):
        checkpoint.save(tmp_path, later, keep=1)
    found, _ = checkpoint.load_newest(tmp_path)
    assert found is not None
    assert found.step == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step_00000001"]


def test_no_checkpoint_is_no_error(tmp_path: Path) -> None:
    assert checkpoint.load_newest(tmp_path / "none") == (None, [])


def test_tensor_files_are_safetensors(tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors.torch")
    tensors = {
        "scalar": torch.tensor(3.0),
        "none": torch.empty(0, 4),
        "half": torch.randn(3, 5).bfloat16(),
        "view": torch.arange(12).view(3, 4).t(),
        "flags": torch.tensor([True, False]),
    }
    write_tensors(tmp_path / "ours.safetensors", tensors, {"format": "test"})
    theirs = library.load_file(tmp_path / "ours.safetensors")
    library.save_file({k: v.contiguous() for k, v in tensors.items()}, tmp_path / "theirs.safetensors")
    ours = read_tensors(tmp_path / "theirs.safetensors")
    for name, value in tensors.items():
        assert torch.equal(theirs[name], value)
        assert torch.equal(ours[name], value)
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "ours.safetensors").read_bytes()[:-1])
    with pytest.raises(NanosnakeError, match="cut off or damaged"):
        read_tensors(tmp_path / "cut.safetensors")
