"""A pattern that is written for Oniguruma cuts texts as the crate's engine does with the pattern itself."""

from __future__ import annotations

import random

import pytest
import rustbpe
from tokenizers import Regex, pre_tokenizers

from nanosnake.tokenizer.oniguruma import translate
from tiny_tokenizers import evaluation_texts

# what tiktoken itself has for GPT-2 and GPT-4, with possessive repetitions and an end of text
GPT2_POSSESSIVE = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"
GPT4_POSSESSIVE = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
    r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
)

WORD = r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{200C}\x{200D}"
START, END = rf"(?<![{WORD}])(?=[{WORD}])", rf"(?<=[{WORD}])(?![{WORD}])"


def by_rust(regex: str, text: str) -> list[str]:
    return rustbpe.Encoder([bytes([byte]) for byte in range(256)], pattern=regex).split(text)


def by_oniguruma(regex: str, text: str) -> list[str]:
    split = pre_tokenizers.Split(Regex(regex), "removed", invert=True)
    return [piece for piece, _ in split.pre_tokenize_str(text)]


@pytest.mark.parametrize("regex", rustbpe.PATTERNS.values())
def test_known_patterns_stay_as_they_are(regex: str) -> None:
    assert translate(regex) == regex


@pytest.mark.parametrize(
    ("regex", "written"),
    [
        (r"\p{N}{1,3}+|.", r"(?>\p{N}{1,3})|."),
        (r"a{2}+|.", r"(?>a{2})|."),
        (r"(?:ab|c){2,}+d?|.", r"(?>(?:ab|c){2,})d?|."),
        (r"[a]b]{1,2}+|.", r"[a]b(?>]{1,2})|."),
        (r"[]a]{1,2}+|.", r"(?>[]a]{1,2})|."),
        (r"[a-z&&[^b]]{1,2}+|.", r"(?>[a-z&&[^b]]{1,2})|."),
        (r"(?:x|(?:a{1,2}+b)){2}+|.", r"(?>(?:x|(?:(?>a{1,2})b)){2})|."),
        (r"a{3}?|.", r"a{3}|."),
        (r"a{1,3}?|.", r"a{1,3}?|."),
        (r"^a|b", r"\Aa|b"),
        (r"a$|.", r"a\z|."),
        (r"\$|\^|[$^]|.", r"\$|\^|[$^]|."),
        (r"(?s).+", r"(?m:.+)"),
        (r"(?s:a.)|.", r"(?m:a.)|."),
        (r"(?-s:a.)|(?is:b.)", r"(?-m:a.)|(?im:b.)"),
        (r"(?m)^a|.", r"^a|."),
        (r"(?m:^a)|^b|.", r"(?:^a)|\Ab|."),
        (r"\u{1F642}|[\u{41}b]|.", r"\x{1F642}|[\x{41}b]|."),
        (r"(?<=a)b{1,2}+|(?!c)d|(?>e)|(?P<n>f)|.", r"(?<=a)(?>b{1,2})|(?!c)d|(?>e)|(?<n>f)|."),
        (r"a*+b++c?+d*?e+?f??", r"a*+b++c?+d*?e+?f??"),
        (r"a(?i)b|.", r"a(?i:b)|(?i:.)"),
        (r"(?:a(?i)b(?-i)c|d){1,2}+|A|.", r"(?>(?:a(?i:b(?-i:c))|(?i:(?-i:d))){1,2})|A|."),
        (r"(?u)(?i)A|b", r"(?i:A)|(?i:b)"),
        (r"\pL+|\PL", r"\p{L}+|\P{L}"),
        (r"[\pL\p{gc=Nd}]+|\p{Script=Latin}|\P{^L}|.", r"[\p{L}\p{Nd}]+|\p{Latin}|\P{^L}|."),
        (r"\U0001F642|\xb2|[\xe9]|.", r"\x{0001F642}|\x{b2}|[\x{e9}]|."),
        (r"[[:alpha:]]+|[^[:^space:]]|.", r"[A-Za-z]+|[^[^\t\n\v\f\r ]]|."),
        (r"[:a]+|.", r"[:a]+|."),
        (r"\<\w+\>|\W", rf"{START}[{WORD}]+{END}|[^{WORD}]"),
        (r"[\w-]+|[^\W1]|\W", rf"[{WORD}-]+|[^[^{WORD}]1]|[^{WORD}]"),
        (r"\ba|.\b|.", rf"(?:{END}|{START})a|.(?:{END}|{START})|."),
        (r"a\B|.", rf"a(?:(?<=[{WORD}])(?=[{WORD}])|(?<![{WORD}])(?![{WORD}]))|."),
    ],
)
def test_constructs(regex: str, written: str) -> None:
    assert translate(regex) == written
    draw = random.Random(regex)
    for _ in range(300):
        text = "".join(
            draw.choice("aaabbcdef x]^$\n\r1234🙂AB²é\u200d_:-") for _ in range(draw.randint(0, 12))
        )
        assert by_oniguruma(written, text) == by_rust(regex, text), text


@pytest.mark.parametrize("regex", [GPT2_POSSESSIVE, GPT4_POSSESSIVE])
def test_the_patterns_of_tiktoken(regex: str) -> None:
    draw = random.Random(0)
    parts = [
        " ",
        "  ",
        "\n",
        "\r\n",
        "\t",
        "\u3000",
        "'s",
        "'LL",
        "a",
        "B",
        "1",
        "23",
        "٣",
        "!",
        "\u0301",
        "🙂",
    ]
    mixed = ["".join(draw.choice(parts) * draw.randint(1, 4) for _ in range(30)) for _ in range(200)]
    for text in [*evaluation_texts().values(), *mixed]:
        assert by_oniguruma(translate(regex), text) == by_rust(regex, text)


def test_without_translation_a_possessive_repetition_is_another_thing() -> None:
    assert by_rust(r"\p{N}{1,3}+", "1234567") == ["123", "456", "7"]
    assert by_oniguruma(r"\p{N}{1,3}+", "1234567") == ["1234567"]


def test_blanks_and_comments_are_left_alone() -> None:
    regex = "(?x) a{1,2}+ # one ( or ^ two\n | ."
    assert translate(regex) == regex
