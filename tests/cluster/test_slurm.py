"""The profile against a real SLURM: failures, GPUs, nodes, many shards, a killed Snakemake."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from cluster.cluster import Cluster
from cluster.flow import PROFILE, REPOSITORY, Flow, sbatch_calls
from nanosnake.cluster import records, summarize, wait
from workflow.project import Project

HERE = Path(__file__).parent

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def unlucky(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Flow:
    """Run all misfortunes at once: each takes a while to be noticed."""
    flow = Flow(tmp_path_factory.mktemp("unlucky"), (HERE / "failing.smk").read_text())
    process = flow.start("all", "hopeless", "--retries", "1")
    try:
        cluster.cancel(flow.wait_for("cancelled")[0][1])
        cluster.requeue(flow.wait_for("requeued")[0][1])
        _, _, node = flow.wait_for("node_down")[0]
        cluster.set_down(node)
        flow.wait_for("node_down", 2)
        cluster.set_up(node)
        process.wait(900)
    finally:
        process.kill()
    return flow


def test_a_job_that_takes_too_long_goes_on_from_its_checkpoint_with_more_time(unlucky: Flow) -> None:
    (first, _), (second, job, checkpoint) = unlucky.journal("time_out")
    assert (first, second, checkpoint) == ("1", "2", "500"), job
    assert unlucky.text("made/time_out") == "from 500\n"
    assert "SLURM status is: 'TIMEOUT'" in unlucky.printed


def test_a_job_that_needs_more_memory_gets_it(unlucky: Flow) -> None:
    assert unlucky.journal("out_of_memory") == [["1", "700"], ["2", "1400"]]
    assert unlucky.text("made/out_of_memory") == "1400\n"


def test_a_cancelled_job_is_handed_in_again(unlucky: Flow) -> None:
    (first, job), (second, other) = unlucky.journal("cancelled")
    assert (first, second) == ("1", "2")
    assert job != other
    assert unlucky.text("made/cancelled") == "whole\n"


@pytest.mark.parametrize("ending", ["requeued", "node_down"])
def test_what_slurm_starts_again_snakemake_does_not(unlucky: Flow, ending: str) -> None:
    first, second = unlucky.journal(ending)
    assert first[:2] == second[:2], "one attempt, one job id, started twice"
    assert unlucky.text(f"made/{ending}") == "whole\n"


def test_a_job_moves_away_from_a_lost_node(unlucky: Flow) -> None:
    assert unlucky.journal("node_down")[0][2] != unlucky.journal("node_down")[1][2]


def test_the_last_failure_names_rule_job_and_logs(unlucky: Flow) -> None:
    *_, message = unlucky.printed.split("Error in rule hopeless:\n    message: SLURM-job ")
    assert "SLURM status is: 'FAILED'" in message
    assert "logs/hopeless.log" in message
    assert "logs/slurm/rule_hopeless" in message
    assert "no such column: text" in message, "the rule's log is shown"
    assert not (unlucky.folder / "made/hopeless").exists()


def test_the_whole_workflow_runs_through_the_profile(cluster: Cluster, tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.patience = 800
    printed = project.make(*PROFILE)
    assert project.path("gate.json").exists()
    assert sbatch_calls(printed) == 4, "shards, counts, merge, merges: one job each"
    on_the_cluster = sorted(re.findall(r"logs/slurm/(\w+)/", printed))
    assert set(on_the_cluster) == {
        "group_shards_link_shard",
        "group_counts_count_pretokens",
        "rule_merge_counts",
        "rule_train_tokenizer",
    }
    summary = [line.split() for line in summarize(tmp_path).splitlines()]
    assert [row[:3] for row in summary] == [
        ["rule", "jobs", "failed"],
        ["counts_count_pretokens", "1", "0"],
        ["merge_counts", "1", "0"],
        ["shards_link_shard", "1", "0"],
        ["train_tokenizer", "1", "0"],
    ]
    assert project.plan(*PROFILE) == {}


@pytest.fixture(scope="module")
def launched(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Flow:
    """Run a probe through torchrun on one node and on two, at the same time."""
    flow = Flow(tmp_path_factory.mktemp("launched"), (HERE / "gpu.smk").read_text())
    for script in (HERE / "probe.py", REPOSITORY / "scripts/launch.py"):
        shutil.copy(script, flow.folder)
    flow.make("--retries", "0")
    return flow


def test_one_launcher_runs_and_sees_all_gpus_of_the_node(launched: Flow) -> None:
    lines = launched.journal("one_node")
    assert len(lines) == 2
    ((node, size, gpus, _),) = set(map(tuple, lines))  # one launcher, and both processes see the same GPUs
    assert (node, size, gpus.count(",") + 1) == ("0", "2", 2)
    assert launched.text("made/one_node") == "2 1\n"


def test_two_nodes_run_a_launcher_each_and_meet(launched: Flow) -> None:
    lines = launched.journal("two_nodes")
    assert sorted(node for node, *_ in lines) == ["0", "0", "1", "1"]
    assert {size for _, size, *_ in lines} == {"2"}
    assert all(gpus.count(",") == 1 for _, _, gpus, _ in lines)
    assert len({(node, launcher) for node, _, _, launcher in lines}) == 2
    assert launched.text("made/two_nodes") == "4 6\n"


def test_200_shards_are_four_jobs_and_a_new_one_leaves_its_neighbours_alone(
    cluster: Cluster, tmp_path: Path
) -> None:
    flow = Flow(tmp_path, (HERE / "pieces.smk").read_text())
    batches = ["--groups", "count=counts", "--group-components", "counts=64", "--cores", "2"]
    assert sbatch_calls(flow.make(*batches, "--config", "pieces=200")) == 4
    assert flow.text("fetched") == "here\n"
    lines = flow.journal("count")
    assert sorted(int(piece) for piece, _ in lines) == list(range(200))
    assert sorted(Counter(job for _, job in lines).values()) == [8, 64, 64, 64]
    cpu = sum(record.cpu for record in records(tmp_path))
    assert cpu / 200 < 0.5, "CPU seconds of overhead for each shard"

    assert sbatch_calls(flow.make(*batches, "--config", "pieces=201")) == 1
    assert [piece for piece, _ in flow.journal("count")[200:]] == ["200"]


def test_after_sigkill_no_job_is_made_twice(cluster: Cluster, tmp_path: Path) -> None:
    flow = Flow(tmp_path, (HERE / "waiting.smk").read_text())
    process = flow.start()
    ids = {job for _, job in flow.wait_for("work", 2)}
    process.kill()
    process.wait()

    flow.run("--unlock")
    assert flow.run() == 1
    assert "2 jobs of an earlier run still wait or run" in flow.printed
    assert all(f"{job} work" in flow.printed for job in ids), flow.printed
    assert "cluster_jobs.py wait" in flow.printed

    (tmp_path / "release").touch()
    wait(tmp_path, every=0.5)
    assert "Nothing to be done" in flow.make()
    assert {job for _, job in flow.journal("work")} == ids
    assert len(flow.journal("work")) == 2
