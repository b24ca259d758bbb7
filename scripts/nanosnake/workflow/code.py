"""A rule's input for the code of its stage: one file with a line for each part that decides the result."""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

from nanosnake import layout
from nanosnake.closures import Closures
from nanosnake.provenance.code import REPOSITORY
from nanosnake.runs.disk import cannot_write
from nanosnake.snakemake_internals import Run, refuse
from nanosnake.stages import Stage


class Code:
    """Returns the file that a rule names; only the planning process writes it, not its jobs.

    A job rereads the rules, perhaps on a host with other packages, which must not outdate anything.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.closures = Closures(Path(os.path.relpath(REPOSITORY)), Path(layout.CODE))

    def __call__(self, kind: type[Stage], module: str = "") -> str:
        """Return the file of a stage, after writing it if something has changed.

        Args:
            module: a module that the stage imports by its name; it may have `PACKAGES` of its own.
        """
        file = self.closures.path(kind.__module__, module)
        if self.run.is_main or not file.exists():
            try:
                own = getattr(import_module(module), "PACKAGES", ()) if module else ()
                self.closures.write(kind.__module__, (*kind.packages, *own), module)
            except OSError as error:
                refuse(cannot_write(error))
        return str(file)

    def of_each(self, kind: type[Stage], module: str, **values: Iterable[str]) -> str:
        """Return the pattern of a stage's files: one for each value of a wildcard in the name of its module."""
        ((wildcard, names),) = values.items()
        for name in names:
            self(kind, module.format(**{wildcard: name}))
        return str(self.closures.path(kind.__module__, module))
