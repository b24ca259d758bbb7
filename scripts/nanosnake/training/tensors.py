"""Safetensors files: forced to disk when written, and one kind of error for every defect when read."""

from __future__ import annotations

import os
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from nanosnake.files import NanosnakeError


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write tensors to `path` and force them to disk.

    Raises:
        OSError: if not all of it can be written.
    """
    try:
        save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, path, metadata)
    except SafetensorError as error:
        raise OSError(str(error)) from error
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return all tensors of a safetensors file, on the CPU.

    Raises:
        NanosnakeError: if the file is cut off or not a safetensors file.
    """
    try:
        return load_file(path)
    except SafetensorError as error:
        raise NanosnakeError(f"{path}: cut off or damaged, or not a safetensors file ({error})") from error
