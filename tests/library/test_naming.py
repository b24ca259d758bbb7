"""Names of shards survive the way through a command line."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nanosnake import naming
from nanosnake.files import NanosnakeError

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,12}", fullmatch=True)


@given(st.lists(st.one_of(NAMES, st.integers(0, 120).map("shard_{:03d}".format)), min_size=1, unique=True))
def test_expand_inverts_compact(names: list[str]) -> None:
    assert naming.expand(naming.compact(names)) == names


def test_thousands_of_names_are_one_short_word() -> None:
    assert naming.compact(f"shard_{n:05d}" for n in range(6542)) == "shard_[00000-06541]"


@given(
    st.text(max_size=20)
    | st.lists(st.sampled_from(["..", "/", "[", "]", "-", ",", "0", "9", "a", "\n", "٣"])).map("".join)
)
def test_any_word_gives_names_that_are_safe_in_a_path(word: str) -> None:
    try:
        names = naming.expand(word)
    except NanosnakeError:
        return
    assert names
    assert all(naming.SAFE_NAME.fullmatch(name) for name in names)


@settings(deadline=None)
@given(st.text(max_size=20) | st.integers() | st.lists(st.text("0123456789-, ", max_size=9), max_size=3))
def test_any_range_gives_distinct_numbers(value: str | int | list[int | str]) -> None:
    try:
        numbers = naming.parse_range(value)
    except ValueError:
        return
    assert len(set(numbers)) == len(numbers)
    assert all(number >= 0 for number in numbers)


@pytest.mark.parametrize(
    "word",
    [
        "",
        "../up",
        "a b",
        "x[3-",
        "a,,b",
        "$(id)",
        "../x[0-3]",
        "/etc/x[0-1]",
        "x[3-0]",
        "x[0-99999999]",
        "x[٣-٤]",
    ],
)
def test_a_word_that_names_no_shards_is_refused(word: str) -> None:
    with pytest.raises(NanosnakeError, match="--shards"):
        naming.expand(word)


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 20)), min_size=1, max_size=8))
def test_ranges_give_their_numbers(pairs: list[tuple[int, int]]) -> None:
    text = ",".join(f"{first}-{first + more}" for first, more in pairs)
    numbers = [n for first, more in pairs for n in range(first, first + more + 1)]
    if len(set(numbers)) == len(numbers):
        assert naming.parse_range(text) == numbers
    else:
        with pytest.raises(ValueError, match="twice"):
            naming.parse_range(text)


@pytest.mark.parametrize("text", ["", "a", "1-", "-1", "1..3", "٣", "0x1", "1-2-3", "9" * 5000, -1])
def test_what_is_no_range_is_refused(text: str | int) -> None:
    with pytest.raises(ValueError, match="not a shard number"):
        naming.parse_range(text)


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("https://host/{revision}/shard_{shard:05d}.parquet", "shard_00012"),
        ("https://host/part-{shard}.parquet?download=true", "part-12"),
        ("https://host/{shard}/train.parquet", "shard_00012"),
    ],
)
def test_a_shard_is_named_after_its_file(template: str, name: str) -> None:
    assert naming.shard_name(template, 12) == name


def test_options_that_change_the_counts_change_their_folder() -> None:
    names = {
        naming.counting_name("gpt4", known=True, doc_cap=0, text_column=None),
        naming.counting_name("gpt4", known=True, doc_cap=10, text_column=None),
        naming.counting_name("gpt4", known=True, doc_cap=0, text_column="body"),
        naming.counting_name("gpt4", known=True, doc_cap=0, text_column="a/b"),
        naming.counting_name(r"\w+", known=False, doc_cap=0, text_column=None),
        naming.counting_name(r"\w", known=False, doc_cap=0, text_column=None),
    }
    assert len(names) == 6
    assert all(naming.SAFE_NAME.fullmatch(name) for name in names)


def test_what_narrows_a_selection_changes_its_name() -> None:
    names = {
        naming.selection_name(None, max_chars=None, min_count=1),
        naming.selection_name(None, max_chars=5, min_count=1),
        naming.selection_name(None, max_chars=None, min_count=2),
        naming.selection_name(["a"], max_chars=None, min_count=1),
        naming.selection_name(["b"], max_chars=None, min_count=1),
    }
    assert len(names) == 5


def test_a_column_cannot_pass_for_another_option() -> None:
    capped = naming.counting_name("gpt4", known=True, doc_cap=10, text_column=None)
    assert naming.counting_name("gpt4", known=True, doc_cap=0, text_column="cap10") != capped
    odd = naming.counting_name("gpt4", known=True, doc_cap=0, text_column="a/b")
    assert naming.counting_name("gpt4", known=True, doc_cap=0, text_column=odd.split(".")[1]) != odd
