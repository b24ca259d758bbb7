"""The page of all results in a folder: its data sets, tokenizers and models, with links to their pages.

It shows all existing results, whichever configuration made them. A run writes it at its end; no job depends on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nanosnake import layout
from nanosnake.checks.gate import Gate
from nanosnake.files import NanosnakeError, read_json
from nanosnake.report.measures import read_shards, totals
from nanosnake.report.page import Page
from nanosnake.report.render import render, write_page
from nanosnake.report.tables import Column, Table
from nanosnake.tokenizer import BASELINE_NAMES

Row = Mapping[str, Any]

DATASETS = (
    Column("dataset", "data set"),
    Column("shards", "shards", "integer"),
    Column("documents", "documents", "integer"),
    Column("characters", "characters", "integer"),
    Column("bytes", "file size", "size"),
)
TOKENIZERS = (
    Column("page", "tokenizer", "link"),
    Column("dataset", "data set"),
    Column("vocabulary", "vocabulary", "integer"),
    Column("pattern", "pattern"),
    Column("bytes_per_token", "bytes per token", "number"),
    Column("gate", "gate"),
    *(Column(name, f"against {name.removesuffix('_base')}", "change") for name in BASELINE_NAMES),
)
MODELS = (
    Column("page", "model", "link"),
    Column("tokenizer", "tokenizer"),
    Column("dataset", "data set"),
    Column("bits_per_byte", "bits per byte", "number"),
    Column("parameters", "parameters", "integer"),
    Column("tokens", "tokens seen", "integer"),
    Column("device", "trained on"),
)
COMPARISONS = (
    Column("page", "comparison", "link"),
    Column("dataset", "data set"),
    Column("verdict", "claim"),
)
LADDERS = (
    Column("page", "ladder", "link"),
    Column("dataset", "data set"),
    Column("depths", "depths"),
    Column("models", "models", "integer"),
    Column("noise", "noise over seeds"),
)


def write_index(project: Path) -> Path | None:
    """Write the page of a project; return its path, or None if there is nothing to show."""
    results = project / layout.RESULTS
    found = {
        "tokenizers": (Table("Tokenizers", TOKENIZERS, list(tokenizers(results))), TOKENIZER_WORDS),
        "models": (Table("Models", MODELS, list(models(results))), MODEL_WORDS),
        "ladders": (Table("Ladders", LADDERS, list(ladders(results))), LADDER_WORDS),
        "comparisons": (Table("Comparisons", COMPARISONS, list(comparisons(results))), COMPARISON_WORDS),
        "datasets": (Table("Data sets", DATASETS, list(datasets(results))), ""),
    }
    sections = {name: part for name, part in found.items() if part[0].rows}
    if not sections:
        return None
    counts = [f"{table.caption.lower()}: {len(table.rows):,}" for table, _ in sections.values()]
    page = Page(
        kind="All results",
        name=project.resolve().name,
        on="",
        status="pass",
        headline=", ".join(counts),
        tiles=[],
        sections=[(name, table.caption) for name, (table, _) in sections.items()],
        template="index.html.j2",
    )
    write_page(render(page, index=sections), project / layout.INDEX)
    return project / layout.INDEX


TOKENIZER_WORDS = (
    "Bytes per token are measured on sampled validation documents of each data set, so compare tokenizers of one data "
    "set, and those of about the same size: a larger vocabulary nearly always needs fewer tokens. Click a heading to "
    "sort."
)
MODEL_WORDS = (
    "Bits per byte of the validation text, lower is better. They can be compared between models of one data set, "
    "whatever their tokenizers."
)
LADDER_WORDS = (
    "Models that differ only in depth and seed. The noise is the standard deviation of bits per byte between models of "
    "one depth: a smaller difference between two single models says nothing."
)
COMPARISON_WORDS = (
    "A claim about two ladders is supported if the whole interval of the difference is beyond the threshold that the "
    "configuration names, and within noise if the interval contains 0."
)


def datasets(results: Path) -> Iterator[Row]:
    """Yield a row for each table of shards."""
    for table in sorted(results.glob("*/shards.csv")):
        total = totals(read_shards([table]).records)
        yield {"dataset": table.parent.name, **total, "documents": total["rows"]}


def tokenizers(results: Path) -> Iterator[Row]:
    """Yield a row for each tokenizer whose figures were recorded."""
    for path in sorted(results.glob("*/*/figures.json")):
        folder, found = path.parent, _read(path)
        figures, curve = found.get("figures", {}), _read(folder / "curve.json")
        own = (curve.get("curve") or [{}])[-1].get("bytes_per_token")
        baselines = {
            str(name): figures.get(f"compression.relative_difference.validation.{name}")
            for name in BASELINE_NAMES
        }
        verdicts = sorted(folder.glob("checks/*.json"))
        yield {
            "page": _page(folder, results),
            "dataset": found.get("dataset"),
            "vocabulary": found.get("vocab_size"),
            "pattern": found.get("pattern_name") or "a regex of its own",
            "bytes_per_token": own,
            **baselines,
            "gate": Gate.read(verdicts).headline.removeprefix("gate ") if verdicts else None,
        }


def models(results: Path) -> Iterator[Row]:
    """Yield a row for each model that was evaluated."""
    for path in sorted(results.glob("*/*/*/evaluation.json")):
        folder, training = path.parent, _read(path.parent / "training.json")
        figures = training.get("figures", {})
        yield {
            "page": _page(folder, results),
            "tokenizer": folder.parent.name,
            "dataset": folder.parents[1].name,
            "bits_per_byte": _read(path).get("bits_per_byte"),
            "parameters": figures.get("parameters"),
            "tokens": figures.get("tokens"),
            "device": f"{training['ranks']} x {training['device']}" if "device" in training else None,
        }


def comparisons(results: Path) -> Iterator[Row]:
    """Yield a row for each page that compares tokenizers or ladders, with the verdict on the claim about ladders."""
    for path in sorted(results.glob("*/comparisons/*/index.html")):
        name, home = path.parent.name, path.parents[2]
        claim = _read(home / f"claims/{name}.json")
        verdict = f"{claim['verdict']}: {claim['claim']}" if {"verdict", "claim"} <= claim.keys() else None
        link = {"href": path.relative_to(results).as_posix(), "text": name}
        yield {"page": link, "dataset": home.name, "verdict": verdict}


def ladders(results: Path) -> Iterator[Row]:
    """Yield a row for each ladder with a page."""
    for path in sorted(results.glob("*/ladders/*/index.html")):
        points = _read(path.with_name("curve.json")).get("points", [])
        noise = _read(path.with_name("curve.json")).get("noise", {}).get("relative")
        yield {
            "page": {"href": path.relative_to(results).as_posix(), "text": path.parent.name},
            "dataset": path.parents[2].name,
            "depths": ", ".join(str(point.get("depth")) for point in points),
            "models": sum(len(point.get("runs", [])) for point in points),
            "noise": None if noise is None else f"{noise:.2%}",
        }


def _page(folder: Path, results: Path) -> dict[str, str]:
    """Return the link to a page, or to the folder if there is no page yet."""
    page = folder / "report/index.html"
    target = page if page.is_file() else folder
    return {"href": target.relative_to(results).as_posix(), "text": folder.name}


def _read(path: Path) -> dict[str, Any]:
    """Return the content of a file of figures; empty if it is missing or unreadable."""
    try:
        found = read_json(path)
    except (NanosnakeError, OSError):
        return {}
    return found if isinstance(found, dict) else {}
