"""The Llama-shaped model learns in the same trainer, goes on as if uninterrupted, and has the loss it should."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from nanosnake.files import NanosnakeError
from nanosnake.training.config import ModelConfig, TrainOptions
from nanosnake.training.distributed import Ranks
from nanosnake.training.head import head_loss
from nanosnake.training.trainer import Files, Trainer

MakeFiles = Callable[[str], Files]


@pytest.fixture(params=[False, True], ids=["untied", "tied"])
def llama(request: pytest.FixtureRequest) -> ModelConfig:
    return ModelConfig.from_depth(
        2, 258, 64, aspect_ratio=32, head_dim=32, architecture="llama", tied_head=request.param
    )


def test_it_learns_and_goes_on(
    llama: ModelConfig, options: TrainOptions, files: MakeFiles, ranks: Ranks
) -> None:
    longer = replace(options, steps=40, checkpoint_every=10)
    whole = Trainer(llama, longer, files("whole"), ranks)
    assert whole.run()["bits_per_byte"] < 2.0
    cut = Trainer(llama, longer, files("cut"), ranks)
    while cut.step < 10:
        cut.train_step()
    cut.save()
    cut.loader.close()
    resumed = Trainer(llama, longer, files("cut"), ranks)
    resumed.run()
    again = dict(resumed.model.named_parameters())
    for name, parameter in whole.model.named_parameters():
        assert torch.equal(parameter, again[name]), name
    assert ("head" in again) is not llama.tied_head


def test_loss_without_softcap() -> None:
    draw = torch.Generator().manual_seed(0)
    x, head = torch.randn(50, 8, generator=draw), torch.randn(128, 8, generator=draw) * 20
    targets = torch.randint(-1, 100, (50,), generator=draw)
    gradients = []
    for ours in (True, False):
        x_, head_ = (t.clone().requires_grad_() for t in (x, head))
        if ours:
            loss = head_loss(x_, head_, targets, scale=0.5, vocab_size=100, softcap=0.0)
        else:
            logits = (x_ @ head_.t())[:, :100]
            loss = 0.5 * F.cross_entropy(logits, targets, ignore_index=-1, reduction="sum")
        loss.backward()
        gradients.append((loss.detach(), x_.grad, head_.grad))
    for ours_, wanted in zip(*gradients, strict=True):
        torch.testing.assert_close(ours_, wanted, rtol=1e-4, atol=1e-4)


def test_what_a_llama_does_not_have() -> None:
    with pytest.raises(NanosnakeError, match="a llama has no windows"):
        ModelConfig.from_depth(2, 258, 64, architecture="llama", window_pattern="SL")
    with pytest.raises(NanosnakeError, match="tied_head is for llama"):
        ModelConfig.from_depth(2, 258, 64, tied_head=True)
