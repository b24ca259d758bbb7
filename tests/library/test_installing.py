"""`pip install ./rustbpe .`, as the README has it, into an environment of its own, by pip and its resolver."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import venv
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]

SCRIPT = """
import nanosnake, rustbpe
from nanosnake import crate
from nanosnake.tokenizer.folder import load_tiktoken
print(nanosnake.__file__, rustbpe.__file__, crate.foreign(rustbpe), sep="\\n")
print(rustbpe.Encoder([bytes([byte]) for byte in range(256)], pattern="gpt2").encode_batch(["a é"]))
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What git tracks of the repository."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True).stdout
    for name in filter(None, names.decode().split("\0")):
        if (REPOSITORY / name).is_file():
            (tmp_path / "clone" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, tmp_path / "clone" / name)
    return tmp_path / "clone"


@pytest.mark.parametrize(
    "clean", [pytest.param(True, marks=pytest.mark.nightly, id="clean"), pytest.param(False, id="quick")]
)
def test_pip_installs_library_crate_and_command(clean: bool, clone: Path, tmp_path: Path) -> None:
    """The quick one finds what we depend on in this environment, behind its own; the clean one on the index."""
    environment = {key: os.environ[key] for key in os.environ.keys() - {"VIRTUAL_ENV", "PYTHONPATH"}}
    # what cargo has built of other people's crates is not built again
    environment["CARGO_TARGET_DIR"] = str(REPOSITORY / "rustbpe/target")

    def run(*command: str | Path) -> str:
        done = subprocess.run(
            command, cwd=clone, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    own = tmp_path / "own"
    venv.create(own, with_pip=True)
    if not clean:
        (packages,) = own.glob("lib/python*/site-packages")
        (packages / "behind.pth").write_text(sysconfig.get_path("purelib"))
    run(own / "bin/python", "-m", "pip", "install", "./rustbpe", ".")
    library, crate, foreign, ids = run(own / "bin/python", "-c", SCRIPT).splitlines()
    assert Path(library).is_relative_to(own)
    assert Path(crate).is_relative_to(own)
    assert (foreign, ids) == ("None", "[[97, 32, 195, 169]]")
    assert "encode" in run(own / "bin/nanosnake", "--help")
