"""The laws of the loader hold for the plan of a mixture: each token of it once, on any number of ranks, resumed exactly;
and each part has its budget to the token."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from nanosnake.files import NanosnakeError, read_json
from nanosnake.training import mixing
from nanosnake.training.loader import Batch, Loader, Position
from nanosnake.training.packing import EpochOrder
from nanosnake.training.shards import TokenShards

from .conftest import BOS, write_shard

LENGTH, ROWS, STEP_ROWS = 32, 320, 8
PARTS = {"web": ("a", "b"), "code": ("c",), "korean": ("d",)}
BYTES_PER_TOKEN = {"web": 4, "code": 3, "korean": 2}


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """Token shards of three parts, in which every token but BOS occurs once, with their facts."""
    rng = np.random.default_rng(0)
    number = 1000
    for part, names in PARTS.items():
        (tmp_path / part).mkdir()
        for name in names:
            documents = []
            for _ in range(70):
                size = int(rng.integers(0, 90))
                documents.append([BOS, *range(number, number + size)])
                number += size
            path = tmp_path / part / f"{name}.ds"
            write_shard(path, documents)
            tokens = sum(map(len, documents))
            facts = {"tokens": tokens, "bytes": tokens * BYTES_PER_TOKEN[part]}
            path.with_suffix(".json").write_text(json.dumps(facts))
    return [f"{tmp_path}/{part}/{','.join(names)}.ds" for part, names in PARTS.items()]


def wanted(rows: int = ROWS, max_epochs: float | None = None, seed: int = 5) -> mixing.Wanted:
    return mixing.Wanted(rows, LENGTH, seed, max_epochs, block_tokens=100)


def write_plan(
    words: list[str], path: Path, shares: dict[str, float], how: mixing.Wanted
) -> dict[str, object]:
    plan = mixing.make_plan(TokenShards(words), mixing.parts_of(list(PARTS), words), shares, None, how)
    mixing.write_plan(path, plan)
    return plan


@pytest.fixture
def plan(words: list[str], tmp_path: Path) -> Path:
    """A plan in which korean is read more than twice."""
    write_plan(words, tmp_path / "plan.json", {"web": 3, "code": 4, "korean": 3}, wanted())
    return tmp_path / "plan.json"


def make(
    words: list[str], plan: Path, rank: int = 0, world: int = 1, position: Position | None = None
) -> Loader:
    data = TokenShards(words, plan=plan)
    return Loader(
        data,
        length=LENGTH,
        rows_per_step=STEP_ROWS,
        micro_batch=2,
        rank=rank,
        world=world,
        seed=5,
        position=position,
    )


def drain(loader: Loader, steps: int) -> list[Batch]:
    batches = [batch for _ in range(steps) for batch in loader.step()]
    loader.close()
    return batches


def pairs(batches: list[Batch]) -> Counter[tuple[int, int]]:
    """Return how often each token is an input with each target."""
    found: Counter[tuple[int, int]] = Counter()
    for batch in batches:
        keep = batch.targets >= 0
        found.update(zip(batch.tokens[keep].tolist(), batch.targets[keep].tolist(), strict=True))
    return found


def expected(words: list[str], plan: Path) -> Counter[tuple[int, int]]:
    """Each token of the plan's blocks with the one after it, the last of a document with BOS."""
    data, found = TokenShards(words), Counter[tuple[int, int]]()
    for number, _, first, _, tokens in read_json(plan)["blocks"]:
        shard = data.shards[number]
        start = int(shard.ends[first - 1]) if first else 0
        following = [*shard.tokens[1:].tolist(), BOS]  # every document begins with BOS
        for at in range(start, start + tokens):
            found[int(shard.tokens[at]), following[at]] += 1
    return found


def test_each_token_of_the_plan_is_trained_on_once(words: list[str], plan: Path) -> None:
    order = EpochOrder(TokenShards(words, plan=plan), LENGTH, 5, 0)
    assert order.rows == ROWS
    assert len(order.pools) > 5
    seen = pairs(drain(make(words, plan), ROWS // STEP_ROWS))
    assert seen == expected(words, plan)
    assert max(seen.values()) >= 3  # of korean


def test_budgets_are_exact_and_shares_are_of_bytes(words: list[str], plan: Path) -> None:
    said = read_json(plan)
    data, taken = TokenShards(words), Counter[str]()
    for number, _, _, _, tokens in said["blocks"]:
        taken[data.shards[number].path.parent.name] += tokens
    assert taken == {part["name"]: part["budget"] for part in said["parts"]}
    size = {part: tokens * BYTES_PER_TOKEN[part] for part, tokens in taken.items()}
    for part, share in (("web", 0.3), ("code", 0.4), ("korean", 0.3)):
        assert size[part] / sum(size.values()) == pytest.approx(share, rel=1e-3)
    assert sum(taken.values()) >= 0.95 * ROWS * (LENGTH - 1)
    passes = {epoch for number, epoch, *_ in said["blocks"] if number == 3}
    assert passes == set(range(len(passes)))
    assert len(passes) == -(
        -taken["korean"] // next(p["tokens"] for p in said["parts"] if p["name"] == "korean")
    )


def test_parts_are_spread_over_the_plan(words: list[str], plan: Path) -> None:
    blocks = read_json(plan)["blocks"]
    half = Counter[bool]()
    for number, _, _, _, tokens in blocks[: len(blocks) // 2]:
        half[number == 2] += tokens
    whole = Counter[bool]()
    for number, _, _, _, tokens in blocks:
        whole[number == 2] += tokens
    assert half[True] / sum(half.values()) == pytest.approx(whole[True] / sum(whole.values()), abs=0.03)


@pytest.mark.parametrize("world", [2, 4])
def test_ranks_share_what_one_rank_sees(words: list[str], plan: Path, world: int) -> None:
    shares = [drain(make(words, plan, rank, world), ROWS // STEP_ROWS) for rank in range(world)]
    assert pairs([batch for share in shares for batch in share]) == expected(words, plan)


@pytest.mark.parametrize("at", [1, 7, 39])
def test_resume_is_exact_on_another_number_of_ranks(words: list[str], plan: Path, at: int) -> None:
    steps = ROWS // STEP_ROWS
    whole = drain(make(words, plan), steps)
    loader = make(words, plan)
    for _ in range(at):
        list(loader.step())
    position = Position.from_dict(loader.position.to_dict())
    loader.close()
    rest = drain(make(words, plan, position=position), steps - at)
    assert [b.tokens.tolist() for b in rest] == [b.tokens.tolist() for b in whole[4 * at :]]
    shares = [drain(make(words, plan, rank, 2, position), steps - at) for rank in range(2)]
    assert pairs([b for share in shares for b in share]) == pairs(whole[4 * at :])


def test_another_plan_is_other_data(words: list[str], plan: Path, tmp_path: Path) -> None:
    position = make(words, plan).position
    other = tmp_path / "other.json"
    write_plan(words, other, {"web": 1, "code": 1, "korean": 1}, wanted())
    with pytest.raises(NanosnakeError, match="of other data: the token shards was"):
        make(words, other, position=position)


def test_a_plan_is_the_same_each_time_and_another_for_another_seed(words: list[str], tmp_path: Path) -> None:
    shares = {"web": 1.0, "code": 1.0, "korean": 1.0}
    first, again, other = (
        write_plan(words, tmp_path / "p.json", shares, wanted(seed=seed)) for seed in (1, 1, 2)
    )
    assert first == again
    assert first["blocks"] != other["blocks"]


def test_a_part_that_would_be_read_too_often_is_named(words: list[str], tmp_path: Path) -> None:
    said = (
        r"the part korean would be read \d\.\d\d times: its budget is [\d,]+ tokens, and it has [\d,]+; max_epochs of the "
        "mixture is 2.*smaller share or more text"
    )
    with pytest.raises(NanosnakeError, match=said):
        write_plan(words, tmp_path / "p.json", {"web": 1, "code": 1, "korean": 8}, wanted(max_epochs=2))


def test_a_plan_of_other_shards_is_refused(words: list[str], plan: Path, tmp_path: Path) -> None:
    write_shard(tmp_path / "code/c.ds", [[BOS, 5, 6]])
    (tmp_path / "code/c.json").unlink()
    with pytest.raises(NanosnakeError, match="was made for other token shards"):
        TokenShards(words, plan=plan)


def test_what_a_model_saw_is_counted_by_the_plan(words: list[str], plan: Path) -> None:
    taken = TokenShards(words, plan=plan).taken()
    seen = Counter(token for shard in taken for token in shard.tokens.tolist())
    inputs = Counter[int]()
    for (token, _), times in expected(words, plan).items():
        inputs[token] += times
    assert seen == inputs
