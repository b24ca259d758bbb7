"""Tensors on their way: to and from safetensors files, and from a GPU."""

from __future__ import annotations

import os
from pathlib import Path

import torch
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


def sent(values: Tensor, device: torch.device) -> Tensor:
    """Return a tensor of the CPU on a device, without waiting for what the device still has to do."""
    return values.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else values


class Arriving:
    """Numbers that a device still computes or sends, while the CPU goes on."""

    def __init__(self, values: Tensor) -> None:
        self.values = values.to("cpu", non_blocking=True)
        self.sent = torch.cuda.Event() if values.is_cuda else None  # type: ignore[no-untyped-call]
        if self.sent:
            self.sent.record()

    def wait(self) -> list[float]:
        """Return the numbers, once they are here."""
        if self.sent:
            self.sent.synchronize()
        numbers: list[float] = self.values.tolist()
        return numbers
