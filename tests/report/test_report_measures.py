"""What the report reads besides the tokenizer: verdicts, shards, benchmarks, history, metrics of a model."""

from pathlib import Path

import pytest

from nanosnake.checks import CHECKS
from nanosnake.checks.gate import Gate
from nanosnake.checks.verdict import Failure, Findings, read_verdict, skipped, verdict_of
from nanosnake.files import write_json
from nanosnake.report.charts import shard_figure
from nanosnake.report.data import read_counting
from nanosnake.report.measures import read_benchmarks, read_history, read_shards, stage_of
from nanosnake.report.sections import figure_label, history_place
from nanosnake.report.verdicts import shown
from report_builder import write_benchmarks, write_checks, write_history, write_shards


def write_verdict(folder: Path, name: str, mode: str, failures: int) -> Path:
    spec = CHECKS[name]
    found = Findings("summary", failures=[Failure(f"item {n}", n, "too low") for n in range(failures)])
    path = folder / f"{name}.json"
    write_json(path, verdict_of(spec, mode, spec.limits({}), found, {}).as_json())
    return path


def test_the_headline_counts_verdicts(tmp_path: Path) -> None:
    gate = Gate.read(write_checks(tmp_path))
    assert (gate.headline, gate.status) == ("gate open: 4 passed, 1 warning", "warn")


def test_a_blocking_failure_closes_the_gate(tmp_path: Path) -> None:
    paths = [
        write_verdict(tmp_path, "compression", "warn", 1),
        write_verdict(tmp_path, "round_trip", "block", 2),
    ]
    gate = Gate.read(paths)
    assert (gate.open, gate.headline) == (False, "gate closed by round_trip: too low (1 failed, 1 warning)")
    assert list(gate.verdicts) == paths[::-1]
    assert gate.state == "gate CLOSED by round_trip; warnings: compression"


def test_a_check_that_is_off_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "agreement.json"
    write_json(path, skipped(CHECKS["agreement"]).as_json())
    assert Gate.read([path]).headline == "gate open: 1 skipped"


def test_without_checks_the_headline_says_so() -> None:
    assert Gate.read([]).headline == "gate open: no check was run"


def test_many_failures_are_shortened(tmp_path: Path) -> None:
    check = shown(read_verdict(write_verdict(tmp_path, "agreement", "block", 45)))
    assert (len(check.failures), check.more_failures) == (20, 25)


def test_shards_are_typed_and_summed_by_split(tmp_path: Path) -> None:
    shards = read_shards([write_shards(tmp_path / "shards.csv")])
    assert shards.downloaded == 1
    assert [record["rate"] for record in shards.records] == [2.0, None]
    assert [(row["split"], row["bytes"]) for row in shards.by_split.rows] == [
        ("train", 3_000_000),
        ("validation", 1_000),
    ]


def test_many_shards_become_a_histogram_and_a_shortened_table(tmp_path: Path) -> None:
    shards = read_shards([write_shards(tmp_path / "shards.csv", count=1823)])
    drawn = shard_figure(shards.records)
    assert drawn.alternative == (
        "Histograms: 1,823 shards from 1 kB to 3 MB, 4.82 MB in all; "
        "downloads from 2 to 2 MB/s, the median is 2."
    )
    for title in ("file size, MB", "characters, millions", "download, MB/s"):
        assert title in drawn.wide
        assert title in drawn.narrow
    assert len(shards.table.rows) == 200
    assert shards.table.note == "The first 200 of 1,823 shards; all are in shards.csv."


def test_benchmarks_are_summed_by_stage_and_leave_out_other_tokenizers(tmp_path: Path) -> None:
    benchmarks = read_benchmarks(write_benchmarks(tmp_path), "tiny")
    assert benchmarks is not None
    assert [(record["rule"], record["jobs"], record["seconds"]) for record in benchmarks.records] == [
        ("merges", 1, 7.0),
        ("counts/nanochat", 2, 4.0),
    ]
    assert benchmarks.records[1]["memory"] == 120.0
    assert benchmarks.records[1]["cpu"] == 1.2


def test_extended_benchmarks_name_their_rule(tmp_path: Path) -> None:
    (tmp_path / "x.tsv").write_text("s\tmax_rss\trule_name\n3.0\tNA\ttrain_tokenizer\n")
    benchmarks = read_benchmarks(tmp_path, "tiny")
    assert benchmarks is not None
    assert [(record["rule"], record["memory"]) for record in benchmarks.records] == [
        ("train_tokenizer", None)
    ]


def test_a_job_too_short_for_the_benchmark_is_measured_by_its_record(tmp_path: Path) -> None:
    for number, (seen, own) in enumerate([("3.0", 100), ("500.0", 80)]):
        path = tmp_path / f"{number}.tsv"
        path.write_text(f"s\tmax_rss\tcpu_time\trule_name\n0.4\t{seen}\t0.0\ttrain_tokenizer\n")
        write_json(path.with_suffix(".json"), {"cpu_seconds": 0.3, "peak_memory_bytes": own << 20})
    benchmarks = read_benchmarks(tmp_path, "tiny")
    assert benchmarks is not None
    (record,) = benchmarks.records
    assert record["memory"] == 500.0, "the benchmark sees all processes of a job, the record one"
    assert record["cpu"] == pytest.approx(0.6)


def test_no_benchmarks_are_no_section(tmp_path: Path) -> None:
    assert read_benchmarks(tmp_path, "tiny") is None


@pytest.mark.parametrize(
    ("path", "stage"),
    [
        ("shards/shard_00001.download.tsv", "shards.download"),
        ("counts/nanochat/merged/train.tsv", "counts/nanochat/merged"),
        ("tiny/checks/round_trip.tsv", "checks"),
        ("tiny/export.tsv", "export"),
        ("table.tsv", "table"),
    ],
)
def test_a_benchmark_file_tells_its_stage_by_where_it_stands(path: str, stage: str) -> None:
    assert stage_of(path.split("/"), "tiny") == stage


def test_history_keeps_order_and_passes_over_a_broken_line(tmp_path: Path) -> None:
    history = read_history(write_history(tmp_path / "history.jsonl"))
    assert history is not None
    assert history.runs == 2
    assert [(point["run"], point["value"]) for point in history.points] == [(1, 3.5), (2, 3.75), (2, 0.5)]
    assert [row["run"] for row in history.table.rows] == [2, 1]


def test_a_history_that_does_not_exist_yet_is_no_section(tmp_path: Path) -> None:
    assert read_history(tmp_path / "none.jsonl") is None


def test_figures_on_validation_documents_come_before_others_and_moving_ones_before_constant_ones() -> None:
    series = {"a.train": [1.0, 2.0], "b.validation": [1.0, 1.0], "c.validation": [1.0, 2.0], "d": [1.0, 1.0]}
    order = sorted(series, key=lambda name: history_place(name, series[name]))
    assert order == ["c.validation", "b.validation", "a.train", "d"]


def test_counting_is_told_in_words() -> None:
    counting = {"text_column": "text", "doc_cap": "0", "max_chars": None, "documents": 8027, "format": "x"}
    assert read_counting(counting) == [
        ("text column", "text"),
        ("limit of characters per document", "none"),
        ("limit of characters in all", "none"),
        ("documents", "8,027"),
    ]


def test_a_figure_of_the_history_is_titled_without_its_check() -> None:
    name = "compression.relative_difference.validation.cl100k_base"
    assert figure_label(name) == "tokens saved, validation, cl100k_base"
