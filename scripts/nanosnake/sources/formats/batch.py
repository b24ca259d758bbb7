"""Documents as they come from a reader."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa


class Batch(NamedTuple):
    """Some documents of one file."""

    texts: pa.Array
    """Strings; null where a row has no text."""
    places: npt.NDArray[np.int64]
    """The line or row of each document in its file, from 1."""
    span: tuple[int, int] | None = None
    """Bytes of the unpacked file, from and before, that the documents lie in; None for tables."""


def numbered(texts: pa.Array, first: int, span: tuple[int, int] | None = None) -> Batch:
    """Return documents of consecutive lines or rows."""
    return Batch(texts, np.arange(first, first + len(texts), dtype=np.int64), span)


def kept(batch: Batch, mask: npt.NDArray[np.bool_]) -> Batch:
    """Return the documents of a batch where the mask is true."""
    return batch if mask.all() else Batch(batch.texts.filter(pa.array(mask)), batch.places[mask], batch.span)
