"""Names of shards, countings and selections: short, safe in a path, and different for different things."""

from __future__ import annotations

import hashlib
import re
import string
from collections import Counter
from collections.abc import Iterable, Sequence
from urllib.parse import unquote

from nanosnake.files import NanosnakeError

MAX_SHARDS = 1_000_000
MAX_NAME = 200
"""Longest name of a shard in bytes: file systems allow 255, and we add prefixes and suffixes."""
_DIGITS = r"(\d{1,18})"
SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_NUMBERED = re.compile(r"(.*?)(\d+)$", re.DOTALL)
_RANGE = re.compile(rf"{_DIGITS}(?:-{_DIGITS})?", re.ASCII)
_RUN = re.compile(rf"([^\[\],]*)\[(\d{{1,{MAX_NAME}}})-(\d{{1,{MAX_NAME}}})\]", re.ASCII)
_COMPRESSED = re.compile(r"\.parquet\.(gz|bz2|xz|zst|zip)(?:[?#].*)?$", re.IGNORECASE)


def parse_range(value: int | str | Sequence[int | str]) -> list[int]:
    """Return the shard numbers of `5`, `"0-239"`, `"0-3,7"` or a list of these, in the order given.

    Raises:
        ValueError: if a part is not a number or range, runs backwards, or names a shard twice.
    """
    if isinstance(value, bool):
        raise ValueError(f"{value!r} is not a shard number; write numbers or ranges such as '0-239'")
    if isinstance(value, int) and value < 0:
        raise ValueError(f"{value} is not a shard number; they begin with 0")
    if isinstance(value, int):
        parts: list[str] = [str(value)]
    elif isinstance(value, str):
        parts = [part.strip() for part in value.split(",")]
    else:
        return _distinct([number for item in value for number in parse_range(item)])
    numbers: list[int] = []
    for part in parts:
        match = _RANGE.fullmatch(part)
        if match is None:
            raise ValueError(f"{part[:40]!r} is not a shard number or a range such as '0-239'")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise ValueError(f"the range {part!r} runs backwards; write '{last}-{first}'")
        if last - first >= MAX_SHARDS:
            raise ValueError(f"the range {part!r} names more than {MAX_SHARDS:,} shards")
        numbers.extend(range(first, last + 1))
        if len(numbers) > MAX_SHARDS:
            raise ValueError(f"the ranges name more than {MAX_SHARDS:,} shards")
    return _distinct(numbers)


def _distinct(numbers: list[int]) -> list[int]:
    if len(set(numbers)) < len(numbers):
        twice = sorted(number for number, times in Counter(numbers).items() if times > 1)[:5]
        raise ValueError(f"shards named twice: {', '.join(map(str, twice))}")
    return numbers


def template_fields(template: str) -> set[str]:
    """Return the names of the fields of a format template.

    Raises:
        ValueError: if a brace is not closed.
    """
    return {field for _, field, _, _ in string.Formatter().parse(template) if field is not None}


def shard_name(template: str, number: int) -> str:
    """Return the name of one shard of a numbered source: the stem of its file where that holds the number.

    `https://host/data/shard_{shard:05d}.parquet` gives `shard_00012`. So does a template with the number in a folder or
    in the query, where the stem alone would be the same for all shards.
    """
    last = re.split(r"[?#]", template, maxsplit=1)[0].rsplit("/", 1)[-1]
    if "shard" not in template_fields(last):
        return f"shard_{number:05d}"
    return safe_name(unquote(last.format(shard=number, revision="")))


def safe_name(file: str) -> str:
    """Return a file's path as a shard's name: `lang=de/my part.parquet` gives `lang_de.my_part`.

    Raises:
        ValueError: if nothing of the path can be kept, or the name is too long.
    """
    plain = file.removesuffix(".parquet").replace("/", ".")
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", plain).lstrip("._-")
    if not name or len(name) > MAX_NAME:
        raise ValueError(
            f"{file[:80]!r} gives no name for a shard: it takes a Latin letter or digit, and at most {MAX_NAME} "
            "characters; rename the file, or link to it under another name"
        )
    return name


def by_name(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return places by the names of their shards.

    Raises:
        ValueError: if two places have the same name, or two names the same place (it lists them), or a place is
            a parquet file that was compressed as a whole.
    """
    names: dict[str, list[str]] = {}
    places: dict[str, list[str]] = {}
    for name, place in pairs:
        if _COMPRESSED.search(place):
            raise ValueError(f"{place!r} is a parquet file compressed as a whole; unpack it first")
        names.setdefault(name, []).append(place)
        places.setdefault(place, []).append(name)
    for found, what in ((names, "files would be the same shard"), (places, "shards would be the same file")):
        if clashes := {key: values for key, values in found.items() if len(values) > 1}:
            some = "; ".join(
                f"{key!r}: {', '.join(map(repr, v[:3]))}" for key, v in list(clashes.items())[:5]
            )
            more = f"; and {len(clashes) - 5} more" if len(clashes) > 5 else ""
            raise ValueError(f"several {what} ({some}{more}); rename files, or select fewer of them")
    return {name: places[0] for name, places in names.items()}


def compact(names: Iterable[str]) -> str:
    """Write shard names in one short word, runs of consecutive numbers as `shard_[00000-01821]`.

    6,543 names fit on a command line this way. `expand` is the inverse; the order is kept.
    """
    words: list[str] = []
    run: tuple[str, str, str] | None = None
    for name in names:
        match = _NUMBERED.match(name)
        stem, digits = (match[1], match[2]) if match else (name, "")
        if run and digits and stem == run[0] and digits == str(int(run[2]) + 1).zfill(len(run[2])):
            run = (run[0], run[1], digits)
            continue
        if run:
            words.append(_word(run))
        run = (stem, digits, digits)
    if run:
        words.append(_word(run))
    return ",".join(words)


def _word(run: tuple[str, str, str]) -> str:
    stem, first, last = run
    return stem + first if first == last else f"{stem}[{first}-{last}]"


def expand(words: str) -> list[str]:
    """Return the shard names of `compact`'s word.

    Raises:
        NanosnakeError: if a part is not of that form.
    """
    names: list[str] = []
    for word in words.split(","):
        match = _RUN.fullmatch(word)
        first, last = (int(match[2]), int(match[3])) if match else (0, 0)
        example = f"{match[1]}{match[2]}" if match else word
        if not SAFE_NAME.fullmatch(example) or not 0 <= last - first < MAX_SHARDS:
            raise NanosnakeError(
                f"--shards: {word[:80]!r} is neither a shard name nor a run such as shard_[00000-00239], of at most "
                f"{MAX_SHARDS:,} shards"
            )
        if match is None:
            names.append(word)
        else:
            width = len(match[2])
            names.extend(f"{match[1]}{n:0{width}d}" for n in range(first, last + 1))
    return names


def short_hash(text: str) -> str:
    """Return eight hexadecimal digits that represent `text` in a path."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def counting_name(pattern: str, *, known: bool, doc_cap: int, text_column: str | None) -> str:
    """Name the folder of counts that all tokenizers with these options share.

    Args:
        pattern: name of a known split pattern, or a regex.
        known: whether `pattern` is such a name.
        doc_cap: characters per document, 0 for all.
        text_column: the column, where it is not the dataset's own.
    """
    parts = [pattern if known else f"regex-{short_hash(pattern)}"]
    if doc_cap:
        parts.append(f"cap{doc_cap}")
    if text_column is not None:
        # a column may be called `cap100`, or begin with `column-`
        plain = SAFE_NAME.fullmatch(text_column) and not re.match(r"cap\d|column-", text_column)
        parts.append(text_column if plain else f"column-{short_hash(text_column)}")
    return ".".join(parts)


def selection_name(shards: Sequence[str] | None, *, max_chars: int | None, min_count: int) -> str:
    """Name the merged counts of a selection of shards: `train` for all of them, else with what restricts it."""
    parts = ["train" if shards is None else f"shards-{short_hash(compact(shards))}"]
    if max_chars is not None:
        parts.append(f"max{max_chars}")
    if min_count > 1:
        parts.append(f"min{min_count}")
    return ".".join(parts)
