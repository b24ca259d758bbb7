"""Parallel text: the same sentences in many languages.

Either a folder of files whose lines correspond, one file a language, as FLORES+ has them (`deu_Latn.devtest`, or JSON
lines with a key `text`); or, without one, the message catalogues of the package Django, where each English message
comes with its translation. Messages are short and about software, and languages have different numbers of them, so
each language is compared with English on its own messages.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nanosnake.files import NanosnakeError

ENGLISH = ("eng_Latn", "eng", "en")
PACKAGE = "django"
LEAST_WORDS = 4
"""Fewest words of a message; this leaves out names of languages, days and the like."""

LEAST_MESSAGES = 50
"""Fewest messages of a catalogue."""

_MARKUP = re.compile('[%{<&_"\u201c]')
"""Placeholders, markup and quoted names: they are the same in all languages and would pull every premium towards 1."""

_CATALOGUE = re.compile(r"^django/.*/locale/([A-Za-z_]+)/LC_MESSAGES/django(?:js)?\.po$")
_ENTRY = re.compile(r'^(msgid|msgid_plural|msgstr|msgctxt)(?:\[\d+\])? (".*")$')


@dataclass(frozen=True)
class Language:
    """The sentences of a language, and the same in English.

    Attributes:
        name: as the source writes it, such as `de` or `deu_Latn`.
    """

    name: str
    texts: Sequence[str]
    english: Sequence[str]


def read_parallel(folder: Path | None) -> tuple[list[Language], str]:
    """Return all languages but English, and a line that says where they are from.

    Args:
        folder: one file a language; None: the catalogues of Django, if it is installed.

    Raises:
        NanosnakeError: if the folder has no English, or its files differ in their lines.
    """
    if folder is not None:
        languages = _read_folder(folder)
        return languages, f"{len(languages[0].texts) if languages else 0:,} sentences of {folder.name}"
    import importlib.metadata

    try:
        version = importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return [], (
            "no parallel text: name a folder of it in evaluation.parallel, or run `uv sync --group languages` for the "
            "message catalogues of Django"
        )
    return _read_catalogues(), f"messages of {LEAST_WORDS} words or more of Django {version}"


def _read_folder(folder: Path) -> list[Language]:
    texts = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith("."):
            texts[path.name.split(".")[0]] = _sentences(path)
    name = next((name for name in ENGLISH if name in texts), None)
    if name is None:
        raise NanosnakeError(
            f"{folder}: holds no English; name its file {ENGLISH[0]}.txt or en.txt, one sentence a line"
        )
    english = texts.pop(name)
    for language, lines in texts.items():
        if len(lines) != len(english):
            raise NanosnakeError(
                f"{folder}: {language} has {len(lines):,} lines, {name} has {len(english):,}; line by line they must "
                "say the same"
            )
    return [Language(language, lines, english) for language, lines in texts.items()]


def _sentences(path: Path) -> list[str]:
    """Return the lines of a file; other signs that Python takes for a line's end may be within a sentence."""
    try:
        *lines, last = path.read_text(encoding="utf-8").split("\n")
        lines += [last] if last else []
        return [str(json.loads(line)["text"]) for line in lines] if path.suffix == ".jsonl" else lines
    except (ValueError, KeyError, TypeError) as error:
        raise NanosnakeError(
            f"{path}: {type(error).__name__} ({error}); write one sentence a line in UTF-8, or as a JSON object with the key text in a .jsonl file"
        ) from error


def _read_catalogues() -> list[Language]:
    import importlib.metadata

    messages: dict[str, dict[str, str]] = {}
    for file in importlib.metadata.files(PACKAGE) or []:
        found = _CATALOGUE.match(file.as_posix())
        if found and not found[1].startswith("en"):
            path = Path(str(file.locate()))
            messages.setdefault(found[1], {}).update(read_catalogue(path.read_text(encoding="utf-8")))
    return [
        Language(name, list(pairs.values()), list(pairs))
        for name, pairs in sorted(messages.items())
        if len(pairs) >= LEAST_MESSAGES
    ]


def read_catalogue(text: str) -> dict[str, str]:
    """Return the messages of a .po file and their translations.

    Left out are messages with a plural, with placeholders or markup, of few words, marked as doubtful, not translated,
    and those identical to the English.
    """
    pairs = {}
    for entry in text.split("\n\n"):
        fields = dict(_fields(entry))
        english, translated = fields.get("msgid", ""), fields.get("msgstr", "")
        if "msgid_plural" in fields or "#, fuzzy" in entry or not translated or english == translated:
            continue
        if len(english.split()) >= LEAST_WORDS and not _MARKUP.search(english):
            pairs[english] = translated
    return pairs


def _fields(entry: str) -> Iterator[tuple[str, str]]:
    """Yield the strings of an entry by their keywords; a string may span several lines."""
    keyword, value = "", ""
    for line in entry.splitlines():
        if found := _ENTRY.match(line):
            yield keyword, value
            keyword, value = found[1], _string(found[2])
        elif line.startswith('"'):
            value += _string(line)
    yield keyword, value


def _string(quoted: str) -> str:
    """Return what a quoted string holds; its escapes are those of Python."""
    return str(ast.literal_eval(quoted)) if "\\" in quoted else quoted[1:-1]
