"""Text from data on its way into the page: what cannot be seen is named, what is split is still shown."""

import pytest
import tiktoken

from nanosnake.report.segments import panel, pieces, samples
from nanosnake.report.visible import Run, runs, token_text, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text", "plain text"),
        ("na\u00efve \uac15", "na\u00efve \uac15"),
        (
            "a\nb\tc\x00\x1b\x7f",
            "a\u2039\u21b5\u203ab\u2039TAB\u203ac\u2039NUL\u203a\u2039ESC\u203a\u2039DEL\u203a",
        ),
        ("\u202eabc\u2066", "\u2039U+202E\u203aabc\u2039U+2066\u203a"),
        ("a\u200bb\ufeff", "a\u2039U+200B\u203ab\u2039U+FEFF\u203a"),
        ("a\u00a0b\u2028c", "a\u2039U+00A0\u203ab\u2039U+2028\u203ac"),
        ("\U000e0001\ue000\U0010ffff", "\u2039U+E0001\u203a\u2039U+E000\u203a\u2039U+10FFFF\u203a"),
        ("\u0301x", "\u25cc\u0301x"),
        ("", ""),
    ],
)
def test_what_has_no_shape_is_named(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_what_is_visible_stays_as_it_is_the_second_time() -> None:
    once = visible("a\u202e\x00 b\n")
    assert visible(once) == once


@pytest.mark.parametrize(
    ("token", "shown"),
    [(b" the", "\u2423the"), (b"\n", "\u2039\u21b5\u203a"), (b"\xed\x95", "ed 95"), (b"<b>", "<b>")],
)
def test_a_token_is_one_line_of_text_or_hex(token: bytes, shown: str) -> None:
    assert token_text(token) == shown


def test_runs_keep_line_breaks_after_their_picture() -> None:
    assert list(runs("a\nb\x00")) == [
        Run("a", False),
        Run("\u21b5", True),
        Run("\nb", False),
        Run("NUL", True),
    ]


def test_a_character_split_over_tokens_is_shown_with_the_bytes_of_each() -> None:
    character = "\uac15".encode()
    found = list(pieces([(5, b"a"), (6, character[:2]), (7, character[2:]), (8, b"b")]))
    assert [piece.ids for piece in found] == [(5,), (6, 7), (8,)]
    assert found[1].runs == (Run("\uac15", False),)
    assert found[1].parts == ("ea b0", "95")


def test_bytes_that_never_become_text_are_shown_in_hex() -> None:
    (found,) = pieces([(1, b"\xff"), (2, b"\xfe")])
    assert (found.runs, found.parts) == ((), ("ff", "fe"))


def bytes_only(name: str = "bytes") -> tiktoken.Encoding:
    return tiktoken.Encoding(
        name=name,
        pat_str=r"\S+|\s+",
        mergeable_ranks={bytes([byte]): byte for byte in range(256)},
        special_tokens={},
    )


def test_a_panel_counts_tokens_and_bytes() -> None:
    found = panel("bytes", bytes_only(), "a\uac15")
    assert (found.tokens, found.bytes_per_token) == (4, 1.0)
    assert "".join(run.text for piece in found.pieces for run in piece.runs) == "a\uac15"


class PanicException(BaseException):
    """As pyo3 has it: not an Exception."""


class Panicking:
    """tiktoken with a pattern that it cannot take."""

    def encode_ordinary(self, text: str) -> list[int]:
        raise PanicException("index out of range")

    def decode_single_token_bytes(self, token: int) -> bytes:
        return bytes([token])


def test_a_panel_of_a_library_that_panics_says_so_and_the_page_has_the_others() -> None:
    (found,) = samples({"a": "ab"}, {"ours": Panicking(), "bytes": bytes_only()}, max_characters=4)
    assert [panel.problem for panel in found.panels] == ["tiktoken panics on 'ab' (index out of range)", ""]
    assert found.panels[1].tokens == 2


def test_samples_are_cut_by_characters_and_name_what_is_whole() -> None:
    found = samples({"long": "ab" * 9, "short": "ab", "empty": ""}, {"bytes": bytes_only()}, max_characters=4)
    assert {sample.text: (sample.characters, sample.whole) for sample in found} == {
        "long": (4, False),
        "short": (2, True),
    }
