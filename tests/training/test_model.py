"""The model: shapes, what cannot see what, the loss and its gradient, one batch learnt by heart."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from nanosnake.files import NanosnakeError
from nanosnake.training import linear
from nanosnake.training.attention import choose_backend, describe_documents
from nanosnake.training.config import ModelConfig, TrainOptions
from nanosnake.training.distributed import Ranks
from nanosnake.training.head import head_loss, softcapped, target_nats
from nanosnake.training.kernels import fused
from nanosnake.training.model import GPT, build_model
from nanosnake.training.optimizer import Optimizer, orthogonalize

LENGTH = 64


def randomized(config: ModelConfig) -> GPT:
    """A model in which every parameter matters (training begins with zeros in many places)."""
    model = build_model(config, torch.device("cpu"), backend="sdpa", seed=0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.2, generator=generator)
    return model


def run(model: GPT, tokens: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    documents = describe_documents("sdpa", model.config, positions, None)
    out: torch.Tensor = model(tokens, positions, documents)
    return out


@pytest.mark.parametrize("kv_share", [1, 5])
def test_nothing_sees_the_future_or_another_document(kv_share: int) -> None:
    config = ModelConfig.from_depth(
        3, 300, LENGTH, aspect_ratio=22, head_dim=16, kv_share=kv_share, window_pattern="SL"
    )
    model = randomized(config)
    tokens = torch.randint(
        0, 300, (2 * LENGTH,), generator=torch.Generator().manual_seed(2), dtype=torch.int32
    )
    positions = torch.cat([torch.arange(20), torch.arange(44), torch.arange(64)]).int()
    before = run(model, tokens, positions)
    assert before.shape == (2 * LENGTH, config.width)
    changed = tokens.clone()
    changed[30] = (changed[30] + 1) % 300  # in the second document of the first row
    differs = (run(model, changed, positions) != before).any(dim=1)
    assert not differs[:30].any()
    assert differs[30:LENGTH].all()
    assert not differs[LENGTH:].any()
    changed = tokens.clone()
    changed[19] = (changed[19] + 1) % 300  # the last token of the first document
    differs = (run(model, changed, positions) != before).any(dim=1)
    assert differs.nonzero().flatten().tolist() == [19]


def test_a_short_window_hides_what_is_far() -> None:
    config = ModelConfig.from_depth(2, 300, 512, aspect_ratio=16, head_dim=16, window_pattern="S")
    assert config.windows == [128, 512]
    narrow = ModelConfig(**{**config.to_dict(), "depth": 1, "window_pattern": "L"})
    assert narrow.windows == [512]
    documents = describe_documents("sdpa", config, torch.arange(512), None)
    assert documents.short[0, 0, 200].nonzero().flatten().tolist() == list(range(72, 201))
    assert documents.long[0, 0, 200].nonzero().flatten().tolist() == list(range(201))


def test_a_fused_mlp_is_the_plain_one_and_the_model_one_graph(
    config: ModelConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def relu_square(x: torch.Tensor, w: torch.Tensor, *, out: dict[str, torch.Tensor], tuned: bool) -> None:
        out["D"].copy_((x @ w).relu().square())

    def times_derivative(
        g: torch.Tensor, w: torch.Tensor, c: torch.Tensor, *, out: dict[str, torch.Tensor], tuned: bool
    ) -> None:
        out["D"].copy_(g @ w * 2 * c.sqrt())

    monkeypatch.setattr(fused, "_products", lambda: (relu_square, times_derivative))
    tokens = torch.randint(0, 258, (LENGTH,), generator=torch.Generator().manual_seed(3), dtype=torch.int32)
    positions = torch.arange(LENGTH, dtype=torch.int32)
    found = []
    for wanted in (False, True):
        model = randomized(config)
        model.fused = wanted
        # a break in the graph costs a seventh of the speed, and says nothing
        forward = torch.compile(model, backend="aot_eager", fullgraph=True)
        forward(
            tokens, positions, describe_documents("sdpa", config, positions, None)
        ).square().sum().backward()
        found.append({name: p.grad for name, p in model.named_parameters() if p.grad is not None})
    assert "up" in found[0]
    torch.testing.assert_close(found[1], found[0], rtol=1e-3, atol=1e-4)


def test_a_document_reads_the_same_wherever_it_stands(config: ModelConfig) -> None:
    model = randomized(config)
    tokens = torch.randint(0, 258, (LENGTH,), generator=torch.Generator().manual_seed(3), dtype=torch.int32)
    moved = tokens.roll(24)
    first = run(model, tokens, torch.cat([torch.arange(40), torch.arange(24)]).int())
    second = run(model, moved, torch.cat([torch.arange(24), torch.arange(40)]).int())
    torch.testing.assert_close(first[:40], second[24:], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("vocab_size", [100, 128])
def test_head_loss_is_cross_entropy(vocab_size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nanosnake.training.head.CACHED_ELEMENTS", 128 * 16)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(50, 16, generator=generator, requires_grad=True)
    head = torch.randn(128, 16, generator=generator, requires_grad=True)
    targets = torch.randint(-1, vocab_size, (50,), generator=generator, dtype=torch.int32)
    loss = head_loss(x, head, targets, scale=0.02, vocab_size=vocab_size, softcap=15.0)
    (loss * 3.0).backward()  # type: ignore[no-untyped-call]
    found = x.grad, head.grad
    x.grad = head.grad = None
    logits = softcapped(x @ head.t(), 15.0)[:, :vocab_size]
    wanted = F.cross_entropy(logits, targets.long(), ignore_index=-1, reduction="sum") * 0.02
    (wanted * 3.0).backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(loss, wanted)
    torch.testing.assert_close(found, (x.grad, head.grad), rtol=1e-4, atol=1e-6)
    nats = target_nats((x @ head.t()).detach(), targets, vocab_size, 15.0)
    torch.testing.assert_close(nats.sum() * 0.02, wanted)


def test_one_batch_is_learnt_by_heart(config: ModelConfig, ranks: Ranks) -> None:
    model = build_model(config, torch.device("cpu"), backend="sdpa", seed=0)
    optimizer = Optimizer(model, TrainOptions(), 1.0, ranks)
    tokens = torch.randint(0, 258, (LENGTH,), generator=torch.Generator().manual_seed(4), dtype=torch.int32)
    positions = torch.arange(LENGTH, dtype=torch.int32)
    targets = tokens.roll(-1)
    losses = []
    for _ in range(60):
        x = run(model, tokens, positions)
        loss = head_loss(x, model.head, targets, scale=1 / LENGTH, vocab_size=258, softcap=15.0)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.reduce()
        optimizer.step(1.0, 0.9, 0.0)
        optimizer.zero()
        losses.append(float(loss.detach()))
    assert losses[0] == pytest.approx(5.55, abs=0.05)  # ln 258
    assert losses[-1] < 0.05


def test_orthogonalize_makes_singular_values_near_one() -> None:
    g = torch.randn(3, 24, 64, generator=torch.Generator().manual_seed(0))
    for matrices in (g, g.mT):
        values = torch.linalg.svdvals(orthogonalize(matrices))
        assert 0.85 < float(values.min()) <= float(values.max()) < 1.15


@pytest.mark.parametrize("tokens", [64, 72, 16])
def test_a_weight_gradient_in_pieces_is_that_of_all_tokens(
    tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linear, "PIECE", 16)
    monkeypatch.setattr(linear, "WIDE", 24)
    generator = torch.Generator().manual_seed(0)
    grad, x = (torch.randn(tokens, size, generator=generator) for size in (24, 40))
    torch.testing.assert_close(linear.weight_gradient(grad, x), grad.t() @ x, rtol=1e-4, atol=1e-4)


def test_depth_is_the_one_dial() -> None:
    config = ModelConfig.from_depth(12, 32768, 2048)
    assert (config.width, config.heads, config.short_window) == (768, 6, 512)
    assert config.windows == [512, 512, 512, 2048] * 3
    assert config.matrix_parameters == 12 * (8 * 768 * 768 + 2 * 768 * 768 + 2 * 768 * 256)
    assert ModelConfig.from_dict(config.to_dict()) == config
    assert ModelConfig.from_depth(20, 32768, 2048).width == 1280
    kv_heads = {
        depth: ModelConfig.from_depth(depth, 32768, 2048).kv_heads for depth in (4, 12, 16, 20, 24, 26)
    }
    assert kv_heads == {4: 2, 12: 2, 16: 2, 20: 2, 24: 3, 26: 13}
    with pytest.raises(NanosnakeError, match="6 query heads cannot share key/value heads by 4"):
        ModelConfig.from_depth(12, 32768, 2048, kv_share=4)


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"window_pattern": "SX"}, "letters S and L"), ({"head_dim": 15}, "even"), ({"kv_heads": 5}, "evenly")],
)
def test_impossible_models_are_refused(config: ModelConfig, changes: dict[str, object], words: str) -> None:
    with pytest.raises(NanosnakeError, match=words):
        ModelConfig.from_dict({**config.to_dict(), **changes})


def test_backends_by_device() -> None:
    assert choose_backend("auto", torch.device("cpu")) == "sdpa"
    with pytest.raises(NanosnakeError, match="attention is 'fast'"):
        choose_backend("fast", torch.device("cpu"))
