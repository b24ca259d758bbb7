"""What decides a model: the given options and the data; and the same of the existing model.

An option counts as changed if it was given, now or when the model was trained, and its value differs. So a new option
at its default is not a change, and neither is a new default, which is a change of code.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from nanosnake.closures import differences
from nanosnake.files import NanosnakeError, read_json
from nanosnake.training.config import Shape, TrainOptions, resolved

RESULTS = ("model.safetensors", "model.json", "metrics.jsonl", "training.json")
"""Files of a finished model."""

NOT_DECISIVE = {"checkpoint_minutes", "checkpoint_every", "checkpoint_keep", "log_every"}
"""Options that change neither the model nor its figures."""

DECISIVE = (
    *(
        field.name
        for kind in (Shape, TrainOptions)
        for field in dataclasses.fields(kind)
        if field.name not in NOT_DECISIVE
    ),
    "keep",
)

FINISHED = "finished"
"""Folder of the files of a finished model, next to those of its checkpoints."""

KEPT = "steps"
"""Folder of the weights kept after intermediate steps, next to those of the finished model: one for each step."""

Digests = tuple[tuple[str, str], ...]
"""Names and digests, in order."""

FORCED = "NANOSNAKE_TRAIN_AGAIN"
"""Environment variable with the folders of the models to retrain although nothing has changed."""


def sized(vocabulary: Digests, tokens: int) -> Digests:
    """Return the digest of a vocabulary's ranks with its size, which special tokens change too."""
    return (vocabulary[0], ("tokens", str(tokens)))


def name_of(folder: Path) -> str:
    """Return the name of the model in a folder; NAME@STEP for weights kept after an intermediate step."""
    return f"{folder.parents[1].name}@{folder.name}" if folder.parent.name == KEPT else folder.name


@dataclass(frozen=True)
class Recipe:
    """What a model is, or was, made from."""

    options: Mapping[str, Any]
    """Decisive options with every default."""
    given: frozenset[str]
    """Names of those that were given."""
    data: Mapping[str, Digests]
    """Names and digests of the token shards of each split, in order, and of the vocabulary."""
    code: Mapping[str, str]
    """What decides the trainer's result, with the state of each part."""

    @classmethod
    def of_result(cls, folder: Path) -> Self | None:
        """Return the recipe of the finished model in a folder; None if there is none, or nothing is known about it."""
        try:
            summary = read_json(folder / "training.json")
            said = summary["recipe"]
            data = {
                part: tuple((name, digest) for name, digest in pairs) for part, pairs in said["data"].items()
            }
            if "vocabulary" in data:  # earlier versions have recorded the size with the model alone
                data["vocabulary"] = sized(data["vocabulary"], summary["model"]["vocab_size"])
            return cls(said["options"], frozenset(said["given"]), data, said["code"])
        except (OSError, NanosnakeError, KeyError, TypeError, ValueError):
            return None

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {**dataclasses.asdict(self), "given": sorted(self.given)}

    @property
    def key(self) -> str:
        """The name of the folder of a model's checkpoints, which depends on options and data."""
        data = {part: [digest for _, digest in pairs] for part, pairs in self.data.items()}
        said = json.dumps([resolved(self.options), data], sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()[:16]

    @property
    def code_key(self) -> str:
        """The name of the folder of the checkpoints of one version of the trainer."""
        return hashlib.sha256(json.dumps(self.code, sort_keys=True).encode()).hexdigest()[:16]

    def changed_options(self, then: Self) -> list[str]:
        """Describe what changed since another recipe: `steps from 3 to 4`."""
        now, before = resolved(self.options), resolved(then.options)
        return [
            f"{name} from {before.get(name, 'nothing')} to {value}"
            for name, value in now.items()
            if name in self.given | (then.given & before.keys()) and not _has(before.get(name), name, value)
        ]

    def changed_data(self, then: Self) -> list[str]:
        """Describe which data differ from another recipe's."""
        found = []
        for part in sorted(self.data.keys() | then.data.keys()):
            now, before = self.data.get(part, ()), then.data.get(part, ())
            if [digest for _, digest in now] == [digest for _, digest in before]:
                continue
            names = sorted({name for name, _ in {*now} ^ {*before}})
            found.append(f"{part}: {in_few_words(names) or 'another order'}")
        return found

    def is_made(self, then: Self, *, follow_code: bool) -> bool:
        """Return whether a model made by another recipe is the one that this recipe would make."""
        if self.changed_options(then) or self.changed_data(then):
            return False
        return not follow_code or self.code == then.code


def _has(then: Any, name: str, now: Any) -> bool:
    """Return whether a model made with one value of an option is also that of another: it may have kept more steps."""
    return set(now) <= set(then or ()) if name == "keep" else then == now


def older_code(folder: Path, code: Mapping[str, str]) -> str | None:
    """Describe what changed in the trainer's code since the model in a folder was trained; None if nothing.

    Args:
        folder: the folder of a finished model.
        code: what decides the trainer's result now.
    """
    then = Recipe.of_result(folder)
    if then is None or not (parts := differences(then.code, code)):
        return None
    short = (part.removeprefix("scripts/").removeprefix("nanosnake/") for part in parts)
    return f"trained by older code ({in_few_words(short)})"


def in_few_words(names: Iterable[str], most: int = 3) -> str:
    """Return names in one line: the first few, and how many more there are."""
    names = list(names)
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
