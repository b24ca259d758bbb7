"""The page of a model: what it shows, how it judges, and that it opens in a browser as the tokenizer's does."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext

import make_model_report
from nanosnake.console.outcome import model_line
from nanosnake.files import NanosnakeError, read_json, write_json
from nanosnake.report.model_sections import MOST_POINTS, model_page, thin, tiles
from nanosnake.report.models import read_model, step_points
from nanosnake.stages import call
from report_builder import ATTACK, write_benchmarks, write_model


def write_page(folder: Path, *, hostile: bool = False) -> Path:
    model, output = write_model(folder / "small", hostile=hostile), folder / "index.html"
    options = ["--dataset", "demo", "--tokenizer", "tiny", "--model", str(model), "--output", str(output)]
    assert (
        call(
            make_model_report.MakeModelReport,
            [*options, "--benchmarks", str(write_benchmarks(folder / "logs"))],
        )
        == 0
    )
    return output


def test_what_the_files_say_is_read(tmp_path: Path) -> None:
    model = read_model("demo", "tiny", write_model(tmp_path / "small"), None)
    assert [row["label"] for row in model.scores] == [
        *("small", "token frequencies alone", "zlib -9", "lzma, extreme")
    ]
    assert model.bits_per_byte == 1.84
    assert {point["panel"] for point in model.points} == {"loss, nats per token", "bits per byte, validation"}
    assert len(model.points) == 18
    assert model.samples == [("The river", " and ran on.")]
    assert {"part": "options", "setting": "compile", "value": False} in model.settings.rows


@pytest.mark.parametrize(
    ("bits", "status", "words"),
    [
        (1.84, "pass", "1.840 bits per byte, fewer than every baseline"),
        (3.0, "warn", "3.000 bits per byte, fewer than token frequencies alone and zlib -9 only"),
        (5.0, "fail", "5.000 bits per byte, no fewer than the baselines"),
    ],
)
def test_the_headline_says_what_was_beaten(tmp_path: Path, bits: float, status: str, words: str) -> None:
    folder = write_model(tmp_path / "small")
    write_json(folder / "evaluation.json", read_json(folder / "evaluation.json") | {"bits_per_byte": bits})
    page = model_page(read_model("demo", "tiny", folder, None))
    assert (page.status, page.headline) == (status, words)
    anchors = ["scores", "curves", "tasks", "writing", "under_trained", "settings"]
    assert [anchor for anchor, _ in page.sections] == anchors


def test_what_answers_cost_is_compared_with_answers_alone(tmp_path: Path) -> None:
    """A mixture of text and conversations is validated on both."""
    folder = write_model(tmp_path / "small")
    rows = [
        {"model": name, "bits_per_byte": bits, "ended": 1.0, "mean_tokens": 9.0}
        for name, bits in (("base", 4.8), ("small", 3.9))
    ]
    talks = {"conversations": 0, "bytes": 2000, "most_tokens": 48, "models": rows, "samples": []}
    evaluation = read_json(folder / "evaluation.json") | {
        "bits_per_byte": 2.8,
        "baselines": {},
        "talks": talks,
    }
    write_json(folder / "evaluation.json", evaluation)
    model = read_model("demo", "tiny", folder, None)
    assert [(row["label"], row["bits_per_byte"]) for row in model.scores] == [("small", 3.9), ("base", 4.8)]
    assert ("bits per byte", "3.900", "on 2 kB of answers") in tiles(model)
    (line,) = model_line("small", str(folder), {str(folder / "evaluation.json"): "made"})
    assert line == "small: 3.900 bits per byte (base 4.800)"


def test_a_speed_that_is_not_known_is_not_shown(tmp_path: Path) -> None:
    """Of a trainer that was killed after its last step, and found nothing to do when it was started again."""
    folder = write_model(tmp_path / "small")
    assert "speed" in [title for title, *_ in tiles(read_model("demo", "tiny", folder, None))]
    training = read_json(folder / "training.json")
    training["figures"]["tokens_per_second"] = None
    write_json(folder / "training.json", training)
    assert "speed" not in [title for title, *_ in tiles(read_model("demo", "tiny", folder, None))]


def test_a_broken_line_within_metrics_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\nnonsense\n{"step": 2}\n')
    with pytest.raises(NanosnakeError, match=r"metrics\.jsonl: line 2 is not JSON"):
        list(step_points(path))


def test_a_model_whose_tokens_could_not_be_ranked_says_why(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "small")
    evaluation = read_json(folder / "evaluation.json")
    for key in ("rank_correlation", "worst"):
        del evaluation["under_trained"][key]
    evaluation["under_trained"]["not_ranked"] = "the head is the embedding"
    write_json(folder / "evaluation.json", evaluation)
    options = ["--dataset", "demo", "--tokenizer", "tiny", "--model", str(folder)]
    assert call(make_model_report.MakeModelReport, [*options, "--output", str(tmp_path / "index.html")]) == 0
    assert "The others are not ranked: the head is the embedding." in (tmp_path / "index.html").read_text()


def test_long_series_are_thinned_and_keep_their_last_point() -> None:
    points = [{"series": "loss", "step": step} for step in range(1001)]
    kept = thin(points)
    assert len(kept) <= MOST_POINTS
    assert kept[-1]["step"] == 1000


@pytest.mark.parametrize("hostile", [False, True])
def test_it_opens_in_a_browser(context: BrowserContext, tmp_path: Path, hostile: bool) -> None:
    path = write_page(tmp_path, hostile=hostile)
    page, requests, complaints = context.new_page(), [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(path.as_uri())
    assert (requests, complaints) == ([path.as_uri()], [])
    assert page.title() == "small on tiny on demo: 1.840 bits per byte, fewer than every baseline"
    assert page.locator("section").count() == 7
    assert page.locator("figure .wide svg").count() == 3
    assert page.locator("blockquote").inner_text().startswith("The river")
    hardly_learned = page.text_content("#under_trained") or ""
    assert "7 are never in the 18,432 training tokens" in hardly_learned
    assert "with the counts is -0.53" in hardly_learned
    written = page.inner_text("blockquote")
    assert (ATTACK in written) == hostile
    assert ("{{ 7*7 }}" in written) == hostile  # no template in data is run
    page.set_viewport_size({"width": 375, "height": 700})
    page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
