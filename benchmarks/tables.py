"""Tables and a plot of what the benchmark of the tokenizer measured."""

import csv
import io
import os
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import altair as alt

from nanosnake.files import replacing

COLUMNS = (
    "stage",
    "implementation",
    "wall s",
    "CPU s",
    "peak MB",
    "MB/s of CPU",
    "ratio of CPU",
    "result",
    "note",
)


def rows_of(measured: Sequence[Any]) -> list[dict[str, str]]:
    """One row per job. The ratio is CPU time over that of our first job in the same stage."""
    ours = {one.job.stage: one.median("cpu") for one in reversed(measured) if one.job.who == "nanosnake"}
    rows = []
    for one in measured:
        cpu = one.median("cpu")
        size = one.runs[0].get("bytes")
        base = ours.get(one.job.stage)
        values = (
            one.job.stage,
            one.job.who,
            f"{one.median('wall'):.3f}",
            f"{cpu:.3f}",
            f"{one.median('peak_mb'):.0f}",
            f"{size / 1e6 / cpu:.1f}" if size else "",
            f"{cpu / base:.2f}" if base else "",
            agreement(one, measured),
            one.job.note,
        )
        rows.append(dict(zip(COLUMNS, values, strict=True)))
    return rows


def agreement(one: Any, measured: Sequence[Any]) -> str:
    """How a result compares with the one that decides in its stage."""
    if one.result() is None:
        return ""
    trains = "tokens" in one.job.options
    deciders = [other for other in measured if other.job.who == ("rustbpe" if trains else "tiktoken")]
    same_stage = [other for other in deciders if other.job.stage == one.job.stage]
    decider = (same_stage or deciders)[0] if deciders else None
    if decider is None or decider is one:
        return "reference" if decider is one else ""
    if one.result() == decider.result():
        return f"as {decider.job.who}"
    if not trains:
        return f"not as {decider.job.who}"
    own = set(Path(one.job.options["tokens"]).read_text().split())
    theirs = set(Path(decider.job.options["tokens"]).read_text().split())
    return f"{len(own & theirs) / len(theirs):.2%} of the tokens of {decider.job.who}"


def machine() -> str:
    """The machine in general terms."""
    memory = int(re.findall(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[0])
    model = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return (
        f"{os.cpu_count()} cores ({model[0] if model else platform.machine()}), {memory / 2**20:.0f} GiB of memory, "
        f"{platform.system()}, Python {platform.python_version()}"
    )


def as_markdown(rows: Sequence[Mapping[str, str]]) -> str:
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + " --- |" * len(COLUMNS)]
    lines += ["| " + " | ".join(row[column] for column in COLUMNS) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def as_csv(rows: Sequence[Mapping[str, str]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def plot(rows: Sequence[Mapping[str, str]], path: Path) -> None:
    """CPU seconds of each implementation, one panel per stage."""
    values = [
        {
            "stage": row["stage"],
            "implementation": row["implementation"],
            "CPU s": float(row["CPU s"]),
            "ours": row["implementation"] == "nanosnake",
        }
        for row in rows
        if row["stage"].startswith(("train", "encode"))
    ]
    bars = (
        alt.Chart(alt.Data(values=values), width=420)
        .mark_bar()
        .encode(
            x=alt.X("CPU s:Q", title="CPU seconds, median"),
            y=alt.Y("implementation:N", title=None, sort=alt.EncodingSortField("CPU s")),
            color=alt.Color(
                "ours:N", legend=None, scale=alt.Scale(domain=[True, False], range=["#1b7f5c", "#b9bfc7"])
            ),
        )
    )
    labels = bars.mark_text(align="left", dx=4).encode(
        text=alt.Text("CPU s:Q", format=".2f"), color=alt.value("#333333")
    )
    stages = list(dict.fromkeys(value["stage"] for value in values))
    panels = [
        (bars + labels).transform_filter(alt.datum.stage == stage).properties(title=stage) for stage in stages
    ]
    with replacing(path) as partial:
        chart = alt.vconcat(*panels).configure_view(stroke=None)
        chart.save(str(partial), format="svg")


def write(
    measured: Sequence[Any],
    options: Any,
    made_of: Mapping[str, int],
    wrong: Iterable[str],
    peers: Mapping[str, Sequence[str]],
) -> None:
    """Writes `tokenizer_<megabytes>.csv`, `.md` and `.svg`."""
    rows = rows_of(measured)
    kinds = ", ".join(f"{kind} {size / 1e6:.0f} MB" for kind, size in made_of.items())
    versions = ", ".join(
        packages[0] for who, packages in peers.items() if any(m.job.who == who for m in measured)
    )
    text = (
        f"{options.megabytes} MB of text ({kinds}) in one parquet shard, {options.vocabulary:,} tokens, medians of "
        f"{options.runs} runs in turn. {machine()}. {versions}.\n\n{as_markdown(rows)}"
    )
    text += "".join(f"\nWRONG: {line}\n" for line in wrong)
    stem = options.out / f"tokenizer_{options.megabytes}"
    for suffix, content in ((".csv", as_csv(rows)), (".md", text)):
        with replacing(stem.with_suffix(suffix)) as partial:
            partial.write_text(content)
    if any(row["stage"].startswith(("train", "encode")) for row in rows):
        plot(rows, stem.with_suffix(".svg"))
    print(text)
