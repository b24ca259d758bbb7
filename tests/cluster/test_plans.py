"""What can be said of the cluster's profiles without a cluster."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from pathlib import Path

import pytest
import yaml

import launch
from nanosnake.slurm.jobs import Unfinished
from nanosnake.slurm.progress import changes
from nanosnake.slurm.summary import Record, aligned, megabytes, parse, seconds, table
from workflow.project import Project

REPOSITORY = Path(__file__).parents[2]
RUN = "nanosnake_220e8951-8456-4b68-b2b0-8eb07d22170a"


def test_the_recipe_for_other_schedulers_makes_the_same_plan(tmp_path: Path) -> None:
    project = Project(tmp_path)
    plan = project.plan()
    assert plan["count_pretokens"] == 2
    assert project.plan("--profile", "profiles/generic") == plan


def test_both_recipes_put_the_same_rules_in_batches() -> None:
    slurm, generic = (
        yaml.safe_load((REPOSITORY / f"profiles/{name}/profile.yaml").read_text())
        for name in ("slurm", "generic")
    )
    assert slurm["groups"] == generic["groups"]
    assert slurm["group-components"] == generic["group-components"]


def test_one_process_needs_no_torchrun() -> None:
    assert launch.launch_command(1, 1, ["train.py", "--depth", "4"])[1:] == ["train.py", "--depth", "4"]


def test_a_job_has_a_process(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        launch.main(["--processes", "0", "train.py"])
    assert "--nodes is 1 and --processes 0; use 1 or more" in capsys.readouterr().err


def test_one_node_needs_no_srun() -> None:
    command = launch.launch_command(1, 4, ["train.py", "--depth", "4"])
    assert command[1:] == [
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node=4",
        "train.py",
        "--depth",
        "4",
    ]


def test_several_nodes_get_one_launcher_each() -> None:
    command = launch.launch_command(2, 4, ["train.py"])
    assert command[:4] == ["srun", "--nodes=2", "--ntasks=2", "--ntasks-per-node=1"]
    assert command[-4:] == ["torchrun", "2", "4", "train.py"]


@pytest.mark.parametrize(
    ("text", "value"),
    [("00:03.125", 3.125), ("01:02:03", 3723), ("2-00:00:01", 172801), ("00:00:00", 0)],
)
def test_times_as_accounting_writes_them(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize(("text", "value"), [("1024K", 1), ("600M", 600), ("2G", 2048), ("", 0)])
def test_sizes_as_accounting_writes_them(text: str, value: float) -> None:
    assert megabytes(text) == value


def test_accounting_lines_become_a_table_by_rule(tmp_path: Path) -> None:
    times = "2026-11-22T10:00:00|2026-11-22T10:00:30|00:01:40"
    here = f"{times}|2|01:40.000|600M||{tmp_path}"
    elsewhere = f"{times}|2|01:40.000|600M||/elsewhere"
    lines = [
        f"1|{RUN}|rule_counts_count_pretokens|COMPLETED|{here}",
        f"1.batch|batch||COMPLETED|{times}|2|01:40.000||300M|",
        f"2|{RUN}|rule_counts_count_pretokens|CANCELLED by 0|{here}",
        f"3|{RUN}|rule_counts_count_pretokens|COMPLETED|{elsewhere}",
        f"4|interactive||COMPLETED|{here}",
    ]
    records = parse(lines, tmp_path)
    assert records[0] == Record(
        run=RUN,
        rule="counts_count_pretokens",
        state="COMPLETED",
        submitted=datetime(2026, 11, 22, 10),
        queued=30,
        ran=100,
        cpus=2,
        cpu=100,
        requested_mb=600,
        peak_mb=300,
    )
    assert table(records)[1:] == [("counts_count_pretokens", "2", "1", "0:00:30", "0:01:40", "50%", "50%")]


def test_each_change_of_a_job_is_one_line() -> None:
    waiting, running = (
        Unfinished("9", "PENDING", "train_model d12"),
        Unfinished("10", "RUNNING", "counts", "c1"),
    )
    assert changes([], [waiting, running]) == ["9 train_model d12: pending", "10 counts: running on c1"]
    assert changes([waiting, running], [waiting, running]) == []
    sent_back = dataclasses.replace(running, state="PENDING", nodes="")
    assert changes([waiting, running], [sent_back]) == [
        "9 train_model d12: ended",
        "10 counts: pending again",
    ]


def test_columns_stand_under_their_headers() -> None:
    assert aligned([("rule", "jobs"), ("a", "12")]) == "rule  jobs\na       12"
