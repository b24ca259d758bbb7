"""Propose a configuration for data of your own.

    nanosnake init my_project --data /data/corpus

It looks at the files of --data (parquet, JSON Lines, text, CSV, Arrow, compressed or not) and writes
my_project/config.yaml: the text column, the validation shards and the vocabulary size, each with the reason. Change
what you like; config/README.md describes every key.
"""

from __future__ import annotations

import csv
import glob
import io
import itertools
import json
import math
import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from nanosnake.files import NanosnakeError, replacing
from nanosnake.messages import log
from nanosnake.naming import SAFE_NAME
from nanosnake.options import Positional
from nanosnake.stages import Stage

CHECKOUT = Path(__file__).parents[3]

LIKELY = ("text", "content", "document", "body", "article")
"""Names that a text column usually has."""

SIZES = ((2e6, 2048), (2e7, 4096), (2e8, 8192), (2e9, 16384), (2e10, 32768))
"""Up to how many characters of text each vocabulary size is proposed; 65,536 above."""

SAMPLED_ROWS = 1000
SAMPLED_BYTES = 1 << 20
LOOKED_AT = 200
"""Files whose footers are read, at most."""

SHARD_BYTES = 100_000_000
"""Bytes of the files for each shard that they are cut into."""

PACKED = 4
"""About how many times larger a compressed file becomes when unpacked."""

Record = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Init(Stage):
    """Look at your data and propose a configuration."""

    folder: Annotated[Path, Positional]
    """Folder for config.yaml and, later, the results; it is created if missing."""
    data: Path
    """A folder of files, or one file."""
    text_column: str | None = None
    """Column that holds the text; default: chosen from the data."""
    name: str = "mine"
    """Name of the dataset."""

    def run(self) -> None:
        target = self.folder / "config.yaml"
        if target.exists():
            raise NanosnakeError(f"{target}: exists already; remove it, or name another folder")
        found = look(self.data, self.text_column)
        if found.source["kind"] == "files" and self.folder.resolve().is_relative_to(self.data.resolve()):
            raise NanosnakeError(
                f"{self.folder}: is within {self.data}, so the results would be read as text; name a folder outside of it"
            )
        text = configuration(self.name, found)
        _check(text)
        with replacing(target) as temporary:
            temporary.write_text(text, encoding="utf-8")
        log(text)
        log(f"written to {target}; the next step, from this folder:\n\n    {command(self.folder)} -n")
        log("\nThis prints the plan; leave out -n to run it.")


@dataclass(frozen=True)
class Data:
    """What was found."""

    files: Sequence[Path]
    source: Mapping[str, Any]
    """The source, as in the configuration."""
    column: str | None
    """The column of the text; None for plain text."""
    why_column: str
    documents: int | None
    characters: int
    """Estimated from a sample."""
    train: str
    validation: str | Mapping[str, Any]
    why_validation: str


def look(place: Path, column: str | None) -> Data:
    """Look at the files of a folder, or at one file.

    Raises:
        NanosnakeError: if there are none that can be read, or they are of several kinds, or hold no text.
    """
    files, kind = _files(place)
    if kind == "text" and column is not None:
        raise NanosnakeError(
            f"--text-column {column}: {place} holds plain text, which has no columns; leave it out"
        )
    path, sample = next(
        ((path, rows) for path in files[:LOOKED_AT] if (rows := _sample(path, kind))), (files[0], [])
    )
    chosen, why = _column(sample, column, path) if kind != "text" else (None, "")
    if (
        kind == "parquet"
        and "." not in (chosen or "")  # only kind: files reads a column inside of another, and conversations
        and not any(_template(row.get(chosen or "")) for row in sample)
        and len(files) > 1
        and place.is_dir()
        and all(path.parent == place and path.suffix == ".parquet" for path in files)
    ):
        return _parquet_shards(place, files, chosen or "text", why, sample)
    return _cut(place, files, kind, chosen, why, sample)


def _files(place: Path) -> tuple[list[Path], str]:
    """Return the files that hold text, and what they are."""
    from nanosnake.sources.formats import look

    if not place.exists():
        raise NanosnakeError(f"{place}: does not exist; give a folder of files with text, or one file")
    inside = glob.glob(f"{glob.escape(str(place))}/**/*", recursive=True)  # noqa: PTH207 (as the workflow reads it)
    found = [place] if place.is_file() else sorted(path for path in map(Path, inside) if path.is_file())
    kinds = Counter(kind for path in found if (kind := look.by_name(path).format))
    if not kinds:
        others = Counter(path.suffix or "no ending" for path in found)
        holds = ", ".join(f"{count} with {ending}" for ending, count in others.most_common(5)) or "nothing"
        raise NanosnakeError(
            f"{place}: holds no file of text that can be read by its name (it holds {holds}); known endings are "
            f"{', '.join(look.ENDINGS)}, each also compressed ({', '.join(look.PACKED_ENDINGS)})"
        )
    if len(kinds) > 1:
        each = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
        raise NanosnakeError(f"{place}: holds files of several kinds ({each}); name a folder of one kind")
    (kind,) = kinds
    return [path for path in found if look.by_name(path).format == kind], kind


def _parquet_shards(
    place: Path, files: Sequence[Path], column: str, why: str, sample: Sequence[Record]
) -> Data:
    """Propose each parquet file as a shard, the last held out."""
    if bad := next((path for path in files if not SAFE_NAME.fullmatch(path.stem)), None):
        log(f"{bad.name}: a shard is named after its file, with letters, digits, '.', '_' and '-' only")
    rows = _rows(files)
    share = files[-1].stat().st_size / max(sum(path.stat().st_size for path in files), 1)
    return Data(
        files=files,
        source={"kind": "local", "path": _path(place)},
        column=column,
        why_column=why,
        documents=rows,
        characters=round(rows * _length(sample, column) / max(len(sample), 1)),
        train="*",
        validation=files[-1].stem,
        why_validation=f"the last of {len(files)} files by name, {share:.1%} of the bytes; named, so that a new file never moves it",
    )


def _path(place: Path) -> str:
    """Return a place as the configuration names it: braces of a name are written twice."""
    return str(place.resolve()).replace("{", "{{").replace("}", "}}")


def _rows(files: Sequence[Path]) -> int:
    """Return about how many rows parquet files have, by the footers of the first ones."""
    from nanosnake.sources.parquet import row_groups

    read = [sum(row_groups(path)) for path in files[:LOOKED_AT]]
    return sum(read) * len(files) // len(read)


def _cut(
    place: Path, files: Sequence[Path], kind: str, column: str | None, why: str, sample: Sequence[Record]
) -> Data:
    """Propose to cut files of any kind into shards of about the same size, and to hold out some documents."""
    from nanosnake.sources.formats import look

    size = sum(path.stat().st_size * (PACKED if look.by_name(path).packing else 1) for path in files)
    if not size:
        raise NanosnakeError(f"{place}: holds empty files only ({len(files)} {kind}); add files with text")
    shards = min(max(math.ceil(size / SHARD_BYTES), 10), 1000)
    source: dict[str, Any] = {"kind": "files", "path": _path(place), "shards": shards}
    if kind == "text":
        parted = re.search(
            r"\n\s*\n", _first_lines(next(path for path in files if path.stat().st_size), kind)
        )
        source["documents"] = "file" if len(files) >= LOOKED_AT else "blocks" if parted else "line"
    if template := next(filter(None, (_template(record.get(column or "")) for record in sample)), None):
        source["template"] = template
    part = _length(sample, column) / max(sum(len(str(dict(record))) for record in sample), 1) if column else 1
    rows = _rows(files) if kind == "parquet" else None  # its size says little: it is compressed
    each = _length(sample, column) / max(len(sample), 1)
    return Data(
        files=files,
        source=source,
        column=column,
        why_column=why,
        documents=rows,
        characters=round(size * part if rows is None else rows * each),
        train=f"0-{shards - 1}",
        validation={"fraction": round(1 / shards, 4), "by": "hash"},
        why_validation="chosen by a hash of the text, so that a new file never moves a document",
    )


def _sample(path: Path, kind: str) -> list[Record]:
    """Return the first rows of a file, with columns inside of others as `outer.inner`; none of plain text."""
    if kind == "text" or not path.stat().st_size:
        return []
    if kind in ("parquet", "arrow"):
        return [_flat(row) for row in _table_rows(path, kind)]
    start = _first_lines(path, kind)
    if kind == "jsonl":
        lines = start.split("\n")[:SAMPLED_ROWS]
        return [_flat(row) for line in lines if isinstance(row := _json(line), dict)]
    csv.field_size_limit(max(csv.field_size_limit(), len(start)))  # for the whole process
    rows = csv.DictReader(io.StringIO(start, newline=""), delimiter="\t" if kind == "tsv" else ",")
    if len(names := rows.fieldnames or []) == 1 and re.search(r"[,;|\t]", names[0]):
        raise NanosnakeError(
            f"{path}: its header is a single column, {names[0]!r}; values have to be separated by commas, or by tabs "
            "in a file named .tsv: write it again, or rename it"
        )
    return list(itertools.islice(rows, SAMPLED_ROWS))


def _flat(record: Record, outer: str = "") -> Record:
    flat: dict[str, Any] = {}
    for name, value in record.items():
        flat |= _flat(value, f"{outer}{name}.") if isinstance(value, dict) else {f"{outer}{name}": value}
    return flat


def _first_lines(path: Path, kind: str) -> str:
    """Return the whole lines with which a file begins, at least SAMPLED_BYTES if it has as many."""
    from nanosnake.sources.formats.stream import Damaged, Stream, lines

    start = b""
    try:
        with Stream(path, kind) as stream:  # type: ignore[arg-type]
            for piece in lines(stream, SAMPLED_BYTES):
                start += piece.data
                if len(start) >= SAMPLED_BYTES:
                    break
    except Damaged as error:
        raise NanosnakeError(f"{path}: {error}") from None
    return start.decode("utf-8", errors="replace")


def _json(line: str) -> object:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _table_rows(path: Path, kind: str) -> list[Record]:
    import pyarrow as pa

    from nanosnake.sources.formats import tables

    start = tables.start_of(str(path), kind)  # type: ignore[arg-type]
    try:
        if kind == "parquet":
            batch = next(tables.open_parquet(path).iter_batches(batch_size=SAMPLED_ROWS), None)
            return batch.to_pylist() if batch is not None else []
        with pa.memory_map(str(path)) as source:
            if start.startswith(b"ARROW1"):
                opened = pa.ipc.open_file(source)
                batches = map(opened.get_batch, range(opened.num_record_batches))
            else:
                batches = iter(pa.ipc.open_stream(source))
            return next((batch.slice(0, SAMPLED_ROWS).to_pylist() for batch in batches if len(batch)), [])
    except (pa.ArrowException, OSError) as error:
        raise NanosnakeError(f"{path}: not a readable {kind} file ({error})") from None


def _column(sample: Sequence[Record], wanted: str | None, path: Path) -> tuple[str, str]:
    """Return the column of the text, and why it is this one."""
    names = list(dict.fromkeys(name for record in sample for name in record))
    texts = [name for name in names if any(_is_text(record.get(name)) for record in sample)]
    if wanted is not None:
        if wanted.split(".")[0] not in {str(name).split(".")[0] for name in names}:
            raise NanosnakeError(
                f"{path}: has no column {wanted!r}; its columns are {', '.join(map(str, names)) or 'none'}"
            )
        return wanted, "as you said"
    if not texts:
        raise NanosnakeError(
            f"{path}: no column holds text; its columns are {', '.join(map(str, names)) or 'none'}"
        )
    if len(texts) == 1:
        return texts[0], "the only column of text"
    for name in LIKELY:
        if name in texts:
            return (
                name,
                f"by its name; the other columns of text are {', '.join(other for other in texts if other != name)}",
            )
    longest = max(texts, key=lambda name: _length(sample, name))
    return longest, f"the longest texts of {', '.join(texts)}"


def _is_text(value: object) -> bool:
    return isinstance(value, str) or _template(value) is not None


def _template(value: object) -> str | None:
    """Return the template of a conversation's messages, by their keys; None for anything else."""
    turns = value if isinstance(value, list) else []
    for who, what in (("role", "content"), ("from", "value")):
        if turns and all(isinstance(turn, dict) and {who, what} <= turn.keys() for turn in turns):
            return f"{{{who}}}: {{{what}}}\n"
    return None


def _length(sample: Sequence[Record], column: str | None) -> int:
    """Return the characters of a column."""
    return sum(
        len(value) if isinstance(value := record.get(column or ""), str) else len(str(value or ""))
        for record in sample
    )


def vocabulary(characters: int) -> int:
    """Return a vocabulary size for so much text."""
    return next((size for most, size in SIZES if characters <= most), 65536)


def configuration(name: str, data: Data) -> str:
    """Return the text of a configuration, with the reasons as comments."""
    size = vocabulary(data.characters)
    tokenizer = f"bpe{size // 1024}k"
    documents = f", {data.documents:,} documents" if data.documents is not None else ""
    source = "".join(f"\n      {key}: {_yaml(value)}" for key, value in data.source.items())
    column = (
        f"\n    text_column: {_yaml(data.column)} # {' '.join(data.why_column.split())}"
        if data.column
        else ""
    )
    return f"""\
# Proposed by `nanosnake init`; config/README.md of nanosnake describes every key.
datasets:
  {_yaml(name)}:
    # {len(data.files):,} files{documents}, about {data.characters:,} characters
    source:{source}{column}
    train: {_yaml(data.train)}
    validation: {_yaml(data.validation)} # {data.why_validation}

tokenizers:
  {tokenizer}:
    dataset: {_yaml(name)}
    # {size:,} tokens suit this much text: more would be learned from too few examples, fewer make longer token
    # sequences. The report's curve over vocabulary size shows what a change costs.
    vocab_size: {size}
    pattern: nanochat

# A model is trained once the tokenizer has passed its checks; remove the # signs to train one.
# models:
#   d12: {{tokenizer: {tokenizer}, depth: 12}}
"""


def _yaml(value: object) -> str:
    """Return a value as YAML reads it."""
    import yaml

    plain = re.compile(r"[A-Za-z_/][\w./-]*[A-Za-z_]")
    if isinstance(value, str) and plain.fullmatch(value) and yaml.safe_load(value) == value:  # not `no`
        return value
    return json.dumps(value, ensure_ascii=False)


def _check(text: str) -> None:
    """Check that Snakemake will accept the configuration."""
    import yaml

    from nanosnake.config import load

    load(yaml.safe_load(text), origin="the proposed configuration")


def command(folder: Path) -> str:
    """Return the command that makes what a folder's configuration describes."""
    project, words = [], ["snakemake", "--cores", "all"]
    if CHECKOUT.joinpath("Snakefile").exists():
        if Path.cwd() != CHECKOUT:
            project = ["--project", str(CHECKOUT)]
            words += [
                "--snakefile",
                str(CHECKOUT / "Snakefile"),
                "--profile",
                str(CHECKOUT / "profiles/default"),
            ]
    else:
        words += ["--snakefile", "CHECKOUT/Snakefile"]
    return "uv run " + shlex.join(
        [*project, *words, "--directory", str(folder), "--configfile", str(folder / "config.yaml")]
    )
