"""The body of an answer, appended to the partial file."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable

from nanosnake.files import NanosnakeError
from nanosnake.messages import Progress
from nanosnake.sources.download.partial import Partial
from nanosnake.sources.download.problems import Mismatch, Patience, Retry, explain_disk

PIECE = 1 << 18
"""Bytes that are asked for at a time."""


def append(
    partial: Partial, piece: Callable[[], bytes], name: str, host: str, total: int | None, patience: Patience
) -> None:
    """Append a body to the partial file until it ends.

    Args:
        partial: the partial file, as long as what came before this body.
        piece: returns the next bytes, none at the end; raises Retry where the connection breaks.
        name: what the log calls the file.
        host: who sends it, for messages.
        total: bytes of the whole file, if the host said.
        patience: how slow is too slow.

    Raises:
        Retry: if the body ended early or came too slowly.
        Mismatch: if more came than was announced.
        NanosnakeError: if the disk has no room.
    """
    _check_space(partial, total)
    window_began, window_size = time.monotonic(), partial.size
    with Progress(name, total, unit="MB", scale=1e6, start=partial.size) as progress:
        while data := piece():
            if total is not None and partial.size + len(data) > total:
                raise Mismatch(f"{host} sends more than the {total} bytes that were announced")
            try:
                partial.append(data)
            except OSError as error:
                raise explain_disk(error, str(partial.path), total and total - partial.size) from None
            progress(partial.size)
            elapsed = time.monotonic() - window_began
            if elapsed >= patience.read_timeout:
                if partial.size - window_size < patience.min_speed * elapsed:
                    raise Retry(f"{host} sent less than {patience.min_speed:g} bytes a second")
                window_began, window_size = time.monotonic(), partial.size
    if total is not None and partial.size < total:
        raise Retry(f"the connection to {host} broke off after {partial.size} of {total} bytes")


def _check_space(partial: Partial, total: int | None) -> None:
    missing = (total or 0) - partial.size
    free = shutil.disk_usage(partial.path.parent).free
    if missing > free:
        raise NanosnakeError(
            f"{partial.path.parent}: {missing / 1e6:,.1f} MB are needed and {free / 1e6:,.1f} MB are free; "
            "make room and run again: what has arrived is kept"
        )
