"""Write a split pattern for Oniguruma, the regex engine of the `tokenizers` library.

Our crate and tiktoken read a pattern as Rust's fancy-regex does. Oniguruma reads some constructs differently:

| in the pattern | fancy-regex | Oniguruma | written instead |
|---|---|---|---|
| `x{1,3}+` | possessive | one or more times `x{1,3}` | `(?>x{1,3})` |
| `x{3}?` | three times | three times, or not at all | `x{3}` |
| `^`, `$` | start and end of the text | of each line | `\\A`, `\\z` |
| `(?s)` | `.` matches line ends too | no such flag | `(?m)` |
| `(?m)` | `^`, `$` match at each line | `.` matches line ends | nothing: they do so anyhow |
| `(?i)` up to the end of a group | flags across `\\|` | the rest is one alternative | `(?i:…)\\|(?i:…)` |
| `\\w`, `\\b`, `\\<`, `\\>` | letters as Unicode says | others, or no such escape | the class itself, look-around |
| `[[:alpha:]]` | ASCII letters | all letters | `[A-Za-z]` |
| `\\pL`, `\\p{gc=L}` | a class | other text, an error | `\\p{L}` |
| `\\u{1F642}`, `\\U0001F642` | that character | an error | `\\x{1F642}` |
| `\\xE9` | that character | a byte | `\\x{E9}` |
| `(?P<name>…)` | a group | an error | `(?<name>…)` |

The four known patterns hold none of these and stay as they are. A pattern with the flag `x`, whose blanks and comments
are not part of the regex, stays as it is too. Whatever else differs, nanosnake.tokenizer.trial finds before the first
job, and the check `agreement` in the documents.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_BRACES = re.compile(r"\{(\d*)(,?)(\d*)\}")
_ESCAPE = re.compile(
    r"\\(?:[pPxuU]\{[^}]*\}|[pP].|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|k<[^>]*>|.)", re.DOTALL
)
_PROPERTY = re.compile(r"\\([pP])(?:\{(\^?)(?:(?:sc|Script|gc|General_Category)=)?([^}]*)\}|(.))", re.DOTALL)
_CHARACTER = re.compile(r"\\[xuU](?:\{([^}]*)\}|([0-9A-Fa-f]+))")
_POSIX = re.compile(r"\[:(\^?)([a-z]+):\]")
_FLAGS = re.compile(r"\(\?([a-zA-Z]*)(?:-([a-zA-Z]*))?([:)])")
_WORD = r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{200C}\x{200D}"
_ESCAPES = {
    r"\w": f"[{_WORD}]",
    r"\W": f"[^{_WORD}]",
    r"\b": f"(?:(?<=[{_WORD}])(?![{_WORD}])|(?<![{_WORD}])(?=[{_WORD}]))",
    r"\B": f"(?:(?<=[{_WORD}])(?=[{_WORD}])|(?<![{_WORD}])(?![{_WORD}]))",
    r"\<": f"(?<![{_WORD}])(?=[{_WORD}])",
    r"\>": f"(?<=[{_WORD}])(?![{_WORD}])",
}
_ASCII = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7F",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1F\x7F",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_OTHER_GROUP = re.compile(r"\((?:\?(?:<?[=!]|>|P?<[^>=!]*>))?")


@dataclass
class _State:
    """What has been written so far.

    Attributes:
        parts: pieces of the translated regex.
        atom: index in `parts` where what a quantifier would repeat begins.
        lines: whether `^` and `$` match at each line.
        flags: what opens each group of flags that ends with the group around it.
        groups: `atom`, `lines` and `flags` of each group that is open.
    """

    parts: list[str] = field(default_factory=list)
    atom: int = 0
    lines: bool = False
    flags: list[str] = field(default_factory=list)
    groups: list[tuple[int, bool, list[str]]] = field(default_factory=list)

    def add(self, text: str) -> None:
        """Write one atom."""
        self.atom = len(self.parts)
        self.parts.append(text)

    def open(self, text: str, *, lines: bool) -> None:
        """Begin a group; `lines` is what holds again after it."""
        self.groups.append((len(self.parts), lines, self.flags))
        self.flags = []
        self.parts.append(text)

    def close_flags(self) -> None:
        """End the groups of flags that end here."""
        self.parts.append(")" * len(self.flags))


def translate(regex: str) -> str:
    """Return a regex that Oniguruma reads as fancy-regex reads `regex`."""
    if any("x" in match[1] for match in _FLAGS.finditer(regex)):
        return regex
    state = _State()
    at = 0
    while at < len(regex):
        at = _step(regex, at, state)
    state.close_flags()
    return "".join(state.parts)


def _step(regex: str, at: int, state: _State) -> int:
    """Translate what is at a position and return the position after it."""
    character = regex[at]
    if match := _ESCAPE.match(regex, at):
        state.add(_ESCAPES.get(match[0]) or _escape(match[0]))
        return match.end()
    if character == "[":
        text, end = _class(regex, at)
        state.add(text)
        return end
    if character == "(":
        return _open(regex, at, state)
    if character == ")" and state.groups:
        state.close_flags()
        state.parts.append(character)
        state.atom, state.lines, state.flags = state.groups.pop()
        return at + 1
    if character == "|":
        state.close_flags()
        state.add("|" + "".join(state.flags))
        return at + 1
    if character in "*+?":
        state.parts.append(character)
        if regex[at + 1 : at + 2] in ("+", "?"):
            state.parts.append(regex[at + 1])
            return at + 2
        return at + 1
    if match := _BRACES.match(regex, at):
        return _repeat(regex, match, state)
    if character in "^$" and not state.lines:
        character = {"^": r"\A", "$": r"\z"}[character]
    state.add(character)
    return at + 1


def _open(regex: str, at: int, state: _State) -> int:
    """Translate the opening of a group, or flags."""
    match = _FLAGS.match(regex, at)
    if match is None:
        other = _OTHER_GROUP.match(regex, at)
        opening = other[0] if other else "("
        state.open(opening.replace("(?P<", "(?<"), lines=state.lines)
        return at + len(opening)
    on, off, end = match[1], match[2] or "", match[3]
    before = state.lines
    state.lines = (state.lines or "m" in on) and "m" not in off
    flags = on.replace("m", "").replace("s", "m").replace("u", "")
    if off := off.replace("m", "").replace("s", "m"):
        flags += f"-{off}"
    if end == ":":
        state.open(f"(?{flags}:", lines=before)
    elif flags:
        state.parts.append(f"(?{flags}:")
        state.flags.append(f"(?{flags}:")
    return match.end()


def _repeat(regex: str, match: re.Match[str], state: _State) -> int:
    """Translate a quantifier in braces with its suffix."""
    braces, suffix = match[0], regex[match.end() : match.end() + 1]
    if suffix == "+":
        state.parts.insert(state.atom, "(?>")
        state.parts.append(f"{braces})")
        return match.end() + 1
    state.parts.append(braces)
    if suffix == "?":
        if match[2]:  # of {3}?, the suffix says nothing
            state.parts.append("?")
        return match.end() + 1
    return match.end()


def _escape(text: str) -> str:
    """Translate an escape that means the same inside a class and outside."""
    if match := _PROPERTY.fullmatch(text):
        return rf"\{match[1]}{{{match[2] or ''}{match[3] or match[4]}}}"
    if match := _CHARACTER.fullmatch(text):
        return rf"\x{{{match[1] or match[2]}}}"
    return text


def _class(regex: str, at: int) -> tuple[str, int]:
    """Translate the character class that begins at a position; classes may nest. Return the position after it."""
    parts: list[str] = []
    depth = 0
    first = True
    while at < len(regex):
        if match := _ESCAPE.match(regex, at):
            word = {r"\w": _WORD, r"\W": f"[^{_WORD}]"}.get(match[0])
            parts.append(word or _escape(match[0]))
            at, first = match.end(), False
            continue
        if depth and (match := _POSIX.match(regex, at)) and match[2] in _ASCII:
            ascii_class = _ASCII[match[2]]
            parts.append(f"[^{ascii_class}]" if match[1] else ascii_class)
            at, first = match.end(), False
            continue
        character = regex[at]
        parts.append(character)
        at += 1
        if character == "[":
            depth += 1
            first = True
            if regex[at : at + 1] == "^":
                parts.append("^")
                at += 1
            continue
        if character == "]" and not first:
            depth -= 1
            if depth == 0:
                break
        first = False
    return "".join(parts), at
