"""What the compiler is told about our models."""

from __future__ import annotations

import inspect
from typing import Any

ONE_PASS = 256
"""Numbers up to which a sum is done in one pass."""
TESTED = ("features", "cooperative_reduction")
"""Parameters of the compiler's heuristic for sums, in PyTorch 2.11 and 2.15."""


def options() -> dict[str, Any]:
    """Return the options of `torch.compile` for a model on a GPU."""
    # Round where the model says so: if values stay in float32 inside fused kernels and are rounded only on their way
    # to memory, training starts worse (docs/experiments.md).
    chosen: dict[str, Any] = {"emulate_precision_casts": True}
    if has_tested_heuristic():
        chosen["inductor_choices_class"] = heuristics
    return chosen


def has_tested_heuristic() -> bool:
    """Return whether the compiler has the heuristic that we change, and the setting for it."""
    import torch._inductor.config as inductor
    from torch._inductor.choices import InductorChoices

    method = getattr(InductorChoices, "should_use_persistent_reduction", None)
    known = method is not None and tuple(inspect.signature(method).parameters) == TESTED
    return known and hasattr(inductor, "inductor_choices_class")


def heuristics() -> Any:
    """Return the compiler's heuristics, but with sums over a head's channels in one pass.

    It loops over them where the kernel also exchanges the halves of a head, as rotation does, and so reads the queries
    twice: 1.42 ms instead of 0.85 at depth 12 (docs/experiments.md).
    """
    from torch._inductor.choices import InductorChoices
    from torch._inductor.virtualized import V

    class Heuristics(InductorChoices):
        @staticmethod
        def should_use_persistent_reduction(features: Any, cooperative_reduction: bool) -> bool:
            usual = InductorChoices.should_use_persistent_reduction(features, cooperative_reduction)
            few: bool = V.graph.sizevars.statically_known_leq(features.reduction_numel, ONE_PASS)
            return usual or (few and not cooperative_reduction)

        def uuid(self) -> str:
            """Name these heuristics in the key of the compiler's cache."""
            return f"nanosnake: sums of {ONE_PASS} in one pass"

    return Heuristics()
