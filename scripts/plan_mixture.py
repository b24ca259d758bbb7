r"""Plan what a model is trained on: the order of the blocks, each a run of documents of a shard of one part.

In:  the token shards of each part, with the metadata next to them; the tokenizer's folder; the model's shape and
     length.
Out: the plan, JSON. No tokens are rewritten.

    python scripts/plan_mixture.py --parts web korean --shares 9 1 \\
        --train 'results/web/bpe/tokens/train/shard_[00000-00009].ds' results/korean/bpe/tokens/train/a.ds \\
        --tokenizer results/mix/bpe/tokenizer --depth 12 --output results/mix/bpe/d12/plan.json
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nanosnake.stages import Stage, main
from nanosnake.training.config import ModelConfig, Shape, TrainOptions


@dataclass(frozen=True, kw_only=True)
class PlanMixture(Stage, Shape):
    """Plan what a model is trained on."""

    parts: tuple[str, ...]
    """Names of the parts."""
    shares: tuple[float, ...] = ()
    """Share of each part, of the bytes of text; in any unit."""
    temperature: float | None = None
    """Instead of shares: a part's share is its bytes to this power."""
    max_epochs: float | None = None
    """How often a part may be read; if absent, as often as its share requires."""
    train: tuple[str, ...]
    """Token shards of each part, in one word."""
    tokenizer: Path
    """Folder of the tokenizer."""
    steps: int = TrainOptions.steps
    """Steps of the training; 0: from `tokens_per_parameter`."""
    global_batch: int = TrainOptions.global_batch
    """Tokens of a step; 0: from the horizon."""
    tokens_per_parameter: float = TrainOptions.tokens_per_parameter
    """Horizon in tokens over parameters."""
    seed: int = TrainOptions.seed
    """Seed of the order."""
    output: Path
    """Plan to write, JSON."""

    def run(self) -> str | None:
        return plan_mixture(self)


def plan_mixture(options: PlanMixture) -> str:
    """Write the plan and return a line that says what each part's budget is."""
    from nanosnake.training.mixing import Wanted, make_plan, parts_of, write_plan
    from nanosnake.training.schedule import steps_and_rows
    from nanosnake.training.shards import TokenShards
    from nanosnake.training.vocabulary import Vocabulary

    shape = ModelConfig.of_shape(options, len(Vocabulary.load(options.tokenizer)))
    training = TrainOptions(
        steps=options.steps,
        global_batch=options.global_batch,
        tokens_per_parameter=options.tokens_per_parameter,
    )
    steps, rows = steps_and_rows(shape, training)
    given = dict(zip(options.parts, options.shares or (1.0,) * len(options.parts), strict=True))
    wanted = Wanted(steps * rows, shape.sequence_length, options.seed, options.max_epochs)
    plan = make_plan(
        TokenShards(options.train), parts_of(options.parts, options.train), given, options.temperature, wanted
    )
    write_plan(options.output, plan)
    told = (
        f"{part['name']} {part['budget']:,} tokens ({part['epochs']:.2f} epochs)" for part in plan["parts"]
    )
    return f"{options.output}: {len(plan['blocks']):,} blocks: {', '.join(told)}"


if __name__ == "__main__":
    main(PlanMixture)
