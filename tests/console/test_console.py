"""What a run shows: lines, the plan, the last words; plain functions and one real plan."""

from __future__ import annotations

import logging
import os
import re
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from snakemake_interface_logger_plugins.common import LogEvent

from nanosnake import layout
from nanosnake.commands.plan import Plan
from nanosnake.config import Config, load
from nanosnake.console import handler
from nanosnake.console.board import Board
from nanosnake.console.handler import LogHandler
from nanosnake.console.jobs import Job, gpus
from nanosnake.console.outcome import failures
from nanosnake.console.plan import reason, table
from nanosnake.console.price import GPU_VARIABLE, RATE_VARIABLE, price, training_flops
from nanosnake.console.times import Times, how_far_off, remember
from nanosnake.files import NanosnakeError
from nanosnake.snakemake_internals import Planned, mark_of

REPOSITORY = Path(__file__).parents[2]


def fields(number: int, rule: str = "count_pretokens", **others: Any) -> dict[str, Any]:
    """Return what Snakemake logs of a job."""
    shard = f"shard_{number:05d}"
    return {
        "jobid": number,
        "rule_name": rule,
        "wildcards": {"dataset": "d", "shard": shard},
        "input": [f"results/d/shards/{shard}.parquet"],
        "output": [f"results/d/counts/{shard}.arrow"],
        "log": [f"logs/d/{rule}/{shard}.log"],
        "threads": 1,
        "resources": {},
        "reason": f"Missing output files: results/d/counts/{shard}.arrow",
        **others,
    }


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(path: str, text: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("Missing output files: a, b; Input files updated by another job: c", "new"),
        ("Forced execution", "asked for"),
        ("Incomplete output files: a", "was not finished"),
        ("Updated input files: .cache/code/count_pretokens.sha256", "code changed"),
        ("Updated input files: x/one.parquet, x/two.parquet", "one.parquet and 1 more changed"),
        ("Input files updated by another job: c", "follows from the above"),
        ("Params have changed since last execution: before: --a 1; now: --a 2", "settings changed"),
        ("Set of input files has changed since last execution", "other inputs"),
        ("Code has changed since last execution", "rule changed"),
    ],
)
def test_reasons_are_short(said: str, words: str) -> None:
    assert reason(Job.of(fields(1, reason=said))) == words


def test_what_was_not_finished_was_not_asked_for() -> None:
    """Snakemake forces what a killed job left, and what was made from a file that was edited meanwhile."""
    job = Job.of(fields(1, reason="Forced execution"))
    mark = mark_of(job.outputs[0])
    mark.parent.mkdir(parents=True)
    mark.touch()
    assert reason(job) == "was not finished"


def test_the_plan_of_a_large_data_set_is_short() -> None:
    jobs = [Job.of(fields(n, rule)) for rule in ("download_shard", "count_pretokens") for n in range(1823)]
    jobs += [Job.of(fields(9999, "all", log=[]))]
    lines = table(jobs, Times()).splitlines()
    assert len(lines) < 40
    assert max(map(len, lines)) < 160
    assert lines[2].split()[:2] == ["count_pretokens", "1,823"]
    assert "3,646" in lines[3], "the target is no job"
    assert "estimated from bytes" in lines[-1]
    assert len(table(jobs, Times(), names=True).splitlines()) > 3646


def test_earlier_jobs_say_how_long_it_takes() -> None:
    for n in range(3):
        write(f"logs/d/count_pretokens/shard_{n:05d}.json", '{"script": "count_pretokens.py", "seconds": 40}')
    stages = Times().stages(Job.of(fields(n)) for n in range(10))
    assert (stages[0].seconds, stages[0].guessed) == (400, 0)


def priced(models: dict[str, Any]) -> Config:
    """Return ClimbMix's configuration with models."""
    settings = yaml.safe_load((REPOSITORY / "config/climbmix.yaml").read_text())
    models = {name: {"tokenizer": "bpe32k", **options} for name, options in models.items()}
    return load({**settings, "models": models})


def test_the_price_of_training_is_that_of_the_benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/benchmarks.md: depth 12 at 739,500 tokens/s on one H200, at 52.5% of its peak, and depth 20."""
    config = priced({"d12": {"depth": 12, "options": {"steps": 20_000}}})
    assert training_flops(config, "d12") == pytest.approx(
        20_000 * 524_288 * 0.525 * 989e12 / 739_500, rel=0.01
    )
    jobs = [Job.of(fields(1, "train_model", wildcards={"model": "d12"}))]
    monkeypatch.setenv(RATE_VARIABLE, "2.5")
    lines = table(jobs, Times(config)).splitlines()
    hours = 20_000 * 524_288 / 739_500 / 3600
    expected = re.fullmatch(
        r"Training is 7\.4e\+18 FLOPs\. Estimate: 3 h (\d+) min on one H200 \((\d+\.\d\d)\), (\d+) min \d+ s on eight "
        r"\((\d+\.\d\d)\), at 2\.5 for a GPU-hour and 52% of the peak\.",
        lines[-1],
    )
    assert expected, lines[-1]
    minutes, money, on_eight, money_of_eight = map(float, expected.groups())
    assert 3 + minutes / 60 == pytest.approx(hours, rel=0.015)
    assert money == pytest.approx(2.5 * hours, rel=0.015)
    assert on_eight == pytest.approx(60 * hours / 8, rel=0.05)
    assert money_of_eight == money
    depth_20 = priced({"d20": {"depth": 20, "options": {"steps": 1, "global_batch": 524_288}}})
    assert training_flops(depth_20, "d20") == pytest.approx(524_288 * 0.571 * 989e12 / 219_700, rel=0.01)


def test_what_the_price_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    config = priced(
        {
            "d12": {"depth": 12},
            "chat": {"from": "d12", "depth": 12, "options": {"epochs": 1}},
            "d2": {"depth": 2, "options": {"steps": 10}},
        }
    )
    assert price(config, ["d2"]) == "", "seconds are not worth a line"
    monkeypatch.setenv(GPU_VARIABLE, "A100")
    whole = price(config, ["d12", "chat"])
    assert " on one A100, " in whole
    assert "the peak; without chat, whose length is known once its tokens are made." in whole
    dataset = config.dataset_of("chat")
    for shard in config.datasets[dataset].train_shards:
        facts = {"dataset": dataset, "tokenizer": "bpe32k", "split": "train", "shard": shard}
        write(layout.TOKEN_FACTS.format(**facts), '{"tokens": 524288}')
    steps = len(config.datasets[dataset].train_shards)
    the_same = priced({"d12": {"depth": 12, "options": {"steps": steps, "global_batch": 524_288}}})
    assert training_flops(config, "chat") == training_flops(the_same, "d12")
    assert "without" not in price(config, ["d12", "chat"])
    assert "GPU-hour" not in whole
    with pytest.raises(NanosnakeError, match="--gpu TPU: its peak is not known; known GPUs: GB200, B200"):
        Plan(gpu="TPU").run()
    with pytest.raises(NanosnakeError, match="--rate -1: give what one GPU costs for an hour"):
        Plan(rate=-1.0).run()


def test_estimates_are_looked_back_on() -> None:
    assert how_far_off() == ""
    remember(10, 20, 3)
    assert how_far_off() == "the last run took 2.0 times as long as estimated"
    remember(10, 5, 3)
    assert how_far_off() == "the last 2 runs took 0.5 to 2.0 times as long as estimated"


@pytest.mark.parametrize(
    ("resources", "number"),
    [({}, 0), ({"gres": "gpu:h200:4"}, 4), ({"gres": "gpu:2", "nodes": 2}, 4), ({"gpu": 1}, 1)],
)
def test_gpus_that_a_job_asks_for(resources: dict[str, Any], number: int) -> None:
    assert gpus(resources) == number


def test_a_cause_is_said_once() -> None:
    began = time.time()
    for n in range(8):
        write(
            f"logs/d/count_pretokens/shard_{n:05d}.log",
            f"reading\nx.py: error: shard_{n:05d}: no column 'text'\nuse 'txt'",
        )
    write("logs/d/count_pretokens/shard_00008.log", "x.py: error: the disk is full")
    planned = [Planned(fields(n), "failed") for n in range(9)] + [Planned(fields(20, "merge_counts"), "left")]
    text = "\n".join(failures(planned, began))
    assert text.count("no column 'text'\n  use 'txt'") == 1
    assert "and 7 more for the same cause: d shard_00001, d shard_00002" in text
    assert "the disk is full" in text
    assert text.endswith(
        "1 job that depends on these was not run; finished results are kept. Fix the cause and run the same command again."
    )


def test_a_log_of_before_is_no_cause() -> None:
    write("logs/d/count_pretokens/shard_00001.log", "x.py: error: old")
    os.utime("logs/d/count_pretokens/shard_00001.log", (1, 1))
    job = Job.of(fields(1))
    job.problem = "SLURM-job '5' failed, SLURM status is: 'TIMEOUT'"
    assert job.cause == job.problem


def test_a_job_that_is_tried_again_has_not_failed() -> None:
    board = Board()
    board.plan({"count_pretokens": 1, "total": 1})
    board.start(Job.of(fields(1)))
    board.fail(1, "out of memory")
    assert list(board.failed) == [1]
    board.start(Job.of(fields(1)))
    assert board.finish(1) is not None
    assert (board.failed, board.count) == ({}, 1)


def test_a_late_message_does_not_count_targets() -> None:
    board = Board()
    board.expect([Job.of(fields(1)), Job.of(fields(2, "all", log=[], output=[]))])
    board.plan({"count_pretokens": 1, "all": 1, "total": 2})
    assert board.total == 1


def shown(
    capsys: pytest.CaptureFixture[str], *records: tuple[LogEvent | None, dict[str, Any]], **settings: bool
) -> str:
    """Return what the handler prints of log records."""
    common = {"stdout": False, "dryrun": False, "printshellcmds": False, **settings}
    made = LogHandler(SimpleNamespace(**common), None)
    for event, values in records:
        record = logging.LogRecord(
            "snakemake", values.pop("level", logging.INFO), "", 0, values.pop("msg", None), None, None
        )
        record.__dict__.update(event=event, **values)
        made.emit(record)
    made.close()
    captured = capsys.readouterr()
    return captured.out + captured.err


@pytest.fixture
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler, "BOARD", Board())


@pytest.mark.usefixtures("_fresh")
def test_one_line_for_each_job_and_none_of_snakemakes_own(capsys: pytest.CaptureFixture[str]) -> None:
    write(
        "logs/d/count_pretokens/shard_00001.log",
        "counting: 3 of 9\nshard_00001.parquet: 9 documents\n  a note\n",
    )
    write("logs/d/count_pretokens/shard_00002.log", "x.py: error: bad\n")
    text = shown(
        capsys,
        (None, {"msg": "Building DAG of jobs..."}),
        (LogEvent.WORKFLOW_STARTED, {}),
        (None, {"msg": "Select jobs to execute..."}),
        (LogEvent.RUN_INFO, {"stats": {"count_pretokens": 2, "total": 2}}),
        (LogEvent.JOB_INFO, fields(1)),
        (LogEvent.JOB_INFO, fields(2)),
        (LogEvent.JOB_FINISHED, {"job_id": 1}),
        (LogEvent.JOB_ERROR, {"jobid": 2, "rule_msg": None}),
        (None, {"msg": "a warning", "level": logging.WARNING}),
    )
    first, second, third, fourth = text.splitlines()
    assert first == "2 jobs"
    assert second.startswith("1/2  count_pretokens  d shard_00001")
    assert second.endswith("s  9 documents")
    assert third.endswith("s  FAILED: bad")
    assert fourth == "a warning"


@pytest.mark.usefixtures("_fresh")
@pytest.mark.parametrize("where", [' in file "/x/rules/common.smk", line 37', ""])
def test_a_refusal_is_its_message_alone(capsys: pytest.CaptureFixture[str], where: str) -> None:
    said = f'WorkflowError{where}:\nconfig.yaml: a mistake\n  File "/x", line 37, in <module>\n  File "/x.py", line 1, in refuse'
    assert (
        shown(capsys, (LogEvent.ERROR, {"msg": said, "level": logging.ERROR})) == "config.yaml: a mistake\n"
    )
