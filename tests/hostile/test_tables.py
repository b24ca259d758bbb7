"""Count and merges files that claim more than they hold: an error that names the file, and little memory."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
import rustbpe

ROWS = 3000


@pytest.fixture
def counts(tmp_path: Path) -> Path:
    shard = tmp_path / "s.parquet"
    pq.write_table(pa.table({"text": [f"word{number:05d}" for number in range(ROWS)]}), shard)
    rustbpe.count_parquet(shard, pattern=r"\w+").write(tmp_path / "counts.arrow")
    return tmp_path / "counts.arrow"


def claimed_footer(content: bytes) -> bytes:
    """The footer's length stands before the mark at the file's end."""
    return content[:-10] + struct.pack("<i", 2**31 - 1) + content[-6:]


def claimed_expansion(content: bytes) -> bytes:
    """A compressed buffer begins with its length; that of the counts is known."""
    old = struct.pack("<q", ROWS * 8)
    assert content.count(old) == 1
    return content.replace(old, struct.pack("<q", 1 << 50))


def claimed_block(content: bytes) -> bytes:
    """A block of the footer is its place, the length of its metadata and that of its body."""
    size = int.from_bytes(content[-10:-6], "little")
    footer = bytearray(content[-10 - size : -10])
    for at in range(0, len(footer) - 24, 8):
        offset, metadata, body = struct.unpack_from("<qi4xq", footer, at)
        if 0 < offset < len(content) and 0 < metadata < 2000 and 0 < body < len(content):
            struct.pack_into("<q", footer, at + 16, 1 << 50)
            return content[: -10 - size] + bytes(footer) + content[-10:]
    raise AssertionError("the footer names no block")


@pytest.mark.parametrize(
    ("lie", "words"),
    [
        (claimed_footer, "its footer claims 2147483647 bytes"),
        (claimed_expansion, f"claims to expand to {1 << 50} bytes"),
        (claimed_block, f"and {1 << 50} bytes at"),
    ],
)
def test_a_count_file_that_claims_too_much(counts: Path, lie: Callable[[bytes], bytes], words: str) -> None:
    counts.write_bytes(lie(counts.read_bytes()))
    for read in (
        lambda: rustbpe.Counts.read(counts),
        lambda: rustbpe.merge_counts([counts], counts.with_name("out.arrow")),
        lambda: rustbpe.train_merges(counts, 10),
        lambda: rustbpe.training_memory(counts, 10),
    ):
        with pytest.raises(rustbpe.FileFormatError, match=words) as error:
            read()
        assert str(error.value).startswith(f"{counts}: not a sound count file")
        assert str(error.value).endswith("delete it and count again")


def test_merges_whose_tokens_double_are_refused(tmp_path: Path) -> None:
    """Forty merges of a token with itself make one of 2^40 bytes."""
    path = tmp_path / "merges.arrow"
    ids = list(range(255, 255 + 40))
    schema = pa.schema([("left", pa.uint32()), ("right", pa.uint32()), ("count", pa.uint64())])
    schema = schema.with_metadata({"format": "nanosnake.merges.1", "pattern": "gpt4"})
    with pa.ipc.new_file(path, schema) as writer:
        writer.write_table(pa.table({"left": ids, "right": ids, "count": [1] * 40}, schema))
    with pytest.raises(rustbpe.FileFormatError, match="all tokens together may have") as error:
        rustbpe.Merges.read(path)
    assert str(error.value).startswith(f"{path}: not a sound merges file: merge ")


def test_what_training_will_take_is_said_and_is_enough(counts: Path) -> None:
    """The trainer's own peak over what the interpreter takes stays below what was said before it."""
    shard = counts.with_name("many.parquet")
    texts = [f"{number * 2654435761 % 2**32:x}{number:x}" for number in range(400_000)]
    pq.write_table(pa.table({"text": texts}), shard)
    rustbpe.count_parquet(shard, pattern=r"\w+").write(counts)
    code = (
        "import sys, rustbpe\nfrom pathlib import Path\n"
        "peak = lambda: int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]) * 1024\n"
        "said, before = rustbpe.training_memory(sys.argv[1], 2000), peak()\n"
        "rustbpe.train_merges(sys.argv[1], 2000, threads=2)\nprint(said, peak() - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(counts)], capture_output=True, text=True, check=True
    )
    said, taken = map(int, done.stdout.split())
    assert taken < said < 20 * taken
