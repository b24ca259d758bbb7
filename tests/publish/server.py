"""A real S3 server on this machine: SeaweedFS, started with free ports in a folder of its own, stopped by its pid."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import requests
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

PLANTED = "planted-secret"
"""A part of every secret, so that a test can look for it everywhere."""

KEYS = {
    name: (f"key-of-{name}", f"{PLANTED}-of-{name}-{secrets.token_hex(8)}") for name in ("writer", "reader")
}
RIGHTS = {"writer": ["Admin", "Read", "Write", "List", "Tagging"], "reader": ["Read", "List"]}
PATIENCE = 60
"""Seconds in which the server has to be ready."""


class Server:
    """One server; it can be killed and started again on the same folder and ports."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.options = folder, options
        self.base = free_ports()
        self.url = f"http://127.0.0.1:{self.base + 3}"
        self.process: subprocess.Popen[bytes] | None = None
        (folder / "data").mkdir(parents=True)
        identities = [
            {"name": name, "credentials": [{"accessKey": key, "secretKey": secret}], "actions": RIGHTS[name]}
            for name, (key, secret) in KEYS.items()
        ]
        (folder / "s3.json").write_text(json.dumps({"identities": identities}))

    def start(self) -> Server:
        """Start it and wait until it answers."""
        ports = ("master", "volume", "filer", "s3", "admin")
        command = [
            *(str(Path(sys.executable).parent / "weed"), "mini", f"-dir={self.folder / 'data'}"),
            *("-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false", "-admin.ui=false"),
            *(
                "-webdav=false",
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
                f"-s3.config={self.folder / 's3.json'}",
            ),
            *(f"-{name}.port={self.base + number}" for number, name in enumerate(ports)),
            *self.options,
        ]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)
        deadline = time.monotonic() + PATIENCE
        while not self._ready():
            if time.monotonic() > deadline or self.process.poll() is not None:
                self.stop()
                raise RuntimeError(f"the S3 server does not answer; see {self.folder / 'log'}")
            time.sleep(0.2)
        return self

    def start_again(self, bucket: str, key: str) -> None:
        """Start it after a kill, and wait until it has found its files again: until it reads this one."""
        self.start()
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self.client().get_object(Bucket=bucket, Key=key)["Body"].read()
                return
            except (BotoCoreError, ClientError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def kill(self) -> None:
        """Kill it, as a power failure would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Stop it in good order."""
        self._end(signal.SIGTERM)

    def client(self, name: str = "writer") -> S3Client:
        """Return a client of the tests' own."""
        key, secret = KEYS[name]
        client: S3Client = boto3.session.Session(key, secret).client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
        )
        return client

    def environment(self, name: str = "writer") -> dict[str, str]:
        """Return the variables that hold an identity's credentials, and keep others away."""
        key, secret = KEYS[name]
        return {**NO_CREDENTIALS, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}

    def options_of_endpoint(self) -> list[str]:
        """Return the options of our scripts."""
        return ["--endpoint-url", self.url, "--region", "us-east-1", "--path-style"]

    def _ready(self) -> bool:
        try:
            return requests.get(self.url, timeout=2).status_code == 403
        except requests.RequestException:
            return False

    def _end(self, number: signal.Signals) -> None:
        if self.process is None:
            return
        self.process.send_signal(number)
        try:
            self.process.wait(timeout=8)
        except subprocess.TimeoutExpired:
            self.process.kill()  # it waits for connections that clients keep open
            self.process.wait(timeout=20)
        self.process = None


NO_CREDENTIALS = {
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_MAX_ATTEMPTS": "2",
}


def free_ports() -> int:
    """Return the first of five ports in a row that are free, each with the one 10,000 above it (for gRPC)."""
    for base in range(20_000 + os.getpid() % 500 * 10, 40_000, 10):
        try:
            for port in (*range(base, base + 5), *range(base + 10_000, base + 10_005)):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return base
    raise RuntimeError("no free ports")
