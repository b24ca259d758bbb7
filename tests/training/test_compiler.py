"""The compiler's heuristics, as we change them, in the installed PyTorch."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import sympy  # type: ignore[import-untyped]
import torch
from torch._inductor.choices import InductorChoices
from torch._inductor.runtime.hints import ReductionHint
from torch._inductor.sizevars import SizeVarAllocator
from torch._inductor.virtualized import V

from nanosnake.training.kernels import compiler


def test_sums_over_a_head_are_done_in_one_pass_in_any_order() -> None:
    heuristics = compiler.options()["inductor_choices_class"]()

    def in_one_pass(number: int, cooperative: bool = False) -> bool:
        features: Any = SimpleNamespace(
            reduction_numel=sympy.Integer(number),
            numel=sympy.Integer(1 << 20),
            get_reduction_hint=lambda: ReductionHint.DEFAULT,
            strict_reduction_rblock=lambda: None,
        )
        graph: Any = SimpleNamespace(sizevars=SizeVarAllocator())
        with V.set_graph_handler(graph):
            ours = heuristics.should_use_persistent_reduction(features, cooperative)
            usual = InductorChoices.should_use_persistent_reduction(features, cooperative)
        assert ours or not usual
        return bool(ours)

    assert in_one_pass(128)
    assert in_one_pass(compiler.ONE_PASS)
    assert not in_one_pass(2 * compiler.ONE_PASS)
    assert not in_one_pass(128, cooperative=True)


def test_a_compiler_with_other_heuristics_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(InductorChoices, "should_use_persistent_reduction", lambda features: False)
    assert compiler.options() == {"emulate_precision_casts": True}


def test_the_compiler_takes_the_options() -> None:
    turned = torch.compile(
        lambda x: torch.nn.functional.rms_norm(x, (8,)).view(-1, 2, 4).flip(-2).flatten(-2),
        dynamic=False,
        options=compiler.options(),
    )
    x = torch.randn(16, 8)
    halves = torch.nn.functional.rms_norm(x, (8,)).chunk(2, dim=1)
    assert torch.allclose(turned(x), torch.cat(halves[::-1], dim=1), atol=1e-6)
