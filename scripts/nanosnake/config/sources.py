"""Where the shards of a dataset come from."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from nanosnake import layout
from nanosnake.config.base import FilePath, Model, wrong
from nanosnake.config.s3 import S3Endpoint
from nanosnake.files import NanosnakeError
from nanosnake.naming import by_name, parse_range, safe_name, shard_name, template_fields
from nanosnake.s3.place import Place
from nanosnake.sources import hub
from nanosnake.sources.formats import filters, look
from nanosnake.sources.formats.look import Documents, Format, OnError


def _check_spec(value: object) -> object:
    """Reject what is not a selection of shards, with one message; a union of types would give three."""
    items = value if isinstance(value, list) else [value]
    if any(isinstance(item, bool) or not isinstance(item, int | str) for item in items):
        raise ValueError("write shard numbers, ranges such as '0-239' or file names, or a list of these")
    if any(isinstance(item, int) and item < 0 for item in items):
        raise ValueError("shard numbers begin at 0")
    return value


OneShard = Annotated[int, Field(ge=0)] | str
ShardSpec = Annotated[Any, BeforeValidator(_check_spec, json_schema_input_type=OneShard | list[OneShard])]
"""A selection of shards: a number, a range such as "0-239", a file name or glob, or a list of these."""


def _check_texts(value: object) -> object:
    """Reject what is neither a text nor a list of texts, with one message; a union of types would give two."""
    items = value if isinstance(value, list) else [value]
    if not items or not all(isinstance(item, str) and item for item in items):
        raise ValueError("write one as text, or a list of at least 1")
    return value


def _check_paths(value: str | list[str]) -> str | list[str]:
    for path in [value] if isinstance(value, str) else value:
        _check_template(path, set())
    return value


def _check_template(value: str, allowed: set[str]) -> str:
    try:
        fields = template_fields(value)
    except ValueError as error:
        raise ValueError(f"{error}; braces of the name itself are written twice") from None
    if unknown := fields - allowed:
        raise ValueError(
            f"unknown field {{{min(unknown)}}}; allowed: {', '.join(sorted(allowed)) or 'none'}; braces of the name "
            "itself are written twice"
        )
    if "shard" in fields:
        try:
            value.format(shard=0, revision="r")
        except ValueError as error:
            raise ValueError(
                f"the field {{shard}} takes a format of an integer such as :05d ({error})"
            ) from error
    return value


def _check_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError("a URL begins with https:// or http:// and names a host")
    if parts.username or parts.password:
        raise ValueError("no credentials in a URL: they would appear in logs; set HF_TOKEN instead")
    if any(c.isspace() or c in "\"'`\\<>" or ord(c) < 32 for c in value):
        raise ValueError("percent-encode spaces and quotes in a URL")
    _check_template(value, {"shard", "revision"})
    return value


def _check_object(url: str) -> str:
    place = Place.parse(url)
    if not place.key or url.endswith("/"):
        raise ValueError(f"{url!r} names no object")
    return _check_template(url, {"shard"})


def _check_urls(value: str | list[str], check: Callable[[str], str]) -> str | list[str]:
    """Reject what is neither a template of numbered shards nor a list of files."""
    for url in [value] if isinstance(value, str) else value:
        if ("shard" in template_fields(check(url))) != isinstance(value, str):
            raise ValueError(
                "the URL has no place for the shard's number; write it as {shard:05d}, or give a list of URLs"
                if isinstance(value, str)
                else f"a list names files, and {url!r} is a template; write the template alone"
            )
    return value


def _check_messages(value: str) -> str:
    if "" in (fields := template_fields(value)) or not fields:
        raise ValueError("write the fields of a message in braces, such as {role}: {content}")
    return value


def _check_filter(value: str) -> str:
    try:
        filters.file_of(value)
    except NanosnakeError as error:
        raise ValueError(str(error)) from None
    return value


def _named(key: str, value: object, pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return `by_name(pairs)`; an error in a name is reported for the key of the source that made it."""
    try:
        return by_name(pairs)
    except ValueError as error:
        raise wrong(key, value, str(error)) from error


def _filled(key: str, template: str, numbers: list[int], revision: str = "") -> dict[str, str]:
    """Return the place of each numbered shard by its name."""
    pairs = ((shard_name(template, n), template.format(shard=n, revision=revision)) for n in numbers)
    return _named(key, template, pairs)


def _numbers(spec: ShardSpec, count: int | None) -> list[int]:
    numbers = parse_range(spec)
    if count is not None and numbers and max(numbers) >= count:
        raise ValueError(f"shard {max(numbers)} does not exist; the source has 0-{count - 1}")
    return numbers


class EmbeddedSource(Model):
    """Demo corpora that come with the environment: Wikipedia's lead sections (CC BY-SA 4.0), ChatterBot's conversations
    (BSD)."""

    kind: Literal["embedded"]
    corpus: Literal["wikipedia", "chatterbot"] = "wikipedia"
    """Articles or, as `chatterbot`, short conversations."""
    language: Literal["en", "fr", "es"] = "en"
    """Language of the text."""
    shards: Annotated[int, Field(ge=1, le=1000)] = 5
    """How many shards the corpus is cut into."""

    def names(self, spec: ShardSpec) -> list[str]:
        """Return the names of the shards that `spec` selects."""
        return [f"shard_{number:05d}" for number in _numbers(spec, self.shards)]


class PlacedSource(Model):
    """A source whose shards have places."""

    def locations(self, spec: ShardSpec) -> dict[str, str]:
        """Return the URL or the file of each shard that `spec` selects, by its name."""
        raise NotImplementedError

    def names(self, spec: ShardSpec) -> list[str]:
        """Return the names of the shards that `spec` selects."""
        return list(self.locations(spec))


class UrlSource(PlacedSource):
    """Parquet files on a web server or in a Hugging Face dataset, numbered."""

    kind: Literal["url"]
    url: Annotated[
        str | list[str],
        Field(min_length=1),
        BeforeValidator(_check_texts),
        AfterValidator(lambda value: _check_urls(value, _check_url)),
    ]
    """Template with {shard:05d} and, if the host has revisions, {revision}; or a list of URLs, by their file names."""
    revision: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$")] = "main"
    """Branch, tag or commit for {revision}; the commit that it resolves to is recorded."""
    shards: Annotated[int, Field(ge=1)] | None = None
    """Number of shards, to report a number past the end before anything is downloaded."""
    checksums: FilePath | None = None
    """File of `sha256  name.parquet` lines, for hosts that provide no checksum."""
    allow_http_redirects: bool = False
    """Whether to follow redirects from https to http, where anyone on the way could change the file."""

    def locations(self, spec: ShardSpec) -> dict[str, str]:
        """Return the URL of each shard that `spec` selects, by its name."""
        if isinstance(self.url, str):
            return _filled("source.url", self.url, _numbers(spec, self.shards), self.revision)
        urls = (url.format(revision=self.revision) for url in self.url)
        return _listed(self.url, urls, spec)


class HubSource(PlacedSource):
    """A data set on a Hugging Face hub, by name: its parquet files, pinned to the commit that was found first."""

    kind: Literal["huggingface"]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?$")]
    """Name of the data set, such as HuggingFaceFW/fineweb-edu."""
    config: str | None = None
    """Configuration (subset), as on the data set's page; default: the data set's own default."""
    split: Annotated[str, Field(min_length=1)] = "train"
    """Split of the data set."""
    files: str | None = None
    """Pattern of the files, such as data/*/train-*.parquet, if the data set's card does not list them."""
    revision: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$")] = "main"
    """Branch, tag or commit; the commit that it resolves to stays in history/hub/ until that file is deleted."""

    @cached_property
    def listing(self) -> hub.Listing:
        """The files, sorted by path; the hub is asked for them once."""
        try:
            return hub.listing(self._wanted)
        except NanosnakeError as error:
            raise wrong("source.name", self.name, str(error)) from None

    @property
    def _wanted(self) -> hub.Wanted:
        return hub.Wanted(self.name, self.config, self.split, self.files, self.revision)

    def locations(self, spec: ShardSpec) -> dict[str, str]:
        """Return the URL of each shard that `spec` selects, by its name: numbers in the order of the paths."""
        files, commit = self.listing.files, self.listing.commit
        return {
            f"shard_{number:05d}": hub.url(self._wanted, commit, files[number].path)
            for number in _numbers(spec, len(files))
        }

    def sha256(self, shard: str) -> str | None:
        """Return the hash that the hub provides for a shard."""
        return self.listing.files[int(shard.removeprefix("shard_"))].sha256


class LocalSource(PlacedSource):
    """Parquet files in a folder, by glob, or numbered by a template."""

    kind: Literal["local"]
    path: Annotated[FilePath, AfterValidator(lambda value: _check_template(value, {"shard"}))]
    """A folder, a glob such as data/*.parquet, or a template such as data/part-{shard:03d}.parquet."""

    @property
    def _numbered(self) -> bool:
        return "shard" in template_fields(self.path)

    def locations(self, spec: ShardSpec) -> dict[str, str]:
        """Return the file of each shard that `spec` selects, by its name.

        The name is the file's stem. If a glob leaves a folder open, as `data/*/*.parquet` does, it begins with that
        folder (`lang=de/train-0.parquet` gives `lang_de.train-0`), so that a new folder renames no shard.
        """
        if self._numbered:
            return _filled("source.path", self.path, parse_range(spec))
        files = _distinct("source.path", self.path, _found("source.path", self.path))
        return _chosen("source.path", self.path, files, spec)


def _found(key: str, pattern: str, inside: str = "*.parquet") -> list[tuple[str, str]]:
    """Return files of a folder or glob by their names: the paths relative to it, without file endings.

    Args:
        key: the source's key, for messages.
        inside: which files of a folder.
    """
    path = Path(pattern.format())  # doubled braces become single
    if path.is_file():
        root, found = path.parent, [path]
    elif path.is_dir():
        root, found = path, _matching(key, pattern, f"{glob.escape(str(path))}/{inside}")
    else:
        found = _matching(key, pattern, str(path))
        root = next(parent for parent in path.parents if not glob.has_magic(str(parent)))
    if not found:
        where = "" if path.is_absolute() else f" (relative to {Path.cwd()})"
        what = "no such file or folder"
        if path.is_dir():
            what = f"the folder holds no {'.parquet ' if inside == '*.parquet' else ''}file"
            if inside == "*.parquet" and any(look.by_name(file).format for file in path.iterdir()):
                what += "; for files of other kinds set kind: files"
        elif glob.has_magic(str(path)):
            what = "no file matches this glob"
        raise wrong(key, pattern, f"{what}{where}")
    below = os.path.relpath(Path(layout.RESULTS).resolve(), root.resolve())
    results = root / below
    if below[0] != "." and (made := next((file for file in found if file.is_relative_to(results)), None)):
        raise wrong(
            key,
            pattern,
            f"{made} is a result of this project; name the folder of the text, without {results}",
        )
    if braces := next((str(file) for file in found if re.search(r"\{\w.*\}", str(file))), None):
        raise wrong(
            key, pattern, f"{braces!r} has a name in braces, which Snakemake would fill in; rename it"
        )
    return [(str(file.relative_to(root).with_name(look.stem(file))), str(file)) for file in found]


def _matching(key: str, pattern: str, names: str) -> list[Path]:
    """Return the files that match a glob, without hidden ones; what cannot be read would be left out without a word."""
    found = []
    for path in map(Path, glob.glob(names, recursive=True)):  # noqa: PTH207 (it follows links to folders)
        if path.is_file():
            found.append(path)
        elif path.is_symlink() and not path.exists():
            raise wrong(
                key, pattern, f"{path} is a link to {path.readlink()}, which is not there; remove the link"
            )
        elif path.is_dir():
            if not os.access(path, os.R_OK | os.X_OK):
                raise wrong(
                    key, pattern, f"the folder {path} cannot be read; ask for the right to, or move it"
                )
            if path.is_symlink() and path.parent.resolve().is_relative_to(path.resolve()):
                raise wrong(key, pattern, f"{path} is a link to a folder that it is in; remove the link")
    return sorted(found)


def _distinct(key: str, value: object, found: list[tuple[str, str]]) -> dict[str, str]:
    """Return files by their names, which must differ: `a.jsonl` and `a.txt` would be one shard."""
    _named(key, value, found)
    return dict(found)


def _chosen(key: str, value: object, files: dict[str, str], spec: ShardSpec) -> dict[str, str]:
    """Return the files, by the names of their shards, that names and globs select.

    Args:
        key, value: the source's key, for messages.
        files: the place of each file by its path without suffix; a shard is asked for by that or by its name.
    """
    places = _named(key, value, ((safe_name(path), place) for path, place in files.items()))
    names = dict(zip(files, places, strict=True))
    exact = {name: name for name in places} | names
    chosen: dict[str, str] = {}
    for want in spec if isinstance(spec, list) else [spec]:
        if not isinstance(want, str):
            raise ValueError(
                f"{want!r} is a number, but the shards of this source are named after files, so that a new file moves "
                f"none; name files or globs ({next(iter(files))!r} is one), or write the path with {{shard:05d}}"
            )
        stem = look.stem(want)
        ending = "" if want in exact else Path(want).name.removeprefix(stem).lower()
        word = want.removesuffix(ending)
        found = [exact[word]] if word in exact else [exact[match] for match in fnmatch.filter(exact, word)]
        found = [name for name in found if ending in Path(places[name]).name.lower()]
        if not found:
            raise ValueError(f"no file of {key} is named {want!r}; there are: {_some(list(files))}")
        chosen.update({name: places[name] for name in found})
    return chosen


class FilesSource(PlacedSource):
    """Files of text in other forms: JSON Lines, plain text, CSV, Arrow, parquet with nested columns."""

    kind: Literal["files"]
    path: Annotated[
        FilePath | list[FilePath],
        Field(min_length=1),
        BeforeValidator(_check_texts),
        AfterValidator(_check_paths),
    ]
    """A folder, a file, a glob such as data/**/*.jsonl.gz, or a list of these."""
    shards: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Number of shards to make of all files together; if absent, each file becomes one, named after it."""
    format: Format | None = None
    """Format of the files; if absent, their names say it."""
    documents: Documents = "line"
    """What a document is in plain text: a line, a file, or blocks between blank lines."""
    template: Annotated[str, AfterValidator(_check_messages)] | None = None
    """Text of one message where the column is a conversation, such as "{role}: {content}" and a line feed."""
    on_error: OnError = "stop"
    """Whether an unreadable document ends the run, or is left out and recorded."""
    filter: Annotated[str, AfterValidator(_check_filter)] | None = None
    """Function that decides which documents are kept, as module:function; its file is in the working directory."""

    @cached_property
    def _named(self) -> dict[str, str]:
        """The files by their names; hidden ones are left out."""
        patterns = [self.path] if isinstance(self.path, str) else self.path
        some = [pair for pattern in patterns for pair in _found("source.path", pattern, "**/*")]
        if self.shards is not None:
            some = [(file, file) for _, file in some]
        found = _distinct("source.path", self.path, some)
        if self.format is None:
            try:
                for file in found.values():
                    look.format_of(file)
            except NanosnakeError as error:
                raise wrong("source.path", self.path, str(error)) from None
        return found

    @property
    def files(self) -> list[str]:
        """The files, sorted by path."""
        return sorted(self._named.values())

    @property
    def together(self) -> list[str]:
        """Names of the shards that all files together become; empty if each file is a shard."""
        return [f"shard_{number:05d}" for number in range(self.shards or 0)]

    def names(self, spec: ShardSpec) -> list[str]:
        """Return the names of the shards that `spec` selects."""
        if self.shards is not None and self.files:
            return [self.together[number] for number in _numbers(spec, self.shards)]
        return super().names(spec)

    def locations(self, spec: ShardSpec) -> dict[str, str]:
        """Return the file of each shard that `spec` selects, where each file is one."""
        if self.shards is not None:
            return {}
        return _chosen("source.path", self.path, self._named, spec)


def _check_parts(value: object) -> object:
    """Reject what is neither shares by name nor names, with one message; a union of types would give several."""
    if not isinstance(value, dict | list) or not value:
        raise ValueError(
            "write a share for each data set, as {web: 6, code: 3}, or a list of names with temperature"
        )
    if others := [name for name in value if not isinstance(name, str)]:
        raise ValueError(f"{others[0]!r} is not the name of a data set")
    if isinstance(value, list) and len(set(value)) < len(value):
        raise ValueError(f"{max(value, key=value.count)!r} is named twice")
    for name, share in value.items() if isinstance(value, dict) else ():
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < float("inf"):
            raise ValueError(f"the share of {name} is {share!r}; write a number above 0")
    return value


Parts = dict[str, Annotated[float, Field(gt=0)]] | Annotated[list[str], Field(min_length=1)]


class MixtureSource(PlacedSource):
    """Other data sets in given shares: their shards and counts are reused as they are."""

    kind: Literal["mixture"]
    parts: Annotated[Any, BeforeValidator(_check_parts, json_schema_input_type=Parts)]
    """Share of each data set, of the bytes of text, in any unit, as {web: 6, code: 3}; or a list of data sets."""
    temperature: Annotated[float, Field(ge=0, le=1)] | None = None
    """With a list: a part's share is its bytes to this power; 1: proportional to bytes, 0: equal, 0.3: in between."""
    max_epochs: Annotated[float, Field(gt=0)] | None = 4.0
    """How often a model may read any part; up to about four times is nearly as good as new text (arXiv:2305.16264).
    Null: as often as its share requires."""

    def locations(self, spec: ShardSpec) -> dict[str, str]:
        """Return no place: a mixture has no shards of its own."""
        return {}

    @property
    def part_names(self) -> list[str]:
        """Names of the data sets."""
        return list(self.parts)

    @property
    def shares(self) -> list[float]:
        """Share of each part, if there is no temperature."""
        return list(self.parts.values()) if isinstance(self.parts, dict) else []

    @model_validator(mode="after")
    def _shares_or_temperature(self) -> Self:
        if isinstance(self.parts, dict) != (self.temperature is None):
            raise wrong(
                "temperature",
                self.temperature,
                "makes the shares; write parts as a list of names, without shares"
                if self.temperature is not None
                else "parts is a list of names, without shares; set this, or write a share for each",
            )
        return self


class S3Source(PlacedSource, S3Endpoint):
    """Parquet files in an S3 bucket: numbered by a template, or a list whose shards are named after the files."""

    kind: Literal["s3"]
    url: Annotated[
        str | list[str],
        Field(min_length=1),
        BeforeValidator(_check_texts),
        AfterValidator(lambda value: _check_urls(value, _check_object)),
    ]
    """A template such as s3://bucket/prefix/shard_{shard:05d}.parquet, or a list of s3:// URLs."""
    shards: Annotated[int, Field(ge=1)] | None = None
    """Number of shards of a template, to report a number past the end before anything is downloaded."""
    checksums: FilePath | None = None
    """File of `sha256  name.parquet` lines; shards that nanosnake published carry their own checksum."""

    def locations(self, spec: ShardSpec) -> dict[str, str]:
        """Return the s3:// URL of each shard that `spec` selects, by its name."""
        if isinstance(self.url, str):
            return _filled("source.url", self.url, _numbers(spec, self.shards))
        return _listed(self.url, self.url, spec)


def _listed(value: list[str], urls: Iterable[str], spec: ShardSpec) -> dict[str, str]:
    """Return the URLs of a list, by their file names, that names and globs select."""
    stems = ((PurePosixPath(urlsplit(url).path).stem, url) for url in urls)
    return _chosen("source.url", value, _named("source.url", value, stems), spec)


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


AnySource = EmbeddedSource | UrlSource | HubSource | LocalSource | FilesSource | S3Source | MixtureSource

KINDS = ", ".join(
    repr(word) for kind in get_args(AnySource) for word in get_args(kind.model_fields["kind"].annotation)
)
"""The kinds of sources, for messages."""

Source = Annotated[AnySource, Field(discriminator="kind")]
