"""A proxy in between that passes on only the beginning of a file."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from download.conftest import Bench
from download.proxy import PASSED_ON, Proxy


@pytest.fixture
def through(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Iterator[contextlib.ExitStack]:
    """Where a proxy can be put in between, until the test ends."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("lies", [False, True], ids=["breaks off", "says that was all"])
def test_a_file_arrives_whole_once_the_proxy_lets_it(
    bench: Bench, through: contextlib.ExitStack, monkeypatch: pytest.MonkeyPatch, lies: bool
) -> None:
    proxy = Proxy(cuts=1, lies=lies)
    monkeypatch.setenv("http_proxy", through.enter_context(proxy.running()))
    bench.download()
    assert proxy.asked == 4  # each time the redirect too
    assert proxy.cuts == 0


def test_what_got_through_is_kept_for_the_next_run(
    bench: Bench, through: contextlib.ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = Proxy(cuts=1000, lies=False)
    monkeypatch.setenv("http_proxy", through.enter_context(proxy.running()))
    assert "broke off. 0.4 MB are kept for the next run" in bench.refusal()
    bench.download()
    assert bench.storage.requests[-1].sent == len(bench.body) - 4 * PASSED_ON


@pytest.mark.parametrize(
    ("direct", "words"),
    [
        (False, "sends a file of 100000 bytes, 127.0.0.1:"),  # and the size that the host announced
        (True, "not a readable parquet file"),  # a plain server's word is not known to be another's
    ],
    ids=["redirect", "direct"],
)
def test_a_part_that_is_said_to_be_all_is_found_out(
    bench: Bench, through: contextlib.ExitStack, monkeypatch: pytest.MonkeyPatch, direct: bool, words: str
) -> None:
    bench.origin.direct = direct
    proxy = Proxy(cuts=1000, lies=True)
    monkeypatch.setenv("http_proxy", through.enter_context(proxy.running()))
    assert words in bench.refusal()
    assert bench.names() == []
    proxy.cuts = 0
    bench.download()
