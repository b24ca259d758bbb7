"""Write a split pattern for Oniguruma, the regex engine of the `tokenizers` library.

Our crate and tiktoken read a pattern as Rust's fancy-regex does. Oniguruma reads some constructs differently:

| in the pattern | fancy-regex | Oniguruma | written instead |
|---|---|---|---|
| `x{1,3}+` | possessive | one or more times `x{1,3}` | `(?>x{1,3})` |
| `x{3}?` | three times | three times, or not at all | `x{3}` |
| `^`, `$` | start and end of the text | of each line | `\\A`, `\\z` |
| `(?s)` | `.` matches line ends too | no such flag | `(?m)` |
| `(?m)` | `^`, `$` match at each line | `.` matches line ends | nothing: they do so anyhow |
| `\\u{1F642}` | that character | an error | `\\x{1F642}` |
| `(?P<name>…)` | a group | an error | `(?<name>…)` |

The four known patterns hold none of these and stay as they are. A pattern with the flag `x`, whose blanks and
comments are no part of the regex, stays as it is too. Whatever else differs, the check `agreement` finds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_BRACES = re.compile(r"\{(\d*)(,?)(\d*)\}")
_ESCAPE = re.compile(r"\\(?:[pPx]\{[^}]*\}|x[0-9A-Fa-f]{2}|u\{[^}]*\}|u[0-9A-Fa-f]{4}|k<[^>]*>|.)", re.DOTALL)
_FLAGS = re.compile(r"\(\?([a-zA-Z]*)(?:-([a-zA-Z]*))?([:)])")
_OTHER_GROUP = re.compile(r"\((?:\?(?:<?[=!]|>|P?<[^>=!]*>))?")


@dataclass
class _State:
    """What has been written so far.

    Attributes:
        parts: pieces of the translated regex.
        atom: index in `parts` where what a quantifier would repeat begins.
        lines: whether `^` and `$` match at each line.
        groups: `atom` and `lines` of each group that is open.
    """

    parts: list[str] = field(default_factory=list)
    atom: int = 0
    lines: bool = False
    groups: list[tuple[int, bool]] = field(default_factory=list)

    def add(self, text: str) -> None:
        """Write one atom."""
        self.atom = len(self.parts)
        self.parts.append(text)


def translate(regex: str) -> str:
    """Return a regex that Oniguruma reads as fancy-regex reads `regex`."""
    if any("x" in match[1] for match in _FLAGS.finditer(regex)):
        return regex
    state = _State()
    at = 0
    while at < len(regex):
        at = _step(regex, at, state)
    return "".join(state.parts)


def _step(regex: str, at: int, state: _State) -> int:
    """Translate what stands at a place and return the place after it."""
    character = regex[at]
    if match := _ESCAPE.match(regex, at):
        state.add(re.sub(r"^\\u\{", r"\\x{", match[0]))
        return match.end()
    if character == "[":
        end = _end_of_class(regex, at)
        state.add(re.sub(r"\\u\{", r"\\x{", regex[at:end]))
        return end
    if character == "(":
        return _open(regex, at, state)
    if character == ")" and state.groups:
        state.parts.append(character)
        state.atom, state.lines = state.groups.pop()
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
        state.groups.append((len(state.parts), state.lines))
        state.parts.append(opening.replace("(?P<", "(?<"))
        return at + len(opening)
    on, off, end = match[1], match[2] or "", match[3]
    before = state.lines
    state.lines = (state.lines or "m" in on) and "m" not in off
    flags = on.replace("m", "").replace("s", "m")
    if off := off.replace("m", "").replace("s", "m"):
        flags += f"-{off}"
    if end == ":":
        state.groups.append((len(state.parts), before))
        state.parts.append(f"(?{flags}:")
    elif flags:
        state.parts.append(f"(?{flags})")
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


def _end_of_class(regex: str, at: int) -> int:
    """Return the place after the character class that begins at a place; classes may hold classes."""
    depth = 0
    first = True
    while at < len(regex):
        if match := _ESCAPE.match(regex, at):
            at, first = match.end(), False
            continue
        character = regex[at]
        at += 1
        if character == "[":
            depth += 1
            first = True
            at += regex[at : at + 1] == "^"
            continue
        if character == "]" and not first:
            depth -= 1
            if depth == 0:
                break
        first = False
    return at
