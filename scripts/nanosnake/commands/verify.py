"""Re-hash results and compare them with their manifests.

    nanosnake verify                                      every manifest of this project
    nanosnake verify results/demo/bpe4k/manifest.json     one of them
    nanosnake verify --files-only copied/manifest.json    the files beside it, and not what they were made from

The bits per byte of a model are added up again from nats.parquet. Prints a line for each file that differs, and exits with 1 if there is one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from nanosnake import layout
from nanosnake.closures import Closures
from nanosnake.files import NanosnakeError
from nanosnake.messages import Progress, log
from nanosnake.options import Positional
from nanosnake.provenance.code import REPOSITORY
from nanosnake.provenance.verify import verify
from nanosnake.stages import Stage
from nanosnake.training.recipe import older_code


@dataclass(frozen=True, kw_only=True)
class Verify(Stage):
    """Re-hash all results and their inputs, and list the files that differ from their manifest."""

    manifests: Annotated[tuple[Path, ...], Positional] = ()
    """Manifests, or folders that hold one; default: all in results/."""
    files_only: bool = False
    """Leave the inputs out."""
    threads: int = min(8, os.cpu_count() or 1)
    """Files at once."""

    def run(self) -> int:
        code = 0
        trainer = Closures(REPOSITORY, Path(layout.CODE)).of("train_model")
        found = self.manifests or tuple(layout.manifests(Path()))
        if not found:
            raise NanosnakeError("results: holds no manifest.json; run Snakemake first, or name a manifest")
        for path in found:
            path = path / "manifest.json" if path.is_dir() else path
            with Progress(f"hashing {path}", unit="MB", scale=1e6) as progress:
                outcome = verify(path, inputs=not self.files_only, threads=self.threads, say=progress)
            differing = list(evidence_problems(path.parent))
            for problem in (*outcome.problems, *differing):
                print(problem)
            print(f"{path}: {outcome.summary}")
            if note := older_code(path.parent, trainer):
                print(f"{path}: {note}")
            if not outcome.looked_at_inputs and not self.files_only:
                log(f"{path}: is outside its project, so the inputs were not looked at")
            code = code or int(bool(outcome.problems or differing))
        return code


def evidence_problems(folder: Path) -> Iterator[str]:
    """Yield what `nats.parquet` says otherwise than the evaluation of a model; nothing if the folder has none."""
    if all((folder / Path(name).name).is_file() for name in (layout.EVALUATION, layout.NATS)):
        from nanosnake.evaluation import evidence  # pyarrow is heavy

        yield from evidence.problems(folder)
