"""Exact byte-pair encoding: pre-tokenize, count, train, encode.

Long calls release the GIL, end within a second of Ctrl-C with `KeyboardInterrupt`, and call `progress(done, total)`
a few times a second, `total` being 0 where it is unknown; an exception that `progress` raises ends the call.
Results do not depend on `threads` (0: one per core, 256 at most). Files are written whole or not at all. A `pattern`
is a name in `PATTERNS` or a regex; text that a regex does not match is in no pre-token.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from os import PathLike
from typing import Final, Literal, TypeAlias, TypedDict, final

from typing_extensions import Buffer, CapsuleType

__all__ = [
    "PATTERNS",
    "ColumnError",
    "Counts",
    "Documents",
    "Encoder",
    "FileFormatError",
    "InvalidValueError",
    "JsonLines",
    "Merges",
    "PatternError",
    "RustbpeError",
    "Tokenizer",
    "__distribution__",
    "__version__",
    "check_parquet",
    "count_parquet",
    "encode_parquet",
    "merge_counts",
    "row_groups",
    "train_merges",
    "training_memory",
]

_Path: TypeAlias = str | PathLike[str]
_Progress: TypeAlias = Callable[[int, int], object]

__version__: Final[str]
__distribution__: Final[str]
"""`nanosnake-rustbpe`; the public package that is also imported as `rustbpe` has no such name."""
PATTERNS: Final[dict[str, str]]
"""The regexes of the split patterns that can be named: gpt2, gpt4, gpt4o and nanochat."""

class RustbpeError(Exception):
    """What went wrong in rustbpe; the base of its errors."""

class PatternError(RustbpeError, ValueError):
    """A split pattern that does not compile, or that gave up."""

class FileFormatError(RustbpeError):
    """A file of the wrong kind, or a damaged one; names the file, and row group and row if known."""

class ColumnError(FileFormatError):
    """A parquet file without the named text column, or whose column is not text; names the columns that would do."""

class InvalidValueError(RustbpeError, ValueError):
    """A vocabulary, merge list or argument that cannot be right."""

class _Totals(TypedDict):
    documents: int
    nulls: int
    characters: int
    bytes: int
    pretokens: int
    unique: int

class _Header(TypedDict):
    pattern: str
    text_column: str
    doc_cap: int
    max_chars: int | None
    min_count: int
    documents: int
    nulls: int
    characters: int
    bytes: int
    pretokens: int
    unique: int

class _Facts(TypedDict):
    rows: int
    row_groups: int
    characters: int
    nulls: int
    empty: int

class _Encoded(TypedDict):
    tokens: int
    documents: int
    nulls: int
    bytes: int
    sha256: str
    index_sha256: str

@final
class Counts:
    """A table of pre-token counts: `pretoken: large_binary` (ascending, each once), `count: uint64`."""

    @property
    def documents(self) -> int:
        """Documents that were counted, empty ones included."""
    @property
    def nulls(self) -> int:
        """Rows without a value: no documents."""
    @property
    def characters(self) -> int:
        """Unicode scalars that were counted, after `doc_cap`."""
    @property
    def bytes(self) -> int:
        """Bytes of UTF-8 that were counted."""
    @property
    def pretokens(self) -> int:
        """The sum of the counts."""
    @property
    def unique(self) -> int:
        """Distinct pre-tokens: rows of the table."""
    @property
    def pattern(self) -> str:
        """The split pattern's regex."""
    @property
    def text_column(self) -> str:
        """The text column that was counted."""
    @property
    def doc_cap(self) -> int:
        """Only the first this many characters of a document were counted; 0 is all."""
    @property
    def max_chars(self) -> int | None:
        """Documents were counted until their characters exceeded this; None is all."""
    def write(self, path: _Path) -> None:
        """Writes the table as a count file (Arrow IPC, zstd).

        Raises:
            OSError: the file cannot be written.
        """
    @staticmethod
    def read(path: _Path) -> Counts:
        """Reads a whole count file.

        Raises:
            FileFormatError: it is not a count file, or is cut off or damaged.
            OSError: it cannot be opened.
        """
    @staticmethod
    def header(path: _Path) -> _Header:
        """What a count file says about itself: how and from what it was counted, and totals of its table.

        Raises:
            FileFormatError, OSError: as `read`; the table itself is not read.
        """
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> CapsuleType:
        """The table as an Arrow C stream, for `pyarrow.table` and others."""
    def __len__(self) -> int: ...

@final
class Merges:
    """Merges in the order of their ranks, as columns `left: uint32`, `right: uint32`, `count: uint64`.

    Merge `i` makes token `256 + i`.
    """

    @property
    def pattern(self) -> str:
        """The split pattern's regex."""
    @property
    def given(self) -> int:
        """How many of the first merges were given, and not found in the counts."""
    def write(self, path: _Path) -> None:
        """Writes the merges as a file (Arrow IPC, zstd).

        Raises:
            OSError: the file cannot be written.
        """
    @staticmethod
    def read(path: _Path) -> Merges:
        """Reads a merges file.

        Raises:
            FileFormatError: it is not a merges file, or is cut off or damaged.
            OSError: it cannot be opened.
        """
    def pairs(self) -> list[tuple[int, int]]:
        """The ids of both tokens of every merge."""
    def token_bytes(self) -> list[bytes]:
        """The bytes of every token: the 256 bytes, then one token per merge."""
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> CapsuleType:
        """The merges as an Arrow C stream, for `pyarrow.table` and others."""
    def __len__(self) -> int: ...

@final
class Encoder:
    """Encodes texts by a vocabulary and a split pattern, and decodes ids."""

    def __new__(
        cls,
        vocabulary: Merges | Sequence[bytes],
        *,
        pattern: str,
        special_tokens: Mapping[str, int] = ...,
    ) -> Encoder:
        """Loads a vocabulary.

        Args:
            vocabulary: merges, or the bytes of every token by id, which is also its rank; b"" where an id is unused.
            pattern: a name in `PATTERNS` or a regex.
            special_tokens: ids by name, none of them a token's; decoded, never made by encoding.

        Raises:
            InvalidValueError: a byte has no token, two tokens or two ids are the same.
            PatternError: the regex does not compile.
        """
    @property
    def vocab_size(self) -> int:
        """One more than the largest id, special tokens included."""
    @property
    def pattern(self) -> str:
        """The split pattern's regex."""
    def encode(self, text: str) -> list[int]:
        """The ids of a text; special tokens in it are ordinary text."""
    def encode_to_bytes(self, text: str) -> bytes:
        """The ids of a text as little-endian uint32, for `numpy.frombuffer` and `memoryview.cast`."""
    def encode_batch(self, texts: Sequence[str], threads: int = 0) -> list[list[int]]:
        """The ids of many texts."""
    def count(self, text: str) -> int:
        """Number of ids of a text."""
    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids; bytes that are not UTF-8 become U+FFFD.

        Raises:
            InvalidValueError: an id is in neither the vocabulary nor the special tokens.
        """
    def decode_bytes(self, ids: Sequence[int]) -> bytes:
        """The bytes of ids.

        Raises:
            InvalidValueError: an id is in neither the vocabulary nor the special tokens.
        """
    def split(self, text: str) -> list[str]:
        """The pre-tokens of a text."""

@final
class Documents(Iterator[str | None]):
    """The rows of one row group in their order: texts, and None where a row has no value.

    Holds a page and about a megabyte of texts at a time, as `count_parquet` does.
    """

    def __new__(cls, path: _Path, row_group: int, *, text_column: str = "text") -> Documents:
        """Opens a row group, counted from 0; errors as in `count_parquet`, also while rows are taken."""
    def __iter__(self) -> Documents: ...
    def __next__(self) -> str | None: ...

@final
class JsonLines:
    """A string out of each line of JSON, as an Arrow table with a row for each line that is not blank.

    The columns are `line` (from 0), `text` (null where the object has no such key, or null), and `unread`: the bytes of
    a line that is not an object with at most one such key and a string there, or null. A line with an escape in a key
    is also unread.
    """

    def __new__(cls, data: Buffer, keys: Sequence[str]) -> JsonLines:
        """Reads the string that `keys` lead to, from the outermost object inwards."""
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> CapsuleType:
        """The table as an Arrow C stream of one batch."""

@final
class Tokenizer:
    """A drop-in for the class of the public package rustbpe 0.1.0, which can also train on parquet files.

    Merges are found by one rule: highest count first, ties to the smaller pair of ids.
    """

    def __new__(cls) -> Tokenizer: ...
    @property
    def vocab_size(self) -> int:
        """Number of tokens: the 256 bytes and the merges."""
    def train_from_iterator(
        self,
        iterator: Iterable[str],
        vocab_size: int,
        buffer_size: int = 8192,
        pattern: str | None = None,
    ) -> None:
        """Trains on texts, taking `buffer_size` of them at a time; the default pattern is GPT-4's.

        Raises:
            InvalidValueError: `vocab_size` is under 256 or `buffer_size` is 0.
            PatternError: the regex does not compile.
            TypeError: the iterator yields something other than `str`.
        """
    def train_from_parquet_file(
        self,
        parquet_path: _Path,
        vocab_size: int,
        pattern: str | None = None,
        text_column: str = "text",
        doc_cap: int = 0,
        max_chars: int | None = None,
    ) -> None:
        """Trains on the text column of one shard; arguments and errors as in `count_parquet`."""
    def train_from_parquet_files(
        self,
        parquet_paths: Sequence[_Path],
        vocab_size: int,
        pattern: str | None = None,
        text_column: str = "text",
        doc_cap: int = 0,
        max_chars: int | None = None,
    ) -> None:
        """Trains on several shards; `max_chars` runs over them in their order."""
    def get_pattern(self) -> str:
        """The split pattern's regex; empty before training."""
    def get_mergeable_ranks(self) -> list[tuple[bytes, int]]:
        """The bytes and the id of every token, by id."""
    def encode(self, text: str) -> list[int]:
        """The ids of a text; none before training."""
    def batch_encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of many texts, on all cores."""
    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids.

        Raises:
            InvalidValueError: an id is unknown.
            UnicodeDecodeError: the bytes are not UTF-8.
        """

def check_parquet(
    path: _Path,
    *,
    text_column: str = "text",
    most_page: int | None = None,
    progress: _Progress | None = None,
) -> _Facts:
    """Reads the text column of one shard from end to end: every page, every document, every count of the footer.

    Args:
        most_page: bytes of memory that one page may take, if that is less than 64 MiB and the file's size, which is
            what every reader gives; a page or two are held at a time.

    Raises:
        FileFormatError, OSError: as in `count_parquet`.
    """

def count_parquet(
    path: _Path,
    *,
    pattern: str,
    text_column: str = "text",
    doc_cap: int = 0,
    max_chars: int | None = None,
    threads: int = 0,
    progress: _Progress | None = None,
) -> Counts:
    """Counts the pre-tokens of one shard; progress is in bytes of text.

    A row without a value is not a document; an empty text is a document without pre-tokens. The shard is read a page
    at a time, row groups side by side. A page that would take more than 64 MiB and the file's size is refused.

    Args:
        path: a parquet file.
        pattern: a name in `PATTERNS` or a regex.
        text_column: a top-level column of strings, or of binary that is UTF-8.
        doc_cap: only the first this many characters (Unicode scalars) of a document count; 0: all.
        max_chars: documents count in their order until the running total of their (capped) characters exceeds this;
            the document that crosses it is included.

    Raises:
        FileFormatError: not parquet, no such column, a column of another type, a corrupt row group, a document that
            is not UTF-8.
        PatternError: the regex does not compile, or gave up on a document, which is named.
        OSError: the file cannot be opened or read.
    """

def merge_counts(
    paths: Sequence[_Path],
    out: _Path,
    *,
    weights: Sequence[int] = ...,
    extra: Sequence[Counts] = ...,
    min_count: int = 1,
    threads: int = 0,
    progress: _Progress | None = None,
) -> _Totals:
    """Sums count files, and tables in memory, into one count file; progress is in rows.

    Holds one record batch of each file at a time. The sum does not depend on the order of the paths.

    Args:
        weights: how many times each file counts, as if its documents were repeated; none: once each. With weights, the
            files are parts of a mixture, and each may have its own text column.
        min_count: leaves out pre-tokens with a smaller sum: the only inexact option, off at 1.

    Raises:
        InvalidValueError: two were counted with different patterns, text columns or caps, there is nothing to sum, or
            a sum passes 64 bits.
        FileFormatError: a file is not a count file, or is cut off or damaged.
        OSError: a file cannot be read or written.
    """

def row_groups(path: _Path, *, text_column: str | None = None) -> list[int]:
    """The rows of each row group of a parquet file, by its footer, which takes bounded memory whatever it claims.

    Args:
        text_column: a column that must exist, once, and hold text.

    Raises:
        ColumnError: it does not; names the existing columns.
        FileFormatError, OSError: as in `count_parquet`.
    """

def train_merges(
    counts_path: _Path,
    num_merges: int,
    *,
    start: Sequence[tuple[int, int]] = ...,
    threads: int = 0,
    progress: _Progress | None = None,
) -> Merges:
    """Finds up to `num_merges` merges over a count file, fewer if no pair is left; progress is in merges.

    Args:
        start: the first merges, pairs of ids, whatever their counts.

    Raises:
        FileFormatError: the file is not a count file, or is cut off or damaged.
        InvalidValueError: more merges than ids, or `start` uses a token before it is made.
        OSError: the file cannot be read.
    """

def training_memory(counts_path: _Path, num_merges: int) -> int:
    """The most bytes of memory that `train_merges` will take; reads the file once, a batch at a time.

    Raises:
        FileFormatError, OSError: as in `train_merges`.
    """

def encode_parquet(
    path: _Path,
    out_tokens: _Path,
    out_index: _Path,
    *,
    encoder: Encoder,
    text_column: str = "text",
    bos_id: int,
    doc_cap: int = 0,
    dtype: Literal["uint16", "uint32"] = "uint16",
    threads: int = 0,
    progress: _Progress | None = None,
) -> _Encoded:
    """Encodes a shard's documents, in their order and each after `bos_id`, into a token file and its index.

    `out_tokens` holds little-endian ids of `dtype`; `out_index` holds, as little-endian uint64 in tokens, where each
    document ends. The index gets its name last. Rows without a value are left out. Progress is in bytes of text.

    Returns:
        tokens (BOS included), documents, nulls, bytes (of UTF-8 encoded), sha256 of the tokens, index_sha256.

    Raises:
        InvalidValueError: an id does not fit `dtype`, or `dtype` is unknown.
        FileFormatError, PatternError, OSError: as in `count_parquet`, and where a file cannot be written.
    """
