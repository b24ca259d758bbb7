"""Make the page that compares tokenizers on the same texts. Like all pages, it is one self-contained file.

In:  tokenizer folders, sampled documents, a folder of texts.
Out: the page.

    python scripts/compare_tokenizers.py --dataset demo --name sizes --texts resources/texts \\
        --tokenizers results/demo/bpe-1024/tokenizer results/demo/bpe-4096/tokenizer \\
        --samples results/demo/samples/validation.jsonl --output results/demo/comparisons/sizes/index.html
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from nanosnake.stages import Object, Stage, main

if TYPE_CHECKING:
    import tiktoken

    from nanosnake.report.comparison import Comparison, Contestant


@dataclass(frozen=True, kw_only=True)
class CompareTokenizers(Stage):
    """Write the page that compares tokenizers."""

    packages = ("tiktoken",)

    dataset: str
    """Name of the data set."""
    name: str
    """Name of the comparison."""
    tokenizers: tuple[Path, ...]
    """Tokenizer folders; the others are compared with the first."""
    baselines: tuple[str, ...] = ()
    """Published vocabularies to compare as well: gpt2, cl100k_base, o200k_base."""
    others: Object = field(default_factory=dict)
    """Tokenizers that were made elsewhere: by name, `path`, and `pattern` for a .tiktoken file."""
    samples: tuple[Path, ...] = ()
    """Files of sampled documents."""
    texts: tuple[Path, ...]
    """Folders of .txt files."""
    baseline_cache: Path = Path(".cache/baselines")
    """Where baselines are kept."""
    output: Path
    """Page to write."""

    def run(self) -> str | None:
        from nanosnake.report.comparison import comparison_page
        from nanosnake.report.render import render, write_page
        from nanosnake.report.tables import format_size

        found = make(self)
        size = write_page(render(comparison_page(found), found=found), self.output)
        return f"{self.output}: {format_size(size)}, {found.headline}"


def make(options: CompareTokenizers) -> Comparison:
    """Measure the tokenizers and return what the page shows."""
    from nanosnake.checks.engines import rustbpe_engine
    from nanosnake.checks.material import read_texts, sample_items
    from nanosnake.report.comparison import Contestant, compare
    from nanosnake.tokenizer.baselines import load_baselines
    from nanosnake.tokenizer.elsewhere import load_elsewhere
    from nanosnake.tokenizer.folder import load

    contestants = []
    for folder in map(load, options.tokenizers):
        tokens = [*folder.tokens, *(b"" for _ in folder.special_tokens)]
        contestants.append(Contestant(folder.name, folder.vocab_size, tokens, rustbpe_engine(folder).encode))
    for name, where in options.others.items():
        other = load_elsewhere(name, Path(where["path"]), where.get("pattern"))
        contestants.append(
            Contestant(name, other.vocabulary, other.tokens, other.encode, other.engine, ours=False)
        )
    baselines = load_baselines(options.baseline_cache, names=options.baselines)
    contestants += [published(name, encoding) for name, encoding in baselines.encodings.items()]
    items = [*sample_items(options.samples), *read_texts(*options.texts)]
    return compare(options.dataset, options.name, contestants, items, baselines.notes)


def published(name: str, encoding: tiktoken.Encoding) -> Contestant:
    """Return a published vocabulary, encoded by tiktoken."""
    from nanosnake.checks.engines import published_engine
    from nanosnake.report.comparison import Contestant

    tokens = [b""] * encoding.n_vocab
    for token in encoding.token_byte_values():
        tokens[encoding.encode_single_token(token)] = token
    engine = published_engine(name, encoding)
    return Contestant(name, encoding.n_vocab, tokens, engine.encode, "tiktoken", ours=False)


if __name__ == "__main__":
    main(CompareTokenizers)
