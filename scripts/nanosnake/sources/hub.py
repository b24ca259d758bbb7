"""Data sets of a Hugging Face hub: which parquet files one has, at which commit, with which hashes.

The hub is asked once. Its answer is kept as a file, which pins the commit: later plans, and plans without a network,
read that file. To follow a branch to its newest commit, delete the file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from nanosnake import layout
from nanosnake.files import NanosnakeError, read_json, write_json
from nanosnake.naming import short_hash

CONVERTED = "refs/convert/parquet"
"""Branch on which the hub itself keeps data sets as parquet."""
TIMEOUT = 60.0
"""Seconds to wait for the hub."""


@dataclass(frozen=True)
class Wanted:
    """Which files of which data set."""

    name: str
    config: str | None
    split: str
    files: str | None
    revision: str


@dataclass(frozen=True)
class HubFile:
    """One file."""

    path: str
    bytes: int
    sha256: str | None
    """None for files that the hub keeps in git itself."""


@dataclass(frozen=True)
class Listing:
    """What the hub said."""

    commit: str
    files: Sequence[HubFile]


def url(wanted: Wanted, commit: str, path: str) -> str:
    """Return the address of a file; a download asks at HF_ENDPOINT for it, if that is set."""
    return f"https://huggingface.co/datasets/{wanted.name}/resolve/{commit}/{quote(path)}"


def pin_of(wanted: Wanted) -> Path:
    """Return the file that pins what the hub said about a data set."""
    words = asdict(wanted)
    key = "--".join(re.sub(r"[^A-Za-z0-9.-]+", "-", str(word)) for word in words.values() if word)
    return Path(layout.HUB_LISTING.format(key=f"{key[:150]}-{short_hash(repr(words))}"))


def listing(wanted: Wanted) -> Listing:
    """Return the parquet files of a data set, sorted by path, from the file that pins them or from the hub.

    Raises:
        NanosnakeError: if the hub cannot be asked, refuses, or has no such files.
    """
    words, path = asdict(wanted), pin_of(wanted)
    if path.exists():
        found = read_json(path)
        return Listing(found["commit"], [HubFile(**file) for file in found["files"]])
    from nanosnake.sources.download.hosts import offline

    if offline(os.environ):
        raise NanosnakeError(
            f"{wanted.name}: HF_HUB_OFFLINE is set, and {path} does not exist: do a dry run once on a machine with a "
            "network, and copy the file here"
        )
    info = _ask(wanted)
    files = [
        HubFile(file.rfilename, file.size or 0, file.lfs.sha256 if file.lfs else None)
        for file in info.siblings or []
    ]
    chosen = choose(files, _card(info), wanted)
    result = Listing(str(info.sha), sorted(chosen, key=lambda file: file.path))
    write_json(path, {"asked": words, **asdict(result)})
    return result


def _ask(wanted: Wanted) -> Any:
    """Return what the hub says about a data set.

    Raises:
        NanosnakeError: if it does not answer, or refuses.
    """
    from huggingface_hub import HfApi, errors  # takes half a second

    from nanosnake.sources.download.hosts import HostToken, endpoint

    hub, name = endpoint(os.environ), wanted.name
    token = HostToken(hub, os.environ).token
    try:
        api = HfApi(endpoint=hub, token=token or False)
        return api.dataset_info(name, revision=wanted.revision, files_metadata=True, timeout=TIMEOUT)
    except errors.GatedRepoError:
        reason = (
            f"the data set is gated: accept its terms at {hub}/datasets/{name}, then set HF_TOKEN to a token of that "
            "account"
        )
    except errors.RevisionNotFoundError:
        reason = f"there is no revision {wanted.revision!r}; correct the source's revision"
    except errors.RepositoryNotFoundError:
        seen = "HF_TOKEN may not read it" if token else "it is private, for which HF_TOKEN is needed"
        reason = f"{hub} has no such data set, or {seen}; check the source's name"
    except Exception as error:
        # the client raises what its HTTP library does, which changed between versions
        reason = f"{hub} did not list its files ({type(error).__name__}: {str(error).splitlines()[0][:200]})"
    raise NanosnakeError(f"{name}: {reason}")


def _card(info: Any) -> Mapping[str, Any]:
    return info.card_data.to_dict() if info.card_data is not None else {}


def choose(files: Iterable[HubFile], card: Mapping[str, Any], wanted: Wanted) -> list[HubFile]:
    """Return the parquet files of a configuration and split: as the card says, else by the hub's rules for names.

    Raises:
        NanosnakeError: if there are none; the message says which there are.
    """
    parquet = [file for file in files if file.path.endswith(".parquet")]
    if wanted.files is not None:
        patterns: list[str] | None = [wanted.files]
    else:
        patterns = _patterns(card, wanted)
    if patterns is not None:
        regex = re.compile("|".join(map(_regex, patterns)))
        found = [file for file in parquet if regex.fullmatch(file.path)]
    else:
        inside = [
            file for file in parquet if wanted.config is None or file.path.startswith(f"{wanted.config}/")
        ]
        word = re.compile(rf"(?:.*[/_.-])?{re.escape(wanted.split)}[/_.-].*")
        found = [file for file in inside if word.fullmatch(file.path)]
    if found:
        return found
    some = ", ".join(file.path for file in parquet[:5]) or "none"
    raise NanosnakeError(
        f"{wanted.name}: no parquet file belongs to split {wanted.split!r}"
        + (f" of configuration {wanted.config!r}" if wanted.config else "")
        + f"; parquet files there: {some}{' and more' if len(parquet) > 5 else ''}; set the source's files to a pattern, "
        f"or its revision to {CONVERTED}, where the hub keeps most data sets as parquet"
    )


def _patterns(card: Mapping[str, Any], wanted: Wanted) -> list[str] | None:
    """Return what the card says about a configuration's files; None if it says nothing."""
    configs = {str(entry.get("config_name")): entry for entry in card.get("configs") or []}
    if not configs:
        return None
    default = next((name for name, entry in configs.items() if entry.get("default")), "default")
    name = wanted.config or (next(iter(configs)) if len(configs) == 1 else default)
    if name not in configs:
        raise NanosnakeError(
            f"{wanted.name}: no configuration {name!r}; set the source's config to one of {', '.join(sorted(configs))}"
        )
    entry = configs[name]
    folder = f"{entry['data_dir'].strip('/')}/" if entry.get("data_dir") else ""
    found = entry.get("data_files") or (f"{folder}**" if folder else None)
    if found is None:
        return None
    patterns: list[str] = []
    for part in found if isinstance(found, list) else [found]:
        split, paths = (part.get("split"), part.get("path")) if isinstance(part, dict) else ("train", part)
        if split == wanted.split:
            patterns += [paths] if isinstance(paths, str) else list(paths or [])
    return patterns or ["(no such split)"]


def _regex(pattern: str) -> str:
    """Return a glob as a regular expression: * within a folder, ** across."""
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern.removeprefix("./"))
    return "".join(words.get(part, re.escape(part)) for part in parts)
