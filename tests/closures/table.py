"""The table of what an edit of each file outdates: made again by `python tests/closures/table.py`, then reviewed."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
TABLE = Path(__file__).with_name("table.txt")

sys.path.insert(0, str(REPOSITORY / "scripts"))

from nanosnake.checks import NAMES  # noqa: E402
from nanosnake.closures import Closures  # noqa: E402
from nanosnake.closures.plumbing import is_plumbing  # noqa: E402

CRATE_FILES = ("rustbpe/core/src", "rustbpe/python/src")
LOCK = "rustbpe/Cargo.lock"
ITEM = re.compile(
    r"^(?=(?:pub(?:\([^)]*\))? )?(?:fn|struct|enum|trait|impl|const|static|type|unsafe) ?\b)", re.MULTILINE
)


def copy(folder: Path) -> Path:
    """Copy all code to a folder."""
    ignore = shutil.ignore_patterns("__pycache__", "target")
    for name in ("scripts", "rustbpe"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=ignore)
    return folder


def files(root: Path) -> list[str]:
    """Return every file of the library, the scripts and the crate."""
    found = [
        path for name in ("scripts", *CRATE_FILES) for path in (root / name).rglob("*") if path.is_file()
    ]
    return sorted(str(path.relative_to(root)) for path in found if "__pycache__" not in path.parts)


def stages(root: Path) -> list[str]:
    """Return the scripts that decide a result."""
    return [
        path.stem
        for path in sorted((root / "scripts").glob("*.py"))
        if not is_plumbing(f"scripts/{path.name}")
    ]


def closures(found: Closures) -> dict[str, dict[str, str]]:
    """Return the closure of each stage; of each check what it has besides the stage's."""
    all_of = {script: found.of(script) for script in stages(found.repository)}
    for name in NAMES:
        own = found.of("check_tokenizer", module=f"nanosnake.checks.{name}")
        all_of[f"check_tokenizer {name}"] = dict(own.items() - all_of["check_tokenizer"].items())
    return all_of


def again(known: Closures, path: str) -> Closures:
    """Return closures after an edit of one file; what another language says is not read again."""
    found = Closures(known.repository, known.folder)
    found._memory = known._memory
    if path.endswith(".py"):
        found._workspace = known._workspace
    else:
        found._python = known._python
    return found


def edited(path: str, text: str) -> str:
    """Return a file with another meaning."""
    if path.endswith(".py"):
        return text + "\nEDITED = 1\n"
    if not path.endswith(".rs"):
        return text + "\n "
    return ITEM.sub("#[edited]\n", text) if ITEM.search(text) else text.replace("pub use ", "pub use self::")


def outdated(before: dict[str, dict[str, str]], after: dict[str, dict[str, str]]) -> list[str]:
    """Return the stages whose closure is another one."""
    return sorted(script for script in before if before[script] != after[script])


def rows(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Edit each file in turn, and each crate in the lock file; yield what that outdates."""
    known = Closures(root, root)
    before = closures(known)
    for path in files(root):
        yield path, _outdated_by(known, before, path, edited(path, (root / path).read_text(encoding="utf-8")))
    lock = (root / LOCK).read_text(encoding="utf-8")
    for name in sorted(
        {name for closure in before.values() for name in closure if name.startswith("crate ")}
    ):
        crate = name.removeprefix("crate ")
        text = re.sub(rf'(name = "{crate}"\nversion = ")', r"\g<1>9", lock)
        yield name, _outdated_by(known, before, LOCK, text)


def _outdated_by(known: Closures, before: dict[str, dict[str, str]], path: str, text: str) -> list[str]:
    file = known.repository / path
    kept = file.read_text(encoding="utf-8")
    file.write_text(text, encoding="utf-8")
    found = outdated(before, closures(again(known, path)))
    file.write_text(kept, encoding="utf-8")
    return found


def as_text(table: Iterator[tuple[str, list[str]]]) -> str:
    """Return the table: files with what an edit of each outdates; alike ones stand together."""
    groups: dict[str, list[str]] = {}
    for path, scripts in table:
        groups.setdefault(", ".join(scripts) or "nothing", []).append(path)
    parts = ["".join(f"{path}\n" for path in paths) + f"    {scripts}\n" for scripts, paths in groups.items()]
    return "\n".join(parts)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        TABLE.write_text(as_text(rows(copy(Path(folder)))), encoding="utf-8")
