"""A tokenizer as a command line names it: a folder of ours, or one of the baselines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nanosnake import layout
from nanosnake.files import NanosnakeError
from nanosnake.messages import named

BASELINES = ("gpt2", "cl100k_base", "o200k_base")
"""Published vocabularies that can be named instead of a folder."""

CACHE = Path(".cache/baselines")


@dataclass(frozen=True)
class Subject:
    """A tokenizer that encodes and decodes."""

    name: str
    vocab_size: int
    bos: int
    """Id of the special token that begins a document."""
    cuts_at_lines: bool
    """Whether a text can be split before a line that begins with a letter without changing its tokens."""
    encode: Callable[[list[str], int], list[list[int]]]
    """Return the ids of texts, using some threads; special tokens in a text are ordinary text."""
    decode: Callable[[list[int]], bytes]
    """Return the bytes of ids.

    Raises:
        NanosnakeError: if an id is not in the vocabulary.
    """
    token: Callable[[int], bytes]
    """Return the bytes of one id; of a special token, its text."""


def tokenizer_folder(path: Path) -> Path | None:
    """Return the tokenizer's folder that a path names: itself, the one in it, or that of a model."""
    places = [path, path / "tokenizer", path.parent / "tokenizer"]
    if (path / "model.json").is_file():
        places += layout.of_tokenizer(path, "tokenizer")
    if len(path.parts) == 1:  # a tokenizer of this project, by its name
        places += sorted(Path("results").glob(f"*/{path}/tokenizer"))
    return next((place for place in places if (place / "tokenizer.tiktoken").is_file()), None)


def model_folder(path: Path) -> Path:
    """Return the folder of the trained model that a path, or a model's name in this project, refers to.

    Raises:
        NanosnakeError: if there is none, or several of the name.
    """
    places = [path]
    if len(path.parts) == 1:
        places += sorted(Path("results").glob(f"*/*/{path}"))
    found = [place for place in places if (place / "model.json").is_file()]
    if len(found) == 1 or path in found:
        return found[0]
    if found:
        raise NanosnakeError(
            f"{path}: is the name of several models; say which: {', '.join(map(str, found))}"
        )
    raise NanosnakeError(
        f"{path}: has no model.json; name a model's folder, such as results/demo/bpe-4096/tiny, or a model of this "
        "project that has been trained"
    )


def find(name: str) -> Subject:
    """Return the tokenizer that a folder or a baseline's name refers to.

    Raises:
        NanosnakeError: if it is neither.
    """
    folder = tokenizer_folder(Path(name))
    if folder is not None:
        return _ours(folder)
    if name in BASELINES:
        return _baseline(name)
    raise NanosnakeError(
        f"{name}: is neither a folder with tokenizer.tiktoken and meta.json, such as results/demo/bpe-4096, nor one of "
        f"{', '.join(BASELINES)}"
    )


def _ours(folder: Path) -> Subject:
    from nanosnake.crate import rustbpe
    from nanosnake.tokenizer.folder import load

    tokenizer = load(folder)
    encoder = tokenizer.rust()
    special = {number: text.encode() for text, number in tokenizer.special_tokens.items()}
    tokens = tokenizer.tokens

    def decode(ids: list[int]) -> bytes:
        return bytes(named("rustbpe", encoder.decode_bytes)(ids))

    return Subject(
        name=tokenizer.name,
        vocab_size=tokenizer.vocab_size,
        bos=tokenizer.bos_id,
        cuts_at_lines=tokenizer.pattern in rustbpe.PATTERNS.values(),
        encode=named("rustbpe", encoder.encode_batch),
        decode=decode,
        token=lambda number: special.get(number) or tokens[number],
    )


def _baseline(name: str) -> Subject:
    from nanosnake.tokenizer.baselines import load_baselines

    found = load_baselines(CACHE if Path("Snakefile").exists() else Path.home() / CACHE, names=[name])
    if found.notes:
        raise NanosnakeError(found.notes[0])
    encoding = found.encodings[name]

    def encode(texts: list[str], threads: int) -> list[list[int]]:
        return encoding.encode_ordinary_batch(texts, num_threads=threads or 1)

    def decode(ids: list[int]) -> bytes:
        try:
            return named(f"tiktoken ({name})", encoding.decode_bytes)(ids)
        except KeyError as error:
            raise NanosnakeError(f"{name}: has no id {error.args[0]}") from None

    return Subject(
        name=name,
        vocab_size=encoding.n_vocab,
        bos=encoding.eot_token,
        cuts_at_lines=True,
        encode=named(f"tiktoken ({name})", encode),
        decode=decode,
        token=encoding.decode_single_token_bytes,
    )
