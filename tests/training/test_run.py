"""Whole runs on the CPU: they learn, stop, go on and fail as they should."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from nanosnake.files import NanosnakeError
from nanosnake.training import checkpoint
from nanosnake.training.config import ModelConfig, Stopped, TrainOptions
from nanosnake.training.distributed import Ranks
from nanosnake.training.metrics import read_rows
from nanosnake.training.shards import TokenShards
from nanosnake.training.trainer import Files, NotFinite, Trainer

from .conftest import BOS, write_shard

MakeFiles = Callable[[str], Files]


def test_a_run_learns_and_says_so(
    config: ModelConfig,
    options: TrainOptions,
    files: MakeFiles,
    ranks: Ranks,
    capfd: pytest.CaptureFixture[str],
) -> None:
    trainer = Trainer(
        config,
        replace(options, steps=40, log_every=5, eval_every=20, checkpoint_every=0),
        files("run"),
        ranks,
    )
    figures = trainer.run()
    rows = read_rows(trainer.files.metrics)
    assert figures["bits_per_byte"] < 1.5
    assert rows[-1]["step"] == 40
    assert rows[-1]["loss"] < rows[0]["loss"] - 0.5
    assert rows[-1]["bits_per_byte"] == figures["bits_per_byte"]
    assert {"learning_rate", "tokens_per_second", "data_wait", "gradient_norm"} <= rows[-1].keys()
    assert "step 40/40" in capfd.readouterr().err


def test_resumed_equals_uninterrupted_bit_for_bit(
    config: ModelConfig, options: TrainOptions, files: MakeFiles, ranks: Ranks
) -> None:
    whole = Trainer(config, options, files("whole"), ranks)
    whole.run()
    cut = Trainer(config, options, files("cut"), ranks)
    while cut.step < 3:
        cut.train_step()
    cut.save()
    cut.train_step()  # a step that no checkpoint knows is lost and done again
    cut.loader.close()
    resumed = Trainer(config, options, files("cut"), ranks)
    assert resumed.step == 3
    resumed.run()
    for name, parameter in whole.model.named_parameters():
        assert torch.equal(parameter, dict(resumed.model.named_parameters())[name]), name
    state = resumed.optimizer.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in whole.optimizer.state_dict().items())
    assert whole.loader.position == resumed.loader.position


def test_weights_and_order_have_seeds_of_their_own(
    config: ModelConfig, options: TrainOptions, files: MakeFiles, ranks: Ranks
) -> None:
    def made(name: str, **seeds: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        trainer = Trainer(config, replace(options, **seeds), files(name), ranks)
        weights, tokens = trainer.model.head.detach().clone(), next(iter(trainer.loader.step())).tokens
        trainer.loader.close()
        whole = Trainer(config, replace(options, **seeds), files(name), ranks)
        whole.run()
        return weights, tokens, whole.model.head.detach()

    weights, tokens, trained = made("default", seed=3)
    spelled_out = made("spelled out", seed=3, order_seed=3)
    assert all(map(torch.equal, spelled_out, (weights, tokens, trained)))
    other_order = made("other order", seed=3, order_seed=4)
    assert torch.equal(other_order[0], weights)
    assert not torch.equal(other_order[1], tokens)
    assert not torch.equal(other_order[2], trained)
    other_weights = made("other weights", seed=4, order_seed=3)
    assert not torch.equal(other_weights[0], weights)
    assert torch.equal(other_weights[1], tokens)


def test_a_run_goes_on_in_its_own_order_only(
    config: ModelConfig, options: TrainOptions, files: MakeFiles, ranks: Ranks
) -> None:
    ordered = replace(options, seed=3, order_seed=4)
    whole = Trainer(config, ordered, files("whole"), ranks)
    whole.run()
    cut = Trainer(config, ordered, files("cut"), ranks)
    cut.stop_asked = True
    with pytest.raises(Stopped):
        cut.run()
    with pytest.raises(NanosnakeError, match="the seed of the order was 4, now it is 3"):
        Trainer(config, replace(ordered, order_seed=-1), files("cut"), ranks)
    resumed = Trainer(config, ordered, files("cut"), ranks)
    resumed.run()
    assert torch.equal(whole.model.head, resumed.model.head)
    assert whole.loader.position == resumed.loader.position
    with pytest.raises(NanosnakeError, match="order_seed is -2"):
        replace(options, order_seed=-2)


def test_told_to_stop_it_saves_and_goes_on(
    config: ModelConfig, options: TrainOptions, files: MakeFiles, ranks: Ranks
) -> None:
    trainer = Trainer(config, options, files("run"), ranks)
    trainer.stop_asked = True
    with pytest.raises(Stopped, match="step 1"):
        trainer.run()
    assert Trainer(config, options, files("run"), ranks).run()["steps"] == 6


def test_told_between_two_steps_it_stops_after_the_next(
    config: ModelConfig, options: TrainOptions, files: MakeFiles, ranks: Ranks
) -> None:
    trainer = Trainer(config, options, files("run"), ranks)
    trainer.train_step()
    trainer.stop_asked = True  # as the signal does; the other ranks do not know yet, and go on
    assert not trainer.stopping
    trainer.train_step()
    assert trainer.stopping
    trainer.loader.close()


def test_times_add_up_over_attempts(
    config: ModelConfig, options: TrainOptions, files: MakeFiles, ranks: Ranks
) -> None:
    first = Trainer(config, options, files("run"), ranks)
    first.spent.add(seconds=1000.0, steps=1, waited=500.0)
    first.stop_asked = True
    with pytest.raises(Stopped, match="run the same command again"):
        first.run()
    figures = Trainer(config, options, files("run"), ranks).run()
    assert figures["attempts"] == 2
    assert 1000.0 < figures["seconds"] < 1100.0
    assert 0.4 < figures["data_wait"] < 0.6
    assert figures["tokens_per_second"] < 6 * 8 * 64 / 1000.0


@pytest.mark.parametrize(("minutes", "steps"), [(1e-9, [4, 5, 6]), (60.0, [6])])
def test_checkpoints_by_the_clock(
    config: ModelConfig,
    options: TrainOptions,
    files: MakeFiles,
    ranks: Ranks,
    minutes: float,
    steps: list[int],
) -> None:
    by_clock = replace(options, checkpoint_every=-1, checkpoint_minutes=minutes, checkpoint_keep=3)
    trainer = Trainer(config, by_clock, files("run"), ranks)
    trainer.run()
    found = sorted(trainer.files.checkpoints.glob("step_*"))
    assert [int(folder.name.removeprefix("step_")) for folder in found] == steps


def test_the_first_interrupt_saves_and_the_second_ends_at_once(
    config: ModelConfig, options: TrainOptions, files: MakeFiles, ranks: Ranks
) -> None:
    trainer = Trainer(config, options, files("run"), ranks)
    step = trainer.train_step

    def interrupted() -> dict[str, float]:
        os.kill(os.getpid(), signal.SIGINT)
        return step()

    trainer.train_step = interrupted  # type: ignore[method-assign]
    with pytest.raises(Stopped, match="checkpoint of step 1"):
        trainer.run()
    again = Trainer(config, options, files("run"), ranks)
    assert again.step == 1

    def twice() -> dict[str, float]:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        return step()

    again.train_step = twice  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        again.run()


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_what_is_not_finite_stops_the_run_and_no_checkpoint_holds_it(
    config: ModelConfig, options: TrainOptions, files: MakeFiles, ranks: Ranks, where: str
) -> None:
    trainer = Trainer(config, options, files("run"), ranks)
    trainer.train_step()
    trainer.train_step()
    trainer.save()
    if where == "loss":
        with torch.no_grad():
            trainer.model.up[0, 0, 0] = float("nan")
            trainer.model.down[0, 0, 0] = 1.0
    else:
        trainer.model.out.register_hook(lambda g: g * float("inf"))
    with pytest.raises(NotFinite, match=r"step 3: loss .* rows \d+ .* epoch 0"):
        trainer.run()
    assert trainer.step == 2
    found, faults = checkpoint.load_newest(trainer.files.checkpoints)
    assert found is not None
    assert found.step == 2
    assert all(bool(weights.isfinite().all()) for weights in found.model.values())
    assert not faults


def test_an_update_that_ruins_the_weights_is_told_by_the_next_evaluation(
    config: ModelConfig, options: TrainOptions, files: MakeFiles, ranks: Ranks
) -> None:
    # the loss of the last step is that before its update, and no step comes after it
    trainer = Trainer(config, replace(options, steps=1), files("run"), ranks)
    step = trainer.optimizer.step

    def too_far(*rates: float) -> None:
        step(*rates)
        trainer.model.head.data.fill_(float("inf"))

    trainer.optimizer.step = too_far  # type: ignore[method-assign]
    with pytest.raises(NotFinite, match=r"step 1: the validation loss is nan.*; lower the learning rates"):
        trainer.run()
    assert checkpoint.load_newest(trainer.files.checkpoints) == (None, [])


@pytest.mark.parametrize("step", [0, 4])
def test_a_step_that_is_not_of_the_run_cannot_be_kept(
    config: ModelConfig, options: TrainOptions, files: MakeFiles, ranks: Ranks, step: int
) -> None:
    with pytest.raises(NanosnakeError, match=f"keep names step {step}, but the run has 1 to 3"):
        Trainer(config, replace(options, steps=3), files("run"), ranks, keep=[2, step])


def test_a_loss_is_the_mean_over_its_targets_also_where_rows_have_room_left(
    config: ModelConfig, options: TrainOptions, files: MakeFiles, ranks: Ranks, tmp_path: Path
) -> None:
    write_shard(tmp_path / "short.ds", [[BOS, *b"the cat sat"]])  # in rows of 64
    short = replace(files("run"), train=TokenShards([tmp_path]))
    trainer = Trainer(config, replace(options, matrix_lr=0.0, head_lr=0.0), short, ranks)
    assert trainer.train_step()["loss"] == pytest.approx(np.log(258), rel=0.01)
    trainer.loader.close()
