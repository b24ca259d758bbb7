"""The profile against a real SLURM: failures, GPUs, nodes, many shards, a killed Snakemake."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from cluster.cluster import Cluster, poll
from cluster.flow import PROFILE, REPOSITORY, Flow, sbatch_calls
from nanosnake.slurm import records
from workflow.project import TINY_MODEL, Project
from workflow.test_recomputation import OF_CORPUS

HERE = Path(__file__).parent

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def unlucky(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Flow:
    """Run all misfortunes at once: each takes a while to be noticed."""
    flow = Flow(tmp_path_factory.mktemp("unlucky"), (HERE / "failing.smk").read_text())
    process = flow.start("all", "hopeless", "--retries", "1")
    try:
        flow.wait_for("preempted")
        cluster.preempt()
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


def test_a_preempted_job_goes_on_from_its_checkpoint_under_the_same_id(
    cluster: Cluster, unlucky: Flow
) -> None:
    (first, job), (second, same, checkpoint) = unlucky.journal("preempted")
    assert (first, second, same, checkpoint) == ("1", "1", job, "700")
    assert unlucky.text("made/preempted") == "from 700\n"
    assert cluster.history(job) == ["PREEMPTED", "COMPLETED"]


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
    project.config["models"] = {"d1": TINY_MODEL}
    profile = tmp_path / "profiles/slurm/profile.yaml"
    text = profile.read_text()
    assert 'train_model:gres="gpu:1"' in text
    two = text.replace('train_model:gres="gpu:1"', 'train_model:gres="gpu:h200:2"')
    profile.write_text(two.replace("train_model:processes=1", "train_model:processes=2"))

    printed = project.make(*PROFILE)
    assert project.path("gate.json").exists()
    assert 0 < json.loads(project.path("d1/evaluation.json").read_text())["bits_per_byte"] < 10
    assert json.loads(project.path("d1/training.json").read_text())["ranks"] == 2
    rules = ["check_corpus", "counts_count_pretokens", "evaluate_model", "merge_counts", "shards_link_shard"]
    rules += ["tokens_tokenize_shard", "train_model", "train_tokenizer"]
    jobs = dict.fromkeys(rules, 1) | {"check_corpus": OF_CORPUS}
    logs = re.findall(r"logs/slurm/(?:group|rule)_(\w+)/", printed)
    assert sorted(set(logs)) == rules
    assert sbatch_calls(printed) == sum(jobs.values()), (
        "each stage is one job, but for the checks of the corpus"
    )

    assert re.search(r"^\d+ train_model .*: running on g\d$", printed, re.MULTILINE), printed

    *_, table = printed.split("jobs on the cluster, median times:\n")
    header, *rows = [line.split() for line in table.splitlines()]
    assert header[:3] == ["rule", "jobs", "failed"]
    assert [row[:3] for row in rows[: len(rules)]] == [[rule, str(jobs[rule]), "0"] for rule in rules]
    assert all(row[-1] not in ("-", "0%") for row in rows[: len(rules)]), "each has used some memory"
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
    assert {record.cpus for record in records(tmp_path)} == {1}, "one shard at a time, on one CPU"
    cpu = sum(record.cpu for record in records(tmp_path))
    assert cpu / 200 < 0.5, "CPU seconds of overhead for each shard"

    assert sbatch_calls(flow.make(*batches, "--config", "pieces=201")) == 1
    assert [piece for piece, _ in flow.journal("count")[200:]] == ["200"]


def test_the_recipe_for_another_scheduler_runs_with_the_command_that_hands_jobs_in(
    cluster: Cluster, tmp_path: Path
) -> None:
    flow = Flow(tmp_path, (HERE / "pieces.smk").read_text())
    recipe = tmp_path / "profiles/generic/profile.yaml"
    settings = yaml.safe_load(recipe.read_text())
    settings["cluster-generic-submit-cmd"] = (
        "sbatch --parsable --output=logs/%j.log --cpus-per-task={threads} --mem={resources.mem_mb}"
        " --time={resources.runtime}"
    )
    settings["cluster-generic-cancel-cmd"] = "scancel"
    recipe.write_text(yaml.safe_dump(settings))
    (tmp_path / "logs").mkdir()
    batches = ["--groups", "count=counts", "--group-components", "counts=64", "--config", "pieces=5"]
    printed = flow.make("--profile", "profiles/generic", *batches)
    assert printed.count("with external jobid") == 1, printed
    assert len({job for _, job in flow.journal("count")}) == 1
    assert sorted(int(piece) for piece, _ in flow.journal("count")) == list(range(5))


def test_after_sigkill_the_same_command_goes_on_and_makes_no_job_twice(
    cluster: Cluster, tmp_path: Path
) -> None:
    flow = Flow(tmp_path, (HERE / "waiting.smk").read_text())
    command = ["--groups", "batched=batch", "--group-components", "batch=64"]
    process = flow.start(*command)
    flow.wait_for("work", 2)
    ids = cluster.jobs()
    process.kill()
    process.wait()

    again = flow.start(*command)
    try:
        poll("it waits", 60, lambda: "2 jobs left: " in flow.printed)
        assert "2 jobs of an earlier run" in flow.printed
        assert all(job in flow.printed for job in ids), flow.printed
        (tmp_path / "release").touch()
        assert again.wait(120) == 0, flow.printed
    finally:
        again.kill()
    assert "Nothing to be done" in flow.printed
    assert sorted(name for name, _ in flow.journal("work")) == ["a", "alone", "b"]
    assert {job for _, job in flow.journal("work")} == set(ids)


def test_results_may_appear_late_and_with_the_time_of_another_clock(cluster: Cluster, tmp_path: Path) -> None:
    flow = Flow(tmp_path / "flow", (HERE / "late.smk").read_text())
    made, far = flow.folder / "made", tmp_path / "far"
    made.mkdir()
    far.mkdir()
    missed = re.compile(r"Waiting at most 30 seconds for missing files")
    with (
        cluster.a_view_of_its_own(made, far),
        late_copies(far, made, when=lambda: len(missed.findall(flow.printed))),
    ):
        printed = flow.make("--retries", "0")
    assert len(missed.findall(printed)) == 2, printed
    assert [len(flow.journal(name)) for name in ("first", "last")] == [1, 1]
    assert (made / "last").read_text() == "first\n"
    assert "Nothing to be done" in flow.make("--dry-run")


@contextlib.contextmanager
def late_copies(source: Path, target: Path, *, when: Callable[[], int]) -> Iterator[None]:
    """Copy one file more each time one was missed, with the time of a host whose clock is an hour slow."""
    stop = threading.Event()

    def copy() -> None:
        copied = 0
        while not stop.wait(0.2):
            late = sorted(
                {file.name for file in source.glob("[!.]*")} - {file.name for file in target.iterdir()}
            )
            if late and when() > copied:
                copied += 1
                hour_ago = time.time() - 3600
                part = target / f".{late[0]}"
                shutil.copy(source / late[0], part)
                os.utime(part, (hour_ago, hour_ago))
                part.rename(target / late[0])

    thread = threading.Thread(target=copy)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_what_slurm_would_refuse_is_said_before_the_first_job(cluster: Cluster, tmp_path: Path) -> None:
    project = Project(tmp_path)
    profile = tmp_path / "profiles/slurm/profile.yaml"
    profile.write_text(
        profile.read_text().replace(
            "train_tokenizer:slurm_partition=cpu", "train_tokenizer:slurm_partition=no"
        )
    )
    ended = project.snakemake(*PROFILE)
    assert ended.returncode != 0
    printed = ended.stdout + ended.stderr
    said = printed.partition("SLURM refuses what this run would ask for, so nothing was submitted:\n\n")[2]
    first, words, key = said.splitlines()[:3]
    assert first.startswith("train_tokenizer asks for threads=2, slurm_partition=no")
    assert words.startswith("  SLURM says: ")
    assert "partition" in words
    assert key.strip() == "in the profile, change for train_tokenizer: slurm_partition"
    assert not (project.folder / "results/tiny/shards").exists()


def test_a_refusal_at_submission_is_not_repeated_with_more_of_everything(
    cluster: Cluster, tmp_path: Path
) -> None:
    flow = Flow(tmp_path, (HERE / "refused.smk").read_text())
    assert flow.run() != 0
    assert flow.journal("first") != []  # what the second job asks for is known only then
    assert flow.printed.count("SLURM refused second") >= 1, flow.printed
    assert "Trying to restart job" not in flow.printed
    assert "in the profile, change for second: runtime, in minutes" in flow.printed, flow.printed
