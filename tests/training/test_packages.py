"""Optional packages that are missing, broken or changed: one line each, and the next best way."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from nanosnake.files import NanosnakeError
from nanosnake.training.attention import choose_backend, describe_kernels
from nanosnake.training.kernels import packages
from nanosnake.training.kernels.packages import FLASH_ATTN_4, QUACK


@pytest.fixture(autouse=True)
def hopper(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine that seems to have a Hopper GPU; nothing is remembered from one test to the next."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: (9, 0))
    packages.fault.cache_clear()
    packages.functions.cache_clear()
    yield
    packages.fault.cache_clear()
    packages.functions.cache_clear()


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of packages with another flash-attn-4; the test writes its interface.py."""
    package = tmp_path / "flash_attn/cute"
    package.mkdir(parents=True)
    (tmp_path / "flash_attn/__init__.py").touch()
    (package / "__init__.py").touch()
    record = tmp_path / "flash_attn_4-9.9.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.4\nName: flash-attn-4\nVersion: 9.9\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield package / "interface.py"
    for name in [name for name in sys.modules if name.split(".")[0] == "flash_attn"]:
        del sys.modules[name]


def test_what_is_not_installed_is_named_with_its_group() -> None:
    assert packages.missing() == [
        "flash-attn-4 is not installed; `uv sync --group gpu` brings it",
        "quack-kernels is not installed; `uv sync --group gpu` brings it",
    ]
    assert "uv sync --group gpu" in describe_kernels("varlen", False)
    with pytest.raises(NanosnakeError, match="attention is flash4, but flash-attn-4 is not installed"):
        choose_backend("flash4", torch.device("cuda"))


def test_other_gpus_are_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: (8, 9))
    assert packages.missing() == []
    assert describe_kernels("varlen", False) == "attention by varlen, products by PyTorch"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (
            "import cutlass_that_is_not_there",
            "ModuleNotFoundError: No module named 'cutlass_that_is_not_there'",
        ),
        ("raise RuntimeError('two\\nlines')", "RuntimeError: two)"),
        ("_flash_attn_bwd = None", "AttributeError: module 'flash_attn.cute.interface' has no attribute"),
        ("def _flash_attn_fwd(q): ...\ndef _flash_attn_bwd(q): ...", "TypeError: _flash_attn_fwd takes no"),
    ],
)
def test_a_package_that_does_not_load_is_one_line(install: Path, code: str, words: str) -> None:
    install.write_text(code)
    (line, _) = packages.missing()
    assert line.startswith("flash-attn-4 9.9 is installed but does not load")
    assert words in line
    assert f"installs {FLASH_ATTN_4.tested}" in line
    assert "\n" not in line
    assert choose_backend("auto", torch.device("cuda")) != "flash4"


def test_the_tested_versions_are_the_pinned_ones() -> None:
    pinned = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    for package in (FLASH_ATTN_4, QUACK):
        assert f'"{package.distribution}=={package.tested};' in pinned
