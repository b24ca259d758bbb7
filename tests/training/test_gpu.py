"""On a GPU, by hand: fast kernels against the reference on the CPU, and a short run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from nanosnake.training import head
from nanosnake.training.attention import describe_documents
from nanosnake.training.config import ModelConfig, TrainOptions
from nanosnake.training.distributed import Ranks
from nanosnake.training.head import head_loss
from nanosnake.training.kernels import flash4, fused
from nanosnake.training.linear import mlp
from nanosnake.training.loader import Batch
from nanosnake.training.model import GPT, build_model
from nanosnake.training.trainer import Files, Trainer

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
LENGTH, ROWS, VOCABULARY = 512, 4, 1000


def packed() -> tuple[torch.Tensor, torch.Tensor]:
    """Return (positions, ends) of rows of documents of 5 to 200 tokens."""
    rng = np.random.default_rng(0)
    lengths: list[int] = []
    for _ in range(ROWS):
        left = LENGTH
        while left > 0:
            lengths.append(min(left, int(rng.integers(5, 200))))
            left -= lengths[-1]
    ends = np.full(257, ROWS * LENGTH, np.int32)
    ends[: len(lengths) + 1] = np.cumsum([0, *lengths])
    positions = np.concatenate([np.arange(n) for n in lengths]).astype(np.int32)
    return torch.from_numpy(positions), torch.from_numpy(ends)


def gradients(config: ModelConfig, device: str, backend: str, *, compiled: bool) -> dict[str, torch.Tensor]:
    """Return the stream, the loss and the banks' gradients of one batch, with weights that are the same for
    all."""
    model = build_model(config, torch.device(device), backend=backend)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            scale = 0.02 if parameter.dim() > 1 else 0.3
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * scale)
    tokens, targets = (
        torch.randint(0, VOCABULARY, (ROWS * LENGTH,), generator=generator, dtype=torch.int32).to(device)
        for _ in range(2)
    )
    positions, ends = (t.to(device) for t in packed())
    forward: Callable[..., torch.Tensor] = torch.compile(model, dynamic=False) if compiled else model
    x = forward(tokens, positions, describe_documents(backend, config, positions, ends))
    loss = head_loss(x, model.head, targets, scale=1e-3, vocab_size=VOCABULARY, softcap=15.0)
    loss.backward()  # type: ignore[no-untyped-call]
    found = {"stream": x.detach(), "loss": loss.detach()}
    found |= {name: p.grad for name, p in model.named_parameters() if p.dim() > 1 and p.grad is not None}
    return {name: value.float().cpu() for name, value in found.items()}


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(("backend", "kv_share"), [("varlen", 1), ("varlen", 2), ("flex", 1), ("flash4", 1)])
def test_backends_agree_with_the_reference(backend: str, kv_share: int, compiled: bool) -> None:
    if backend == "flash4" and not flash4.usable():
        pytest.skip("flash-attn-4 is not installed")
    if backend == "flex" and not compiled:
        pytest.skip("FlexAttention is for compiled models")
    config = ModelConfig.from_depth(4, VOCABULARY, LENGTH, kv_share=kv_share)
    wanted = gradients(config, "cpu", "sdpa", compiled=False)
    found = gradients(config, "cuda", backend, compiled=compiled)
    for name, value in wanted.items():
        assert float((found[name] - value).norm() / value.norm()) < 0.03, name


@pytest.mark.parametrize("in_products", [False, True])
def test_the_mlp_agrees_with_the_reference(in_products: bool) -> None:
    if in_products and not fused.usable():
        pytest.skip("quack-kernels is not installed, or the GPU is no Hopper")
    x = torch.nn.functional.rms_norm(torch.randn(640, 256, device="cuda"), (256,)).bfloat16()
    up, down = (torch.randn(shape, device="cuda").bfloat16() * 0.05 for shape in ((1024, 256), (256, 1024)))
    grad = torch.randn(640, 256, device="cuda").bfloat16()
    leaves = [t.requires_grad_() for t in (x, up, down)]
    found = mlp(*leaves, in_products=in_products)
    exact = [t.detach().double().requires_grad_() for t in leaves]
    wanted = (exact[0] @ exact[1].t()).relu().square() @ exact[2].t()
    pairs = [
        (found, wanted),
        *zip(
            torch.autograd.grad(found, leaves, grad),
            torch.autograd.grad(wanted, exact, grad.double()),
            strict=True,
        ),
    ]
    for one, two in pairs:
        assert float((one.double() - two).norm() / two.norm()) < 0.02


def test_the_micro_batch_is_what_fits(
    config: ModelConfig, options: TrainOptions, files: Callable[[str], Files], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []
    backward = Trainer._backward

    def limited(self: Trainer, batch: Batch, scale: float) -> torch.Tensor:
        tried.append(rows := len(batch.tokens) // 64)
        if rows > 2:
            torch.empty(1 << 50, dtype=torch.uint8, device="cuda")
        return backward(self, batch, scale)

    monkeypatch.setattr(Trainer, "_backward", limited)
    shape = ModelConfig(**{**config.to_dict(), "head_dim": 64, "heads": 1, "kv_heads": 1})
    trainer = Trainer(shape, replace(options, micro_batch=0), files("run"), Ranks.start("cuda"))
    assert (tried, trainer.plan.micro_batch) == ([8, 4, 2], 2)
    assert trainer.run()["steps"] == 6


@pytest.mark.parametrize("vocabulary", [5000, 8192])
def test_the_loss_kernel_agrees_with_the_reference(vocabulary: int) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(64, 8192, generator=generator) * 6
    targets = torch.randint(-1, vocabulary, (64,), generator=generator, dtype=torch.int32)
    wanted = head.chunk_loss(logits.clone(), targets, vocabulary, 15.0)
    found = head.chunk_loss(logits.cuda().bfloat16(), targets.cuda(), vocabulary, 15.0)
    for one, two in zip(found, wanted, strict=True):
        assert float((one.float().cpu() - two).norm() / two.norm()) < 0.02


def test_a_run_resumes_with_the_same_loss(
    config: ModelConfig, options: TrainOptions, files: Callable[[str], Files]
) -> None:
    ranks = Ranks.start("cuda")
    options = replace(options, steps=6, checkpoint_every=3)
    shape = ModelConfig(**{**config.to_dict(), "head_dim": 64, "heads": 1, "kv_heads": 1})
    whole = Trainer(shape, options, files("whole"), ranks).run()
    cut = Trainer(shape, options, files("cut"), ranks)
    for _ in range(3):
        cut.train_step()
    cut.save()
    cut.loader.close()
    resumed = Trainer(shape, options, files("cut"), ranks)
    assert resumed.step == 3
    assert isinstance(resumed.model, GPT)
    assert resumed.run()["bits_per_byte"] == pytest.approx(whole["bits_per_byte"], rel=1e-2)
