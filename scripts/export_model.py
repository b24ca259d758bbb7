"""Export a trained model: its weights in one type, its description and its tokenizer, in one folder.

Reads the model's two files and the tokenizer's folder; writes model.safetensors, model.json, tokenizer.json,
tokenizer.tiktoken and meta.json. `nanosnake.training.export.read_model` loads the model; any safetensors
reader loads the weights, whose layout docs/training.md describes.

    python scripts/export_model.py --model model/d12 --tokenizer tokenizer --out export/d12 --dtype bfloat16
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nanosnake import cli
from nanosnake.files import NanosnakeError, read_json, replacing

TOKENIZER_FILES = ("tokenizer.json", "tokenizer.tiktoken", "meta.json")


@dataclass(frozen=True)
class Options:
    """What to export, and where to."""

    model: Path
    """Folder with model.safetensors and model.json."""
    tokenizer: Path
    """The tokenizer's folder."""
    out: Path
    """Folder to write."""
    dtype: str = "bfloat16"
    """Type of the weights: bfloat16 or float32."""


def export_model(options: Options) -> list[Path]:
    """Write the export; return its files."""
    import torch

    from nanosnake.training.export import TYPES, read_model, write_model
    from nanosnake.training.vocabulary import Vocabulary

    if options.dtype not in TYPES:
        raise NanosnakeError(f"export: dtype is {options.dtype!r}; use {' or '.join(TYPES)}")
    description = options.model / "model.json"
    model = read_model(options.model / "model.safetensors", description, torch.device("cpu"))
    tensors = {name: parameter.detach() for name, parameter in model.named_parameters()}
    written = [options.out / "model.safetensors", options.out / "model.json"]
    write_model(
        written[0],
        written[1],
        model.config,
        tensors,
        Vocabulary.load(options.tokenizer),
        read_json(description)["figures"],
        dtype=TYPES[options.dtype],
    )
    for name in TOKENIZER_FILES:
        source = options.tokenizer / name
        if not source.is_file():
            continue
        with replacing(options.out / name) as temporary:
            temporary.write_bytes(source.read_bytes())
        written.append(options.out / name)
    return written


def main(argv: list[str] | None = None) -> int:
    """Run the command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--dtype", default="bfloat16")
    for path in export_model(cli.fill(Options, parser.parse_args(argv))):
        print(path)
    return 0


if __name__ == "__main__":
    cli.run_main(main)
