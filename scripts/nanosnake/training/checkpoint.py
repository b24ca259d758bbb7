"""Rolling checkpoints: whole or absent, and the newest whole one is found after any kill.

A checkpoint is a folder `step_00001000` with `model.safetensors`, `optimizer.safetensors` and `state.json`,
made under another name and renamed. `state.json` is written last, with the size and the CRC-32 of the other
two, and a CRC-32 of what it says itself: a folder without it, or whose files differ from it, is not a checkpoint, and
the one before it is used.
"""

from __future__ import annotations

import json
import re
import shutil
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from nanosnake.files import NanosnakeError, read_json, sync, write_json
from nanosnake.training.tensors import read_tensors, write_tensors

MODEL, OPTIMIZER, STATE = "model.safetensors", "optimizer.safetensors", "state.json"
CHUNK = 1 << 22


@dataclass(frozen=True)
class Checkpoint:
    """What a run needs to resume."""

    step: int
    """Steps that are done."""
    model: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    state: dict[str, Any]
    """Plain values: position in the data, configuration, best figures."""


def save(folder: Path, checkpoint: Checkpoint, keep: int) -> Path:
    """Write a checkpoint and remove all but the last `keep`.

    Raises:
        NanosnakeError: if it cannot be written; existing checkpoints are not touched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for left_over in folder.glob(".step_*"):
        shutil.rmtree(left_over)
    final = folder / f"step_{checkpoint.step:08d}"
    side = folder / f".{final.name}.part"
    try:
        side.mkdir()
        for name, tensors in ((MODEL, checkpoint.model), (OPTIMIZER, checkpoint.optimizer)):
            write_tensors(side / name, tensors)
        files = {name: _fingerprint(side / name) for name in (MODEL, OPTIMIZER)}
        said = {"step": checkpoint.step, "files": files, "state": checkpoint.state}
        write_json(side / STATE, {**said, "crc32": _crc_of(said)})
    except OSError as error:
        shutil.rmtree(side, ignore_errors=True)
        raise NanosnakeError(
            f"{final}: the checkpoint of step {checkpoint.step} could not be written ({error}); earlier "
            "ones are kept. Free some space, then start again: the run continues from the newest"
        ) from error
    if final.exists():
        shutil.rmtree(final)
    side.rename(final)
    sync(folder)
    for old in _folders(folder)[:-keep]:
        shutil.rmtree(old)
    return final


def load_newest(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """Return the newest whole checkpoint, None if there is none, and what was wrong with newer ones."""
    faults: list[str] = []
    for candidate in reversed(_folders(folder)):
        try:
            return load(candidate), faults
        except (NanosnakeError, OSError) as error:
            faults.append(str(error))
    return None, faults


def load(path: Path) -> Checkpoint:
    """Return the checkpoint in a folder.

    Raises:
        NanosnakeError: if it is not complete.
    """
    if not (path / STATE).is_file():
        raise NanosnakeError(f"{path}: no {STATE}; the checkpoint was not finished")
    said = read_json(path / STATE)
    if not isinstance(said, dict) or said.pop("crc32", None) != _crc_of(said):
        raise NanosnakeError(f"{path / STATE}: does not say what was written to it; damaged")
    for name, wanted in said["files"].items():
        found = _fingerprint(path / name)
        if found != wanted:
            raise NanosnakeError(f"{path / name}: is {found}, {STATE} says {wanted}; cut off or damaged")
    return Checkpoint(said["step"], read_tensors(path / MODEL), read_tensors(path / OPTIMIZER), said["state"])


def _folders(folder: Path) -> list[Path]:
    """Return the folders that have a checkpoint's name, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if re.fullmatch(r"step_\d{8,}", p.name))


def _crc_of(said: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps(said, sort_keys=True).encode())


def _fingerprint(path: Path) -> dict[str, int]:
    if not path.is_file():
        raise NanosnakeError(f"{path}: missing; the checkpoint was not finished")
    crc = 0
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            crc = zlib.crc32(chunk, crc)
    return {"bytes": path.stat().st_size, "crc32": crc}
