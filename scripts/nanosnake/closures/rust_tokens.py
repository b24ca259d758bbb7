"""Rust as tokens: without comments, documentation, lints and tests, and the same however rustfmt has laid it out."""

from __future__ import annotations

import re
from collections.abc import Sequence

TOKEN = re.compile(
    r"""\s+ | //[^\n]*
    | (?P<comment>/\*)
    | (?P<token>
        [bc]?r(?P<hashes>\#*)".*?"(?P=hashes)
      | [bc]?"(?:\\.|[^"\\])*"
      | b?'(?:\\(?:x[0-9a-fA-F]{2}|u\{[^}]*\}|.)|[^'\\])'
      | '[^\W\d]\w*
      | (?:r\#)?[^\W\d]\w*
      | \d\w*(?:\.\d\w*)?
      | :: | -> | => | \.\.= | \.\. | && | \|\| | [^\w\s"'])""",
    re.VERBOSE | re.DOTALL,
)
BLOCK_COMMENT = re.compile(r"/\*|\*/")

WITHOUT_MEANING = {"doc", "allow", "expect", "warn", "deny", "forbid", "must_use"}
"""Attributes that are only for people and lints."""

TO_THE_SEMICOLON = {"use", "const", "static", "type", "let"}
"""Items that end there, also where they have braces."""

KEYWORDS = {"return", "in", "match", "if", "while", "else", "move", "mut", "break", "as", "let", "ref"}
"""Words after which a parenthesis opens no call."""

LEAVING = {"return", "break", "continue"}

CLOSING = {"(": ")", "[": "]", "{": "}"}


def tokens(source: str) -> list[str]:
    """Return the tokens that decide what a file does."""
    return _canonical(_without_last_semicolons(_without_tests(_split(source))))


def _split(source: str) -> list[str]:
    found, at = [], 0
    while at < len(source):
        match = TOKEN.match(source, at)
        if match is None:
            raise ValueError(f"not Rust as this reader knows it: {source[at : at + 30]!r}")
        at = match.end()
        if match["comment"]:
            depth = 1
            while depth and (mark := BLOCK_COMMENT.search(source, at)):
                depth += 1 if mark[0] == "/*" else -1
                at = mark.end()
        elif match["token"]:
            found.append(match["token"])
    return found


def group_end(words: Sequence[str], at: int) -> int:
    """Return the position after the group that opens at a position."""
    depth = 0
    for place in range(at, len(words)):
        if words[place] in CLOSING:
            depth += 1
        elif words[place] in (")", "]", "}"):
            depth -= 1
            if depth == 0:
                return place + 1
    return len(words)


def attribute_end(words: Sequence[str], at: int) -> int:
    """Return the position after the attribute at a position; the position itself if there is none."""
    if words[at] != "#":
        return at
    opened = at + 1 + (words[at + 1] == "!")
    return group_end(words, opened) if words[opened] == "[" else at


def item_end(words: Sequence[str], at: int) -> int:
    """Return the position after the item that begins at a position, attributes included."""
    while at < len(words) and (behind := attribute_end(words, at)) > at:
        at = behind
    begins = at
    if words[at : at + 1] == ["pub"]:
        begins = group_end(words, at + 1) if words[at + 1] == "(" else at + 1
    only_semicolon = words[begins : begins + 1] and words[begins] in TO_THE_SEMICOLON
    if only_semicolon and words[begins] == "const" and words[begins + 1] in ("fn", "unsafe", "extern"):
        only_semicolon = False
    while at < len(words) and words[at] not in (";", "}"):
        if words[at] in CLOSING:
            closes = group_end(words, at)
            if words[at] == "{" and not only_semicolon:
                return closes
            at = closes
        else:
            at += 1
    return at + 1 if words[at : at + 1] == [";"] else at


def _without_tests(words: list[str]) -> list[str]:
    """Leave out items under `#[cfg(test)]`, and attributes without meaning."""
    kept: list[str] = []
    at = 0
    while at < len(words):
        behind = attribute_end(words, at)
        if behind == at:
            kept.append(words[at])
            at += 1
            continue
        said = [word for word in words[at:behind] if word not in ("#", "!", "[", "]")]
        if said == ["cfg", "(", "test", ")"]:
            at = item_end(words, behind)
        else:
            kept += [] if said[0] in WITHOUT_MEANING else words[at:behind]
            at = behind
    return kept


def _without_last_semicolons(words: list[str]) -> list[str]:
    """Leave out what rustfmt adds after a block's last statement if that leaves the block: `{ return x; }`."""
    kept: list[str] = []
    statements = [""]
    """The first token of the statement at each depth of brackets; a semicolon after one that leaves the block."""
    for word in words:
        if statements[-1] == ";":
            statements[-1] = ""
            if word == "}":
                kept.pop()
        kept.append(word)
        if word in CLOSING:
            statements[-1] = statements[-1] or word
            statements.append("")
        elif word in (")", "]", "}") and len(statements) > 1:
            statements.pop()
            if word == "}" and statements[-1] not in LEAVING:
                statements[-1] = ""
        elif word == ";":
            statements[-1] = word if statements[-1] in LEAVING else ""
        else:
            statements[-1] = statements[-1] or word
    return kept


def _canonical(words: list[str]) -> list[str]:
    """Leave out commas and braces that rustfmt adds where it breaks a line, and removes where it joins two."""
    kept: list[str] = []
    opened: list[tuple[str, int, bool]] = []
    """Brackets that are open: how each closes, its first token in `kept`, whether it is left out."""
    for at, word in enumerate(words):
        if word in CLOSING:
            braces = word == "{" and kept[-1:] and kept[-1] in ("=>", "|", "||") and _is_one_value(words, at)
            opened.append((kept[-1] if kept else "", len(kept), bool(braces)))
            if not braces:
                kept.append(word)
        elif word == ">" and kept[-1:] == [","]:
            kept[-1] = word
        elif word in (")", "]", "}") and opened:
            before, first, braces = opened.pop()
            if kept[-1] == "," and not _is_tuple_of_one(word, before, kept[first + 1 :]):
                kept.pop()
            if not braces:
                kept.append(word)
            if word == "}" and before == "=>" and words[at + 1 : at + 2] != [","]:
                kept.append(",")
        else:
            kept.append(word)
    return kept


def _is_one_value(words: list[str], at: int) -> bool:
    """Return whether the braces at a position hold one expression, so that they can be left out."""
    end = group_end(words, at)
    inside = at + 1
    while inside < end - 1:
        if words[inside] == ";":
            return False
        inside = group_end(words, inside) if words[inside] in CLOSING else inside + 1
    return end - at > 2


def _is_tuple_of_one(closing: str, before: str, inside: list[str]) -> bool:
    is_call = before in (">", ")", "]", "!", "?") or (before[:1].isidentifier() and before not in KEYWORDS)
    if closing != ")" or is_call:
        return False
    depth = commas = 0
    for word in inside:
        depth += (word in CLOSING) - (word in (")", "]", "}"))
        commas += word == "," and depth == 0
    return commas == 1
