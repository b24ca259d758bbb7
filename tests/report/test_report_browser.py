"""The page in a real browser: it loads from disk without a word to anyone, sorts, switches and keeps attacks inert.

Chromium is found on the PATH (Debian's package `chromium`), or where NANOSNAKE_CHROMIUM says.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

import make_report
import measure_vocabulary_curve
from nanosnake.stages import call
from nanosnake.tokenizer.baselines import Baselines
from nanosnake.tokenizer.folder import load
from report_builder import ATTACK, build


@dataclass
class Opened:
    """A page and what it did while it was open."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@pytest.fixture(scope="session", params=["plain", "hostile"])
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    options = build(folder, hostile=request.param == "hostile")
    curve, output = folder / "curve.json", folder / "index.html"
    tokenizer = folder / "results" / "demo" / "tiny" / "tokenizer"
    samples = folder / "validation.jsonl"
    measured = ["--tokenizer", str(tokenizer), "--samples", str(samples), "--output", str(curve)]
    assert call(measure_vocabulary_curve.MeasureVocabularyCurve, measured) == 0
    baselines = Baselines({name: load(tokenizer).tiktoken() for name in ("gpt2", "cl100k_base")}, [])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nanosnake.tokenizer.baselines.load_baselines", lambda folder: baselines)
        options += ["--curve", str(curve), "--baseline-cache", str(folder), "--output", str(output)]
        assert call(make_report.MakeReport, options) == 0
    return output


def open_page(context: BrowserContext, path: Path) -> Opened:
    context.set_default_timeout(120_000)  # milliseconds; the machine may be busy
    page = context.new_page()
    opened = Opened(page)
    page.on("request", lambda request: opened.requests.append(request.url))
    page.on("console", lambda message: opened.complaints.append(message.text))
    page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    page.goto(path.as_uri())
    return opened


def test_it_loads_with_no_complaint_and_no_other_request(context: BrowserContext, report: Path) -> None:
    opened = open_page(context, report)
    opened.page.wait_for_load_state("networkidle")
    assert opened.requests == [report.as_uri()]
    assert opened.complaints == []
    assert opened.page.title() == "tiny on demo: gate open: 4 passed, 1 warning"
    assert opened.page.inner_text("#headline") == "gate open: 4 passed, 1 warning"


def test_plots_are_drawn_once_for_each_width(context: BrowserContext, report: Path) -> None:
    page = open_page(context, report).page
    for width, shown, hidden in ((1280, "wide", "narrow"), (375, "narrow", "wide")):
        page.set_viewport_size({"width": width, "height": 800})
        drawings = page.locator(f"figure .{shown} svg")
        assert drawings.count() == 6
        for place in range(6):
            box = drawings.nth(place).bounding_box()
            assert box is not None
            assert box["width"] > 200
            assert box["height"] > 60
        assert page.locator(f"figure .{hidden} svg").first.is_hidden()


def test_no_text_of_a_plot_is_cut_off_by_the_page(context: BrowserContext, report: Path) -> None:
    page = open_page(context, report).page
    for width in (1280, 375):
        page.set_viewport_size({"width": width, "height": 800})
        outside = page.evaluate(
            """() => [...document.querySelectorAll("figure svg text")]
                .map((text) => [text.textContent, text.getBoundingClientRect()])
                .filter(([, box]) => box.width && (box.left < 0 || box.right > window.innerWidth))
                .map(([words]) => words)"""
        )
        assert [words for words in outside if len(words) < 30] == []


def test_a_phone_does_not_scroll_sideways(context: BrowserContext, report: Path) -> None:
    page = open_page(context, report).page
    page.set_viewport_size({"width": 375, "height": 700})
    page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


def test_tables_sort_by_number_and_say_so(context: BrowserContext, report: Path) -> None:
    page = open_page(context, report).page
    table = page.locator("#tokens table").last
    heading = table.locator("th", has_text="bytes")

    def column() -> list[int]:
        return [int(text) for text in table.locator("tbody tr td:last-child").all_inner_texts()]

    before = column()
    assert before == sorted(before, reverse=True)
    heading.locator("button").click()
    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert column() == sorted(before)


def test_tables_sort_by_keyboard_and_by_text(context: BrowserContext, report: Path) -> None:
    page = open_page(context, report).page
    table = page.locator("table.checks")
    table.locator("th button").first.focus()
    page.keyboard.press("Enter")
    names = table.locator("tbody th").all_inner_texts()
    assert names == sorted(names)
    assert len(names) == 5


def test_texts_switch(context: BrowserContext, report: Path) -> None:
    page = open_page(context, report).page
    choose = page.locator("#choose-text")
    names = choose.locator("option").all_inner_texts()
    assert sorted(names) == ["attack", "hangul", "prose"]
    for name in names:
        choose.select_option(label=name)
        shown = page.locator(".sample:visible")
        assert shown.count() == 1
        assert shown.locator("h3").inner_text() == name
    for name in ("cl100k_base", "gpt2"):
        page.locator("#choose-baseline").select_option(label=name)
        titles = page.locator(".sample:visible .panel:visible h4 bdi").all_inner_texts()
        assert titles == ["tiny", name]


def test_without_scripts_every_text_is_shown(browser: Browser, report: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = open_page(context, report).page
    assert page.locator(".sample:visible").count() == 3
    assert page.locator(".choose").is_hidden()
    assert page.locator("th button").count() == 0
    context.close()


def test_schemes_change_paper_and_ink_of_page_and_plots(browser: Browser, report: Path) -> None:
    seen = {}
    for scheme in ("light", "dark"):
        context = browser.new_context(color_scheme=scheme)  # type: ignore[arg-type]
        page = open_page(context, report).page
        seen[scheme] = page.evaluate(
            """() => [getComputedStyle(document.documentElement).backgroundColor,
                      getComputedStyle(document.querySelector("figure .wide svg text")).fill,
                      getComputedStyle(document.querySelector("figure .wide svg path[fill*=series]")).fill]"""
        )
        context.close()
    assert seen["light"] == ["rgb(255, 255, 255)", "rgb(27, 31, 36)", "rgb(0, 114, 178)"]
    assert seen["dark"] == ["rgb(20, 24, 28)", "rgb(232, 234, 237)", "rgb(86, 180, 233)"]


def test_it_prints(context: BrowserContext, report: Path) -> None:
    page = open_page(context, report).page
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.locator("nav").is_hidden()
    paper = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert paper == "rgb(255, 255, 255)"


def test_a_script_that_slips_in_would_not_run(context: BrowserContext, report: Path, tmp_path: Path) -> None:
    broken = tmp_path / "index.html"
    text = report.read_text(encoding="utf-8")
    broken.write_text(text.replace("<main>", f"<main>{ATTACK}<img src=x onerror=\"document.title='owned'\">"))
    opened = open_page(context, broken)
    opened.page.wait_for_timeout(200)
    assert "owned" not in opened.page.title()
    assert any("Content Security Policy" in complaint for complaint in opened.complaints)
