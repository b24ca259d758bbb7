"""The measured work of one implementation, run in its own environment and its own process.

`python benchmarks/jobs.py JOB '{"options": …}'` prints one line of JSON: seconds of wall time and of CPU time of
the work itself (not of imports, nor of what prepares or checks), the process's peak memory, and what the
result was. Needs nothing but pyarrow and the implementation.
"""

import base64
import hashlib
import json
import struct
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

Options = dict[str, Any]
Result = dict[str, Any]

CL100K = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]"
    r"|\s+(?!\S)|\s"
)
"""The split pattern of cl100k_base as tiktoken 0.14 has it."""


class Watch:
    """Wall and CPU seconds of a `with` block."""

    def __enter__(self) -> "Watch":
        self.start, self.cpu_start = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall = time.perf_counter() - self.start
        self.cpu = time.process_time() - self.cpu_start

    def result(self, **more: object) -> Result:
        return {"wall": self.wall, "cpu": self.cpu, "peak_mb": peak_mb(), **more}


def peak_mb() -> float:
    """The most memory that this process held, in 1,000,000 bytes."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6


def texts(path: str, batch_rows: int = 512) -> Iterator[str]:
    """The documents of a shard."""
    for batch in pq.ParquetFile(path).iter_batches(columns=["text"], batch_size=batch_rows):
        yield from batch.column(0).to_pylist()


def write_tokens(path: str, tokens: Iterable[bytes]) -> str:
    """Writes the tokens by id, as hexadecimal lines, and returns their hash."""
    text = "".join(token.hex() + "\n" for token in tokens)
    Path(path).write_text(text)
    return hashlib.sha256(text.encode()).hexdigest()


def tokens_of(pairs: Iterable[tuple[int, int]]) -> list[bytes]:
    """The bytes of all tokens, from the merges."""
    tokens = [bytes([byte]) for byte in range(256)]
    for left, right in pairs:
        tokens.append(tokens[left] + tokens[right])
    return tokens


def read_ranks(path: str) -> dict[bytes, int]:
    """The vocabulary of a tiktoken file."""
    lines = Path(path).read_bytes().splitlines()
    return {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in lines if line)}


# ---- training: from the shard to the merges


def train_ours(options: Options) -> Result:
    import rustbpe

    tokenizer = rustbpe.Tokenizer()
    with Watch() as watch:
        tokenizer.train_from_parquet_file(
            parquet_path=options["shard"], vocab_size=options["vocabulary"], pattern=options["regex"]
        )
    ranks = tokenizer.get_mergeable_ranks()
    return watch.result(tokens=write_tokens(options["tokens"], (bytes(token) for token, _ in ranks)))


def train_rustbpe(options: Options) -> Result:
    import rustbpe

    tokenizer = rustbpe.Tokenizer()
    with Watch() as watch:
        tokenizer.train_from_iterator(
            texts(options["shard"]), options["vocabulary"], pattern=options["regex"]
        )
    ranks = tokenizer.get_mergeable_ranks()
    return watch.result(tokens=write_tokens(options["tokens"], (bytes(token) for token, _ in ranks)))


def train_tokenizers(options: Options) -> Result:
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(options["regex"].replace("?+", "?").replace("++", "+")), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=options["vocabulary"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    with Watch() as watch:
        tokenizer.train_from_iterator(texts(options["shard"]), trainer)
    return watch.result(tokens=write_tokens(options["tokens"], byte_level(tokenizer.get_vocab())))


def byte_level(vocabulary: dict[str, int]) -> list[bytes]:
    """The bytes of tokens that are written with one printable character a byte, by id."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    byte_of = {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}
    ordered = sorted(vocabulary, key=lambda token: vocabulary[token])
    return [bytes(byte_of[character] for character in token) for token in ordered]


def train_gigabpe(options: Options) -> Result:
    import gigabpe

    with Watch() as watch:
        vocabulary, _ = gigabpe.train_bpe(
            [options["text"]], options["vocabulary"], pretokenizer="bytelevel", special_tokens=[]
        )
    return watch.result(tokens=write_tokens(options["tokens"], byte_level(vocabulary)))


def train_gigatoken(options: Options) -> Result:
    import gigatoken

    with Watch() as watch:
        source = gigatoken.ParquetFileSource([options["shard"]], column="text")
        vocabulary, _ = gigatoken.gigatoken_rs.train_bpe(
            source, options["vocabulary"], [], tie_breaking="raw_token_ids"
        )
    tokens = (vocabulary[token] for token in sorted(vocabulary))
    return watch.result(tokens=write_tokens(options["tokens"], tokens))


def train_minibperust(options: Options) -> Result:
    from MiniBpeRust import rustminibpe

    with Watch() as watch:
        merges = rustminibpe.train_on_files([options["text"]], options["regex"], options["vocabulary"])
    return watch.result(tokens=write_tokens(options["tokens"], tokens_of(pair for pair, _ in merges)))


# ---- our stages alone


def count_ours(options: Options) -> Result:
    import rustbpe

    with Watch() as watch:
        counts = rustbpe.count_parquet(options["shard"], pattern=options["regex"], threads=options["threads"])
    if "counts" in options:
        counts.write(options["counts"])
    return watch.result(unique=counts.unique, pretokens=counts.pretokens, bytes=counts.bytes)


def merge_ours(options: Options) -> Result:
    import rustbpe

    with Watch() as watch:
        merges = rustbpe.train_merges(
            options["counts"], options["vocabulary"] - 256, threads=options["threads"]
        )
    return watch.result(tokens=write_tokens(options["tokens"], merges.token_bytes()))


# ---- encoding, one thread: documents in memory to buffers of ids, and a shard to a file of ids


def documents_with(encode: Callable[[str], Any], options: Options) -> Result:
    """Encodes the documents one after the other; `encode` gives what has a length and a buffer of uint32."""
    documents = list(texts(options["shard"]))
    with Watch() as watch:
        encoded = [encode(document) for document in documents]
    return watch.result(
        ids=sha256(bytes_of(ids) for ids in encoded),
        bytes=sum(len(document.encode()) for document in documents),
        count=sum(map(len, encoded)),
    )


def bytes_of(ids: Any) -> bytes:
    """Ids as little-endian uint32."""
    if hasattr(ids, "ids"):
        ids = ids.ids
    return struct.pack(f"<{len(ids)}I", *ids) if isinstance(ids, list) else bytes(memoryview(ids).cast("B"))


def sha256(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def shard_with(encode: Callable[[list[str]], Iterable[Any]], options: Options) -> Result:
    """Reads a shard and writes the ids of its documents; `encode` gives buffers of uint32 for a batch."""
    out = Path(options["out"])
    with Watch() as watch, out.open("wb") as stream:
        for batch in pq.ParquetFile(options["shard"]).iter_batches(columns=["text"], batch_size=256):
            for ids in encode(batch.column(0).to_pylist()):
                stream.write(ids)
    size = sum(len(text.encode()) for text in texts(options["shard"]))
    return watch.result(ids=sha256([out.read_bytes()]), bytes=size, count=out.stat().st_size // 4)


def our_encoder(options: Options) -> Any:
    import rustbpe

    ranks = read_ranks(options["ranks"])
    tokens = sorted(ranks, key=lambda token: ranks[token])
    return rustbpe.Encoder(tokens, pattern=options["regex"], special_tokens={"<|bos|>": len(tokens)})


def documents_ours(options: Options) -> Result:
    encoder = our_encoder(options)
    return documents_with(lambda text: memoryview(encoder.encode_to_bytes(text)).cast("I"), options)


def shard_ours(options: Options) -> Result:
    import rustbpe

    encoder = our_encoder(options)
    out = Path(options["out"])
    width = pa.uint16() if encoder.vocab_size <= 1 << 16 else pa.uint32()
    with Watch() as watch:
        totals = rustbpe.encode_parquet(
            options["shard"],
            str(out),
            f"{out}.index",
            encoder=encoder,
            text_column="text",
            bos_id=encoder.vocab_size - 1,
            dtype=str(width),
            threads=1,
        )
    # the others write no document starts
    words = pa.Array.from_buffers(width, totals["tokens"], [None, pa.py_buffer(out.read_bytes())])
    ids = words.filter(pc.not_equal(words, pa.scalar(encoder.vocab_size - 1, width))).cast(pa.uint32())
    start = ids.offset * 4
    found = ids.buffers()[1].to_pybytes()[start : start + len(ids) * 4]
    return watch.result(ids=sha256([found]), bytes=totals["bytes"], count=len(ids))


def tiktoken_encoding(options: Options) -> Any:
    import tiktoken

    ranks = read_ranks(options["ranks"])
    return tiktoken.Encoding("own", pat_str=options["regex"], mergeable_ranks=ranks, special_tokens={})


def documents_tiktoken(options: Options) -> Result:
    return documents_with(tiktoken_encoding(options).encode_to_numpy, options)


def shard_tiktoken(options: Options) -> Result:
    encoding = tiktoken_encoding(options)
    return shard_with(lambda documents: map(encoding.encode_to_numpy, documents), options)


def documents_fastokens(options: Options) -> Result:
    from fastokens import _native

    return documents_with(_native.Tokenizer.from_file(options["json"]).encode_ordinary, options)


def shard_fastokens(options: Options) -> Result:
    from fastokens import _native

    tokenizer = _native.Tokenizer.from_file(options["json"])
    return shard_with(lambda documents: [tokenizer.encode_batch_flat(documents)[0]], options)


def shard_gigatoken(options: Options) -> Result:
    import awkward
    import gigatoken

    tokenizer = gigatoken.Tokenizer.from_tiktoken(options["ranks"], pretokenizer="gpt4")
    out = Path(options["out"])
    with Watch() as watch:
        source = gigatoken.ParquetFileSource([options["shard"]], column="text")
        documents = tokenizer.encode_files(source, parallel=False)
        awkward.to_numpy(awkward.flatten(documents)).astype("uint32", copy=False).tofile(out)
    size = sum(len(text.encode()) for text in texts(options["shard"]))
    return watch.result(ids=sha256([out.read_bytes()]), bytes=size, count=out.stat().st_size // 4)


# ---- start


def import_ours(_: Options) -> Result:
    with Watch() as watch:
        import rustbpe
    return watch.result(module=rustbpe.__name__)


def load_ours(options: Options) -> Result:
    import rustbpe

    ranks = read_ranks(options["ranks"])
    tokens = sorted(ranks, key=lambda token: ranks[token])
    with Watch() as watch:
        encoder = rustbpe.Encoder(tokens, pattern=options["regex"])
    return watch.result(vocab_size=encoder.vocab_size)


JOBS: dict[str, Callable[[Options], Result]] = {
    job.__name__: job
    for job in (
        train_ours,
        train_rustbpe,
        train_tokenizers,
        train_gigabpe,
        train_gigatoken,
        train_minibperust,
        count_ours,
        merge_ours,
        documents_ours,
        shard_ours,
        documents_tiktoken,
        shard_tiktoken,
        documents_fastokens,
        shard_fastokens,
        shard_gigatoken,
        import_ours,
        load_ours,
    )
}


if __name__ == "__main__":
    print(json.dumps(JOBS[sys.argv[1]](json.loads(sys.argv[2]))))
