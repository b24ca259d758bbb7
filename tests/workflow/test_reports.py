"""The report of a whole run: in Snakemake's own report too, made again in seconds, unmoved by what shards hold."""

from __future__ import annotations

import json
import re
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from workflow.project import Project

ATTACK = "<script>document.title='owned'</script><img src=x onerror=alert(1)> </style></title> "


class Elements(HTMLParser):
    """Collects the names of a page's elements, and of their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}


def test_snakemakes_own_report_holds_the_page_the_verdicts_and_the_shards(made: Project) -> None:
    made.make("--report", "report.zip")
    with zipfile.ZipFile(made.folder / "report.zip") as archive:
        names = {Path(name).name: name for name in archive.namelist() if "/data/" in name}
        assert archive.read(names["index.html"]) == made.path("report/index.html").read_bytes()
        shards = made.folder / "results/tiny/shards.csv"
        assert archive.read(names["shards.csv"]) == shards.read_bytes()
        verdicts = {path.name for path in made.path("checks").iterdir()}
        assert verdicts <= set(names)


def test_a_report_is_made_again_in_seconds_and_nothing_is_trained(made: Project) -> None:
    before = {path: path.stat().st_mtime_ns for path in made.path("").rglob("*") if path.is_file()}
    arguments = ("--forcerun", "make_report")
    assert made.plan(*arguments) == {"make_report": 1, "make_manifest": 1}
    made.path("report/index.html").unlink()
    made.make(*arguments)
    after = {path: path.stat().st_mtime_ns for path in made.path("").rglob("*") if path.is_file()}
    changed = {str(path.relative_to(made.path(""))) for path in after if before[path] != after[path]}
    assert changed == {"report/index.html", "manifest.json"}
    record = json.loads((made.folder / "logs/tiny/bpe/report.json").read_text())
    assert record["cpu_seconds"] < 30


def test_a_shard_that_holds_a_script_adds_nothing_to_the_page(project: Project, finished: Project) -> None:
    for name in ("b", "held_out"):
        texts = pq.read_table(project.folder / f"data/{name}.parquet")["text"].to_pylist()
        attacked = [ATTACK * 3 + text for text in texts]
        pq.write_table(
            pa.table({"text": attacked}), project.folder / f"data/{name}.parquet", row_group_size=50
        )
    project.make()
    page = project.path("report/index.html").read_text()
    plain, attacked_page = Elements(finished.path("report/index.html").read_text()), Elements(page)
    assert attacked_page.tags.count("script") == 1
    assert "img" not in attacked_page.tags
    assert set(attacked_page.tags) <= set(plain.tags)
    assert attacked_page.attributes <= plain.attributes
    tokens = page[page.index('<section id="tokens"') :]
    tokens = tokens[: tokens.index("</section>")]
    assert re.search(r"script|onerror|title", tokens), "tokens of the attack were learned and are shown"


def test_every_rule_of_the_run_is_in_the_table_of_times(finished: Project) -> None:
    page = finished.path("report/index.html").read_text()
    section = page[page.index('<section id="benchmarks"') :]
    table = section[section.index("<table") : section.index("</section>")]
    for rule in (
        *("link_shard", "list_shards", "count_pretokens", "merge_counts", "train_tokenizer"),
        *("export_tokenizer", "sample_documents", "check_tokenizer", "measure_vocabulary_curve"),
    ):
        assert rule in table, rule
    memory = json.loads((finished.folder / "logs/tiny/bpe/merges.json").read_text())["peak_memory_bytes"]
    assert memory > 10 << 20, "what the operating system counted, not what a shell takes"
