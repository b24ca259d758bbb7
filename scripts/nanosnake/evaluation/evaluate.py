"""Bits per byte on held-out tokens, samples from prompts, and what a model has to beat."""

from __future__ import annotations

import lzma
import math
import zlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nanosnake.files import NanosnakeError
from nanosnake.training import fit
from nanosnake.training.attention import describe_documents
from nanosnake.training.distributed import Ranks
from nanosnake.training.head import CACHED_ELEMENTS, CHUNK_ELEMENTS, softcapped, target_nats
from nanosnake.training.loader import Batch, RowSource, assemble
from nanosnake.training.model import GPT, rotary_table
from nanosnake.training.shards import TokenShards
from nanosnake.training.vocabulary import Vocabulary

BASELINE_BYTES = 1 << 24
"""Bytes of text that the baselines are measured on, at most."""


@dataclass(frozen=True)
class Scores:
    """Result of an evaluation on tokens."""

    bits_per_byte: float
    """Sum of nats over (ln 2 x bytes of the target tokens); special tokens count neither way."""
    loss: float
    """Mean nats per target token, special tokens included."""
    tokens: int
    bytes: int


@torch.no_grad()
def batch_nats(model: GPT, batch: Batch) -> Tensor:
    """Return the nats of each target [N] of a micro-batch."""
    config = model.config
    documents = describe_documents(model.backend, config, batch.positions, batch.ends)
    x_ND = model(batch.tokens, batch.positions, documents)
    weight_VD = model.head.to(x_ND.dtype)
    step = max(1, (CHUNK_ELEMENTS // 4 if x_ND.is_cuda else CACHED_ELEMENTS) // config.padded_vocab)
    parts = [
        target_nats(
            x_ND[i : i + step] @ weight_VD.t(), batch.targets[i : i + step], config.vocab_size, config.softcap
        )
        for i in range(0, x_ND.size(0), step)
    ]
    return torch.cat(parts)


def scores(sums: Tensor) -> Scores:
    """Return the scores of documents, from what `evaluate_documents` returns."""
    text_nats, all_nats, tokens, size = sums.sum(0).tolist()
    if size == 0:
        raise NanosnakeError("evaluation: the validation tokens have no bytes; give another validation shard")
    return Scores(text_nats / (math.log(2) * size), all_nats / tokens, int(tokens), int(size))


@torch.no_grad()
def evaluate_documents(
    model: GPT,
    data: TokenShards,
    lengths: npt.NDArray[np.int64],
    ranks: Ranks,
    *,
    micro_batch: int = 0,
    max_tokens: int = 0,
    documents: Collection[int] = (),
) -> Tensor:
    """Return the sums of each document, float64[documents, 4]: nats of the text, nats of all, tokens, bytes.

    The rows are packed like training's, unshuffled: the same rows for any number of ranks. With `max_tokens` (0: all), about
    so many are measured: every so-manieth row, since packing fills the first ones with the longest documents.

    Args:
        lengths: bytes of each token, 0 for special tokens.
        micro_batch: rows of a forward pass; 0: as many as fit anywhere.
        documents: numbers of the documents that are wanted; the sums of others are incomplete. Empty: all.
    """
    device, length = ranks.device, model.config.sequence_length
    micro_batch = micro_batch or fit.estimate(model.config, 8, 0.0)
    source = RowSource(data, length, 0, 0, 0, shuffle=False)
    if max_tokens:
        source.every = max(1, source.order.rows * length // max_tokens)
    rows = -(-source.order.rows // source.every)
    bytes_V = torch.from_numpy(lengths).to(device)
    sums = torch.zeros(data.documents, 4, dtype=torch.float64, device=device)
    for number, first in enumerate(range(0, rows, micro_batch)):
        if number % ranks.world != ranks.rank:
            source.skip(micro_batch * source.every)
            continue
        source.documents = []
        tensors = assemble(source, micro_batch)
        if documents and not set(documents) & set(source.documents):
            continue
        document_N = torch.from_numpy(
            _document_of_each(tensors[3], length * micro_batch, source.documents)
        ).to(device)
        tensors[1][(rows - first) * length :] = -1  # rows after the last, read only to fill the micro-batch
        batch = Batch(*tensors, row=first, epoch=0).to(device)
        nats_N = batch_nats(model, batch)
        counts_N = batch.targets >= 0
        size_N = torch.where(counts_N, bytes_V[batch.targets.clamp_min(0).long()], 0)
        text_N = torch.where(size_N > 0, nats_N, 0.0)
        figures = [column.double() for column in (text_N, nats_N, counts_N, size_N)]
        sums.index_add_(0, document_N, torch.stack(figures, dim=1))
    return ranks.sum(sums)


def _document_of_each(ends: Tensor, positions: int, documents: list[int]) -> npt.NDArray[np.int64]:
    """Return the document's number at each of the positions of a micro-batch; 0 in the room left at the end of a row,
    which has no targets.

    Args:
        ends: see `Batch`.
        documents: of each piece, in order; -1 for the room left.
    """
    first = np.unique(ends.numpy()[ends.numpy() < positions])
    return np.repeat(np.maximum(documents, 0), np.diff(first, append=positions))


@torch.no_grad()
def next_logits(model: GPT, rows: Sequence[Sequence[int]]) -> Tensor:
    """Return the softcapped logits [B, T, vocabulary] of rows of ids, each row a document, padded at its end.

    A row may be longer than those of training: positions go on, and windows are as wide as there.
    """
    x_BTD = _stream(model, rows)
    return _logits(model, x_BTD.flatten(0, 1)).view(*x_BTD.shape[:2], -1)


@torch.no_grad()
def last_logits(model: GPT, rows: Sequence[Sequence[int]]) -> Tensor:
    """Return the softcapped logits [B, vocabulary] of what follows each row of ids."""
    ends = [len(row) - 1 for row in rows]
    return _logits(model, _stream(model, rows)[range(len(rows)), ends])


def _stream(model: GPT, rows: Sequence[Sequence[int]]) -> Tensor:
    """Return what the head multiplies, [B, T, D], T a multiple of 64."""
    device = model.head.device
    length = -(-max(len(row) for row in rows) // 64) * 64
    if length > model.get_buffer("cosine").size(0):
        longer = replace(model.config, sequence_length=length)
        model.cosine, model.sine = rotary_table(longer, device)
    tokens = torch.zeros(len(rows), length, dtype=torch.int32)
    for i, row in enumerate(rows):
        tokens[i, : len(row)] = torch.tensor(row, dtype=torch.int32)
    positions = torch.arange(length, dtype=torch.int32).repeat(len(rows)).to(device)
    documents = describe_documents("sdpa", model.config, positions, None, length)
    backend, model.backend = model.backend, "sdpa"
    try:
        x_ND: Tensor = model(tokens.view(-1).to(device), positions, documents)
    finally:
        model.backend = backend
    return x_ND.view(len(rows), length, -1)


def _logits(model: GPT, x_ND: Tensor) -> Tensor:
    logits = softcapped(x_ND @ model.head.to(x_ND.dtype).t(), model.config.softcap)
    return logits[:, : model.config.vocab_size]


def likeliest(logits_BV: Tensor) -> Tensor:
    """Return the likeliest id of each row."""
    return logits_BV.argmax(-1)


def generate(
    model: GPT,
    prompts: Sequence[Sequence[int]],
    *,
    tokens: int,
    ends: Collection[int],
    choose: Callable[[Tensor], Tensor] = likeliest,
    after: Callable[[list[int]], Sequence[int] | None] = lambda written: (),
) -> list[list[int]]:
    """Return the ids that a model writes after each prompt, `tokens` at most.

    All of each row is computed again for each id: simple, and slow for long texts.

    Args:
        ends: ids that end a row, and are left out.
        choose: makes ids of logits [B, V].
        after: gets what a row has written, and returns ids that are put there without the model; None ends the row.
    """
    written: list[list[int]] = [[] for _ in prompts]
    under_way = list(range(len(prompts))) if tokens > 0 else []
    while under_way:
        rows = [[*prompts[i], *written[i]] for i in under_way]
        for i, chosen in zip(list(under_way), choose(last_logits(model, rows)).tolist(), strict=True):
            if chosen in ends:
                under_way.remove(i)
                continue
            written[i].append(chosen)
            more = after(written[i])
            written[i] = [*written[i], *(more or ())][:tokens]
            if more is None or len(written[i]) == tokens:
                under_way.remove(i)
    return written


def sample(
    model: GPT,
    vocabulary: Vocabulary,
    prompt: str,
    *,
    tokens: int = 64,
    temperature: float = 0.8,
    seed: int = 1,
) -> str:
    """Return what the model writes after a prompt: until the document's end, or `tokens` tokens.

    Temperature 0 takes the likeliest token each time.
    """
    generator = torch.Generator().manual_seed(seed)

    def drawn(logits_BV: Tensor) -> Tensor:
        share_BV = (logits_BV.cpu() / temperature).softmax(-1)
        return torch.multinomial(share_BV, 1, generator=generator)[:, 0]

    ids = vocabulary.encode(prompt)
    room = model.config.sequence_length - len(ids)
    if room < 0:
        raise NanosnakeError(
            f"evaluation: a text of {len(ids)} tokens, but the model sees {model.config.sequence_length}; shorten it"
        )
    (written,) = generate(
        model,
        [ids],
        tokens=min(tokens, room),
        ends=[vocabulary.bos],
        choose=drawn if temperature else likeliest,
    )
    return vocabulary.decode(written)


def baselines(data: TokenShards, vocabulary: Vocabulary) -> dict[str, float]:
    """Return bits per byte that need no training: single tokens by their frequency, and general compressors.

    `order_0`: entropy of the tokens of this very text, without any context. `zlib` and `lzma`: the
    compressors' best settings on the text's bytes (the first 16 MiB).
    """
    counts = np.zeros(len(vocabulary), dtype=np.int64)
    text = bytearray()
    for shard in data.shards:
        counts += np.bincount(shard.tokens, minlength=len(vocabulary))
        if len(text) < BASELINE_BYTES:
            text += vocabulary.decode_bytes(shard.tokens[:BASELINE_BYTES].tolist())
    counts[list(vocabulary.special.values())] = 0
    total_bytes = int((counts * vocabulary.lengths).sum())
    share = counts[counts > 0] / counts.sum()
    bits = -float((counts[counts > 0] * np.log2(share)).sum())
    raw = bytes(text[:BASELINE_BYTES])
    return {
        "order_0": bits / total_bytes,
        "zlib": 8 * len(zlib.compress(raw, 9)) / len(raw),
        "lzma": 8 * len(lzma.compress(raw, preset=9 | lzma.PRESET_EXTREME)) / len(raw),
    }
