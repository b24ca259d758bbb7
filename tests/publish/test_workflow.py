"""Publishing as jobs of the workflow: what is planned, what is sent, and what stops a run before its first job."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import fetch_published
from nanosnake.provenance.verify import verify
from nanosnake.stages import call
from publish.server import KEYS, NO_CREDENTIALS, PLANTED, Server
from publish.test_publish import objects
from workflow.project import TINY_MODEL, Project, write_shard

SENT = re.compile(r"^sent: (\S+)|^(\S+): \d+ files, sent$", re.MULTILINE)


@pytest.fixture(scope="module")
def behind_the_gate(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose default target was made, without publishing; tests copy it."""
    project = Project(tmp_path_factory.mktemp("behind_the_gate"))
    project.make()
    return project


@pytest.fixture
def project(behind_the_gate: Project, tmp_path: Path, writer: Server, bucket: str) -> Project:
    """A copy that publishes to a bucket of its own."""
    shutil.copytree(behind_the_gate.folder, tmp_path / "project", symlinks=True)
    project = Project.__new__(Project)
    project.folder = tmp_path / "project"
    project.config = copy.deepcopy(behind_the_gate.config) | {"publish": section(writer, bucket)}
    return project


def section(server: Server, bucket: str, **more: object) -> dict[str, object]:
    """Return the section of a configuration that publishes to a bucket."""
    place = {"destination": f"s3://{bucket}/some/prefix", "endpoint_url": server.url}
    return {**place, "region": "us-east-1", "path_style": True, **more}


def keys_sent(printed: str, bucket: str) -> set[str]:
    """Return the keys that a run says it has sent."""
    found = {first or second for first, second in SENT.findall(printed)}
    return {url.removeprefix(f"s3://{bucket}/some/prefix/tiny/") for url in found}


def logs_of(project: Project) -> str:
    """Return the logs of the jobs that published."""
    return "\n".join(path.read_text() for path in (project.folder / "logs").rglob("published/**/*.log"))


def test_a_section_in_the_configuration_trains_nothing_again(project: Project) -> None:
    jobs = {"publish_files": 2, "publish_manifest": 1}
    assert project.plan() == jobs
    assert project.plan("--", "publish") == jobs


def test_everything_is_sent_once_and_a_change_sends_just_what_changed(
    project: Project, writer: Server, bucket: str
) -> None:
    project.make()
    first = objects(writer, bucket)
    names = {key.removeprefix("some/prefix/tiny/") for key in first}
    assert {
        "bpe/manifest.json",
        "bpe/tokenizer/tokenizer.json",
        "bpe/report/index.html",
        "shards.csv",
    } <= names
    assert names == {*keys_sent(logs_of(project), bucket)}
    latest = max(first.values(), key=lambda one: one[1])[1]
    assert first["some/prefix/tiny/bpe/manifest.json"][1] == latest
    assert project.plan() == {}
    project.make("--forcerun", "publish_files", "publish_manifest")
    assert keys_sent(logs_of(project), bucket) == set()
    assert objects(writer, bucket) == first

    text = project.folder / "resources/texts/korean.txt"
    text.write_text(text.read_text() + "끝.\n")
    project.make()
    second = objects(writer, bucket)
    changed = {key.removeprefix("some/prefix/tiny/") for key in second if second[key] != first.get(key)}
    assert changed == keys_sent(logs_of(project), bucket)
    assert {"bpe/manifest.json", "bpe/report/index.html"} <= changed
    assert not any(name.startswith("bpe/tokenizer/") or name == "shards.csv" for name in changed)


def test_shards_and_token_shards_are_published_fetched_and_verified(
    project: Project, writer: Server, bucket: str, tmp_path: Path
) -> None:
    project.config["publish"]["include"] = ["shards", "token_shards"]
    project.make()
    place = f"s3://{bucket}/some/prefix/tiny/bpe"
    to = tmp_path / "node/results"
    assert call(fetch_published.FetchPublished, [place, "--to", str(to), *writer.options_of_endpoint()]) == 0
    for name in ("shards/a.parquet", "bpe/tokens/train/b.ds", "bpe/tokens/validation/held_out.ds.index"):
        assert (to / "tiny" / name).read_bytes() == (project.folder / "results/tiny" / name).read_bytes()
    for name in ("manifest.json", "tokens/manifest.json"):
        assert verify(to / "tiny/bpe" / name, inputs=False).problems == ()
    manifest = json.loads((to / "tiny/bpe/manifest.json").read_text())
    own = json.loads(project.path("manifest.json").read_text())
    assert {one["path"] for one in own["files"]} <= {one["path"] for one in manifest["files"]}

    write_shard(project.folder / "data/c.parquet", seed=9)
    project.config["datasets"]["tiny"]["train"] = ["a", "b", "c"]
    # tokenizer, report and manifest of the token shards; four shards, as shards and as token shards: the gate opened again
    assert project.plan("--", "publish")["publish_files"] == 3 + 4 + 4


def test_a_model_is_published_by_itself_and_no_manifest_waits_for_it(
    project: Project, writer: Server, bucket: str, tmp_path: Path
) -> None:
    project.config["models"] = {
        "d1": {**TINY_MODEL, "exports": ["transformers"], "keep": [2], "tasks": "resources/tasks"}
    }
    project.config["publish"]["include"] = ["models", "token_shards"]
    plan = project.plan()
    # tokenizer, report, token shards and their manifest; the model and its report
    assert (plan["publish_files"], plan["train_model"]) == (2 + 3 + 1 + 2, 1)
    before_training = project.plan("--", "results/tiny/bpe/published/manifest.json")
    assert before_training["publish_files"] == 2 + 3 + 1
    assert "train_model" not in before_training
    project.make("--", "publish")
    place, to = f"s3://{bucket}/some/prefix/tiny/bpe/d1", tmp_path / "node/results"
    assert call(fetch_published.FetchPublished, [place, "--to", str(to), *writer.options_of_endpoint()]) == 0
    assert verify(to / "tiny/bpe/d1/manifest.json", inputs=False).problems == ()
    weights = "tiny/bpe/d1/export/transformers/model.safetensors"
    assert (to / weights).read_bytes() == (project.folder / "results" / weights).read_bytes()
    names = {"report/index.html", "contamination.json", "steps/2/model.safetensors"}
    assert {f"some/prefix/tiny/bpe/d1/{name}" for name in names} <= objects(writer, bucket).keys()

    # a model on another data set waits for the gate of its tokenizer, and there is no tokenizer of that data set
    project.config["datasets"]["twin"] = {**project.config["datasets"]["tiny"], "train": "a"}
    project.config["models"]["child"] = {"from": "d1", "dataset": "twin", "options": TINY_MODEL["options"]}
    child = "results/twin/bpe/published/models/child.json"
    plan = project.plan("--", child)
    assert (plan["publish_files"], plan["train_model"]) == (1, 1)
    assert "train_tokenizer" not in plan


def test_a_closed_gate_publishes_nothing(project: Project, writer: Server, bucket: str) -> None:
    project.config["checks"] = {"compression": {"mode": "block", "min_bytes_per_token": 50.0}}
    ended = project.snakemake()
    assert ended.returncode != 0
    assert "the gate stays closed" in ended.stdout + ended.stderr
    assert objects(writer, bucket) == {}


@pytest.fixture
def untrained(tmp_path: Path) -> Project:
    """A project in which nothing was made yet."""
    (tmp_path / "untrained").mkdir()
    return Project(tmp_path / "untrained")


def credentials(server: Server, name: str, **changes: str) -> dict[str, str]:
    """Return the variables of an identity, some of them changed."""
    return {**server.environment(name), **changes}


@pytest.mark.parametrize(
    ("name", "changes", "section_of", "message"),
    [
        (None, {}, {}, "no credentials were found; set AWS_ACCESS_KEY_ID"),
        ("writer", {"AWS_SECRET_ACCESS_KEY": f"{PLANTED}-but-wrong"}, {}, "refuses the credentials"),
        ("writer", {"AWS_ACCESS_KEY_ID": "nobody"}, {}, "refuses the credentials"),
        ("writer", {}, {"destination": "s3://no-such-bucket/p"}, "has no bucket 'no-such-bucket'"),
        ("reader", {}, {}, "no right to write here (AccessDenied"),
        ("writer", {}, {"endpoint_url": "http://127.0.0.1:9"}, "no connection to 127.0.0.1:9: refused"),
    ],
    ids=["no credentials", "wrong secret", "wrong key", "no bucket", "no right", "no server"],
)
def test_what_can_be_known_is_known_before_the_first_job(
    untrained: Project,
    server: Server,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
    name: str | None,
    changes: dict[str, str],
    section_of: dict[str, object],
    message: str,
) -> None:
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(key, raising=False)
    for key, value in (credentials(server, name, **changes) if name else NO_CREDENTIALS).items():
        monkeypatch.setenv(key, value)
    untrained.config["publish"] = section(server, bucket, **section_of)
    ended = untrained.snakemake()
    printed = ended.stdout + ended.stderr
    assert ended.returncode == 1
    assert f"{section_of.get('destination', f's3://{bucket}/some/prefix')}: " in printed
    assert message in printed
    assert printed.count("publishing cannot work, so nothing was run") == 1
    assert "Traceback" not in printed
    assert PLANTED not in printed
    assert not (untrained.folder / "results").exists()


def test_without_a_publishing_job_nobody_is_asked(untrained: Project, server: Server, bucket: str) -> None:
    untrained.config["publish"] = section(server, bucket, endpoint_url="http://127.0.0.1:9")
    untrained.make("--", "shards")


def test_the_target_says_that_nothing_says_where(untrained: Project) -> None:
    ended = untrained.snakemake("--dry-run", "--", "publish")
    assert ended.returncode != 0
    assert "the configuration has no `publish` section" in ended.stdout + ended.stderr


def secrets_in(folder: Path) -> list[Path]:
    """Return the files that hold a secret."""
    wanted = PLANTED.encode()
    return [path for path in folder.rglob("*") if path.is_file() and wanted in path.read_bytes()]


def command_lines() -> Iterator[bytes]:
    """Yield the command lines of all processes."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes()
        except OSError:  # it has ended
            continue


def test_secrets_stand_nowhere(project: Project, server: Server, bucket: str) -> None:
    """Not in logs, results, Snakemake's own notes, objects or their metadata, nor in a process list."""
    (project.folder / "test.yaml").write_text(json.dumps(project.config))
    command = [sys.executable, "-m", "snakemake", "--configfile", "test.yaml", "--cores", "2", "--verbose"]
    with (project.folder / "printed").open("wb") as printed:
        process = subprocess.Popen(command, cwd=project.folder, stdout=printed, stderr=printed)
        seen = 0
        while process.poll() is None:
            lines = list(command_lines())
            seen += any(b"publish_files.py" in line for line in lines)
            assert not any(PLANTED.encode() in line for line in lines)
            time.sleep(0.05)
    assert process.returncode == 0, (project.folder / "printed").read_text()[-2000:]
    assert seen
    assert secrets_in(project.folder) == []
    client = server.client()
    for key in objects(server, bucket):
        answer = client.get_object(Bucket=bucket, Key=key)
        assert PLANTED.encode() not in answer["Body"].read()
        assert set(answer["Metadata"]) == {"sha256", "run-id"}
    assert KEYS["writer"][1] == os.environ["AWS_SECRET_ACCESS_KEY"]  # it was there to be found
