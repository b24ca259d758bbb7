"""The models: nanosnake's own, and one of Llama's shape, which other tools load; `MODELS` chooses.

nanosnake's: pre-norm layers on a residual stream, with the changes that helped nanochat and also our own runs.

RMS norm without parameters, rotary embeddings, QK norm, squared ReLU, untied head with softcapped logits,
sliding windows, value embeddings behind a gate, a learnt mix of the embedding into each layer, and a "smear"
of the previous token's embedding into each token. docs/experiments.md says what each is worth.

Matrices of the same shape are stored together in one parameter [L, out, in] (a bank): one cast per forward pass, one
gradient, and Muon works on the whole bank at once.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nanosnake.training.attention import Documents, attend
from nanosnake.training.config import GATE_CHANNELS, SMEAR_CHANNELS, Architecture, ModelConfig
from nanosnake.training.kernels import fused
from nanosnake.training.linear import linear, mlp

QK_SCALE = 1.2
"""Queries and keys are this long after their norm: sharper attention than length 1."""
LLAMA_EPSILON = 1e-5


def norm(x: Tensor) -> Tensor:
    """RMS norm over the last dimension, without parameters."""
    return F.rms_norm(x, (x.size(-1),))


def scaled_norm(x: Tensor, weight: Tensor) -> Tensor:
    """RMS norm over the last dimension, times weights."""
    return F.rms_norm(x, (x.size(-1),), weight, LLAMA_EPSILON)


def added(x_ND: Tensor, y_ND: Tensor) -> Tensor:
    """Return the stream with a layer's output added, rounded once.

    The detour keeps the compiler from making product and sum one call, which copies the stream first.
    """
    return (x_ND.float() + y_ND.float()).to(x_ND.dtype)


def rotary_table(config: ModelConfig, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return cosines [T, E] of the rotary angles, and their sines, negative for the second half."""
    channel = torch.arange(0, config.head_dim, 2, dtype=torch.float32, device=device)
    frequency = config.rotary_base ** (-channel / config.head_dim)
    position = torch.arange(config.sequence_length, dtype=torch.float32, device=device)
    angle = torch.outer(position, frequency)
    cosine, sine = angle.cos(), angle.sin()
    return torch.cat([cosine, cosine], dim=1), torch.cat([sine, -sine], dim=1)


def bank(*shape: int) -> nn.Parameter:
    """Return a parameter without values."""
    return nn.Parameter(torch.empty(*shape))


class GPT(nn.Module):
    """A decoder-only transformer over rows of packed documents."""

    def __init__(self, config: ModelConfig, *, backend: str = "sdpa") -> None:
        super().__init__()
        self.config = config
        self.backend = backend
        self.fused = backend == "flash4" and fused.usable()
        self.make_parameters()
        cosine, sine = rotary_table(config, torch.device("cpu"))
        self.register_buffer("cosine", cosine, persistent=False)
        self.register_buffer("sine", sine, persistent=False)

    def make_parameters(self) -> None:
        """Make the parameters, without values."""
        config = self.config
        layers, width, heads_width = config.depth, config.width, config.heads * config.head_dim
        kv_width, hidden = config.kv_heads * config.head_dim, config.hidden
        value_layers = len(config.value_layers)
        self.embedding = bank(config.padded_vocab, width)
        self.head = bank(config.padded_vocab, width)
        self.value_embedding = bank(config.padded_vocab, value_layers * kv_width)
        self.value_gate = bank(value_layers, config.kv_heads, GATE_CHANNELS)
        self.query = bank(layers, heads_width, width)
        self.key_value = bank(layers, 2 * kv_width, width)
        self.out = bank(layers, width, heads_width)
        self.up = bank(layers, hidden, width)
        self.down = bank(layers, width, hidden)
        self.residual_scale = bank(layers)
        self.embedding_scale = bank(layers)
        self.smear_gate = bank(SMEAR_CHANNELS)
        self.smear_scale = bank(1)

    @property
    def tables(self) -> list[nn.Parameter]:
        """The large tables, which are kept in bf16 on a GPU."""
        return [self.embedding, self.value_embedding]

    @torch.no_grad()
    def initialize(self, generator: torch.Generator) -> None:
        """Fill the weights: projections into the stream 0, the rest of standard deviation 1/sqrt(width)."""
        bound = (3.0 / self.config.width) ** 0.5  # a uniform distribution with that standard deviation
        # A norm follows, so its size only says how soon training has the say over chance: with the 0.8 of nanochat,
        # models differ by 1% after 150 steps for their first embeddings alone (docs/experiments.md).
        self.embedding.normal_(0.0, 0.1, generator=generator)
        self.head.normal_(0.0, 0.001, generator=generator)
        for matrix in (self.query, self.key_value, self.value_embedding):
            matrix.uniform_(-bound, bound, generator=generator)
        self.up.uniform_(-0.4 * bound, 0.4 * bound, generator=generator)
        self.out.zero_()
        self.down.zero_()
        self.value_gate.uniform_(0.0, 0.02, generator=generator)
        self.smear_gate.uniform_(0.0, 0.02, generator=generator)
        ramp = torch.linspace(0.0, 1.0, self.config.depth)
        self.residual_scale.copy_(1.15 - 0.10 * ramp)
        self.embedding_scale.copy_(0.20 - 0.15 * ramp)
        self.smear_scale.zero_()

    def forward(self, tokens_N: Tensor, positions_N: Tensor, documents: Documents) -> Tensor:
        """Return the normed stream [N, D] that the head multiplies.

        Args:
            tokens_N: token ids, rows of T laid end to end.
            positions_N: position of each token in its document; 0 at its first token (or that of a piece).
            documents: what `describe_documents` made of the same micro-batch.
        """
        config = self.config
        dtype = torch.bfloat16 if tokens_N.is_cuda else torch.float32
        x_ND = norm(F.embedding(tokens_N, self.embedding).to(dtype))
        x_ND = self._smear(x_ND, positions_N)
        first_ND = x_ND
        qkv = torch.cat([self.query, self.key_value], dim=1).to(dtype).unbind(0)
        out, up, down = (w.to(dtype).unbind(0) for w in (self.out, self.up, self.down))
        for i, size in enumerate(config.windows):
            window = None if size >= config.sequence_length else size
            x_ND = self.residual_scale[i] * x_ND + self.embedding_scale[i] * first_ND
            value = self._value(i, tokens_N, dtype)
            x_ND = added(x_ND, self._attention(norm(x_ND), qkv[i], out[i], value, documents, window))
            x_ND = added(x_ND, mlp(norm(x_ND), up[i], down[i], in_products=self.fused))
        return norm(x_ND)

    def _smear(self, x_ND: Tensor, positions_N: Tensor) -> Tensor:
        gate_N = torch.sigmoid(x_ND[:, :SMEAR_CHANNELS] @ self.smear_gate.to(x_ND.dtype))
        gate_N = torch.where(positions_N > 0, gate_N, 0.0)  # nothing passes from one document to the next
        before_ND = torch.cat([x_ND[:1], x_ND[:-1]])
        return x_ND + self.smear_scale.to(x_ND.dtype) * gate_N[:, None].to(x_ND.dtype) * before_ND

    def _value(self, layer: int, tokens_N: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor] | None:
        """Return (value embedding [N, K, E], gate weight [K, channels]) of a layer that has them."""
        config = self.config
        if layer not in config.value_layers:
            return None
        number = config.value_layers.index(layer)
        table_VLX = self.value_embedding.view(config.padded_vocab, len(config.value_layers), -1)
        embedded_NX = F.embedding(tokens_N, table_VLX[:, number]).to(dtype)
        return embedded_NX.view(-1, config.kv_heads, config.head_dim), self.value_gate[number].to(dtype)

    def _attention(
        self,
        x_ND: Tensor,
        qkv: Tensor,
        out: Tensor,
        value: tuple[Tensor, Tensor] | None,
        documents: Documents,
        window: int | None,
    ) -> Tensor:
        config = self.config
        heads, kv_heads = config.heads, config.kv_heads
        qkv_N = linear(x_ND, qkv).view(-1, heads + 2 * kv_heads, config.head_dim)
        q_NHE, k_NKE, v_NKE = torch.split(qkv_N, [heads, kv_heads, kv_heads], dim=1)
        if value is not None:
            embedded_NKE, gate = value
            gate_NK = 3.0 * torch.sigmoid(F.linear(x_ND[:, :GATE_CHANNELS], gate))
            v_NKE = v_NKE + gate_NK[..., None] * embedded_NKE
        q_NHE, k_NKE = (
            self._rotate(norm(x.float()) * QK_SCALE, documents.length).to(x.dtype) for x in (q_NHE, k_NKE)
        )
        y_NHE = attend(self.backend, q_NHE, k_NKE, v_NKE, documents, window)
        return linear(y_NHE.reshape(-1, heads * config.head_dim), out)

    def _rotate(self, x_NHE: Tensor, length: int) -> Tensor:
        """Rotate by position in the row: only differences of positions matter.

        Queries and keys are normed before and not after, which gives the same, as a rotation keeps lengths: what the
        backward pass needs is then the product's own output and nothing in float32.
        """
        cosine_T1E: Tensor = self.cosine[:length, None]  # type: ignore[index]
        sine_T1E: Tensor = self.sine[:length, None]  # type: ignore[index]
        x_BTHE = x_NHE.reshape(-1, length, x_NHE.size(1), x_NHE.size(2))
        exchanged_BTHE = x_BTHE.view(*x_BTHE.shape[:-1], 2, -1).flip(-2).flatten(-2)
        turned: Tensor = x_BTHE * cosine_T1E + exchanged_BTHE * sine_T1E
        return turned.view(x_NHE.shape)


class Llama(GPT):
    """Llama's layers: RMS norms with weights, rotary embeddings, SwiGLU, grouped heads, the head tied or not.

    Rotations are by the negative angle, as in the other architecture; the export turns the sign.
    """

    def make_parameters(self) -> None:
        config = self.config
        layers, width, heads_width = config.depth, config.width, config.heads * config.head_dim
        self.embedding = bank(config.padded_vocab, width)
        if config.tied_head:
            # not a parameter of its own, to be saved and updated
            object.__setattr__(self, "head", self.embedding)
        else:
            self.head = bank(config.padded_vocab, width)
        self.query = bank(layers, heads_width, width)
        self.key_value = bank(layers, 2 * config.kv_heads * config.head_dim, width)
        self.out = bank(layers, width, heads_width)
        self.gate_up = bank(layers, 2 * config.hidden, width)
        self.down = bank(layers, width, config.hidden)
        self.norms = bank(layers, 2, width)
        self.last_norm = bank(width)

    @property
    def tables(self) -> list[nn.Parameter]:
        return [] if self.config.tied_head else [self.embedding]

    @torch.no_grad()
    def initialize(self, generator: torch.Generator) -> None:
        bound = (3.0 / self.config.width) ** 0.5
        # a tied embedding is the head as well, which begins with small logits
        self.embedding.normal_(0.0, 0.02 if self.config.tied_head else 0.1, generator=generator)
        if not self.config.tied_head:
            self.head.normal_(0.0, 0.001, generator=generator)
        for matrix in (self.query, self.key_value, self.gate_up):
            matrix.uniform_(-bound, bound, generator=generator)
        self.out.zero_()
        self.down.zero_()
        self.norms.fill_(1.0)
        self.last_norm.fill_(1.0)

    def forward(self, tokens_N: Tensor, positions_N: Tensor, documents: Documents) -> Tensor:
        dtype = torch.bfloat16 if tokens_N.is_cuda else torch.float32
        x_ND = F.embedding(tokens_N, self.embedding).to(dtype)
        qkv = torch.cat([self.query, self.key_value], dim=1).to(dtype).unbind(0)
        out, gate_up, down = (w.to(dtype).unbind(0) for w in (self.out, self.gate_up, self.down))
        for i in range(self.config.depth):
            before_attention, before_mlp = self.norms[i].to(dtype)
            y_ND = self._attend(scaled_norm(x_ND, before_attention), qkv[i], documents)
            x_ND = added(x_ND, linear(y_ND, out[i]))
            both_NF = linear(scaled_norm(x_ND, before_mlp), gate_up[i])
            gate_NF, up_NF = both_NF.chunk(2, dim=-1)
            x_ND = added(x_ND, linear(F.silu(gate_NF) * up_NF, down[i]))
        return scaled_norm(x_ND, self.last_norm.to(dtype))

    def _attend(self, x_ND: Tensor, qkv: Tensor, documents: Documents) -> Tensor:
        heads, kv_heads, size = self.config.heads, self.config.kv_heads, self.config.head_dim
        qkv_N = linear(x_ND, qkv).view(-1, heads + 2 * kv_heads, size)
        q_NHE, k_NKE, v_NKE = torch.split(qkv_N, [heads, kv_heads, kv_heads], dim=1)
        q_NHE, k_NKE = (self._rotate(x.float(), documents.length).to(x.dtype) for x in (q_NHE, k_NKE))
        return attend(self.backend, q_NHE, k_NKE, v_NKE, documents, None).reshape(-1, heads * size)


MODELS: dict[Architecture, type[GPT]] = {"nanosnake": GPT, "llama": Llama}


def build_model(config: ModelConfig, device: torch.device, *, backend: str, seed: int | None = None) -> GPT:
    """Return a model on a device, with weights by `seed` (None: not set, for loading).

    On a GPU the embedding tables are bf16: they are the largest parameters and tolerate it.
    """
    model = MODELS[config.architecture](config, backend=backend).to(device)
    if seed is not None:
        model.initialize(torch.Generator(device).manual_seed(seed))
    if device.type == "cuda":
        for table in model.tables:
            table.data = table.data.bfloat16()
    return model
