"""The gate opens, warns or stays closed, and the command lines of the checks, the gate and the history agree."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import check_tokenizer
import decide_gate
import record_figures
from nanosnake.checks import CHECKS
from nanosnake.files import NanosnakeError
from nanosnake.sources.samples import Sample, write_samples
from nanosnake.stages import call
from nanosnake.tokenizer.folder import META, TOKENIZER_JSON, load
from tiny_tokenizers import TEXTS, evaluation_texts, train

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a tokenizer and samples."""
    folder = tmp_path_factory.mktemp("gate")
    news = evaluation_texts()["english_news"]
    train(folder, [news], vocab_size=600)
    for split in ("train", "validation"):
        rows = [Sample(split, "shard_00000", row, False, text) for row, text in enumerate(news.split("\n\n"))]
        write_samples(folder / f"{split}.jsonl", rows)
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """Return a copy of that folder, for tests that change it."""
    shutil.copytree(made, tmp_path / "place")
    return tmp_path / "place"


def judge(place: Path, name: str, mode: str = "block", thresholds: str = "{}") -> Path:
    """Run a check by its command line and return its verdict file."""
    output = place / "checks" / f"{name}.json"
    arguments = ["--check", name, "--mode", mode, "--thresholds", thresholds]
    arguments += ["--tokenizer", str(place / "tokenizer"), "--texts", str(TEXTS)]
    arguments += ["--samples", str(place / "train.jsonl"), str(place / "validation.jsonl")]
    arguments += ["--counts", str(place / "counts.arrow"), "--shards", "shard_00000"]
    arguments += ["--count-folder", str(place), "--shard-folder", str(place / "shards")]
    arguments += ["--baseline-cache", str(place / "baselines"), "--offline", "--output", str(output)]
    assert call(check_tokenizer.CheckTokenizer, arguments) == 0
    return output


def gate_arguments(place: Path, *verdicts: Path) -> list[str]:
    names = [str(path) for path in verdicts]
    return [
        "--tokenizer",
        str(place / "tokenizer"),
        "--verdicts",
        *names,
        "--output",
        str(place / "gate.json"),
    ]


def test_all_checks_pass_and_the_gate_opens(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    verdicts = [judge(place, name) for name in CHECKS]
    assert call(decide_gate.DecideGate, gate_arguments(place, *verdicts)) == 0
    gate = json.loads((place / "gate.json").read_text())
    assert gate["open"] is True
    assert gate["failed"] == gate["warned"] == []
    # one document, no mixture, no parallel text
    skipped = {"stability", "parts"} | (set() if find_spec("django") else {"languages"})
    assert gate["checks"] == {name: "skipped" if name in skipped else "pass" for name in CHECKS}
    assert set(gate["tokenizer"]) == {TOKENIZER_JSON, "tokenizer.tiktoken", META}
    assert f"gate open: {len(CHECKS) - len(skipped)} passed" in capsys.readouterr().err


def test_verdicts_are_the_same_bytes_each_time(place: Path) -> None:
    for name in CHECKS:
        first = judge(place, name).read_bytes()
        assert judge(place, name).read_bytes() == first


def test_a_warning_is_printed_and_lets_pass(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    verdict = judge(place, "compression", "warn", '{"min_bytes_per_token": 50}')
    assert call(decide_gate.DecideGate, gate_arguments(place, verdict)) == 0
    gate = json.loads((place / "gate.json").read_text())
    assert gate["warned"] == ["compression"]
    assert gate["checks"] == {"compression": "fail"}
    assert gate["warnings"][0].startswith("compression: validation documents: ")
    assert "warning: compression: validation documents: " in capsys.readouterr().err


def test_a_blocking_failure_leaves_no_gate_and_names_text_figure_and_threshold(place: Path) -> None:
    (place / "gate.json").write_text('{"open": true}')
    verdict = judge(place, "compression", "block", '{"min_text_bytes_per_token": 50}')
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "decide_gate.py"), *gate_arguments(place, verdict)],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(SCRIPTS)))),
        },
    )
    assert done.returncode == 1
    assert not (place / "gate.json").exists()
    assert "tiny: the gate stays closed: compression failed" in done.stderr
    assert "compression: control_characters text: " in done.stderr
    assert "bytes per token, wanted at least 50" in done.stderr
    assert "more of them in " in done.stderr
    assert "next: change the tokenizer" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_check_that_is_off_is_skipped(place: Path) -> None:
    verdict = judge(place, "agreement", "off")
    assert json.loads(verdict.read_text())["verdict"] == "skipped"
    assert call(decide_gate.DecideGate, gate_arguments(place, verdict)) == 0
    assert json.loads((place / "gate.json").read_text())["checks"] == {"agreement": "skipped"}


def test_a_verdict_on_other_files_is_refused(place: Path) -> None:
    verdict = judge(place, "token_lengths")
    meta = json.loads((place / "tokenizer" / META).read_text())
    (place / "tokenizer" / META).write_text(json.dumps({**meta, "name": "renamed"}))
    with pytest.raises(NanosnakeError, match=r"token_lengths\.json: is about other tokenizer files"):
        call(decide_gate.DecideGate, gate_arguments(place, verdict))
    assert not (place / "gate.json").exists()


def test_a_check_that_is_judged_twice_is_refused(place: Path) -> None:
    verdict = judge(place, "token_lengths")
    copy = Path(shutil.copy(verdict, place / "copy.json"))
    with pytest.raises(NanosnakeError, match="token_lengths has two verdicts"):
        call(decide_gate.DecideGate, gate_arguments(place, verdict, copy))


@pytest.mark.parametrize("text", ["[1]", "{", "@{file}"])
def test_thresholds_that_are_no_object(text: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "thresholds.json").write_text("3")
    with pytest.raises(SystemExit):
        judge(place, "round_trip", "block", text.replace("{file}", str(place / "thresholds.json")))
    assert "--thresholds: " in capsys.readouterr().err


def test_thresholds_from_a_file(place: Path) -> None:
    (place / "thresholds.json").write_text('{"max_failures": 3}')
    verdict = judge(place, "round_trip", "block", f"@{place / 'thresholds.json'}")
    assert json.loads(verdict.read_text())["thresholds"] == {"max_failures": 3}


def test_a_row_that_blocks_closes_the_gate_of_a_check_that_warns(place: Path) -> None:
    rows = {"korean": {"min_bytes_per_token": 50, "mode": "block"}}
    thresholds = json.dumps({"min_text_bytes_per_token": 50, "rows": rows})
    verdict = judge(place, "compression", "warn", thresholds)
    with pytest.raises(NanosnakeError) as refusal:
        call(decide_gate.DecideGate, gate_arguments(place, verdict))
    lines = str(refusal.value).splitlines()
    assert lines[0] == "tiny: the gate stays closed: compression failed"
    assert lines[1].startswith("  compression: korean text: ")
    assert "the figures in " in lines[2], "the other texts only warn"


def test_a_row_that_is_not_there_is_named(place: Path) -> None:
    with pytest.raises(
        NanosnakeError, match=r"checks\.compression\.rows\.corean: no such row; there are: train"
    ):
        judge(place, "compression", "warn", '{"rows": {"corean": {"min_bytes_per_token": 2}}}')


def test_a_check_that_cannot_run_writes_no_verdict(place: Path) -> None:
    (place / "tokenizer" / TOKENIZER_JSON).write_text("{}")
    with pytest.raises(NanosnakeError, match="changed after the export"):
        judge(place, "round_trip")
    assert not (place / "checks").exists()


def test_without_baselines_the_rest_goes_on(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(place / "empty"))
    monkeypatch.setattr("importlib.metadata.files", lambda name: [])
    verdict = json.loads(judge(place, "compression").read_text())
    assert verdict["verdict"] == "pass"
    assert [note.split(" is not")[0] for note in verdict["notes"]] == [
        "baseline gpt2",
        "baseline cl100k_base",
        "baseline o200k_base",
    ]
    assert verdict["figures"][0]["tokens"] > 0


def test_figures_are_recorded_once(place: Path) -> None:
    verdicts = [judge(place, name) for name in ("compression", "reachability")]
    history = place / "history" / "demo" / "tiny.jsonl"
    arguments = [
        "--dataset",
        "demo",
        "--tokenizer",
        str(place / "tokenizer"),
        "--verdicts",
        *map(str, verdicts),
    ]
    arguments += ["--history", str(history), "--output", str(place / "figures.json")]
    assert call(record_figures.RecordFigures, arguments) == 0
    first = (place / "figures.json").read_bytes()
    assert call(record_figures.RecordFigures, arguments) == 0
    assert (place / "figures.json").read_bytes() == first
    records = [json.loads(line) for line in history.read_text().splitlines()]
    assert len(records) == 1
    record = records[0]
    figures = json.loads(first)
    assert {key: value for key, value in record.items() if key not in ("time", "commit")} == figures
    assert figures["checks"] == {"compression": "pass", "reachability": "pass"}
    assert figures["figures"]["reachability.unreachable"] == 0
    assert figures["figures"]["compression.bytes_per_token.validation"] > 1
    assert figures["tokenizer_sha256"] == load(place / "tokenizer").hashes[TOKENIZER_JSON]
    assert (figures["dataset"], figures["tokenizer"], figures["shards"]) == ("demo", "tiny", 1)


def test_a_figure_that_moved_is_a_new_record(place: Path) -> None:
    history = place / "history.jsonl"
    for expected in (1, 2):
        verdict = judge(place, "vocabulary_use")
        arguments = ["--dataset", "demo", "--tokenizer", str(place / "tokenizer"), "--verdicts", str(verdict)]
        assert (
            call(
                record_figures.RecordFigures,
                [*arguments, "--history", str(history), "--output", str(place / "f.json")],
            )
            == 0
        )
        assert len(history.read_text().splitlines()) == expected
        write_samples(place / "train.jsonl", [Sample("train", "shard_00000", 0, False, "other text")])
