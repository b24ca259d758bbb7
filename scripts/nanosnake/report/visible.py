"""Text that comes from data, made visible: nothing in it can act on the page or hide from the reader.

Escaping of `<`, `&` and quotes is left to jinja2. This module deals with what HTML escaping leaves alone:
control characters, bidirectional overrides, joiners and other characters that have no shape of their own.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

# controls, format characters, surrogates, private use, unassigned, line and paragraph separators
SHAPELESS = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# the names that ASCII gives its controls; fonts often lack the Unicode pictures of them
CONTROL_NAMES = [
    "NUL",
    "SOH",
    "STX",
    "ETX",
    "EOT",
    "ENQ",
    "ACK",
    "BEL",
    "BS",
    "TAB",
    "LF",
    "VT",
    "FF",
    "CR",
    "SO",
    "SI",
    "DLE",
    "DC1",
    "DC2",
    "DC3",
    "DC4",
    "NAK",
    "SYN",
    "ETB",
    "CAN",
    "EM",
    "SUB",
    "ESC",
    "FS",
    "GS",
    "RS",
    "US",
]
LINE_END = "\u21b5"
DOTTED_CIRCLE = "\u25cc"


def is_shapeless(character: str) -> bool:
    """True for a character that a reader could not see, or that could reorder the text around it."""
    category = unicodedata.category(character)
    return category in SHAPELESS or (category == "Zs" and character != " ")


def picture(character: str) -> str:
    """The visible name of a shapeless character: an arrow for a line break, ASCII's name, or the code point."""
    code = ord(character)
    if character == "\n":
        return LINE_END
    if code < len(CONTROL_NAMES):
        return CONTROL_NAMES[code]
    return "DEL" if code == 0x7F else f"U+{code:04X}"


def visible(text: str) -> str:
    """Return `text` as one line, each shapeless character replaced by its name in angle quotes.

    A leading combining mark gets a dotted circle as its base, so it cannot join what comes before it.
    """
    if text.isascii() and text.isprintable():
        return text
    shown = "".join(
        f"\u2039{picture(character)}\u203a" if is_shapeless(character) else character for character in text
    )
    return DOTTED_CIRCLE + shown if text and unicodedata.combining(text[0]) else shown


def token_text(token: bytes) -> str:
    """A token as one line: its text with spaces as an open box, or its bytes in hex if they are not UTF-8."""
    try:
        return visible(token.decode("utf-8")).replace(" ", "\u2423")
    except UnicodeDecodeError:
        return hex_bytes(token)


def hex_bytes(data: bytes) -> str:
    """Bytes as pairs of hexadecimal digits with spaces between them."""
    return data.hex(" ")


@dataclass(frozen=True)
class Run:
    """A stretch of one token's text."""

    text: str
    mark: bool
    """True if `text` is a picture of a shapeless character, false if it is the text itself."""


def runs(text: str) -> Iterator[Run]:
    """Split a token's text into plain stretches and pictures; a line break stays, after its picture."""
    plain: list[str] = []
    if text and unicodedata.combining(text[0]):
        plain.append(DOTTED_CIRCLE)
    for character in text:
        if not is_shapeless(character):
            plain.append(character)
            continue
        if plain:
            yield Run("".join(plain), False)
            plain.clear()
        yield Run(picture(character), True)
        if character == "\n":
            plain.append("\n")
    if plain:
        yield Run("".join(plain), False)
