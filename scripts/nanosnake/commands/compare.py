"""Compare two tokenizers on texts, or two models by their evaluations.

    nanosnake compare results/demo/bpe-4096 gpt2
    nanosnake compare results/demo/bpe-4096 results/demo/bpe-2048 "Hello world" "def f(x): return x"
    nanosnake compare results/demo/bpe-4096 gpt2 --files README.md docs/*.md
    nanosnake compare results/demo/bpe-4096/tiny results/demo/bpe-4096/small

For models that were evaluated on the same documents, it prints the paired difference in bits per byte, with a bootstrap
interval over documents, and the same for the accuracy on each task; "within noise" means that the interval contains 0.

Fewer tokens for the same text is better, but a larger vocabulary nearly always needs fewer: compare vocabularies of
about the same size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from nanosnake import layout
from nanosnake.commands.subject import Subject, find
from nanosnake.commands.texts import opened, read_text
from nanosnake.files import NanosnakeError, read_json
from nanosnake.messages import aligned, log
from nanosnake.options import Positional
from nanosnake.stages import Stage

if TYPE_CHECKING:
    from nanosnake.evaluation.evidence import Difference

TEXTS = Path(__file__).parents[3] / "resources/texts"
"""The evaluation texts of a checkout."""

Row = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Compare(Stage):
    """Compare two tokenizers on texts, or two models by their evaluations."""

    a: Annotated[str, Positional]
    """A tokenizer's folder, a baseline (gpt2, cl100k_base, o200k_base), or a model's folder."""
    b: Annotated[str, Positional]
    """The tokenizer or model to compare it with."""
    texts: Annotated[tuple[str, ...], Positional] = ()
    """Texts to encode; default: the evaluation texts of the checkout."""
    files: tuple[Path, ...] = ()
    """Text files to encode."""

    def run(self) -> None:
        if all((Path(name) / "evaluation.json").is_file() for name in (self.a, self.b)):
            if self.texts or self.files:
                raise NanosnakeError(
                    "two models are compared by their evaluations, without texts; leave out texts and --files, or name "
                    "their tokenizers"
                )
            _print_models(Path(self.a), Path(self.b))
            return
        a, b = find(self.a), find(self.b)
        rows = list(self._rows(a, b))
        print(aligned([("text", "bytes", a.name, b.name, "difference"), *rows]))
        print(
            f"\n{a.name} has {a.vocab_size:,} tokens, {b.name} {b.vocab_size:,}; {_in_both(a, b):,} are in both"
        )

    def _texts(self) -> Iterator[tuple[str, str]]:
        """Yield the name and the content of each text."""
        for text in self.texts:
            yield repr(text if len(text) < 30 else f"{text[:29]}…"), text
        files = self.files or (() if self.texts else tuple(sorted(TEXTS.glob("*.txt"))))
        if not files and not self.texts:
            raise NanosnakeError("there is no text to compare on; give texts, or --files")
        for path in files:
            with opened(path) as stream:
                yield path.name, "".join(read_text(stream, str(path)))

    def _rows(self, a: Subject, b: Subject) -> Iterator[Row]:
        totals = [0, 0, 0]
        for name, text in self._texts():
            figures = [len(text.encode()), *(len(subject.encode([text], 0)[0]) for subject in (a, b))]
            totals = [total + figure for total, figure in zip(totals, figures, strict=True)]
            yield _row(name, figures)
        yield _row("all", totals)
        size, *tokens = totals
        yield ("bytes per token", "", *(f"{size / max(count, 1):.2f}" for count in tokens), "")


def _row(name: str, figures: list[int]) -> Row:
    size, first, second = figures
    difference = f"{100 * (second - first) / first:+.1f}%" if first else ""
    return (name, f"{size:,}", f"{first:,}", f"{second:,}", difference)


def _in_both(a: Subject, b: Subject) -> int:
    """Return how many tokens have the same bytes."""

    def tokens(subject: Subject) -> set[bytes]:
        found = set()
        for number in range(subject.vocab_size):
            try:
                found.add(subject.token(number))
            except KeyError:  # tiktoken's vocabularies have gaps
                continue
        return found

    return len(tokens(a) & tokens(b))


def _print_models(*folders: Path) -> None:
    evaluations = [read_json(folder / "evaluation.json") for folder in folders]
    figures = [read_json(folder / "training.json").get("figures", {}) for folder in folders]
    rows: list[Row] = [("", *(folder.name for folder in folders), "difference")]
    rows += [
        _figures("bits per byte", [found["bits_per_byte"] for found in evaluations], "{:.4f}"),
        _figures("bytes it was measured on", [found["bytes"] for found in evaluations], "{:,.0f}"),
    ]
    tasks = [{task["task"]: task["accuracy"] for task in found.get("tasks", [])} for found in evaluations]
    rows += [
        _figures(f"accuracy, {name}", [found.get(name) for found in tasks], "{:.3f}") for name in tasks[0]
    ]
    for found in figures:
        found.pop("bits_per_byte", None)  # of a part of the validation tokens, while training
    shared = [key for key in figures[0] if all(isinstance(found.get(key), int | float) for found in figures)]
    rows += [_figures(key.replace("_", " "), [found[key] for found in figures], "{:,.6g}") for key in shared]
    print(aligned(rows))
    if len({found["bytes"] for found in evaluations}) > 1:
        log("the two were measured on different texts: their bits per byte cannot be compared")
    elif all((folder / Path(layout.NATS).name).is_file() for folder in folders):
        print(f"\n{_paired(*folders)}")
    if all((folder / Path(layout.ANSWERS).name).is_file() for folder in folders):
        for line in _paired_answers(*folders):
            print(line)


def _paired(a: Path, b: Path) -> str:
    """Describe the paired difference in bits per byte of two models over documents."""
    from nanosnake.evaluation import evidence  # pyarrow is heavy

    both = [evidence.Evidence.read(folder / evidence.FILE) for folder in (a, b)]
    found = evidence.difference(*both)
    if found is None:
        return (
            f"no paired difference: {evidence.FILE} of the two does not have the same two documents or more"
        )
    said = f"{b.name} less {a.name}, {_interval(found, 'documents', 'bits per byte', 5)}"
    groups = [
        (name, f"{part.documents:,}", *(f"{figure:+.5f}" for figure in (part.value, part.low, part.high)))
        for name, part in evidence.differences_by(*both)
    ]
    return f"{aligned([('documents', '', 'bits per byte', 'from', 'to'), *groups])}\n\n{said}"


def _paired_answers(a: Path, b: Path) -> Iterator[str]:
    """Describe the paired difference in accuracy of two models, for each task that both answered."""
    from nanosnake.evaluation import answers  # pyarrow is heavy

    for task, found in answers.differences(a / answers.FILE, b / answers.FILE):
        yield f"{b.name} less {a.name} in {task}, {_interval(found, 'items', 'accuracy', 3)}"


def _interval(found: Difference, what: str, unit: str, digits: int) -> str:
    noise = ": within noise" if found.within_noise else ""
    value, low, high = (f"{figure:+.{digits}f}" for figure in (found.value, found.low, found.high))
    return f"paired over {found.documents:,} {what}: {value} {unit}, 95% interval {low} to {high}{noise}"


def _figures(name: str, values: list[Any], form: str) -> Row:
    words = ["-" if value is None else form.format(value) for value in values]
    known = None not in values and values[0]
    return (name, *words, f"{100 * (values[1] - values[0]) / values[0]:+.1f}%" if known else "")
