"""What the compiler is told about our models."""

from __future__ import annotations

from typing import Any


def options() -> dict[str, Any]:
    """Return the options of `torch.compile` for a model on a GPU."""
    import torch._inductor.config as inductor

    # Round where the model says so: if values stay in float32 inside fused kernels and are rounded only on their way
    # to memory, training starts worse (docs/experiments.md).
    chosen: dict[str, Any] = {"emulate_precision_casts": True}
    if hasattr(inductor, "inductor_choices_class"):
        chosen["inductor_choices_class"] = choices
    return chosen


def choices() -> Any:
    """Return the compiler's heuristics, but with sums over a head's channels in one pass.

    It loops over them where the kernel also exchanges the halves of a head, as rotation does, and then reads the
    queries twice: 1.42 ms instead of 0.85 at depth 12 (docs/experiments.md).
    """
    from torch._inductor.choices import InductorChoices
    from torch._inductor.virtualized import V

    class Choices(InductorChoices):
        @staticmethod
        def should_use_persistent_reduction(features: Any, cooperative_reduction: bool) -> bool:
            narrow: bool = V.graph.sizevars.statically_known_leq(features.reduction_numel, 256)
            if narrow and not cooperative_reduction:
                return True
            return InductorChoices.should_use_persistent_reduction(features, cooperative_reduction)

        def uuid(self) -> str:
            """Name these heuristics in the key of the compiler's cache."""
            return "nanosnake: one pass up to 256"

    return Choices()
