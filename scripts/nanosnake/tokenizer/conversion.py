"""Merges of tokenizers that were made elsewhere, if ours can then encode every text as they do.

A tokenizer is `gpt2`, `cl100k_base` or `o200k_base`, or a file: `tokenizer.json` or a folder with one, a `.tiktoken`
file, or merges of ours (`.arrow`). What is read is byte-level byte-pair encoding behind one split pattern; anything
else is refused with the reason. Ids are ours: the bytes in their order, then the merges in theirs, then the special
tokens. Where a piece is cut does not depend on ids, only on the order of the merges.

Only one pair ever makes a token (nanosnake.tokenizer.merging). A merge list of `tokenizers` is followed with that in
mind: a merge that names another pair never happens and is left out.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nanosnake.crate import rustbpe
from nanosnake.files import NanosnakeError, replacing
from nanosnake.tokenizer import BASELINE_NAMES, oniguruma
from nanosnake.tokenizer.merging import BYTES, Pairs, last_parts, tokens_of

RANKS_ENDING = ".tiktoken"
MERGES_ENDING = ".arrow"
ROLES = ("bos", "eos", "pad")

_CL100K = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]"
    r"|\s+(?!\S)|\s"
)


@dataclass(frozen=True)
class Header:
    """What is known about a tokenizer apart from its merges.

    Attributes:
        pattern: name of a split pattern, or a regex.
        tokens: how many there are, without special tokens.
        special_tokens: in the order of their ids; none if the file does not contain them.
        roles: those of bos, eos and pad that are known.
    """

    pattern: str
    tokens: int
    special_tokens: tuple[str, ...] = ()
    roles: Mapping[str, str] | None = None


PUBLISHED = {
    "gpt2": Header("gpt2", 50_256, ("<|endoftext|>",)),
    "cl100k_base": Header(
        _CL100K,
        100_256,
        ("<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|endofprompt|>"),
    ),
    "o200k_base": Header("gpt4o", 199_998, ("<|endoftext|>", "<|endofprompt|>")),
}
"""The same as in tiktoken; a test compares them."""


def is_published(source: str) -> bool:
    """Return whether this is one of the published vocabularies, and not a file of that name."""
    return source in PUBLISHED and not Path(source).exists()


def file_of(source: str) -> Path | None:
    """Return the file that a tokenizer is read from; None for a published one.

    Raises:
        NanosnakeError: if there is none.
    """
    if is_published(source):
        return None
    path = Path(source)
    file = path / "tokenizer.json" if path.is_dir() else path
    if not file.is_file():
        raise NanosnakeError(
            f"{file} does not exist; name a tokenizer.json, its folder, a .tiktoken file, or one of "
            f"{', '.join(BASELINE_NAMES)}"
        )
    return file


@functools.cache
def header(source: str, pattern: str | None = None) -> Header:
    """Return what a tokenizer's files say besides its merges, without reading its vocabulary.

    Args:
        source: a published name or a file, see above.
        pattern: split pattern, for a file that does not contain it.

    Raises:
        NanosnakeError: if it cannot be converted; the message says why.
    """
    file = file_of(source)
    if file is not None and file.suffix == MERGES_ENDING:
        merges = rustbpe.Merges.read(str(file))
        return Header(merges.pattern, BYTES + len(merges))
    if file is not None and file.suffix == RANKS_ENDING:
        if pattern is None:
            raise NanosnakeError(f"{file} does not say its split pattern; name it beside it, as `pattern`")
        return Header(pattern, len(file.read_bytes().splitlines()))
    found = PUBLISHED[source] if file is None else _header_of_json(file)
    if pattern is not None and pattern != found.pattern:
        raise NanosnakeError(f"{source} has its own split pattern; leave out `pattern`")
    return found


def convert(source: str, pattern: str | None, cache: Path) -> list[tuple[int, int]]:
    """Return the merges of a tokenizer, as pairs of our ids.

    Args:
        source: as in `header`; not merges of ours, which are read separately.
        pattern: its split pattern.
        cache: where published vocabularies are kept.

    Raises:
        NanosnakeError: if they would not encode every text as the original does.
    """
    file = file_of(source)
    if file is None:
        return _of_order(source, _published_tokens(source, cache))
    if file.suffix == RANKS_ENDING:
        from nanosnake.tokenizer.folder import parse_ranks

        ranks = sorted(parse_ranks(file.read_bytes(), file), key=lambda pair: pair[1])
        return _of_order(file, [token for token, _ in ranks])
    return _of_json(file, json.loads(file.read_text(encoding="utf-8")))


def write_merges(pairs: Pairs, pattern: str, path: Path) -> None:
    """Write merges as a file, with counts of 0."""
    import pyarrow as pa

    columns = [
        pa.array([left for left, _ in pairs], pa.uint32()),
        pa.array([right for _, right in pairs], pa.uint32()),
        pa.array([0] * len(pairs), pa.uint64()),
    ]
    fields = [
        pa.field(name, column.type, nullable=False)
        for name, column in zip(("left", "right", "count"), columns, strict=True)
    ]
    metadata = {"format": "nanosnake.merges.1", "pattern": str(rustbpe.PATTERNS.get(pattern, pattern))}
    table = pa.Table.from_arrays(columns, schema=pa.schema(fields, metadata=metadata))
    with replacing(path) as temporary, pa.ipc.new_file(str(temporary), table.schema) as writer:
        writer.write_table(table)


# Merges from tokens in their order


def _published_tokens(name: str, cache: Path) -> list[bytes]:
    from nanosnake.tokenizer.baselines import load_baselines

    found = load_baselines(cache, names=[name])
    if found.notes:
        raise NanosnakeError(found.notes[0])
    encoding = found.encodings[name]
    special = {token.encode() for token in encoding.special_tokens_set}
    tokens = [token for token in encoding.token_byte_values() if token not in special]
    return sorted(tokens, key=encoding.encode_single_token)


def _of_order(source: object, tokens: Sequence[bytes]) -> list[tuple[int, int]]:
    """Return merges for a vocabulary in which any two neighbours merge if together they are a token, lowest first."""
    return _ordered(source, tokens).pairs


def _ordered(source: object, tokens: Sequence[bytes]) -> _Order:
    _check_bytes(source, tokens)
    order = _Order()
    for token in tokens:
        if len(token) > 1:
            parts = last_parts(token, len(order.ranks), order.ranks)
            if len(parts) == 2 and all(part in order.ranks for part in parts):
                order.add(parts[0], parts[1])
            else:
                order.add_whole(source, token)
    return order


class _Order:
    """Tokens as they get their ids."""

    def __init__(self) -> None:
        self.ranks = {bytes([byte]): byte for byte in range(BYTES)}
        self.pairs: list[tuple[int, int]] = []
        self.whole: list[bytes] = []
        """Tokens that earlier ones do not lead to."""

    def add(self, left: bytes, right: bytes) -> None:
        """Make two tokens the next one."""
        self.pairs.append((self.ranks[left], self.ranks[right]))
        self.ranks[left + right] = len(self.ranks)

    def add_whole(self, source: object, token: bytes) -> None:
        """Add a token that merging never reaches, from any two that make it up, which no text has side by side."""
        self.whole.append(token)
        for at in range(1, len(token)):
            if token[:at] in self.ranks and token[at:] in self.ranks:
                return self.add(token[:at], token[at:])
        raise NanosnakeError(
            f"{source}: {token!r} is not made of two earlier tokens, so it cannot be written as a merge"
        )


def _check_bytes(source: object, tokens: Sequence[bytes]) -> None:
    known = set(tokens)
    if len(known) < len(tokens):
        raise NanosnakeError(f"{source}: two ids are the same token")
    if missing := [byte for byte in range(BYTES) if bytes([byte]) not in known]:
        raise NanosnakeError(
            f"{source}: lacks {len(missing)} of the 256 bytes, the first 0x{missing[0]:02x}, so it loses text"
        )


# tokenizer.json


def _header_of_json(file: Path) -> Header:
    content = _read(file)
    split = _split(content.get("pre_tokenizer"))
    problem = next(_problems(content), None)
    if isinstance(split, Refused) or problem:
        why = problem or (split.why if isinstance(split, Refused) else "")
        raise NanosnakeError(
            f"{file} cannot be converted exactly: {why}; it can still be compared: name it in `others` of a comparison"
        )
    special = sorted(content.get("added_tokens") or (), key=lambda token: token["id"])
    texts = tuple(str(token["content"]) for token in special)
    tokens = sum(token not in texts for token in content["model"].get("vocab") or ())
    return Header(split, tokens, texts, _roles(file, texts))


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise NanosnakeError(f"{file}: is not JSON ({error}); wanted: a tokenizer.json") from error
    if not isinstance(content, dict) or not isinstance(content.get("model"), dict):
        raise NanosnakeError(
            f"{file}: has no model, so it is not a tokenizer.json; wanted: one of tokenizers"
        )
    return content


def _problems(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield the reasons why a tokenizer is not byte-level byte-pair encoding like ours."""
    model = content["model"]
    kind = model.get("type", "BPE")
    if kind != "BPE":
        yield f"its model is {kind}, and ours is byte-pair encoding (BPE)"
    if model.get("byte_fallback"):
        yield "its tokens are characters, and bytes only where these are missing (byte_fallback, as in SentencePiece)"
    for key in ("continuing_subword_prefix", "end_of_word_suffix", "dropout"):
        if model.get(key):
            yield f"its model has {key}: {model[key]!r}"
    normalizer = content.get("normalizer")
    if normalizer and normalizer.get("normalizers") != []:
        yield f"it changes the text before it cuts it (normalizer {normalizer.get('type')})"
    learned = [token["content"] for token in content.get("added_tokens") or () if not token.get("special")]
    if learned:
        yield (
            f"it looks for {len(learned)} added tokens in a text before it cuts it, such as {learned[0]!r}, which are "
            "not special tokens"
        )


@dataclass(frozen=True)
class Refused:
    """Why a pre-tokenizer is not a split pattern."""

    why: str


def _split(pre_tokenizer: Mapping[str, Any] | None) -> str | Refused:
    """Return the name or regex of the split pattern of a pre-tokenizer."""
    steps = pre_tokenizer or {}
    parts = steps.get("pretokenizers", []) if steps.get("type") == "Sequence" else [steps]
    kinds = [str(part.get("type")) for part in parts]
    if not parts or kinds[-1] != "ByteLevel":
        return Refused(
            f"its pre-tokenizer is {' then '.join(kinds)}, and does not end with ByteLevel: its tokens are not bytes"
        )
    if parts[-1].get("add_prefix_space"):
        return Refused("it puts a space before each text (add_prefix_space)")
    if len(parts) == 1 and parts[0].get("use_regex", True):
        return "gpt2"
    if kinds != ["Split", "ByteLevel"] or parts[1].get("use_regex", True):
        return Refused(f"its pre-tokenizer is {' then '.join(kinds)}, and ours is one split pattern")
    regex = parts[0].get("pattern", {}).get("Regex")
    way = (parts[0].get("behavior"), bool(parts[0].get("invert")))
    if regex is None or way not in (("Isolated", False), ("Removed", True)):
        return Refused(f"its pre-tokenizer splits in another way ({way[0]}, invert: {way[1]})")
    return _known(regex)


def _known(regex: str) -> str | Refused:
    """Return a regex of Oniguruma as our crate reads it."""
    for name, known in rustbpe.PATTERNS.items():
        if regex in (known, oniguruma.translate(known)):
            return str(name)
    if regex == oniguruma.translate(_CL100K):
        return _CL100K
    if oniguruma.translate(regex) != regex:
        return Refused(f"its split pattern {regex!r} means something else to our regex engine")
    return regex


def _roles(file: Path, special_tokens: Sequence[str]) -> dict[str, str]:
    """Return which special tokens begin, end and fill, as `tokenizer_config.json` next to the file has it."""
    beside = file.with_name("tokenizer_config.json")
    try:
        given = json.loads(beside.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    found = {}
    for role in ROLES:
        named = given.get(f"{role}_token")
        text = named.get("content") if isinstance(named, dict) else named
        if text in special_tokens:
            found[role] = str(text)
    return found


def _of_json(file: Path, content: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Return the merges of a tokenizer.json that has no problem."""
    from nanosnake.tokenizer.export import byte_characters

    to_bytes = {character: byte for byte, character in enumerate(byte_characters())}
    added = {token["content"] for token in content.get("added_tokens") or ()}

    def read(text: str) -> bytes:
        try:
            return bytes(to_bytes[character] for character in text)
        except KeyError:
            raise NanosnakeError(f"{file}: the token {text!r} is not written in bytes") from None

    vocabulary = content["model"]["vocab"]
    tokens = [read(text) for text in sorted(vocabulary, key=vocabulary.__getitem__) if text not in added]
    _check_bytes(file, tokens)
    known, order = set(tokens), _Order()
    merges = []
    for merge in content["model"]["merges"]:
        left, right = map(read, merge.split(" ") if isinstance(merge, str) else merge)
        if left + right not in known:
            raise NanosnakeError(f"{file}: merges {left!r} and {right!r}, which together are not a token")
        merges.append((left, right))
    ignores = bool(content["model"].get("ignore_merges"))
    if found := _of_sorted(file, tokens, merges, ignores=ignores):
        return found
    for left, right in merges:
        if left + right not in order.ranks and last_parts(left + right, len(order.ranks), order.ranks) == [
            left,
            right,
        ]:
            order.add(left, right)
    rest = [token for token in tokens if token not in order.ranks]
    _add_rest(file, order, rest, ignores=ignores)
    return order.pairs


def _of_sorted(
    file: Path, tokens: Sequence[bytes], merges: Sequence[tuple[bytes, bytes]], *, ignores: bool
) -> list[tuple[int, int]] | None:
    """Return the merges of a list that says what the order of the tokens says, as one that was made of ranks does.

    In such a list, as Llama 3 has it, a token may be merged from tokens with higher ids. Its merges are in the order of
    the tokens that they make, and have for each token the two parts that merging arrives at. None: it is another list.
    """
    ids = {token: rank for rank, token in enumerate(tokens)}
    made = [ids[left + right] for left, right in merges]
    if made != sorted(made):
        return None
    try:
        order = _ordered(file, tokens)
    except NanosnakeError:
        return None
    whole, ends = set(order.whole), tokens_of(order.pairs)
    ways = [(ends[left], ends[right]) for left, right in order.pairs if ends[left] + ends[right] not in whole]
    for token in order.whole:
        parts = last_parts(token, len(order.ranks), order.ranks)
        if len(parts) == 2:
            ways.append((parts[0], parts[1]))
        elif not ignores:
            return None
    return order.pairs if set(merges).issuperset(ways) else None


def _add_rest(file: Path, order: _Order, rest: Sequence[bytes], *, ignores: bool) -> None:
    """Add the tokens that no merge of the list makes, if they are then made of the same texts as there.

    Args:
        ignores: whether a piece that is a token becomes it without merging (`ignore_merges`), as with us.
    """
    if rest and not ignores:
        raise NanosnakeError(
            f"{file}: {len(rest)} tokens are made by no merge, such as {rest[0]!r}: its own library never gives them, and "
            "ours would where a piece is such a token"
        )
    for token in rest:
        if len(last_parts(token, len(order.ranks), order.ranks)) == 2:
            raise NanosnakeError(
                f"{file}: {token!r} is made by no merge of its list, and ours would merge its two parts"
            )
        order.add_whole(file, token)
