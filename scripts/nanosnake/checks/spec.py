"""What defines a check: its name, its purpose, what it needs, and its thresholds. Imports nothing heavy."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from nanosnake.files import NanosnakeError

if TYPE_CHECKING:
    from nanosnake.checks.material import Subject
    from nanosnake.checks.verdict import Findings

MODES = ("block", "warn", "off")
"""block: a failure closes the gate; warn: it is only shown; off: the check does not run."""

Need = Literal["samples", "baselines", "counts", "units", "parts", "parallel"]
"""What a check looks at besides the tokenizer and the texts: sampled documents, the baselines, the summed counts of
the training text, the counts of each shard, those of each part of a mixture, parallel text."""


@dataclass(frozen=True)
class Threshold:
    """One number that a check compares a figure with.

    Attributes:
        default: the value if the configuration has none; None: this figure is not judged.
        meaning: one phrase for people.
        least, most: the range that makes sense, None for no upper limit.
        whole: whether only whole numbers make sense.
        each: whether a row of the check's table may have its own value.
    """

    default: float | None
    meaning: str
    least: float = 0
    most: float | None = None
    whole: bool = False
    each: bool = False

    def problem(self, value: object) -> str | None:
        """Return what is wrong with a value for this threshold, or None."""
        if value is None:
            return None
        kind = "a whole number" if self.whole else "a number"
        span = f"at least {self.least:g}" if self.most is None else f"from {self.least:g} to {self.most:g}"
        wanted = f"{kind} {span}, or null for no threshold"
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return f"is not a number; {wanted}"
        if self.whole and value != int(value):
            return f"is not whole; {wanted}"
        if not value >= self.least or (self.most is not None and value > self.most):
            return f"is out of range; {wanted}"
        return None


class Limits(dict[str, float | None]):
    """The thresholds of a check by name, defaults filled in; `rows` holds those of single rows of its table."""

    def __init__(
        self, values: Mapping[str, float | None], rows: Mapping[str, Mapping[str, Any]] | None = None
    ) -> None:
        super().__init__(values)
        self.rows = {row: dict(given) for row, given in (rows or {}).items()}

    def of(self, row: str, name: str, otherwise: str | None = None) -> float | None:
        """Return the threshold `name` of a row, or that of all rows (`otherwise`) if the row has none."""
        given = self.rows.get(row, {})
        found: float | None = given[name] if name in given else self[otherwise or name]
        return found

    def mode(self, row: str) -> str | None:
        """Return the mode of this row; None: the check's."""
        found: str | None = self.rows.get(row, {}).get("mode")
        return found


Run = Callable[["Subject", Limits], "Findings"]


@dataclass(frozen=True)
class Check:
    """A check: its description for configuration, rules and report, and the function that runs it.

    Attributes:
        title: its heading.
        meaning: what it finds out, in one phrase.
        mode: `block` or `warn`, unless the configuration says otherwise.
        good_for: what its figures can be used for, in one sentence.
        not_for: what they do not show, in one sentence.
        needs: what it looks at besides the tokenizer and the texts.
        thresholds: by name.
        terms: the field's words in its figures, each defined in one sentence with its source.
        name: as in the configuration: the module's name.
    """

    run: Run
    title: str
    meaning: str
    mode: str
    good_for: str
    not_for: str
    needs: frozenset[Need] = frozenset()
    thresholds: Mapping[str, Threshold] = field(default_factory=dict)
    terms: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The check's name, as in the configuration: that of its module."""
        return self.run.__module__.rpartition(".")[2]

    @property
    def row_thresholds(self) -> dict[str, Threshold]:
        """The thresholds that a single row of the table may have."""
        return {name: threshold for name, threshold in self.thresholds.items() if threshold.each}

    def limits(self, given: Mapping[str, Any]) -> Limits:
        """Return the thresholds of a configuration, completed with the defaults.

        Raises:
            NanosnakeError: for an unknown threshold or a value out of range.
        """
        given = dict(given)
        rows: Mapping[str, Mapping[str, Any]] = given.pop("rows", {}) if self.row_thresholds else {}
        where = f"checks.{self.name}"
        self._judge(where, given, self.thresholds)
        for row, settings in rows.items():
            wanted = {key: value for key, value in settings.items() if key != "mode"}
            self._judge(f"{where}.rows.{row}", wanted, self.row_thresholds)
            if settings.get("mode") not in (None, *MODES):
                raise NanosnakeError(
                    f"{where}.rows.{row}.mode: {settings['mode']!r} is unknown; allowed: {', '.join(MODES)}"
                )
        values = {key: given.get(key, threshold.default) for key, threshold in self.thresholds.items()}
        return Limits(values, rows)

    def _judge(self, where: str, given: Mapping[str, Any], allowed: Mapping[str, Threshold]) -> None:
        for key, value in given.items():
            if key not in allowed:
                known = ", ".join(allowed) or "none"
                raise NanosnakeError(f"{where}.{key}: unknown threshold; allowed: {known}")
            if problem := allowed[key].problem(value):
                raise NanosnakeError(f"{where}.{key}: {value!r} {problem}")


def declare(
    *,
    title: str,
    meaning: str,
    mode: str,
    good_for: str,
    not_for: str,
    needs: tuple[Need, ...] = (),
    thresholds: Mapping[str, Threshold] | None = None,
    terms: Mapping[str, str] | None = None,
) -> Callable[[Run], Check]:
    """Return a decorator that makes a check of a module's function; the attributes are those of Check."""

    def made(run: Run) -> Check:
        return Check(
            run, title, meaning, mode, good_for, not_for, frozenset(needs), thresholds or {}, terms or {}
        )

    return made
