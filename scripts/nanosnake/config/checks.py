"""The `checks` section: a mode and thresholds for each check, from the checks' own descriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, create_model

from nanosnake.checks.spec import CHECKS, CheckSpec, Threshold
from nanosnake.config.base import MadeModel


def _threshold(threshold: Threshold) -> tuple[Any, Any]:
    """Return type and default of the key of a threshold."""
    kind: Any = int if threshold.whole else float
    bounds = Annotated[kind, Field(ge=threshold.least, le=threshold.most)]
    return bounds | None, Field(threshold.default, description=f"{threshold.meaning}; null: not judged")


def _settings(spec: CheckSpec) -> type[MadeModel]:
    """Return the model of one check's settings."""
    fields: dict[str, Any] = {name: _threshold(threshold) for name, threshold in spec.thresholds.items()}
    mode: Any = (
        Literal["block", "warn", "off"],
        Field(
            spec.default_mode, description="block: a failure closes the gate; warn: it is shown; off: not run"
        ),
    )
    name = "".join(word.capitalize() for word in spec.name.split("_")) + "Check"
    return create_model(name, __base__=MadeModel, __doc__=spec.meaning, mode=mode, **fields)


def _section() -> type[MadeModel]:
    fields: dict[str, Any] = {}
    for name, spec in CHECKS.items():
        settings = _settings(spec)
        fields[name] = (settings, Field(settings(), description=spec.meaning))
    return create_model(
        "Checks", __base__=MadeModel, __doc__="What each check may do, and when it fails.", **fields
    )


if TYPE_CHECKING:
    Checks = Any  # a type checker cannot see a model that is made at run time
else:
    Checks = _section()
