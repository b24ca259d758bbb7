"""Any text to ids and back, and any ids to bytes: the same text, or an exception that names the id."""

from __future__ import annotations

import pytest
import rustbpe
from hypothesis import given
from hypothesis import strategies as st

VOCABULARY = [*(bytes([byte]) for byte in range(255, -1, -1)), b"th", b"the", b"", "日本".encode(), b"   "]
SPECIAL = {"<|bos|>": 300, "<|end|>": 2**31}
ENCODER = rustbpe.Encoder(VOCABULARY, pattern="gpt4o", special_tokens=SPECIAL)
TEXTS = st.text(max_size=80) | st.lists(st.sampled_from(["the", " the", "日本", "   ", "<|bos|>", "\n"])).map(
    "".join
)
KNOWN = st.sampled_from([*(n for n, token in enumerate(VOCABULARY) if token), *SPECIAL.values()])


@given(TEXTS)
def test_ids_of_any_text_decode_to_it(text: str) -> None:
    ids = ENCODER.encode(text)
    assert ENCODER.decode(ids) == text
    assert ENCODER.decode_bytes(ids) == text.encode()
    assert ENCODER.count(text) == len(ids)
    assert list(memoryview(ENCODER.encode_to_bytes(text)).cast("I")) == ids
    assert ENCODER.encode_batch([text, text], threads=2) == [ids, ids]
    assert not set(SPECIAL.values()) & set(ids), "special tokens are never made by encoding"


@given(st.lists(KNOWN, max_size=30))
def test_known_ids_decode_to_their_bytes(ids: list[int]) -> None:
    special = {number: name.encode() for name, number in SPECIAL.items()}
    assert ENCODER.decode_bytes(ids) == b"".join(special.get(i) or VOCABULARY[i] for i in ids)


@given(st.lists(st.integers(0, 2**32 - 1), max_size=5))
def test_unknown_ids_are_named(ids: list[int]) -> None:
    known = [number in SPECIAL.values() or number < len(VOCABULARY) for number in ids]
    if all(known):
        ENCODER.decode_bytes(ids)
        return
    with pytest.raises(
        rustbpe.InvalidValueError, match=f"id {ids[known.index(False)]} is not in the vocabulary"
    ):
        ENCODER.decode_bytes(ids)


@pytest.mark.parametrize("number", [-1, 2**32, 2**80])
def test_what_is_no_id_is_refused(number: int) -> None:
    with pytest.raises(OverflowError):
        ENCODER.decode_bytes([number])
