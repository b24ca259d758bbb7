"""The workflow with all that it can talk to: shards on an HTTP server, a model, and copies sent to a real S3 server."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from download.stand_in import Origin, Storage, drip
from publish.server import PLANTED, Server
from workflow.project import TINY_MODEL, Project, write_shard

TEMPLATE = "/datasets/ns/name/resolve/{revision}/shard_{shard:05d}.parquet"
BUCKET = "kept"
SHARDS = 3

TRAINING = {**TINY_MODEL["options"], "steps": 8, "checkpoint_every": 1}  # type: ignore[dict-item]


class Site:
    """Servers, and projects that use them: one after the other, for all have the same bucket."""

    def __init__(self, folder: Path, server: Server, origin: Origin, *, small: bool) -> None:
        self.folder, self.server, self.origin, self.small = folder, server, origin, small
        self.ranks = 1 if small else 2
        """Processes that train the model; of several, torchrun is the launcher."""
        self.client = server.client()
        self.client.create_bucket(Bucket=BUCKET)
        self.pace = drip(32_768, 0.05)
        """How downloads are sent, so that they last long enough to be killed."""
        for number in range(SHARDS):
            file = folder / f"shard_{number:05d}.parquet"
            write_shard(file, seed=number, documents=2000)
            origin.content[TEMPLATE.format(revision="main", shard=number)] = file.read_bytes()

    def project(self, name: str) -> Project:
        """Return a project in which nothing was made, and empty the bucket."""
        for key in self.objects():
            self.client.delete_object(Bucket=BUCKET, Key=key)
        self.origin.faults.clear()
        self.origin.faults.extend([self.pace] * 100)
        (self.folder / name).mkdir()
        project = Project(self.folder / name)
        project.config = self.config(project.config)
        return project

    def config(self, plain: dict[str, Any]) -> dict[str, Any]:
        """Return a configuration that downloads, trains and publishes."""
        kept = ["models"] if self.small else ["shards", "token_shards", "models"]
        off = ["agreement", "reachability", "token_lengths", "vocabulary_use"] if self.small else []
        source = {"kind": "url", "url": self.origin.address + TEMPLATE, "shards": SHARDS}
        return {
            **plain,
            "datasets": {"tiny": {"source": source, "train": "0-1", "validation": 2}},
            "models": {"d1": {**TINY_MODEL, "options": TRAINING}},
            "publish": {
                **{"destination": f"s3://{BUCKET}/some/prefix", "endpoint_url": self.server.url},
                **{"region": "us-east-1", "path_style": True},
                "include": kept,
            },
            "checks": {name: {"mode": "off"} for name in off},
        }

    def start(self, project: Project) -> subprocess.Popen[bytes]:
        """Start the ordinary command; what it prints is added to the file `printed`."""
        (project.folder / "test.yaml").write_text(yaml.safe_dump(project.config))
        command = [sys.executable, "-m", "snakemake", "--configfile", "test.yaml", "--cores", "2"]
        if self.ranks > 1:
            command += ["--set-resources", f"train_model:processes={self.ranks}"]
        token = {"HF_TOKEN": f"{PLANTED}-token", "HF_ENDPOINT": self.origin.address}
        environment = {**os.environ, **self.server.environment("writer"), **token}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        with (project.folder / "printed").open("ab") as printed:
            return subprocess.Popen(
                command, cwd=project.folder, env=environment, stdout=printed, stderr=printed
            )

    def objects(self) -> dict[str, bytes]:
        """Return what stands in the bucket."""
        listed = self.client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return {
            one["Key"]: self.client.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read() for one in listed
        }

    def unfinished_uploads(self) -> list[str]:
        """Return the keys of uploads that were begun and neither ended nor taken back."""
        return [one["Key"] for one in self.client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])]


@contextlib.contextmanager
def site(folder: Path, *, small: bool = False) -> Iterator[Site]:
    """Start the servers in a folder, and stop them; `small` leaves out jobs of which there are others like them."""
    storage = Storage()
    origin = Origin(storage)
    server = Server(folder / "s3")
    with contextlib.ExitStack() as stack:
        stack.callback(server.stop)
        server.start()
        stack.enter_context(storage.running())
        stack.enter_context(origin.running())
        origin.direct = True
        yield Site(folder, server, origin, small=small)
