"""What a model is and how it is trained: two frozen dataclasses.

Shapes in names, all through this package: B rows of a micro-batch, T positions of a row, N = B x T tokens,
D width, H query heads, K key/value heads, E head dimension, F hidden width of the MLP, V vocabulary (padded),
L layers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Self

from nanosnake.files import NanosnakeError
from nanosnake.options import out_of_bounds

VOCAB_MULTIPLE = 128
WINDOW_MULTIPLE = 128
HIDDEN_MULTIPLE = 64
GATE_CHANNELS = 12
SMEAR_CHANNELS = 24
Architecture = Literal["nanosnake", "llama"]
Attention = Literal["auto", "flash4", "varlen", "flex", "sdpa"]
"""auto, then the implementations (`attention.py`)."""
EXIT_STOPPED = 75
"""Exit status of a run that was told to stop (SIGTERM or Ctrl-C) and wrote a checkpoint: restart it to resume."""
STATUS_VARIABLE = "NANOSNAKE_STATUS"
"""Environment variable with the file that such a run writes its exit status to, for a launcher that cannot see it
(torchrun's own status is 1 for anything but 0)."""


class Stopped(Exception):
    """The run was told to stop and has written a checkpoint."""


def usual_share(heads: int) -> int:
    """Return how many query heads share one key/value head: the most from three to five that divide them evenly
    and leave two key/value heads or more; else 1, each its own."""
    return next((share for share in (5, 4, 3) if heads % share == 0 and heads // share >= 2), 1)


def usual_windows(architecture: str) -> str:
    """Return the attention windows of an architecture."""
    return "L" if architecture == "llama" else "SSSL"


def query_heads(depth: int, aspect_ratio: int, head_dim: int) -> int:
    """Return the query heads of a model: its width, depth x aspect ratio, in whole heads."""
    return -(-depth * aspect_ratio // head_dim)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The options of a model's shape; the rest follows from them. `metadata`: what the configuration allows."""

    depth: int = field(metadata={"ge": 1, "le": 512})
    """Layers; width, heads, learning rates, batch and horizon follow from it."""
    sequence_length: int = field(default=2048, metadata={"ge": 16})
    """Length of a row in tokens (sequence length)."""
    architecture: Architecture = "nanosnake"
    """nanosnake, or llama, which other tools load without our code."""
    window_pattern: str = field(default="", metadata={"pattern": "^[SL]*$"})
    """Attention windows by layer, repeated: L whole context, S a quarter; empty: SSSL, or L for a llama."""
    tied_head: bool = False
    """The head is the embedding (llama)."""
    aspect_ratio: int = field(default=64, metadata={"ge": 1})
    """Width over depth."""
    head_dim: int = field(default=128, metadata={"ge": 2, "multiple_of": 2})
    """Dimension of an attention head."""
    kv_share: int = field(default=0, metadata={"ge": 0})
    """Query heads that share one key/value head; 0: three to five, if the number of heads allows."""


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a GPT. `from_depth` derives all of it from the depth."""

    depth: int
    """Number of layers (L): the one dial."""
    width: int
    """Width of the residual stream (D)."""
    heads: int
    """Query heads (H)."""
    kv_heads: int
    """Key/value heads (K); divides `heads`."""
    head_dim: int
    """Dimension of a head (E), even."""
    vocab_size: int
    """Number of token ids, including special tokens."""
    sequence_length: int
    """Positions of a row (T), and the longest context."""
    architecture: Architecture = "nanosnake"
    """nanosnake, or llama, which other tools load without our code."""
    window_pattern: str = "SSSL"
    """Attention windows, repeated over the layers: L whole context, S a quarter; the last layer is always
    L."""
    value_embeddings: bool = True
    """Add gated token embeddings to the values of every other layer."""
    tied_head: bool = False
    """The head is the embedding (llama)."""
    mlp_ratio: int = 4
    """Hidden width of the MLP over the width; llama's, which has three matrices, gets two thirds of it."""
    softcap: float = 15.0
    """Logits are squashed smoothly to plus or minus this; 0: not squashed."""
    rotary_base: float = 100_000.0
    """Base of the rotary frequencies."""

    def __post_init__(self) -> None:
        if self.heads % self.kv_heads:
            raise NanosnakeError(
                f"model: {self.heads} heads cannot share {self.kv_heads} key/value heads evenly"
            )
        if not self.window_pattern or set(self.window_pattern) - set("SL"):
            raise NanosnakeError(f"model: window_pattern is {self.window_pattern!r}; use the letters S and L")
        if self.architecture == "llama" and (
            self.window_pattern != "L" or self.value_embeddings or self.softcap
        ):
            raise NanosnakeError(
                f"model: a llama has no windows, value embeddings or softcap; use window_pattern L, "
                f"not {self.window_pattern!r}"
            )
        if self.tied_head and self.architecture != "llama":
            raise NanosnakeError(f"model: tied_head is for llama, the architecture is {self.architecture}")
        if self.head_dim % 2:
            raise NanosnakeError(f"model: head_dim is {self.head_dim}; rotary embeddings need an even number")
        if self.architecture == "nanosnake" and self.width < SMEAR_CHANNELS:
            raise NanosnakeError(
                f"model: the width is {self.width}, and the gates read {SMEAR_CHANNELS} channels; "
                "raise head_dim, aspect_ratio or depth"
            )

    @classmethod
    def of_shape(cls, shape: Shape, vocab_size: int) -> Self:
        """Return the model of a shape."""
        said = {field.name: getattr(shape, field.name) for field in fields(Shape)}
        return cls.from_depth(said.pop("depth"), vocab_size, said.pop("sequence_length"), **said)

    @classmethod
    def from_depth(
        cls,
        depth: int,
        vocab_size: int,
        sequence_length: int,
        *,
        aspect_ratio: int = 64,
        head_dim: int = 128,
        kv_share: int = 0,
        window_pattern: str = "",
        architecture: Architecture = "nanosnake",
        tied_head: bool = False,
    ) -> Self:
        """Return the model of a depth: width = depth x aspect ratio, rounded up to whole heads.

        Args:
            kv_share: query heads that share one key/value head; 0: see `usual_share`.
            window_pattern: empty: the architecture's own, SSSL or, of a llama, L.
        """
        if depth < 1:
            raise NanosnakeError(f"model: depth is {depth}; it must be 1 or more")
        heads = query_heads(depth, aspect_ratio, head_dim)
        share = kv_share or usual_share(heads)
        if share < 1 or heads % share:
            raise NanosnakeError(
                f"model: {heads} query heads cannot share key/value heads by {share}; "
                f"use a kv_share that divides {heads}"
            )
        return cls(
            depth=depth,
            width=heads * head_dim,
            heads=heads,
            kv_heads=heads // share,
            head_dim=head_dim,
            vocab_size=vocab_size,
            sequence_length=sequence_length,
            architecture=architecture,
            window_pattern=window_pattern or usual_windows(architecture),
            value_embeddings=architecture != "llama",
            tied_head=tied_head,
            softcap=0.0 if architecture == "llama" else 15.0,
        )

    @property
    def padded_vocab(self) -> int:
        """Rows of the embedding and of the head (V): the vocabulary rounded up for the matrix units."""
        return -(-self.vocab_size // VOCAB_MULTIPLE) * VOCAB_MULTIPLE

    @property
    def short_window(self) -> int:
        """Tokens before its own that a position of a short layer sees."""
        quarter = -(-self.sequence_length // 4)
        rounded = -(-quarter // WINDOW_MULTIPLE) * WINDOW_MULTIPLE
        return min(rounded, self.sequence_length)

    @property
    def windows(self) -> list[int]:
        """The window of each layer, in tokens."""
        letters = [self.window_pattern[i % len(self.window_pattern)] for i in range(self.depth)]
        letters[-1] = "L"
        return [self.sequence_length if letter == "L" else self.short_window for letter in letters]

    @property
    def value_layers(self) -> list[int]:
        """Layers with value embeddings: every other one, the last among them."""
        if not self.value_embeddings:
            return []
        return [i for i in range(self.depth) if i % 2 == (self.depth - 1) % 2]

    @property
    def hidden(self) -> int:
        """Hidden width of the MLP (F)."""
        if self.architecture == "llama":
            return -(-2 * self.mlp_ratio * self.width // 3 // HIDDEN_MULTIPLE) * HIDDEN_MULTIPLE
        return self.mlp_ratio * self.width

    @property
    def matrix_parameters(self) -> int:
        """Parameters of the layers' matrices."""
        attention = self.width * self.head_dim * (2 * self.heads + 2 * self.kv_heads)
        matrices = 3 if self.architecture == "llama" else 2
        return self.depth * (attention + matrices * self.hidden * self.width)

    @property
    def scaling_parameters(self) -> int:
        """Parameters that the horizon is counted in: the layers' matrices and the head."""
        return self.matrix_parameters + self.padded_vocab * self.width

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Return the configuration that `to_dict` returned."""
        names = {field.name for field in dataclasses.fields(cls)}
        if unknown := sorted(set(values) - names):
            raise NanosnakeError(f"model configuration: unknown keys {unknown}; written by another version?")
        return cls(**values)


@dataclass(frozen=True)
class TrainOptions:
    """How a model is trained. Options that are 0 or -1 by default follow from the model and the machine."""

    global_batch: int = field(default=0, metadata={"ge": 0})
    """Global batch size in tokens per step; 0: from the horizon (524,288 at depth 12)."""
    micro_batch: int = field(default=0, metadata={"ge": 0})
    """Sequences per rank and forward pass; 0: as many as fit in memory, found by trial on a GPU."""
    steps: int = field(default=0, metadata={"ge": 0})
    """Steps to train; 0: from `epochs` or `tokens_per_parameter`."""
    epochs: float = field(default=0.0, metadata={"ge": 0, "le": 1e6})
    """How often to read the training shards; 0: set by `steps` or `tokens_per_parameter`."""
    tokens_per_parameter: float = field(default=12.0, metadata={"le": 1e6})
    """Horizon in tokens over parameters (matrices and head)."""
    seed: int = field(default=1, metadata={"ge": 0, "le": 2**63 - 1})
    """Seed of the initial weights and, unless `order_seed` is given, of the order of the data."""
    order_seed: int = field(default=-1, metadata={"ge": -1})
    """Seed of the order of the data; -1: the same as `seed`."""
    lr_scale: float = field(default=1.0, metadata={"gt": 0})
    """Factor on all learning rates, for a model that begins with trained weights."""
    matrix_lr: float = field(default=0.02, metadata={"ge": 0})
    """Learning rate of Muon (matrices)."""
    embedding_lr: float = field(default=0.3, metadata={"ge": 0})
    """Learning rate of the token embedding."""
    head_lr: float = field(default=0.008, metadata={"ge": 0})
    """Learning rate of the head."""
    scalar_lr: float = field(default=0.05, metadata={"ge": 0})
    """Learning rate of the scalars that mix the embedding into the layers; ten times as much makes runs differ
    by chance (docs/experiments.md, "A steady start")."""
    weight_decay: float = field(default=0.28, metadata={"ge": 0})
    """Weight decay of Muon, at depth 12; falls to 0 over the run."""
    warmup_steps: int = field(default=40, metadata={"ge": 0})
    """Steps over which the learning rate rises from 0."""
    warmdown: float = field(default=0.65, metadata={"ge": 0, "le": 1})
    """Fraction of the run over which the learning rate falls."""
    final_lr: float = field(default=0.05, metadata={"ge": 0})
    """Learning rate at the end, over that of the plateau."""
    compile: bool = True
    """Compile the model and the optimizer; use False on a CPU or for debugging."""
    attention: Attention = "auto"
    """flash4, varlen, flex or sdpa; auto: the fastest available."""
    eval_every: int = field(default=250, metadata={"ge": 0})
    """Steps between evaluations on the validation tokens; 0: only at the end."""
    eval_tokens: int = field(default=0, metadata={"ge": 0})
    """Validation tokens per evaluation, about, spread evenly over the split; 0: all."""
    checkpoint_minutes: float = field(default=15.0, metadata={"gt": 0})
    """Minutes between checkpoints; one more is written at the end."""
    checkpoint_every: int = field(default=-1, metadata={"ge": -1})
    """Steps between checkpoints, instead of `checkpoint_minutes`, and one at the end; 0: only when told to stop; -1: by
    minutes."""
    checkpoint_keep: int = field(default=2, metadata={"ge": 1})
    """Checkpoints kept."""
    log_every: int = field(default=10, metadata={"ge": 1})
    """Steps between log lines and rows of the metrics table."""

    def __post_init__(self) -> None:
        # those of the shape too, if this is the trainer's command line
        for name, problem in out_of_bounds(self):
            raise NanosnakeError(f"training: {name} {problem}")
        if self.steps and self.epochs:
            raise NanosnakeError(
                f"training: steps is {self.steps} and epochs {self.epochs}; give one of the two"
            )
        if self.steps == 0 and self.tokens_per_parameter <= 0:
            raise NanosnakeError("training: give steps, or tokens_per_parameter above 0")

    @property
    def seed_of_order(self) -> int:
        """The seed that decides the order of the data."""
        return self.seed if self.order_seed == -1 else self.order_seed

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values for JSON."""
        return dataclasses.asdict(self)


def resolved(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options in which those left at 0, -1 or empty have the values that follow from the other options."""
    found = dict(options)
    if found.get("kv_share") == 0:
        found["kv_share"] = usual_share(query_heads(found["depth"], found["aspect_ratio"], found["head_dim"]))
    if found.get("window_pattern") == "":
        found["window_pattern"] = usual_windows(found.get("architecture", "nanosnake"))
    if found.get("order_seed") == -1:
        found["order_seed"] = found["seed"]
    return found
