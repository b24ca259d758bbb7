"""What holds for all tests."""

from __future__ import annotations

import os
import signal

import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a shell's background job, nohup: what the tests start would ignore the Ctrl-C that they send it
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that take minutes, unless `-m` names them: as an option it would end at any other `-m`."""
    if "nightly" in config.option.markexpr:
        return
    long = [item for item in items if item.get_closest_marker("nightly")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]


# a copy of the project that a test runs in uses its own library: the logger is imported before its Snakefile is read
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, ("scripts", os.environ.get("PYTHONPATH"))))
