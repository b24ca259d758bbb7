"""A user's function that decides which documents are kept."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nanosnake.files import NanosnakeError

if TYPE_CHECKING:
    from nanosnake.sources.formats.batch import Batch

Filter = Callable[[list[str | None]], Sequence[str | None]]
"""Takes documents; returns for each None to keep it, or the reason why it is dropped."""


def file_of(name: str) -> Path:
    """Return the file of the module of `module:function`, looked for in the working directory first.

    Raises:
        NanosnakeError: if there is no such module.
    """
    module, separator, function = name.partition(":")
    if not separator or not module or not function.isidentifier():
        raise NanosnakeError(f"{name!r}: a filter is written module:function, such as my_filters:keep_prose")
    path = Path(*module.split(".")).with_suffix(".py")
    if not path.is_file():
        raise NanosnakeError(f"{name!r}: there is no file {path} in {Path.cwd()}")
    return path


def load(name: str) -> Filter:
    """Return the function that `module:function` names.

    Raises:
        NanosnakeError: if there is none.
    """
    path = file_of(name)
    module, _, function = name.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    found = getattr(importlib.import_module(module), function, None)
    if not callable(found):
        raise NanosnakeError(f"{path}: it defines no function {function!r}")
    return found  # type: ignore[no-any-return]


def apply(function: Filter, batch: Batch, dropped: Counter[str], name: str) -> Batch:
    """Return the documents that a filter keeps, and count the others by reason.

    Raises:
        NanosnakeError: if the function does not answer for each document.
    """
    import numpy as np

    from nanosnake.sources.formats.batch import kept

    reasons = list(function(batch.texts.to_pylist()))
    if len(reasons) != len(batch.texts) or any(not isinstance(reason, str | None) for reason in reasons):
        raise NanosnakeError(
            f"{name}: the filter got {len(batch.texts)} documents and returned {len(reasons)} answers; wanted: for "
            "each, None to keep it or a reason (str) to drop it"
        )
    dropped.update(reason for reason in reasons if reason is not None)
    return kept(batch, np.array([reason is None for reason in reasons], dtype=np.bool_))
