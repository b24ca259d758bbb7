"""Muon for the matrices, AdamW for the rest, with gradients, state and work shared by the ranks.

Each bank of matrices is cut along its first dimension: a rank gets the summed gradient of its part, updates
it, and the parts are gathered. The sum of a gradient starts as soon as the last backward pass has computed it,
and each gathering runs while the next parameter is updated.

Muon here: Nesterov momentum, rows of the gradient set to equal length (arXiv:2603.28254), Polar Express
(arXiv:2505.16932) instead of Newton-Schulz, the norm of an exact orthogonal matrix restored
(arXiv:2602.21545), a per-row or per-column second moment (NorMuon, arXiv:2510.05491), and weight decay only
where it agrees with the update.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from nanosnake.training.config import TrainOptions
from nanosnake.training.distributed import Pending, Ranks, all_gather, all_reduce, part_of, reduce_scatter
from nanosnake.training.model import GPT

# five iterations, made for singular values from 0.02/1.02 up (arXiv:2505.16932)
POLAR_EXPRESS = (
    (8.156554524902461, -22.48329292557795, 15.878769915207462),
    (4.042929935166739, -2.808917465908714, 0.5000178451051316),
    (3.8916678022926607, -2.772484153217685, 0.5060648178503393),
    (3.285753657755655, -2.3681294933425376, 0.46449024233003106),
    (2.3465413258596377, -1.7097828382687081, 0.42323551169305323),
)
SMALL = 4096
"""Parameters with fewer elements are not cut, and their updates not compiled."""


@dataclass(frozen=True)
class Rule:
    """How one parameter is updated."""

    kind: str
    """muon or adamw."""
    lr: float
    """Learning rate on the plateau."""
    matrices: tuple[int, int] | None = None
    """Muon: shape of one matrix; the parameter is seen as [n, rows, columns]."""
    betas: tuple[float, float] = (0.8, 0.95)
    """AdamW: decay of the two moments."""
    weight_decay: float = 0.0
    """AdamW: decoupled weight decay. Muon's comes with each step."""


@dataclass
class Slot:
    """A parameter, its rule, and this rank's part of its state."""

    name: str
    parameter: Tensor
    rule: Rule
    cut: bool
    """Whether the ranks share the parameter (else each updates all of it)."""
    padded: int
    """First dimension, rounded up to a multiple of the ranks."""
    state: dict[str, Tensor] = field(default_factory=dict)
    reduced: Pending | None = None

    def whole(self) -> Tensor:
        """Return the parameter as the rule sees it, [n, ...], a view."""
        data = self.parameter.detach()
        return data if self.rule.matrices is None else data.view(-1, *self.rule.matrices)


def orthogonalize(g: Tensor) -> Tensor:
    """Return the nearest semi-orthogonal matrices to g [n, r, c], nearly: singular values near 1."""
    tall = g.size(-2) > g.size(-1)
    x = g.mT if tall else g
    x = x / (x.norm(dim=(-2, -1), keepdim=True) * 1.01 + 1e-6)
    for a, b, c in POLAR_EXPRESS:
        square = x @ x.mT
        x = a * x + (b * square + c * (square @ square)) @ x
    nearest: Tensor = x.mT if tall else x
    return nearest


def muon_update(
    parameter: Tensor,
    gradient: Tensor,
    velocity: Tensor,
    second: Tensor,
    lr: Tensor,
    momentum: Tensor,
    weight_decay: Tensor,
) -> None:
    """Update matrices [n, r, c] in place. `lr`, `momentum`, `weight_decay` are 0-dimensional tensors."""
    velocity.add_((gradient - velocity) * (1.0 - momentum))
    update = gradient + (velocity - gradient) * momentum
    row_norm = update.norm(dim=-1, keepdim=True).clamp_min(1e-7)
    update = update * (row_norm.square().mean(dim=-2, keepdim=True).sqrt() / row_norm)
    update = orthogonalize(update.bfloat16() if update.is_cuda else update).float()
    side = min(update.size(-2), update.size(-1)) ** 0.5
    update = update * (side / update.norm(dim=(-2, -1), keepdim=True).clamp_min(1e-7))
    # the second moment, along the longer side; the norm of the whole matrix stays as it is
    across = -1 if update.size(-2) >= update.size(-1) else -2
    mean_square = update.square().mean(dim=across, keepdim=True)
    second.lerp_(mean_square, 0.1)
    scale = second.clamp_min(1e-10).rsqrt()
    before = mean_square.sum(dim=(-2, -1), keepdim=True).sqrt()
    after = (mean_square * scale.square()).sum(dim=(-2, -1), keepdim=True).sqrt().clamp_min(1e-10)
    update = update * (scale * (before / after))
    agrees = (update * parameter) >= 0
    parameter.sub_(lr * (update + weight_decay * parameter * agrees))


def adamw_update(
    parameter: Tensor,
    gradient: Tensor,
    first: Tensor,
    second: Tensor,
    lr: Tensor,
    beta1: float,
    beta2: float,
    weight_decay: float,
    correction1: Tensor,
    correction2: Tensor,
) -> None:
    """Update a parameter in place, in float32; the corrections are 1 - beta^step, 0-dimensional tensors."""
    gradient = gradient.float()
    first.mul_(beta1).add_(gradient * (1.0 - beta1))
    second.mul_(beta2).add_(gradient.square() * (1.0 - beta2))
    value = parameter.float() * (1.0 - lr * weight_decay)
    value = value - lr * (first / correction1) / ((second / correction2).sqrt() + 1e-10)
    parameter.copy_(value)


def rules(model: GPT, options: TrainOptions, lr_scale: float) -> dict[str, Rule]:
    """Return the rule of each parameter, by name. Rates of AdamW fall with the root of the width."""
    config = model.config
    wide = (config.width / 768) ** -0.5
    embedding, head, scalar = (
        r * lr_scale for r in (options.embedding_lr * wide, options.head_lr * wide, options.scalar_lr)
    )

    def muon(rows: int, columns: int) -> Rule:
        return Rule("muon", options.matrix_lr * lr_scale * max(1.0, rows / columns) ** 0.5, (rows, columns))

    heads, kv, hidden = config.heads * config.head_dim, config.kv_heads * config.head_dim, config.hidden
    shared = {
        "embedding": Rule("adamw", embedding, betas=(0.8, 0.995), weight_decay=0.001),
        "head": Rule("adamw", head, betas=(0.8, 0.96), weight_decay=0.01),
        "query": muon(heads, config.width),
        "key_value": muon(kv, config.width),
        "out": muon(config.width, heads),
        "down": muon(config.width, hidden),
    }
    if config.architecture == "llama":
        tied = {"embedding": shared["head"]} if config.tied_head else {}
        norms = Rule("adamw", scalar * 0.01)
        return {**shared, **tied, "gate_up": muon(hidden, config.width), "norms": norms, "last_norm": norms}
    return {
        **shared,
        "value_embedding": Rule("adamw", embedding * 0.5, betas=(0.8, 0.995), weight_decay=0.01),
        "value_gate": muon(model.value_gate.size(1), model.value_gate.size(2)),
        "up": muon(hidden, config.width),
        "residual_scale": Rule("adamw", scalar * 0.1, betas=(0.8, 0.95), weight_decay=0.05),
        "embedding_scale": Rule("adamw", scalar, betas=(0.96, 0.95)),
        "smear_gate": Rule("adamw", 0.2),
        "smear_scale": Rule("adamw", 0.2),
    }


class Optimizer:
    """Muon and AdamW over the ranks. Use: backward passes, `reduce`, `step`, `zero`."""

    def __init__(
        self, model: GPT, options: TrainOptions, lr_scale: float, ranks: Ranks, *, compiled: bool = False
    ) -> None:
        self.ranks = ranks
        self.steps = 0
        chosen = rules(model, options, lr_scale)
        self.slots = [
            self._slot(name, parameter, chosen[name])
            for name, parameter in model.named_parameters()
            if parameter.numel()
        ]
        self._armed = False
        if ranks.world > 1:
            for slot in self.slots:
                hook = partial(self._early, slot)
                slot.parameter.register_post_accumulate_grad_hook(hook)  # type: ignore[no-untyped-call]
        self._muon: Callable[..., None] = muon_update
        self._adamw: Callable[..., None] = adamw_update
        if compiled:
            # one compilation per shape of a bank, and none when a rate changes: rates are tensors
            self._muon = torch.compile(muon_update, dynamic=False)
            self._adamw = torch.compile(adamw_update, dynamic=False)

    def _slot(self, name: str, parameter: Tensor, rule: Rule) -> Slot:
        world = self.ranks.world
        slot = Slot(name, parameter, rule, cut=False, padded=0)
        whole = slot.whole()
        slot.cut = (
            world > 1 and whole.numel() >= SMALL and (rule.kind == "muon" or whole.size(0) % world == 0)
        )
        slot.padded = -(-whole.size(0) // world) * world if slot.cut else whole.size(0)
        count = slot.padded // world if slot.cut else whole.size(0)
        shape = (count, *whole.shape[1:])
        names = {"first": shape, "second": shape}
        if rule.kind == "muon":
            narrow = (count, shape[1], 1) if shape[1] >= shape[2] else (count, 1, shape[2])
            names = {"velocity": shape, "second": narrow}
        slot.state = {name: torch.zeros(s, device=parameter.device) for name, s in names.items()}
        return slot

    def arm(self) -> None:
        """Sum each gradient as soon as the next backward pass has computed it; call before a step's last one."""
        self._armed = self.ranks.world > 1

    def _early(self, slot: Slot, parameter: Tensor) -> None:
        if self._armed:
            self._begin(slot)

    def _begin(self, slot: Slot) -> None:
        gradient = slot.parameter.grad
        assert gradient is not None, f"{slot.name} has no gradient: run a backward pass before `reduce`"
        gradient = gradient.view(slot.whole().shape)
        if not slot.cut:
            slot.reduced = all_reduce(self.ranks, gradient)
            return
        if slot.padded > gradient.size(0):
            gradient = F.pad(gradient, [0, 0] * (gradient.dim() - 1) + [0, slot.padded - gradient.size(0)])
        slot.reduced = reduce_scatter(self.ranks, gradient)

    def reduce(self) -> Tensor:
        """Sum the gradients over the ranks; return the sum of their squares, this rank's share."""
        self._armed = False
        for slot in self.slots:
            if slot.reduced is None:
                self._begin(slot)
        squares = []
        for slot in self.slots:
            assert slot.reduced is not None
            share = 1.0 if slot.cut else 1.0 / self.ranks.world
            squares.append(
                torch.linalg.vector_norm(slot.reduced.wait(), dtype=torch.float32).square() * share
            )
        return torch.stack(squares).sum()

    def step(self, lr_factor: float, momentum: float, weight_decay: float) -> None:
        """Update all parameters.

        Args:
            lr_factor: factor on every learning rate.
            momentum: of Muon.
            weight_decay: of Muon.
        """
        self.steps += 1
        gathered = []
        for slot in sorted(self.slots, key=lambda s: -s.parameter.numel()):
            assert slot.reduced is not None, "call `reduce` before `step`"
            gradient = slot.reduced.value
            slot.reduced = None
            whole = slot.whole()
            if slot.padded > whole.size(0):
                whole = F.pad(whole, [0, 0] * (whole.dim() - 1) + [0, slot.padded - whole.size(0)])
            part = part_of(self.ranks, whole) if slot.cut else whole
            self._update(slot, part, gradient, lr_factor, momentum, weight_decay)
            if slot.cut:
                gathered.append((slot, whole, all_gather(self.ranks, whole, part)))
        for slot, whole, pending in gathered:
            pending.wait()
            if slot.padded > slot.whole().size(0):
                slot.whole().copy_(whole[: slot.whole().size(0)])

    def _update(
        self,
        slot: Slot,
        part: Tensor,
        gradient: Tensor,
        lr_factor: float,
        momentum: float,
        weight_decay: float,
    ) -> None:
        rule, state = slot.rule, slot.state
        lr = torch.tensor(rule.lr * lr_factor)
        # for a few scalars a compilation costs more than it saves
        small = part.numel() < SMALL
        if rule.kind == "muon":
            muon = muon_update if small else self._muon
            numbers = (lr, torch.tensor(momentum), torch.tensor(weight_decay))
            muon(part, gradient, state["velocity"], state["second"], *numbers)
            return
        beta1, beta2 = rule.betas
        corrections = (torch.tensor(1.0 - beta1**self.steps), torch.tensor(1.0 - beta2**self.steps))
        adamw = adamw_update if small else self._adamw
        adamw(
            part, gradient, state["first"], state["second"], lr, beta1, beta2, rule.weight_decay, *corrections
        )

    def zero(self) -> None:
        """Forget the gradients."""
        for slot in self.slots:
            slot.parameter.grad = None
            slot.reduced = None

    def state_dict(self) -> dict[str, Tensor]:
        """Return the state as whole tensors on the CPU, gathered from the ranks: the same for any number of
        ranks.

        All ranks have to call it; each returns the whole.
        """
        found = {}
        for slot in self.slots:
            for name, part in slot.state.items():
                whole = part
                if slot.cut:
                    whole = part.new_empty(slot.padded, *part.shape[1:])
                    all_gather(self.ranks, whole, part).wait()
                found[f"{slot.name}.{name}"] = whole[: slot.whole().size(0)].cpu()
        return found

    def load_state_dict(self, values: dict[str, Tensor], steps: int) -> None:
        """Restore the state that `state_dict` returned, after `steps` steps."""
        self.steps = steps
        for slot in self.slots:
            for name, part in slot.state.items():
                whole = values[f"{slot.name}.{name}"]
                if slot.padded > whole.size(0):
                    whole = F.pad(whole, [0, 0] * (whole.dim() - 1) + [0, slot.padded - whole.size(0)])
                part.copy_(part_of(self.ranks, whole) if slot.cut else whole)
