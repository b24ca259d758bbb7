"""What checks there are, what each is for, and which thresholds it knows. Imports nothing heavy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from nanosnake.files import NanosnakeError

MODES = ("block", "warn", "off")
"""block: a failure closes the gate; warn: it is shown and nothing stops; off: the check does not run."""

BASELINE_NAMES = ("gpt2", "cl100k_base", "o200k_base")
"""The vocabularies of GPT-2, GPT-4 and GPT-4o, which every tokenizer is compared with."""


@dataclass(frozen=True)
class Threshold:
    """One number that a check compares a figure with.

    Attributes:
        default: the value where the configuration names none; None: this figure is not judged.
        meaning: one phrase for people.
        least, most: the range that makes sense, None for no upper end.
        whole: whether only whole numbers make sense.
    """

    default: float | None
    meaning: str
    least: float = 0
    most: float | None = None
    whole: bool = False

    def problem(self, value: object) -> str | None:
        """Return what is wrong with a value for this threshold, or None."""
        if value is None:
            return None
        kind = "a whole number" if self.whole else "a number"
        span = f"at least {self.least:g}" if self.most is None else f"from {self.least:g} to {self.most:g}"
        wanted = f"{kind} {span}, or null for no threshold"
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return f"is no number; {wanted}"
        if self.whole and value != int(value):
            return f"is not whole; {wanted}"
        if not value >= self.least or (self.most is not None and value > self.most):
            return f"is out of range; {wanted}"
        return None


@dataclass(frozen=True)
class CheckSpec:
    """A check: its name, what it finds out, its mode where the configuration names none, its thresholds."""

    name: str
    title: str
    meaning: str
    default_mode: str
    thresholds: Mapping[str, Threshold] = field(default_factory=dict)

    def filled(self, given: Mapping[str, float | None]) -> dict[str, float | None]:
        """Return `given` with the defaults where it names nothing.

        Raises:
            NanosnakeError: for an unknown threshold or a value out of range.
        """
        for key, value in given.items():
            if key not in self.thresholds:
                known = ", ".join(self.thresholds) or "none"
                raise NanosnakeError(f"checks.{self.name}.{key}: unknown threshold; allowed: {known}")
            if problem := self.thresholds[key].problem(value):
                raise NanosnakeError(f"checks.{self.name}.{key}: {value!r} {problem}")
        return {key: given.get(key, threshold.default) for key, threshold in self.thresholds.items()}


def _losses() -> dict[str, Threshold]:
    """Return two thresholds for each baseline: on validation documents, and on every text."""
    found = {}
    for name in BASELINE_NAMES:
        found[f"max_loss_{name}"] = Threshold(
            None, f"most tokens that the validation documents may take more than with {name} (0.1: 10% more)"
        )
        found[f"max_text_loss_{name}"] = Threshold(
            None, f"most tokens that any one text may take more than with {name} (0.1: 10% more)"
        )
    return found


_SPECS = (
    CheckSpec(
        "round_trip",
        "Round trip",
        "every text and sampled document decodes to itself, byte for byte, in rustbpe, tiktoken and tokenizers",
        "block",
        {"max_failures": Threshold(0, "most documents that may come back changed", whole=True)},
    ),
    CheckSpec(
        "agreement",
        "Agreement",
        "rustbpe, tiktoken and tokenizers give the same ids for every text and sampled document",
        "block",
        {"max_differences": Threshold(0, "most documents whose ids may differ", whole=True)},
    ),
    CheckSpec(
        "reachability",
        "Reachability",
        "ids have no gap or duplicate, special tokens map both ways, and some text yields every token",
        "block",
        {"max_unreachable": Threshold(0, "most tokens that no text may yield", whole=True)},
    ),
    CheckSpec(
        "compression",
        "Compression",
        "bytes per token and tokens per word, against gpt2, cl100k_base and o200k_base",
        "warn",
        {
            "min_bytes_per_token": Threshold(2.0, "fewest bytes per token on the validation documents"),
            "min_text_bytes_per_token": Threshold(None, "fewest bytes per token on any one text"),
            "max_tokens_per_word": Threshold(None, "most tokens per word on the validation documents"),
            **_losses(),
        },
    ),
    CheckSpec(
        "token_lengths",
        "Token lengths",
        "how many bytes tokens have, in the vocabulary and as they are used",
        "warn",
        {
            "max_longest_token_bytes": Threshold(128, "most bytes of any learned token", least=1, whole=True),
            "min_mean_used_bytes": Threshold(None, "fewest bytes of a token as used on validation documents"),
        },
    ),
    CheckSpec(
        "vocabulary_use",
        "Vocabulary use",
        "the share of learned tokens that sampled documents use",
        "warn",
        {
            "min_share_train": Threshold(
                None, "smallest share of learned tokens in the training sample", most=1
            ),
            "min_share_validation": Threshold(
                None, "smallest share of learned tokens in the validation sample", most=1
            ),
        },
    ),
)

CHECKS: dict[str, CheckSpec] = {spec.name: spec for spec in _SPECS}
"""All checks by name, in the order in which they are shown."""
