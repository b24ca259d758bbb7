"""Try a split pattern and special tokens in each engine, before anything is counted with them.

    python -m nanosnake.tokenizer.trial <<< '{"pattern": "a*", "special_tokens": ["<|bos|>"]}'

The plan runs it in a separate process (nanosnake.config.trials), because a library may panic, print, or never return.
"""

from __future__ import annotations

import itertools
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence

import tiktoken
import tokenizers

from nanosnake.crate import rustbpe
from nanosnake.messages import Panicked, named
from nanosnake.tokenizer import oniguruma
from nanosnake.tokenizer.export import byte_characters, hugging_face_json

BYTES = [bytes([byte]) for byte in range(256)]

TEXTS = (
    "",
    "Hello world, it's 2024! I'll THEY'VE we'd",
    "  two blanks\tand a tab  \n\n\r\n end \n",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" + 40 * " " + 40 * "9" + 40 * "!" + 40 * "\n",
    "d\u00e9j\u00e0 vu na\u00efve \u00c5ngstr\u00f6m stra\u00dfe STRASSE \u017f \u212a e\u0301 n\u0303o",
    "\u041f\u0440\u0438\u0432\u0435\u0442 \u043c\u0438\u0440 \u4f60\u597d\u4e16\u754c \u3053\u3093 \ud55c\uad6d\uc5b4 \u0645\u0631\u062d\u0628\u0627 \u0939\u093f\u0928\u094d\u200d\u0926\u0940",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467 \U0001f300\U0001f642 x\u00b2 \u00bd \u2167 \u0664\u0665 a_b-c d.e@f #g",
    "f(x)={[0.5e-3*y]}; // \\n <b>&amp;</b> \u201cquoted\u201d \u2026 \u2013 \u20ac5",
    "\u00a0\u3000\u2028\u0085\u200b\ufeff\x00\x07\x1b\x7f end",
)
HINTS = (
    (r"\\K", r"\K is read differently: write what is before it as (?<=...)"),
    (r"\(\?[a-z]*x", "the flag x: write the pattern without blanks and comments"),
    (r"--|~~", "-- and ~~ in a class: write [a&&[^b]] for [a--b]"),
    (r"\\p\{[^}]*=", "a property with =: write its value alone, as \\p{Greek}"),
    (r"\\[GZRX]", "an escape that engines read differently: write out what it stands for"),
    (r"\(\?[a-z]*[UR]", "the flags U and R: write ungreedy repetitions with ?, line ends as [\\r\\n]"),
)
"""Constructs of a pattern, and spellings that every engine reads alike."""


PANICS = {
    "tiktoken": "it does where a pattern matches nothing; let each alternative take a character, with + for *",
    "tokenizers": "it gives up on patterns that backtrack a lot; use one that backtracks less",
}


def try_all(pattern: str | None, special_tokens: Sequence[str]) -> dict[str, list[str]]:
    """Return the problems of a pattern and special tokens, by kind.

    The kinds: `fails` (an engine cannot do it), `differs` (they do not agree), `loses` (text is left out) and
    `special_tokens`.
    """
    found: dict[str, list[str]] = {
        "special_tokens": list(_unsafe(special_tokens)) or list(_mistaken(special_tokens))
    }
    if pattern is not None:
        hints = [hint for construct, hint in HINTS if re.search(construct, pattern)]
        for kind, problem in _pattern_problems(pattern):
            found.setdefault(kind, []).append("; ".join([problem, *hints]))
    return found


def _pattern_problems(pattern: str) -> Iterator[tuple[str, str]]:
    """Yield the first problem of each kind."""
    rust = rustbpe.Encoder(BYTES, pattern=pattern)
    try:
        regex = tokenizers.Regex(oniguruma.translate(pattern))
    except Exception as error:  # the library raises bare Exception
        yield "fails", f"tokenizers, the engine of tokenizer.json, does not take it ({error})"
        return
    split = tokenizers.pre_tokenizers.Split(regex, "removed", invert=True)
    engines: dict[str, Callable[[str, list[str]], list[str]]] = {
        "tiktoken": lambda text, wanted: _by_tiktoken(pattern, text, wanted),
        "tokenizers": lambda text, _: [piece for piece, _ in split.pre_tokenize_str(text) if piece],
    }
    texts = {text: rust.split(text) for text in TEXTS}
    for (text, wanted), (engine, cut) in itertools.product(texts.items(), engines.items()):
        try:
            pieces = named(engine, cut)(text, wanted)
        except Panicked as panic:
            yield "fails", f"{panic}: {PANICS[engine]}"
            return
        if pieces != wanted:
            at = next(i for i in range(len(wanted) + 1) if wanted[i : i + 1] != pieces[i : i + 1])
            yield (
                "differs",
                f"on {text[:30]!r}, rustbpe's piece {at + 1} is {_piece(wanted, at)}, that of {engine} "
                f"{_piece(pieces, at)}: use constructs that all engines read alike",
            )
            return
    for text, wanted in texts.items():
        if (kept := "".join(wanted)) != text:
            lost = next(a for a, b in zip(text, kept + "\0", strict=False) if a != b)
            yield (
                "loses",
                f"{lost!r} in {text[:30]!r} matches nothing and is lost: add an alternative such as |(?s:.)",
            )
            return


def _by_tiktoken(pattern: str, text: str, pieces: Sequence[str]) -> list[str]:
    """Return tiktoken's pieces of a text: with a token for each wanted piece, its tokens are its pieces."""
    ranks = {token: rank for rank, token in enumerate(dict.fromkeys([*BYTES, *(p.encode() for p in pieces)]))}
    encoding = tiktoken.Encoding("trial", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    tokens = encoding.decode_tokens_bytes(encoding.encode_ordinary(text))
    return [token.decode(errors="replace") for token in tokens]


def _piece(pieces: Sequence[str], at: int) -> str:
    return repr(pieces[at][:30]) if at < len(pieces) else "absent"


def _unsafe(special_tokens: Sequence[str]) -> Iterator[str]:
    """Find special tokens that some version of an engine misreads, even if the installed one does not."""
    of_bytes = {character for character in byte_characters() if not character.isascii()}
    for text in special_tokens:
        if bad := next((character for character in text if character in of_bytes), None):
            yield (
                f"{text!r}: tokenizer.json writes a byte as {bad!r}, so that Hugging Face may decode the token as "
                "something else; use no character from U+00A1 to U+0143"
            )
    ordered = sorted(special_tokens)
    for first, second in itertools.pairwise(ordered):
        if second.startswith(first):
            yield f"{second!r} begins with {first!r}: in a text, tiktoken takes one or the other; rename one of them"


def _mistaken(special_tokens: Sequence[str]) -> Iterator[str]:
    """Try special tokens with a vocabulary of bytes."""
    ranks = {text: 256 + index for index, text in enumerate(special_tokens)}
    pattern = "(?s:.)"
    encoding = tiktoken.Encoding(
        "trial", pat_str=pattern, mergeable_ranks={b: i for i, b in enumerate(BYTES)}, special_tokens=ranks
    )
    try:
        loaded = tokenizers.Tokenizer.from_str(
            hugging_face_json(BYTES, [], pattern, ranks, special_tokens[0]).decode()
        )
    except Exception as error:  # the library raises bare Exception
        yield f"tokenizers does not take them ({error}); choose other texts, such as '<|bos|>'"
        return
    rust = rustbpe.Encoder(BYTES, pattern=pattern, special_tokens=ranks)
    for _, problem in special_token_problems(ranks, encoding, loaded, rust):
        yield f"{problem}; choose another text, such as '<|name|>'"


def special_token_problems(
    special_tokens: Mapping[str, int],
    encoding: tiktoken.Encoding,
    loaded: tokenizers.Tokenizer,
    rust: rustbpe.Encoder,
) -> Iterator[tuple[int, str]]:
    """Yield the id and one problem of each special token that an engine encodes or decodes as something else.

    Each is tried alone, in a text, next to itself and next to the following one. `rust` finds none in a text by
    itself.

    Args:
        loaded: as a user loads it, so that it finds special tokens in a text.
    """
    names = list(special_tokens)
    finds: dict[str, Callable[[str], list[int]]] = {
        "tiktoken": lambda text: encoding.encode(text, allowed_special="all"),
        "tokenizers": lambda text: list(loaded.encode(text, add_special_tokens=False).ids),
    }
    writes: dict[str, Callable[[list[int]], bytes]] = {
        "rustbpe": rust.decode_bytes,
        "tiktoken": encoding.decode_bytes,
        "tokenizers": lambda ids: loaded.decode(ids, skip_special_tokens=False).encode(),
    }
    for number, (name, rank) in enumerate(special_tokens.items()):
        after = names[(number + 1) % len(names)]
        around: list[tuple[str, list[int], str, list[int]]] = [
            ("", [], "", []),
            ("", [], name, [rank]),
            ("", [], after, [special_tokens[after]]),
        ]
        for a, b in ("ab", "  ", "\n\n"):
            if not any(token in a + b for token in names):
                around.append((a, encoding.encode_ordinary(a), b, encoding.encode_ordinary(b)))
        for before, ids_before, behind, ids_behind in around:
            text, ids = f"{before}{name}{behind}", [*ids_before, rank, *ids_behind]
            wrong = [
                f"{engine} encodes {text!r} as {got}, wanted {ids}"
                for engine, find in finds.items()
                if (got := named(engine, find)(text)) != ids
            ]
            wrong += [
                f"{engine} decodes {ids} as {written!r}, wanted {text!r}"
                for engine, write in writes.items()
                if (written := named(engine, write)(ids).decode(errors="replace")) != text
            ]
            if wrong:
                yield rank, f"special token {name!r}: {wrong[0]}"
                break


if __name__ == "__main__":
    question = json.load(sys.stdin)
    json.dump(try_all(question["pattern"], question["special_tokens"]), sys.stdout)
