"""Where the shards of a dataset come from."""

from __future__ import annotations

import fnmatch
import glob
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, WithJsonSchema, field_validator

from nanosnake.config.base import FilePath, Model, wrong
from nanosnake.config.s3 import S3Endpoint
from nanosnake.naming import by_name, parse_range, safe_name, shard_name, template_fields
from nanosnake.s3.place import Place


def _check_spec(value: object) -> object:
    """Refuse what is no selection of shards; one message where a union of types would give three."""
    items = value if isinstance(value, list) else [value]
    if any(isinstance(item, bool) or not isinstance(item, int | str) for item in items):
        raise ValueError("write shard numbers, ranges such as '0-239' or file names, or a list of these")
    if any(isinstance(item, int) and item < 0 for item in items):
        raise ValueError("shard numbers begin at 0")
    return value


ShardSpec = Annotated[
    Any,
    AfterValidator(_check_spec),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0},
                {"type": "string"},
                {
                    "type": "array",
                    "items": {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string"}]},
                },
            ]
        }
    ),
]
"""A selection of shards: a number, a range such as "0-239", a file name or glob, or a list of these."""


def _check_template(value: str, allowed: set[str]) -> str:
    fields = template_fields(value)
    if unknown := fields - allowed:
        raise ValueError(
            f"unknown field {{{min(unknown)}}}; allowed: {', '.join(sorted(allowed))}; braces of the name itself "
            "are written twice"
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
        raise ValueError("no credentials in a URL: they would stand in logs; set HF_TOKEN instead")
    if any(c.isspace() or c in "\"'`\\<>" or ord(c) < 32 for c in value):
        raise ValueError("percent-encode spaces and quotes in a URL")
    _check_template(value, {"shard", "revision"})
    if "shard" not in template_fields(value):
        raise ValueError("the URL names no shard; write the number's place as {shard:05d}")
    return value


def _named(key: str, value: object, pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return `by_name(pairs)`; what is wrong with a name is wrong with the key of the source that made it."""
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
    """The demo corpus that comes with the environment: lead sections of Wikipedia articles (CC BY-SA 4.0)."""

    kind: Literal["embedded"]
    language: Literal["en", "fr", "es"] = "en"
    """Language of the articles."""
    shards: Annotated[int, Field(ge=1, le=1000)] = 5
    """How many shards the corpus is cut into."""

    def names(self, spec: ShardSpec) -> list[str]:
        """Return the names of the shards that `spec` selects."""
        return [f"shard_{number:05d}" for number in _numbers(spec, self.shards)]


class UrlSource(Model):
    """Parquet files on a web server or in a Hugging Face dataset, numbered."""

    kind: Literal["url"]
    url: Annotated[str, AfterValidator(_check_url)]
    """Template with {shard:05d} and, where the host has them, {revision}."""
    revision: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$")] = "main"
    """Branch, tag or commit that {revision} stands for; the commit that it meant is recorded."""
    shards: Annotated[int, Field(ge=1)] | None = None
    """How many shards there are, so that a number past the end is found before anything is fetched."""
    checksums: FilePath | None = None
    """File of `sha256  name.parquet` lines, for hosts that give no checksum."""
    allow_http_redirects: bool = False
    """Whether a redirect may lead from https to http, where anyone on the way could change the file."""

    def names(self, spec: ShardSpec) -> list[str]:
        """Return the names of the shards that `spec` selects."""
        return list(self.locations(spec))

    def locations(self, spec: ShardSpec) -> dict[str, str]:
        """Return the URL of each shard that `spec` selects, by its name."""
        return _filled("source.url", self.url, _numbers(spec, self.shards), self.revision)


class LocalSource(Model):
    """Parquet files in a folder, by glob, or numbered by a template."""

    kind: Literal["local"]
    path: Annotated[FilePath, AfterValidator(lambda value: _check_template(value, {"shard"}))]
    """A folder, a glob such as data/*.parquet, or a template such as data/part-{shard:03d}.parquet."""

    @property
    def _numbered(self) -> bool:
        return "shard" in template_fields(self.path)

    def names(self, spec: ShardSpec) -> list[str]:
        """Return the names of the shards that `spec` selects."""
        return list(self.locations(spec))

    def locations(self, spec: ShardSpec) -> dict[str, str]:
        """Return the file of each shard that `spec` selects, by its name.

        The name is the file's stem. Where a glob leaves a folder open, as `data/*/*.parquet` does, it begins with
        that folder (`lang=de/train-0.parquet` gives `lang_de.train-0`), so that a new folder renames no shard.
        """
        if self._numbered:
            return _filled("source.path", self.path, parse_range(spec))
        root, files = self._files()
        stems = {str(file.relative_to(root).with_suffix("")): str(file) for file in files}
        return _chosen("source.path", self.path, stems, spec)

    def _files(self) -> tuple[Path, list[Path]]:
        """Return the files of the folder or glob, and the folder that their names are relative to."""
        path = Path(self.path.format())  # doubled braces become single
        if path.is_file():
            return path.parent, [path]
        if path.is_dir():
            found, root = sorted(path.glob("*.parquet")), path
        else:
            names = glob.glob(str(path), recursive=True)  # noqa: PTH207 (absolute patterns)
            found = sorted(Path(name) for name in names if Path(name).is_file())
            root = next(parent for parent in path.parents if not glob.has_magic(str(parent)))
        if not found:
            where = "" if path.is_absolute() else f" (relative to {Path.cwd()})"
            what = "the folder holds no .parquet file" if path.is_dir() else "no such file or folder"
            if glob.has_magic(str(path)) and not path.is_dir():
                what = "no file matches this glob"
            raise wrong("source.path", self.path, f"{what}{where}")
        return root, found


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
                f"{want!r} is a number, and this source's shards go by file name, so that a new file moves "
                f"none; name files or globs ({next(iter(files))!r} is one), or write the path with {{shard:05d}}"
            )
        word = want.removesuffix(".parquet")
        found = [exact[word]] if word in exact else [exact[match] for match in fnmatch.filter(exact, word)]
        if not found:
            raise ValueError(f"no file of {key} is named {want!r}; there are: {_some(list(files))}")
        chosen.update({name: places[name] for name in found})
    return chosen


class S3Source(S3Endpoint):
    """Parquet files in a bucket of S3, numbered by a template, or a list of them that goes by file name."""

    kind: Literal["s3"]
    url: Annotated[str | list[str], Field(min_length=1)]
    """A template such as s3://bucket/prefix/shard_{shard:05d}.parquet, or a list of s3:// URLs."""
    shards: Annotated[int, Field(ge=1)] | None = None
    """How many shards a template has, so that a number past the end is found before anything is fetched."""
    checksums: FilePath | None = None
    """File of `sha256  name.parquet` lines; our own published shards carry their checksum with them."""

    @field_validator("url")
    @classmethod
    def _urls_name_objects(cls, value: str | list[str]) -> str | list[str]:
        for url in [value] if isinstance(value, str) else value:
            place = Place.parse(url)
            if not place.key or url.endswith("/"):
                raise ValueError(f"{url!r} names no object")
        if isinstance(value, str):
            _check_template(value, {"shard"})
            if "shard" not in template_fields(value):
                raise ValueError("the URL names no shard; write the number's place as {shard:05d}, or a list")
        return value

    def names(self, spec: ShardSpec) -> list[str]:
        """Return the names of the shards that `spec` selects."""
        return list(self.locations(spec))

    def locations(self, spec: ShardSpec) -> dict[str, str]:
        """Return the s3:// URL of each shard that `spec` selects, by its name."""
        if isinstance(self.url, str):
            return _filled("source.url", self.url, _numbers(spec, self.shards))
        stems = ((PurePosixPath(url).stem, url) for url in self.url)
        return _chosen("source.url", self.url, _named("source.url", self.url, stems), spec)


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


Source = Annotated[EmbeddedSource | UrlSource | LocalSource | S3Source, Field(discriminator="kind")]
