"""The laws of the loader: each token once per epoch, targets follow tokens, positions restart, resume is
exact."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nanosnake.files import NanosnakeError
from nanosnake.training.loader import Batch, Loader, Position, RowSource, assemble
from nanosnake.training.packing import EpochOrder, best_fit
from nanosnake.training.shards import TokenShards

from .conftest import BOS, write_shard

LENGTH = 32


@pytest.fixture
def numbered(tmp_path: Path) -> TokenShards:
    """Shards in which every token but BOS occurs once, in blocks small enough for several pools."""
    rng = np.random.default_rng(0)
    number = 1000
    for name in "abc":
        documents = []
        for _ in range(70):
            size = int(rng.integers(0, 90))
            documents.append([BOS, *range(number, number + size)])
            number += size
        write_shard(tmp_path / f"{name}.ds", documents)
    return TokenShards([tmp_path], block_tokens=100)


def drain(loader: Loader, steps: int) -> list[Batch]:
    batches = [batch for _ in range(steps) for batch in loader.step()]
    loader.close()
    return batches


def make(data: TokenShards, rank: int = 0, world: int = 1, position: Position | None = None) -> Loader:
    return Loader(
        data, length=LENGTH, rows_per_step=8, micro_batch=2, rank=rank, world=world, seed=5, position=position
    )


def pairs(batches: list[Batch]) -> Counter[tuple[int, int]]:
    found: Counter[tuple[int, int]] = Counter()
    for batch in batches:
        keep = batch.targets >= 0
        found.update(zip(batch.tokens[keep].tolist(), batch.targets[keep].tolist(), strict=True))
    return found


def expected_pairs(data: TokenShards) -> Counter[tuple[int, int]]:
    """Each token of the shards with its successor, the last of each document with BOS."""
    found: Counter[tuple[int, int]] = Counter()
    for shard in data.shards:
        start = 0
        for end in shard.ends.tolist():
            tokens = shard.tokens[start:end].tolist()
            found.update(zip(tokens, [*tokens[1:], BOS], strict=True))
            start = end
    return found


def test_an_epoch_has_each_token_once(numbered: TokenShards) -> None:
    source = RowSource(numbered, LENGTH, 5, 0, 0)
    assert len(source.order.pools) > 2
    tensors = [assemble(source, 1) for _ in range(source.order.rows)]
    assert source.order.epoch == 1
    assert pairs([Batch(*t, row=0, epoch=0) for t in tensors]) == expected_pairs(numbered)


@pytest.mark.parametrize("world", [2, 4])
def test_ranks_share_what_one_rank_sees(numbered: TokenShards, world: int) -> None:
    steps = 60  # over the end of the first epoch
    whole = drain(make(numbered), steps)
    shares = [drain(make(numbered, rank, world), steps) for rank in range(world)]
    assert pairs([b for share in shares for b in share]) == pairs(whole)
    assert {b.epoch for b in whole} == {0, 1}
    # in the first epoch no (token, successor) pair comes twice: documents are neither lost nor doubled
    first = pairs([b for share in shares for b in share if b.row + 2 <= rows_of(numbered) and b.epoch == 0])
    expected = expected_pairs(numbered)
    assert all(count <= expected[pair] for pair, count in first.items())


def rows_of(data: TokenShards) -> int:
    return EpochOrder(data, LENGTH, 5, 0).rows


def test_documents_do_not_mix_and_positions_restart(numbered: TokenShards) -> None:
    for batch in drain(make(numbered), 6):
        ends = batch.ends.tolist()
        assert ends[0] == 0
        assert ends[-1] == 2 * LENGTH
        starts = [e for e in ends if e < 2 * LENGTH]
        assert (batch.positions == 0).nonzero().flatten().tolist() == starts
        assert LENGTH in starts  # no piece crosses the end of a row
        tokens, targets = batch.tokens.tolist(), batch.targets.tolist()
        for first, last in zip(starts, [*starts[1:], 2 * LENGTH], strict=True):
            piece = [
                t for t, target in zip(tokens[first:last], targets[first:last], strict=True) if target >= 0
            ]
            body = [t for t in piece if t != BOS]
            assert body == list(range(body[0], body[0] + len(body))) if body else True
            assert piece.count(BOS) <= 1
            assert tokens[first] == BOS  # each piece has a start token to attend to


def test_packing_costs_a_position_per_row_at_most(numbered: TokenShards) -> None:
    source = RowSource(numbered, LENGTH, 5, 0, 0)
    for pool in range(len(source.order.pools)):
        rows = source.order.pack(pool)
        first, last = source.order.first_rows[pool : pool + 2]
        assert len(rows) == last - first
        used = np.add.reduceat(
            rows.pieces.length + ~rows.pieces.opens, rows.row_starts[:-1][np.diff(rows.row_starts) > 0]
        )
        assert used.max() <= LENGTH
        assert sorted(used)[1] >= LENGTH - 1  # all but one row


def test_evaluation_reads_each_piece_whole(numbered: TokenShards) -> None:
    source = RowSource(numbered, LENGTH, 0, 0, 0, shuffle=False)
    batches = [Batch(*assemble(source, 1), row=0, epoch=0) for _ in range(source.order.rows)]
    assert pairs(batches) == expected_pairs(numbered)
    begun = sum(len(source.order.pack(pool).pieces.start) for pool in range(len(source.order.pools)))
    sizes = [np.diff(shard.ends.astype(int), prepend=0) for shard in numbered.shards]
    assert begun == sum(int((-(-(size - 1) // (LENGTH - 1))).clip(1).sum()) for size in sizes)


def test_epochs_and_seeds_differ(numbered: TokenShards) -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return assemble(RowSource(numbered, LENGTH, seed, epoch, 0), 4)[0].tolist()

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1) != order(2, 1)


@pytest.mark.parametrize("at", [1, 3, 30])
def test_resume_is_exact_also_with_other_ranks(numbered: TokenShards, at: int) -> None:
    loader = make(numbered)
    for _ in range(at):
        list(loader.step())
    state = loader.position.to_dict()
    assert set(map(type, state.values())) == {int, str}
    after = [batch for _ in range(4) for batch in loader.step()]
    loader.close()
    again = drain(make(numbered, position=Position.from_dict(state)), 4)
    for one, two in zip(after, again, strict=True):
        assert (one.row, one.epoch, one.tokens.tolist()) == (two.row, two.epoch, two.tokens.tolist())
    shared = [b for r in range(2) for b in drain(make(numbered, r, 2, Position.from_dict(state)), 4)]
    assert pairs(shared) == pairs(after)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data": "0" * 16}, "token shards"),
        ({"sequence_length": 64}, "sequence length"),
        ({"seed": 6}, "seed"),
    ],
)
def test_a_position_of_other_data_is_refused(
    numbered: TokenShards, change: dict[str, int], words: str
) -> None:
    loader = make(numbered)
    loader.close()
    with pytest.raises(NanosnakeError, match=words):
        make(numbered, position=replace(loader.position, **change))


def test_a_world_that_does_not_divide_the_batch_is_refused(numbered: TokenShards) -> None:
    with pytest.raises(NanosnakeError, match="8 sequences per step cannot be shared by 3 ranks"):
        make(numbered, 0, 3)


def test_damaged_shards_are_refused(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.ds", [[BOS, 1, 2], [BOS, 3]])
    (tmp_path / "a.json").write_text('{"tokens": 6}')
    with pytest.raises(NanosnakeError, match=r"says 6 tokens, a\.ds\.index says 5"):
        TokenShards([tmp_path])
    (tmp_path / "a.ds").write_bytes((tmp_path / "a.ds").read_bytes()[:-3])
    with pytest.raises(NanosnakeError, match="7 bytes, but"):
        TokenShards([tmp_path])
    write_shard(tmp_path / "b.ds", [[BOS, 999]])
    data = TokenShards([tmp_path / "b.ds"])
    with pytest.raises(NanosnakeError, match="another tokenizer"):
        data.check(BOS, 300)


def test_errors_of_the_thread_reach_the_rank(numbered: TokenShards, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr("nanosnake.training.loader.assemble", fail)
    with pytest.raises(OSError, match="the disk is gone"):
        list(make(numbered).step())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 15), st.booleans()), min_size=1, max_size=60))
def test_best_fit_fills_rows_and_loses_nothing(pieces: list[tuple[int, bool]]) -> None:
    lengths, opens = [length for length, _ in pieces], [first for _, first in pieces]

    def positions(row: list[tuple[int, int, int]]) -> int:
        return sum(size + (offset > 0 or not opens[piece]) for piece, offset, size in row)

    rows = best_fit(lengths, opens, 16)
    assert all(positions(row) in (15, 16) for row in rows[:-1])
    assert len(rows) <= -(-(sum(lengths) + opens.count(False)) // 15)
    seen: dict[int, list[tuple[int, int]]] = {}
    for row in rows:
        for piece, offset, size in row:
            seen.setdefault(piece, []).append((offset, size))
    whole = best_fit(lengths, opens, 16, split=False)
    assert sorted(piece for row in whole for piece, _, _ in row) == list(range(len(lengths)))
    assert all(offset == 0 and size == lengths[piece] for row in whole for piece, offset, size in row)
    assert all(positions(row) <= 16 for row in whole)
    for piece, length in enumerate(lengths):
        at = 0
        for offset, size in sorted(seen[piece]):
            assert offset == at
            assert size > 0
            at += size
        assert at == length


def test_a_shard_without_documents_gives_nothing(numbered: TokenShards, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    write_shard(tmp_path / "none/0.ds", [])
    paths = [tmp_path / "none/0.ds", *(shard.path for shard in numbered.shards)]
    data = TokenShards(paths, block_tokens=100)
    data.check(BOS, 1 << 16)
    assert (data.bos, data.tokens, data.documents) == (BOS, numbered.tokens, numbered.documents)
    steps = EpochOrder(data, LENGTH, 5, 0).rows // 8
    assert pairs(drain(make(data), steps)) == pairs(drain(make(numbered), steps))
    with pytest.raises(
        NanosnakeError, match=r"0\.ds: neither it nor another token shard of the split holds a doc"
    ):
        TokenShards([tmp_path / "none"])
