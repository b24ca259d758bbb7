"""The library is built in floors: a room imports from its own floor or from those below."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

LIBRARY = Path(__file__).parents[2] / "scripts/nanosnake"

FLOORS = (
    {"closures", "crate", "files", "layout", "messages", "naming", "options", "s3", "snakemake_internals"},
    {"process", "provenance", "stages", "tokenizer"},
    {"checks", "evaluation", "sources", "training"},
    {"config", "exports", "ladders", "runs", "slurm"},
    {"console", "publish", "report", "serving", "workflow"},
    {"commands"},
)
"""Rooms and single modules, from the ground up."""

FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

SCRIPTS = {path.stem for path in LIBRARY.parent.glob("*.py")}

FILES = sorted(path for path in LIBRARY.rglob("*.py") if path.name != "__init__.py" or path.parent != LIBRARY)


def room(parts: tuple[str, ...]) -> str:
    """Return the room of a module below the library."""
    return parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Return the modules that a file imports, also inside functions and for type checkers."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_each_room_is_on_a_floor() -> None:
    rooms = {room(path.relative_to(LIBRARY).parts) for path in FILES}
    assert rooms == set(FLOOR), "name the new room in FLOORS, or take the old one out"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_a_room_imports_from_its_own_floor_or_below(path: Path) -> None:
    own = FLOOR[room(path.relative_to(LIBRARY).parts)]
    names = {name.split(".")[1] for name in imports(path) if name.startswith("nanosnake.")}
    above = {name for name in names if FLOOR.get(name, 0) > own}
    assert not above, f"{path.relative_to(LIBRARY)} imports from the floors above it"


def test_snakemake_is_imported_in_one_module() -> None:
    importers = {
        str(path.relative_to(LIBRARY))
        for path in FILES
        if any(name.split(".")[0] == "snakemake" for name in imports(path))
    }
    assert importers == {"snakemake_internals.py"}


def test_scripts_are_imported_by_the_workflow_alone() -> None:
    importers = {
        room(path.relative_to(LIBRARY).parts)
        for path in FILES
        if SCRIPTS & {name.split(".")[0] for name in imports(path)}
    }
    assert importers <= {"workflow"}


def test_reading_the_stages_imports_nothing_heavy() -> None:
    rules = "".join(path.read_text() for path in (LIBRARY.parents[1] / "rules").glob("*.smk"))
    names = ",".join(sorted(set(re.findall(r"^from (\w+) import", rules, re.MULTILINE)) & SCRIPTS))
    heavy = ("altair", "boto3", "numpy", "pandas", "pyarrow", "tiktoken", "tokenizers", "torch")
    program = f"import sys; sys.path.insert(0, {str(LIBRARY.parent)!r}); import {names}; "
    program += f"print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_parquet_footer_is_read_by_the_crate_before_pyarrow() -> None:
    openers = {
        str(path.relative_to(LIBRARY.parent))
        for path in LIBRARY.parent.rglob("*.py")
        if re.search(r"\bpq\.(ParquetFile|ParquetDataset|read_\w+)\(", path.read_text())
    }
    # what an evaluation of ours has written
    ours = {"nanosnake/evaluation/evidence.py"}
    assert openers == {"nanosnake/sources/formats/tables.py"} | ours


def test_looking_for_the_text_of_a_shard_does_not_import_pyarrow() -> None:
    program = f"import sys; sys.path.insert(0, {str(LIBRARY.parent)!r}); import nanosnake.config.models; "
    program += "import nanosnake.sources.parquet; print('pyarrow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
