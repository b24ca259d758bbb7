"""Re-hash results and compare them with their manifests; judge claims again.

    nanosnake verify                                              every manifest and claim of this project
    nanosnake verify results/demo/bpe-4096/manifest.json          one of them
    nanosnake verify --files-only copied/manifest.json            the files next to it, but not their inputs
    nanosnake verify --documents 20 results/demo/bpe-4096/tiny    also recompute 20 documents on the CPU
    nanosnake verify results/demo/claims/wide_vs_base.json        a claim, from its models' evaluations

A model's bits per byte are recomputed from nats.parquet. With --documents, some documents are run through each model
again, and their nats compared. Claims about ladders are judged again. Prints a line for each difference, and exits with
1 if there is any.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
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
    """Manifests, folders that contain one, and claims; default: all in results/."""
    files_only: bool = False
    """Do not check the inputs."""
    documents: int = field(default=0, metadata={"ge": 0})
    """How many documents of each model to recompute on the CPU, from model, tokenizer and text."""
    threads: int = field(default=min(8, os.cpu_count() or 1), metadata={"ge": 1})
    """Number of files to hash at once."""

    def run(self) -> int:
        code = 0
        found = self.manifests or (*layout.manifests(Path()), *layout.claims(Path()))
        if not found:
            raise NanosnakeError("results: holds no manifest.json; run Snakemake first, or name a manifest")
        for path in found:
            try:
                code = (self.judge if is_claim(path) else self.compare)(path) or code
            except (NanosnakeError, OSError) as error:  # the others are checked nevertheless
                log(f"error: {error}")
                code = 1
        return code

    def compare(self, path: Path) -> int:
        """Print where results differ from their manifest; return 1 if anything does."""
        path = path / "manifest.json" if path.is_dir() else path
        with Progress(f"hashing {path}", unit="MB", scale=1e6) as progress:
            outcome = verify(path, inputs=not self.files_only, threads=self.threads, say=progress)
        for problem in outcome.problems:
            print(problem)
        differing = [*evidence_problems(path.parent), *self.recompute(path.parent)]
        for problem in differing:
            print(f"{path.parent}/{problem}")
        print(f"{path}: {outcome.summary}")
        trainer = Closures(REPOSITORY, Path(layout.CODE)).of("train_model")
        for note in (older_code(path.parent, trainer), other_code(path.parent)):
            if note:
                print(f"{path}: {note}")
        if not outcome.looked_at_inputs and not self.files_only:
            log(f"{path}: is outside its project, so the inputs were not checked")
        return int(bool(outcome.problems or differing))

    def judge(self, path: Path) -> int:
        """Print where a claim is not what follows from its models' evaluations; return 1 if anything differs."""
        from nanosnake.ladders import again  # numpy and pyarrow are heavy

        differing = list(again.problems(path))
        for problem in differing:
            print(problem)
        print(f"{path}: {again.summary(path, differing)}")
        return int(bool(differing))

    def recompute(self, folder: Path) -> Iterator[str]:
        """Yield what differs from the record for some documents of a model, after a line that says by how much."""
        if self.documents and has_evidence(folder):
            from nanosnake.evaluation.recompute import recompute  # torch is heavy

            found = recompute(folder, self.documents)
            print(f"{folder}: {found.summary}")
            yield from found.problems


def is_claim(path: Path) -> bool:
    """Return whether a path is that of a claim about ladders."""
    return path.parent.name == Path(layout.CLAIM).parent.name and path.suffix == ".json"


def evidence_problems(folder: Path) -> Iterator[str]:
    """Yield where a model's `nats.parquet` or `answers.parquet` contradicts its evaluation; nothing if there is none."""
    if has_evidence(folder):
        from nanosnake.evaluation import answers, evidence  # pyarrow is heavy

        yield from evidence.problems(folder)
        if (folder / answers.FILE).is_file():
            yield from answers.problems(folder)


def other_code(folder: Path) -> str | None:
    """Return a note if a model was evaluated by other code than this."""
    if not has_evidence(folder):
        return None
    from nanosnake.evaluation import evidence  # pyarrow is heavy

    return evidence.other_code(folder)


def has_evidence(folder: Path) -> bool:
    """Return whether a folder is a model's, with an evaluation and each document's part in it."""
    return all((folder / Path(name).name).is_file() for name in (layout.EVALUATION, layout.NATS))
