"""The page itself: whole, escaped, self-contained, with headings, alternatives and contrast that hold."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import make_report
from nanosnake.files import read_json, sha256_file, write_json
from nanosnake.report.charts import compression_bars, curve_ticks, room_around, spread, vocabulary_curve
from nanosnake.report.render import asset
from nanosnake.stages import call
from report_builder import ATTACK, build

VOID = {"meta", "link", "br", "img", "input", "hr"}
TEXT_COLOURS = ("--ink", "--muted", "--link", "--pass", "--warn", "--fail", "--skipped")


class Page(HTMLParser):
    """Collects what the tests ask about."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.ids: list[str] = []
        self.open: list[str] = []
        self.headings: list[int] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for key, value in attrs if key == "id" and value]
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1] == tag, f"</{tag}> closes <{self.open[-1]}>"
        self.open.pop()

    def named(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of every element of that name."""
        return [attributes for name, attributes in self.tags if name == tag]


def write(folder: Path, options: list[str]) -> str:
    output = folder / "report" / "index.html"
    assert call(make_report.MakeReport, [*options, "--output", str(output)]) == 0
    return output.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("plain")
    return write(folder, build(folder))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("hostile")
    return write(folder, build(folder, hostile=True))


def test_the_page_is_well_formed_and_its_headings_are_in_order(plain: str) -> None:
    page = Page(plain)
    assert page.open == []
    assert page.headings.count(1) == 1
    assert page.headings[0] == 1
    assert all(after <= before + 1 for before, after in zip(page.headings, page.headings[1:], strict=False))
    assert len(page.ids) == len(set(page.ids))
    assert page.named("html") == [{"lang": "en"}]
    inside = {f"#{anchor}" for anchor in page.ids}
    assert {link["href"] for link in page.named("a")} <= inside | {"../../../index.html"}


def test_the_page_loads_nothing(plain: str) -> None:
    page = Page(plain)
    assert not re.search(r"https?://|url\((?!#)|@import|//cdn", plain)
    for tag in ("link", "img", "iframe", "object", "image", "use"):
        assert page.named(tag) == []
    assert all("src" not in attributes for attributes in page.named("script"))
    (policy,) = [meta["content"] for meta in page.named("meta") if "http-equiv" in meta]
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_the_headline_and_every_section_are_there(plain: str) -> None:
    assert "gate open: 4 passed, 1 warning" in plain
    page = Page(plain)
    sections = [section["id"] for section in page.named("section")]
    assert sections == [
        *("run", "gate", "compression", "lengths", "tokens", "texts"),
        *("history", "shards", "benchmarks"),
    ]


def test_it_says_when_where_and_by_which_code_the_tokenizer_was_learned(plain: str) -> None:
    section = plain[plain.index('<section id="run"') :]
    facts = section[: section.index("</section>")]
    assert "2026-01-02 03:04:05 UTC, on node7" in facts
    assert "commit cccccccccccc with changes" in facts


def test_every_chart_has_words_and_a_table(plain: str) -> None:
    charts = [svg for svg in Page(plain).named("svg") if svg.get("role") == "img"]
    assert len(charts) == 2 * 5  # a wide and a narrow drawing of each
    assert all(len(svg["aria-label"] or "") > 30 for svg in charts)
    for anchor in ("compression", "lengths", "history", "shards", "benchmarks"):
        section = plain[plain.index(f'<section id="{anchor}"') :]
        assert "<table" in section[: section.index("</section>")]


def test_what_is_not_given_is_left_out(tmp_path: Path) -> None:
    options = build(tmp_path)
    text = write(tmp_path, options[: options.index("--verdicts")])
    assert [section["id"] for section in Page(text).named("section")] == ["run", "gate", "lengths", "tokens"]
    assert "gate open: no check was run" in text


def test_equal_inputs_give_equal_pages(tmp_path: Path) -> None:
    options = build(tmp_path)
    assert write(tmp_path / "a", options) == write(tmp_path / "b", options)


def test_hostile_data_adds_no_element_and_no_attribute(plain: str, hostile: str) -> None:
    page = Page(hostile)
    assert len(page.named("script")) == 1
    assert page.named("img") == []
    assert {tag for tag, _ in page.tags} == {tag for tag, _ in Page(plain).tags}
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert ATTACK not in hostile
    assert "&lt;script&gt;document.title" in hostile


def test_hostile_data_leaves_no_character_that_hides_or_reorders(hostile: str) -> None:
    assert not set(hostile) & set("\x00\x1b\x7f\u202e\u2066\u200b\ufeff")
    assert "\u2039U+202E\u203a" in hostile


def test_tokens_that_look_like_tags_stand_in_the_tables(hostile: str) -> None:
    section = hostile[hostile.index('<section id="tokens"') :]
    assert "&lt;script&gt;" in section[: section.index("</section>")]


def test_an_unsound_vocabulary_still_has_a_report(tmp_path: Path) -> None:
    options = build(tmp_path)
    folder = tmp_path / "results" / "demo" / "tiny" / "tokenizer"
    ranks, meta = folder / "tokenizer.tiktoken", folder / "meta.json"
    ranks.write_bytes(ranks.read_bytes().replace(b" 300\n", b" 299\n"))
    facts = read_json(meta)
    facts["files"][ranks.name] = {"bytes": ranks.stat().st_size, "sha256": sha256_file(ranks)}
    write_json(meta, facts)
    text = write(tmp_path, options)
    assert "The vocabulary is unsound, so no text is cut with it: " in text
    assert '<section id="texts"' not in text


def luminance(colour: str) -> float:
    """The relative luminance of `#rrggbb`, as WCAG 2 defines it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, as WCAG 2 defines it."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def schemes() -> list[dict[str, str]]:
    """The colours of the light and of the dark scheme."""
    blocks = re.findall(r":root \{(.*?)\}", asset("style.css"), re.DOTALL)
    return [dict(re.findall(r"(--[\w-]+): (#[0-9a-f]{6});", block)) for block in blocks]


@pytest.mark.parametrize("scheme", schemes(), ids=["light", "dark"])
def test_text_stands_out_from_every_background_it_is_on(scheme: dict[str, str]) -> None:
    for colour in TEXT_COLOURS:
        assert contrast(scheme[colour], scheme["--paper"]) >= 4.5, colour
    for background in ("--panel", "--tint-1", "--tint-2", "--tint-3", "--tint-4"):
        assert contrast(scheme["--ink"], scheme[background]) >= 4.5, background


def test_names_in_charts_are_text_and_nothing_else() -> None:
    rows = [{"text": f"{ATTACK}\x00\u202e&", "tokenizer": "<b>ours", "ratio": 3.0}]
    drawing = compression_bars(rows, ["<b>ours"])
    page = Page(f"{drawing.wide}{drawing.narrow}")
    assert page.named("script") == []
    assert page.named("b") == []
    assert "&lt;script&gt;" in drawing.wide
    assert "\u202e" not in drawing.wide


def test_a_chart_takes_its_colours_from_the_page_and_its_ids_are_its_own() -> None:
    points = [
        {"tokenizer": "ours", "vocabulary": size, "bytes_per_token": size / 300, "prefix": True}
        for size in (512, 1024)
    ] + [{"tokenizer": "gpt2", "vocabulary": 50256, "bytes_per_token": 4.7, "prefix": False}]
    drawing = vocabulary_curve(points, "ours")
    assert drawing.alternative == (
        "Line chart: ours goes from 1.71 bytes per token at 512 tokens to 3.41 at 1,024. "
        "Single points: gpt2 4.70 at 50,256."
    )
    assert "var(--series-1)" in drawing.wide
    assert not re.search(r"(fill|stroke)=\"(#|black|white|rgb)", drawing.wide + drawing.narrow)
    assert not set(Page(drawing.wide).ids) & set(Page(drawing.narrow).ids)


def test_a_long_name_leaves_room_for_the_curve() -> None:
    name = "a_" * 40 + "nanochat-512"
    points = [{"tokenizer": name, "vocabulary": 503, "bytes_per_token": 1.7, "prefix": True}]
    drawing = vocabulary_curve(points, name)
    assert re.search(r">…\w+nanochat-512 1\.70<", drawing.narrow)


def test_axes_have_room_and_ticks_whatever_the_values() -> None:
    assert room_around([2.0, 4.0]) == pytest.approx([1.8, 4.2])
    assert room_around([0.5, 0.5]) == pytest.approx([0.45, 0.55])
    assert room_around([0.0]) == [-1.0, 1.0]
    assert spread(list(range(1, 51)), 6) == [1, 10, 19, 28, 37, 46]
    assert curve_ticks([{"vocabulary": 376}], 760) == [376]
    assert curve_ticks([{"vocabulary": 512}, {"vocabulary": 50256}], 340) == [512, 2048, 8192, 32768]
