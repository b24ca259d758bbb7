"""A panic of a library in Rust names the library and the text, whoever calls it."""

from __future__ import annotations

import subprocess
import sys

import pytest
import tiktoken

from nanosnake.messages import Panicked, expected_message, named
from nanosnake.training.vocabulary import Vocabulary

PATTERN = "a+|(?=b)"
"""It matches nothing before a b, on which tiktoken panics."""

BYTES = [bytes([byte]) for byte in range(256)]


def encoding() -> tiktoken.Encoding:
    ranks = {token: rank for rank, token in enumerate(BYTES)}
    return tiktoken.Encoding("x", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={})


def test_the_panic_names_the_one_text_of_many() -> None:
    encode = named("tiktoken (x)", encoding().encode_ordinary_batch)
    assert encode(["a", "aa"]) == [[97], [97, 97]]
    with pytest.raises(Panicked, match=r"^tiktoken \(x\) panics on 'ba' \(") as caught:
        encode(["a", "ba", "aa"], num_threads=2)
    assert caught.value.given == "ba"
    assert expected_message(caught.value) == str(caught.value)


def test_a_prompt_or_a_task_on_which_tiktoken_panics_is_named() -> None:
    vocabulary = Vocabulary([*BYTES, b"<|bos|>"], {"<|bos|>": 256}, 256, PATTERN)
    assert vocabulary.encode("aa") == [256, 97, 97]
    with pytest.raises(Panicked, match=r"^tiktoken panics on 'b'"):
        vocabulary.encode("b")


def test_a_script_ends_with_one_line() -> None:
    script = (
        f"import sys; sys.path[:0] = {sys.path!r}\n"
        "from nanosnake.process import run_main; from library.test_panics import encoding, named\n"
        "run_main(lambda argv: len(named('tiktoken', encoding().encode_ordinary)(sys.argv[1])))"
    )
    ended = subprocess.run([sys.executable, "-c", script, "b"], capture_output=True, text=True, check=False)
    last = ended.stderr.splitlines()[-1]
    assert (ended.returncode, last.partition(" (")[0]) == (1, "-c: error: tiktoken panics on 'b'"), (
        ended.stderr
    )
