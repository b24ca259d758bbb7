"""Items that share 13 tokens in a row with a token shard are found, all of them and no other."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import check_contamination
from find_overlap import FindOverlap
from nanosnake.evaluation import contamination
from nanosnake.evaluation.contamination import RUN, find_overlap
from nanosnake.files import NanosnakeError, read_json, write_json
from nanosnake.stages import call
from nanosnake.training.shards import Shard
from tiny_tokenizers import train

SENTENCE = (
    "The committee decided on Tuesday that every village school between the river and the hills stays open."
)
OTHER = "Nobody had asked for purple elephants on ice skates near harbour lights at quarter past eleven yesterday."


def shard_of(tokens: list[int]) -> Shard:
    return Shard(Path("s.ds"), np.array(tokens, dtype=np.uint16), np.array([len(tokens)], dtype=np.uint64))


def by_hand(text: list[int], items: list[list[int]]) -> dict[int, int]:
    """Return what `find_overlap` finds, in the slowest way."""
    runs = {tuple(text[at : at + RUN]) for at in range(len(text) - RUN + 1)}
    found = {}
    for number, item in enumerate(items):
        mine = {tuple(item[at : at + RUN]) for at in range(len(item) - RUN + 1)}
        if mine & runs:
            found[number] = len(mine & runs)
    return found


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_it_finds_what_comparing_everything_finds(data: st.DataObject) -> None:
    few = st.integers(0, 2)  # so few tokens that runs come again
    text = data.draw(st.lists(few, min_size=0, max_size=300))
    items = data.draw(st.lists(st.lists(few, max_size=40), max_size=4))
    if len(text) > 40:  # a piece of the text itself
        at = data.draw(st.integers(0, len(text) - 20))
        items.append([7, *text[at : at + 20]])
    assert find_overlap(shard_of(text), items) == by_hand(text, items)


def test_a_run_across_two_pieces_that_are_hashed_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contamination, "CHUNK", 50)
    text = list(range(1000, 1400))
    items = [[*text[at : at + RUN]] for at in range(30, 60)]
    assert find_overlap(shard_of(text), items) == dict.fromkeys(range(30), 1)


def test_equal_hashes_of_other_tokens_are_no_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        contamination, "hashes", lambda tokens: np.zeros(max(0, len(tokens) - RUN + 1), dtype=np.uint64)
    )
    assert find_overlap(shard_of(list(range(40))), [list(range(100, 120)), list(range(5, 20))]) == {1: 3}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with overlap files of two shards; the first item is in one of them, the last is too short."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from tokenize_shard import TokenizeShard

    folder = tmp_path_factory.mktemp("overlap")
    (folder / "overlap").mkdir()
    train(folder, ["a few words", "of training text"] * 5, vocab_size=270)
    half = SENTENCE.index("every")
    items = [
        {"context": SENTENCE[:half].strip(), "continuation": SENTENCE[half:]},
        {"context": OTHER, "continuation": "x"},
        {"context": "a", "continuation": "b"},
    ]
    write_json(folder / "task.json", {"kind": "language_modeling", "items": items})
    for name, text in (("a", f"Before. {SENTENCE} After."), ("b", "Nothing of it.")):
        pq.write_table(pa.table({"text": [text, "another document"]}), folder / f"{name}.parquet")
        TokenizeShard(
            shard=folder / f"{name}.parquet",
            text_column="text",
            tokenizer=folder / "tokenizer",
            output=folder / f"{name}.ds",
        ).run()
        FindOverlap(
            tokens=folder / f"{name}.ds",
            tokenizer=folder / "tokenizer",
            task=folder / "task.json",
            output=folder / f"overlap/{name}.json",
        ).run()
    return folder


def options(found: Path, *more: str) -> list[str]:
    return [
        *(
            "--tasks",
            "task",
            "--overlap",
            f"{found}/overlap/a,b.json",
            "--output",
            str(found / "contamination.json"),
        ),
        *more,
    ]


def test_an_item_of_the_training_text_is_named(found: Path, capfd: pytest.CaptureFixture[str]) -> None:
    first = read_json(found / "overlap/a.json")
    assert (first["items"], first["too_short"], list(first["overlapping"])) == (3, 1, ["0"])
    assert read_json(found / "overlap/b.json")["overlapping"] == {}
    assert call(check_contamination.CheckContamination, options(found)) == 0
    said = json.loads((found / "contamination.json").read_text())
    assert said["verdict"] == "fail"
    assert said["tasks"] == [{"task": "task", "items": 3, "too_short": 1, "share": 1 / 3, "overlapping": [0]}]
    printed = capfd.readouterr().err
    assert (
        "task: 1 of 3 items share 13 tokens in a row with the training text (33.3%); the limit is 1.0%"
        in printed
    )
    assert contamination.overlapping_items(found / "contamination.json") == {"task": [0]}


def test_a_check_that_blocks_ends_the_run(found: Path) -> None:
    (found / "contamination.json").unlink(missing_ok=True)
    with pytest.raises(
        NanosnakeError, match=r"nothing is trained(.|\n)*set the model's contamination.max_share or mode"
    ):
        call(check_contamination.CheckContamination, options(found, "--mode", "block"))
    assert not (found / "contamination.json").exists()
    assert (
        call(check_contamination.CheckContamination, options(found, "--mode", "block", "--max-share", "0.5"))
        == 0
    )
    assert json.loads((found / "contamination.json").read_text())["verdict"] == "pass"
