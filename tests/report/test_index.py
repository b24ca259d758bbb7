"""The page of all results shows what is in the folder, and its links lead there."""

from __future__ import annotations

import re
from pathlib import Path

from nanosnake.console.outcome import index_is_stale
from nanosnake.files import write_json
from nanosnake.report.index import write_index
from nanosnake.report.measures import changed
from report_builder import write_checks, write_shards


def test_what_is_there_is_on_the_page(tmp_path: Path) -> None:
    assert write_index(tmp_path) is None
    assert not index_is_stale(tmp_path)
    results = tmp_path / "results"
    home = results / "demo/bpe"
    (home / "report").mkdir(parents=True)
    (home / "report/index.html").write_text("a page")
    write_shards(results / "demo/shards.csv")
    (home / "checks").mkdir()
    write_checks(home / "checks")
    figures = {"dataset": "demo", "vocab_size": 4096, "pattern_name": "gpt4"}
    write_json(
        home / "figures.json",
        figures | {"figures": {"compression.relative_difference.validation.gpt2": -0.31}},
    )
    write_json(home / "curve.json", {"curve": [{"bytes_per_token": 2.5}, {"bytes_per_token": 3.614}]})
    write_json(home / "d1/evaluation.json", {"bits_per_byte": 2.036})
    assert index_is_stale(tmp_path)
    page = write_index(tmp_path)
    assert page == results / "index.html"
    assert not index_is_stale(tmp_path)
    text = page.read_text()
    for words in ("3.614", "\u221231.0%", "4,096", "open: 4 passed, 1 warning", "2.036"):
        assert words in text, words
    links = re.findall(r'<td[^>]*><a href="([^"]+)"|<th scope="row"><a href="([^"]+)"', text)
    assert len(links) == 2
    assert all((results / (one or other)).exists() for one, other in links)
    (home / "report/index.html").write_text("a newer page")
    assert index_is_stale(tmp_path)


def test_the_history_says_what_changed() -> None:
    state = {
        "vocab_size": 1,
        "pattern_sha256": "p",
        "shards_sha256": "s",
        "commit": "c",
        "tokenizer_sha256": "t",
    }
    assert changed(state, state | {"pattern_sha256": "q", "tokenizer_sha256": "u"}) == "pattern"
    assert changed(state, state | {"commit": "d"}) == "code; the tokenizer is the same"
    assert changed(state, state) == "texts or settings of checks; the tokenizer is the same"
