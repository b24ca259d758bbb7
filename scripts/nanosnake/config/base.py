"""What all models of the configuration share."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from nanosnake.naming import SAFE_NAME
from nanosnake.provenance.code import REPOSITORY

GONE = {
    "fp8": "was removed: models train in bf16",
    "tensorboard": "was removed: `nanosnake track` shows the metrics of a run",
    "tokenizers": "pages that compare tokenizers are under `tokenizer_comparisons` now",
}
"""Keys of older versions that are no longer known, and what to do instead."""


@dataclass(frozen=True)
class Unknown:
    """What stands under a key that a section does not have."""

    key: Any
    value: Any
    known: Sequence[str]
    inside: str | None
    """The same key of a section below, as `options.steps`."""

    def __str__(self) -> str:
        hint = f" (did you mean {self.inside!r}?)" if self.inside else nearest(self.key, self.known)
        hint = f" ({GONE[self.key]})" if self.key in GONE else hint
        return f"unknown key{hint}; allowed: {listed(self.known)}"


class Model(BaseModel):
    """Unknown keys are refused, and nothing is converted silently: "4096" is not an integer."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True, serialize_by_alias=True
    )

    @model_validator(mode="before")
    @classmethod
    def _unknown_keys_are_marked(cls, data: Any) -> Any:
        """Mark what stands under an unknown key with the allowed ones, which pydantic's own message does not name."""
        known = [field.alias or name for name, field in cls.model_fields.items()]
        if not isinstance(data, dict) or data.keys() <= set(known):
            return data
        return {
            str(key): data[key] if key in known else Unknown(key, data[key], known, cls._below(key))
            for key in data
        }

    @classmethod
    def _below(cls, key: Any) -> str | None:
        """Return where a section of this one has a key, as `options.steps`; None if none has it."""
        for name, field in cls.model_fields.items():
            union = get_origin(field.annotation) in (Union, UnionType)
            for kind in get_args(field.annotation) if union else (field.annotation,):
                if isinstance(kind, type) and issubclass(kind, Model) and key in kind.model_fields:
                    return f"{name}.{key}"
        return None


class MadeModel(Model):
    """A model that is built at run time, so there is no source to read its keys' docstrings from.

    Its numbers are those of a training, none of which can be infinite.
    """

    model_config = ConfigDict(use_attribute_docstrings=False, allow_inf_nan=False)


def check_name(value: str) -> str:
    """Return a name that is safe as a folder.

    Raises:
        ValueError: if it could leave the results folder or be read as something else.
    """
    if not SAFE_NAME.fullmatch(value):
        raise ValueError(
            "a name becomes a folder: use letters, digits, '.', '_' and '-', beginning with a letter or digit"
        )
    return value


Name = Annotated[str, AfterValidator(check_name)]


def find_path(value: str) -> str:
    """Return a path with `~` expanded; a path in our own `resources/` works from any working directory.

    Raises:
        ValueError: if it begins with the home folder of a user that this host does not know.
    """
    try:
        path = Path(value).expanduser()
    except RuntimeError:
        raise ValueError(
            f"no home folder is known for {Path(value).parts[0]}; write the path in full"
        ) from None
    ours = REPOSITORY / path
    if path.parts[:1] == ("resources",) and not path.exists() and ours.exists():
        return os.path.relpath(ours)
    return os.path.expanduser(value)  # noqa: PTH111 (a trailing slash or a leading ./ stays)


FilePath = Annotated[str, Field(min_length=1), AfterValidator(find_path)]
"""A file or folder, relative to the working directory."""


def wrong(key: object, value: object, message: str) -> PydanticCustomError:
    """Return an error about one key, for a validator that sees the whole model."""
    return PydanticCustomError(
        "wrong_key", "{message}", {"key": str(key), "value": value, "message": message}
    )


def listed(names: Iterable[object]) -> str:
    """Return names for a message, sorted and separated by commas."""
    return ", ".join(sorted(map(str, names)))


def nearest(word: object, known: Iterable[object]) -> str:
    """Return " (did you mean 'x'?)" if a known name is close to `word`, else an empty string."""
    found = difflib.get_close_matches(str(word), [str(name) for name in known], n=1)
    return f" (did you mean {found[0]!r}?)" if found else ""


def unknown(kind: str, name: object, known: Iterable[object]) -> str:
    """Return the message for a name that is not defined."""
    known = list(known)
    return f"no {kind} is named {name!r}; defined: {listed(known) or 'none'}{nearest(name, known)}"
