"""Any mixture of faults: the file is right or absent, and a later run always gets it."""

from __future__ import annotations

import random

import pytest

from download import stand_in
from download.conftest import PATH, Bench
from download.stand_in import Fault, change, cut, flip_bit, reset, send_instead, status
from nanosnake.files import NanosnakeError


def draw_fault(draw: random.Random, body: bytes) -> Fault | None:
    """Return some fault with some numbers."""
    at = draw.randrange(len(body))
    return draw.choice(
        [
            None,
            cut(at),
            cut(at),
            reset(at),
            stand_in.hang_up,
            status(draw.choice([429, 500, 503]), Retry_After="0"),
            status(403),
            stand_in.both(flip_bit(0), cut(at)),
            send_instead(body),
            send_instead(body[:at]),
            send_instead(draw.randbytes(len(body))),
            change(ETag='"other"'),
            change(ETag=""),
            change(Content_Range="bytes 1-2/3"),
            stand_in.without_length,
        ]
    )


@pytest.mark.parametrize("direct", [False, True], ids=["redirect", "direct"])
@pytest.mark.parametrize("seed", range(15))
def test_right_or_absent(bench: Bench, seed: int, direct: bool) -> None:
    """A plain server gives no checksum, so a user who wants to be sure gives one."""
    draw = random.Random(seed)
    server = bench.origin if direct else bench.storage
    bench.origin.direct = direct
    sure = ("--sha256", bench.sha256) if direct else ()
    for _ in range(4):
        server.faults.clear()
        server.faults.extend(draw_fault(draw, bench.origin.content[PATH]) for _ in range(6))
        try:
            bench.download("--backoff", "0", *sure)
        except NanosnakeError:
            assert not [name for name in bench.names() if not name.startswith(".")]
        else:
            bench.output.unlink()
            bench.output.with_suffix(".json").unlink()
    server.faults.clear()
    bench.download(*sure)
