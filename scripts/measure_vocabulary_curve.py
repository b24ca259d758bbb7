r"""Measure how well smaller vocabularies would compress, without training any of them.

The first merges of a vocabulary are the vocabulary that a smaller run would have learned. So each size is
measured by encoding the same sampled documents with a prefix of the merges. The most frequent tokens of the
full vocabulary are counted on the way, and the baselines are measured on the same documents.

In:  a tokenizer folder, and a file of sampled documents.
Out: a JSON file: `curve` and `baselines` (tokenizer, vocabulary without special tokens, tokens, bytes_per_token),
     `frequent` (id, count), `documents`, `bytes`, `tokens`, `notes`.

    python scripts/measure_vocabulary_curve.py --tokenizer results/demo/bpe-4096/tokenizer \
        --samples results/demo/samples/validation.jsonl --baseline-cache .cache/baselines \
        --output results/demo/bpe-4096/vocabulary_curve.json
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nanosnake.files import NanosnakeError, write_json
from nanosnake.messages import log, named
from nanosnake.stages import Stage, main

if TYPE_CHECKING:
    import tiktoken

    from nanosnake.tokenizer.folder import TokenizerFolder

FREQUENT = 100
SMALLEST = 512


@dataclass(frozen=True, kw_only=True)
class MeasureVocabularyCurve(Stage):
    """Measure smaller vocabularies, which are prefixes of the merges."""

    packages = ("tiktoken",)

    tokenizer: Path
    """Tokenizer folder."""
    samples: tuple[Path, ...]
    """File of sampled validation documents."""
    baseline_cache: Path | None = None
    """Folder of the baselines; without it, none are measured."""
    output: Path
    """JSON file to write."""

    def run(self) -> str | None:
        write_json(self.output, measure(self))
        return None


def sizes(full: int) -> list[int]:
    """Return the vocabulary sizes to measure: powers of two from 512, and the full one, without special tokens."""
    powers = [1 << power for power in range(SMALLEST.bit_length() - 1, 40) if 1 << power < full]
    return [*powers, full]


def prefix(tokenizer: TokenizerFolder, size: int) -> tiktoken.Encoding:
    """Return the vocabulary of the first `size` tokens, with the same split pattern."""
    import tiktoken

    ranks = {token: rank for rank, token in enumerate(tokenizer.tokens[:size])}
    return tiktoken.Encoding(
        name=f"{tokenizer.name}-{size}", pat_str=tokenizer.pattern, mergeable_ranks=ranks, special_tokens={}
    )


def point(
    name: str, encoding: tiktoken.Encoding, texts: Sequence[str]
) -> tuple[dict[str, Any], Counter[int]]:
    """Encode the texts; return the figures and how often each token occurs."""
    counts: Counter[int] = Counter()
    encode = named(f"tiktoken ({name})", encoding.encode_ordinary)
    for text in texts:
        counts.update(encode(text))
    tokens = counts.total()
    figures = {
        "tokenizer": name,
        "vocabulary": len(encoding.token_byte_values()),
        "tokens": tokens,
        "bytes_per_token": sum(len(text.encode()) for text in texts) / tokens,
    }
    return figures, counts


def measure(options: MeasureVocabularyCurve) -> dict[str, Any]:
    """Measure all sizes and baselines.

    Raises:
        NanosnakeError: if the samples hold no text, or the tokenizer is unsound.
    """
    from nanosnake.sources.samples import read_samples
    from nanosnake.tokenizer.baselines import load_baselines
    from nanosnake.tokenizer.folder import load

    tokenizer = load(options.tokenizer)
    texts = [sample.text for path in options.samples for sample in read_samples(path)]
    if not any(texts):
        raise NanosnakeError(
            f"{options.samples[0]}: holds no text to measure compression on; sample more documents, or pin "
            "validation shards that hold some"
        )
    curve = []
    counts: Counter[int] = Counter()
    for size in sizes(len(tokenizer.tokens)):
        figures, counts = point(tokenizer.name, prefix(tokenizer, size), texts)
        log(f"{size:,} tokens: {figures['bytes_per_token']:.3f} bytes per token")
        curve.append(figures)
    found = load_baselines(options.baseline_cache) if options.baseline_cache else None
    encodings = found.encodings if found else {}
    frequent = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:FREQUENT]
    return {
        "format": "nanosnake.vocabulary_curve.1",
        "documents": len(texts),
        "bytes": sum(len(text.encode()) for text in texts),
        "tokens": counts.total(),
        "curve": curve,
        "baselines": [point(name, encoding, texts)[0] for name, encoding in encodings.items()],
        "frequent": [{"id": token, "count": count} for token, count in frequent],
        "notes": found.notes if found else [],
    }


if __name__ == "__main__":
    main(MeasureVocabularyCurve)
