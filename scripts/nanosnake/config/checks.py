"""The `checks` section: a mode and thresholds for each check, from the checks' own descriptions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, create_model, model_serializer

from nanosnake.checks import CHECKS
from nanosnake.checks.spec import Check, Threshold
from nanosnake.config.base import MadeModel


class RowModel(MadeModel):
    """Settings of one row: only what was set; the rest is as for all rows."""

    @model_serializer(mode="wrap")
    def _what_was_set(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in handler(self).items() if key in self.model_fields_set}


def _threshold(threshold: Threshold) -> tuple[Any, Any]:
    """Return type and default of the key of a threshold."""
    kind: Any = int if threshold.whole else float
    bounds = Annotated[kind, Field(ge=threshold.least, le=threshold.most)]
    return bounds | None, Field(threshold.default, description=f"{threshold.meaning}; null: no threshold")


def _mode(default: str | None) -> tuple[Any, Any]:
    """Return type and default of the key `mode`."""
    kind: Any = Literal["block", "warn", "off"]
    words = "block: a failure closes the gate; warn: it is only shown; off: not "
    if default is None:
        return kind | None, Field(None, description=f"{words}judged; null: as the check")
    return kind, Field(default, description=f"{words}run")


def _settings(check: Check) -> type[MadeModel]:
    """Return the model of one check's settings."""
    name = "".join(word.capitalize() for word in check.name.split("_")) + "Check"
    fields: dict[str, Any] = {key: _threshold(threshold) for key, threshold in check.thresholds.items()}
    if check.row_thresholds:
        own: dict[str, Any] = {
            key: _threshold(replace(it, default=None)) for key, it in check.row_thresholds.items()
        }
        words = f"Thresholds of one row of the table of {check.title}; those not named are as for all rows."
        row = create_model(f"{name}Row", __base__=RowModel, __doc__=words, mode=_mode(None), **own)
        about = "thresholds and mode of single rows, by the row's name; those not named are as for all rows"
        fields["rows"] = (dict[str, row], Field(default_factory=dict, description=about))  # type: ignore[valid-type]
    return create_model(name, __base__=MadeModel, __doc__=check.meaning, mode=_mode(check.mode), **fields)


def _section() -> type[MadeModel]:
    fields: dict[str, Any] = {}
    for name, check in CHECKS.items():
        settings = _settings(check)
        fields[name] = (settings, Field(settings(), description=check.meaning))
    return create_model(
        "Checks", __base__=MadeModel, __doc__="What each check may do, and when it fails.", **fields
    )


if TYPE_CHECKING:
    Checks = Any  # a type checker cannot see a model that is built at run time
else:
    Checks = _section()
