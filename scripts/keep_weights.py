r"""Take the weights that a training run kept after an intermediate step.

In:  the folder of a finished model, the folder of its checkpoints.
Out: model.safetensors and model.json, as they were after a step.

    python scripts/keep_weights.py --model results/demo/bpe/tiny --checkpoints checkpoints/demo/bpe/tiny --step 50 \
        --output results/demo/bpe/tiny/steps/50
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from nanosnake.files import NanosnakeError, hard_link
from nanosnake.stages import Stage, main
from nanosnake.training.recipe import FINISHED, KEPT, Recipe


@dataclass(frozen=True, kw_only=True)
class KeepWeights(Stage):
    """Take the weights of one step."""

    model: Path
    """Folder of the finished model."""
    checkpoints: Path
    """Folder of its checkpoints."""
    step: int
    """Steps after which the weights were kept."""
    output: Path
    """Folder to write."""

    def run(self) -> str | None:
        recipe = Recipe.of_result(self.model)
        for folder in sorted(self.checkpoints.glob(f"*/{FINISHED}/{KEPT}/{self.step}")):
            if recipe is not None and Recipe.of_result(folder.parents[1]) == recipe:
                for name in ("model.safetensors", "model.json"):
                    hard_link(folder / name, self.output / name)
                    os.utime(self.output / name)  # no older than the model, after which it is taken
                return f"{self.output}: the weights after {self.step:,} steps"
        raise NanosnakeError(
            f"{self.checkpoints}: holds no weights of step {self.step} of {self.model}; retrain it with "
            "--forcerun train_model"
        )


if __name__ == "__main__":
    main(KeepWeights)
