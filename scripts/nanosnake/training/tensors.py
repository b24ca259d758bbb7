"""Reading and writing safetensors files with nothing but torch.

The format is eight bytes of length, a JSON header, and the tensors' bytes end to end; the library of that
name may be missing on a GPU node, and its files are the same.
"""

from __future__ import annotations

import json
import math
import operator
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nanosnake.files import NanosnakeError

NAMES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
TYPES = {name: dtype for dtype, name in NAMES.items()}


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write tensors to `path`, by name in sorted order, and force them to disk.

    Raises:
        OSError: where the disk does not take all of it.
    """
    header: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    offset = 0
    for name in sorted(tensors):
        tensor = tensors[name]
        size = tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + size],
        }
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        for name in sorted(tensors):
            raw = tensors[name].detach().cpu().contiguous().view(-1).view(torch.uint8)
            raw.numpy().tofile(stream)
        stream.flush()
        os.fsync(stream.fileno())


def _end(entry: dict[str, Any]) -> int:
    """Return where a tensor's bytes end, if its place, type and shape fit each other.

    Raises:
        ValueError, KeyError, TypeError: if they do not.
    """
    start, end = map(operator.index, entry["data_offsets"])
    shape = list(map(operator.index, entry["shape"]))
    size = math.prod(shape) * TYPES[entry["dtype"]].itemsize
    if not 0 <= start <= end or min(shape, default=0) < 0 or end - start != size:
        raise ValueError(f"{end - start} bytes from {start} on for {entry['shape']} of {entry['dtype']}")
    return end


def read_header(path: Path) -> tuple[dict[str, Any], int]:
    """Return (header, offset of the first tensor's bytes).

    Raises:
        NanosnakeError: where the file is cut off or no safetensors file.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if size < 8 or length > size - 8:
            raise NanosnakeError(
                f"{path}: {size} bytes are too few for its header; cut off, or no safetensors file"
            )
        try:
            header: dict[str, Any] = json.loads(stream.read(length))
            ends = [_end(entry) for name, entry in header.items() if name != "__metadata__"]
        except (ValueError, RecursionError, AttributeError, KeyError, TypeError) as error:
            raise NanosnakeError(
                f"{path}: its header describes no tensors ({type(error).__name__}: {error}); no safetensors file"
            ) from error
    wanted = 8 + length + max(ends, default=0)
    if size != wanted:
        raise NanosnakeError(f"{path}: {size} bytes, {wanted} by its header; cut off or damaged")
    return header, 8 + length


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return all tensors of a safetensors file, on the CPU.

    Raises:
        NanosnakeError: as `read_header`.
    """
    header, base = read_header(path)
    found = {}
    with path.open("rb") as stream:
        for name, entry in header.items():
            if name == "__metadata__":
                continue
            start, end = entry["data_offsets"]
            raw = bytearray(end - start)
            stream.seek(base + start)
            stream.readinto(raw)
            flat = torch.frombuffer(raw, dtype=torch.uint8) if raw else torch.empty(0, dtype=torch.uint8)
            found[name] = flat.view(TYPES[entry["dtype"]]).view(entry["shape"])
    return found
