"""Propose a configuration for data of your own.

    nanosnake init my_project --data /data/corpus

It looks at the parquet files of --data and writes my_project/config.yaml: which column is the text, which file is
held out for validation, how large the vocabulary is, each with the reason. Change what you like; config/README.md
describes every key.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Sequence
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
"""Up to how many characters a vocabulary of which size is proposed; 65,536 above."""

SAMPLED_ROWS = 1000
LOOKED_AT = 200
"""Files whose footers are read, at most."""


@dataclass(frozen=True, kw_only=True)
class Init(Stage):
    """Look at your data and propose a configuration."""

    folder: Annotated[Path, Positional]
    """Where to put config.yaml, and later the results; it is made if it is not there."""
    data: Path
    """A folder of parquet files."""
    text_column: str | None = None
    """The column of the text, if the proposal is wrong."""
    name: str = "mine"
    """What to call the dataset."""

    def run(self) -> None:
        target = self.folder / "config.yaml"
        if target.exists():
            raise NanosnakeError(f"{target}: is there already; remove it, or name another folder")
        found = look(self.data, self.text_column)
        text = configuration(self.name, found)
        _check(text)
        with replacing(target) as temporary:
            temporary.write_text(text, encoding="utf-8")
        log(text)
        log(f"written to {target}; the next step, here or from anywhere:\n\n    {command(self.folder)} -n")
        log("\nIt shows the plan; leave out -n to run it.")


@dataclass(frozen=True)
class Data:
    """What was found in a folder of parquet files."""

    folder: Path
    files: Sequence[Path]
    column: str
    why_column: str
    rows: int
    characters: int
    """Estimated from a sample."""
    validation: Path
    why_validation: str


def look(folder: Path, column: str | None) -> Data:
    """Look at the parquet files of a folder.

    Raises:
        NanosnakeError: if there are fewer than two, or none of their columns holds text.
    """
    files = _files(folder)
    footers = [_footer(path) for path in files[:LOOKED_AT]]
    schemas = Counter(tuple(map(str, footer.schema_arrow.names)) for footer in footers)
    if len(schemas) > 1:
        log(
            f"the files do not have the same columns: {len(schemas)} sets; the columns of {files[0].name} are used"
        )
    sample = _sample(files[0])
    chosen, why = _column(sample, column, files[0])
    rows = sum(footer.metadata.num_rows for footer in footers) * len(files) // len(footers)
    lengths = [len(value) for value in sample[chosen].to_pylist() if isinstance(value, str)]
    mean = sum(lengths) / max(len(lengths), 1)
    held_out = files[-1]
    share = held_out.stat().st_size / sum(path.stat().st_size for path in files)
    return Data(
        folder=folder,
        files=files,
        column=chosen,
        why_column=why,
        rows=rows,
        characters=round(rows * mean),
        validation=held_out,
        why_validation=f"the last of {len(files)} files by name, {100 * share:.1f}% of the bytes; named, so that a new file never moves it",
    )


def _files(folder: Path) -> list[Path]:
    files = sorted(folder.glob("*.parquet")) if folder.is_dir() else []
    if not files:
        others = (
            Counter(path.suffix for path in folder.glob("*") if path.is_file()) if folder.is_dir() else {}
        )
        holds = ", ".join(f"{count} {suffix or 'without a suffix'}" for suffix, count in others.items())
        raise NanosnakeError(
            f"{folder}: "
            + (
                f"holds no .parquet file (it holds: {holds or 'no files'})"
                if folder.is_dir()
                else "is not a folder"
            )
            + "; give a folder of parquet files with a column of text"
        )
    if len(files) == 1:
        raise NanosnakeError(
            f"{folder}: holds one parquet file, and one has to be held out for validation: write the rows to two files "
            "or more"
        )
    if bad := next((path for path in files if not SAFE_NAME.fullmatch(path.stem)), None):
        raise NanosnakeError(f"{bad}: rename it; a shard's name has letters, digits, '.', '_' and '-' only")
    return files


def _footer(path: Path) -> Any:
    from nanosnake.sources.parquet import open_parquet

    return open_parquet(path, str(path))


def _sample(path: Path) -> Any:
    """Return the first rows of a file."""
    return next(_footer(path).iter_batches(batch_size=SAMPLED_ROWS))


def _column(sample: Any, wanted: str | None, path: Path) -> tuple[str, str]:
    """Return the column of the text, and why it is this one."""
    from nanosnake.sources.parquet import check_text_column, is_text

    if wanted is not None:
        check_text_column(sample.schema, wanted, str(path))
        return wanted, "as you said"
    columns = [field.name for field in sample.schema if is_text(field.type)]
    if not columns:
        names = ", ".join(f"{field.name} ({field.type})" for field in sample.schema)
        raise NanosnakeError(f"{path}: no column holds text; its columns are {names}")
    if len(columns) == 1:
        return columns[0], "the only column of text"
    for name in LIKELY:
        if name in columns:
            return (
                name,
                f"by its name; the other columns of text are {', '.join(c for c in columns if c != name)}",
            )
    sizes = {name: sum(len(value) for value in sample[name].to_pylist() if value) for name in columns}
    longest = max(sizes, key=lambda name: sizes[name])
    return longest, f"the longest texts of {', '.join(columns)}"


def vocabulary(characters: int) -> int:
    """Return a vocabulary size for so much text."""
    return next((size for most, size in SIZES if characters <= most), 65536)


def configuration(name: str, data: Data) -> str:
    """Return the text of a configuration, with the reasons as comments."""
    size = vocabulary(data.characters)
    tokenizer = f"bpe{size // 1024}k"
    return f"""\
# Proposed by `nanosnake init`; config/README.md of nanosnake describes every key.
datasets:
  {name}:
    # {len(data.files):,} files, {data.rows:,} documents, about {data.characters:,} characters
    source: {{kind: local, path: {_yaml(str(data.folder.resolve()))}}}
    text_column: {_yaml(data.column)} # {data.why_column}
    train: "*" # every file but the one below
    validation: {_yaml(data.validation.stem)} # {data.why_validation}

tokenizers:
  {tokenizer}:
    dataset: {name}
    # {size:,} tokens suit this much text: more would be learned from too few examples, fewer make longer token
    # sequences. The report's curve over vocabulary size shows what a change costs.
    vocab_size: {size}
    pattern: nanochat

# A model is trained once the tokenizer has passed its checks; take out the signs to train one.
# models:
#   d12: {{tokenizer: {tokenizer}, depth: 12}}
"""


def _yaml(text: str) -> str:
    """Return a text as YAML reads it as a text."""
    return text if re.fullmatch(r"[A-Za-z_/][\w./-]*[A-Za-z_]", text) else "'" + text.replace("'", "''") + "'"


def _check(text: str) -> None:
    """See that the configuration is one that Snakemake will take."""
    import yaml

    from nanosnake.config import load

    load(yaml.safe_load(text), origin="the proposed configuration")


def command(folder: Path) -> str:
    """Return the command that makes what a folder's configuration describes."""
    words = ["snakemake", "--cores", "all"]
    if CHECKOUT.joinpath("Snakefile").exists():
        if Path.cwd() != CHECKOUT:
            words += [
                "--snakefile",
                str(CHECKOUT / "Snakefile"),
                "--profile",
                str(CHECKOUT / "profiles/default"),
            ]
    else:
        words += ["--snakefile", "CHECKOUT/Snakefile"]
    return "uv run " + shlex.join(
        [*words, "--directory", str(folder), "--configfile", str(folder / "config.yaml")]
    )
