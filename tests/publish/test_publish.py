"""Publishing to a real S3 server: what is sent, what is not, and what others see of it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

import check_destination
import publish_files
import publish_manifest
from nanosnake.files import NanosnakeError, sha256_file
from nanosnake.provenance.manifest import seal_of
from nanosnake.publish.destination import Destination, Found
from nanosnake.s3.client import connect
from nanosnake.s3.place import Endpoint, Place
from nanosnake.stages import call
from publish.conftest import RUN, TINY, become, write_big
from publish.server import Server

KEYS = [
    "tiny/bpe/tokenizer/meta.json",
    "tiny/bpe/tokenizer/tokenizer.json",
    "tiny/bpe/tokenizer/tokenizer.tiktoken",
]
Capture = pytest.CaptureFixture[str]


def publish(server: Server, bucket: str, *sources: Path) -> list[dict[str, Any]]:
    """Publish files, by default those of the tokenizer, and return the receipt's list."""
    receipt = TINY / "published/tokenizer.json"
    assert (
        call(
            publish_files.PublishFiles,
            [
                *("--destination", f"s3://{bucket}/prefix", *server.options_of_endpoint()),
                *("--gate", str(TINY / "gate.json"), "--receipt", str(receipt)),
                *map(str, sources or [TINY / "tokenizer"]),
            ],
        )
        == 0
    )
    files = json.loads(receipt.read_text())["files"]
    assert isinstance(files, list)
    return files


def publish_the_manifest(server: Server, bucket: str) -> dict[str, Any]:
    """Publish the manifest and return what stands in the bucket then."""
    options = ["--manifest", str(TINY / "manifest.json"), "--receipts", str(TINY / "published")]
    output = TINY / "published/manifest.json"
    destination = ["--destination", f"s3://{bucket}/prefix", *server.options_of_endpoint()]
    assert (
        call(
            publish_manifest.PublishManifest,
            [*destination, *options, "--output", str(output), "--things", "tokenizer"],
        )
        == 0
    )
    body = server.client().get_object(Bucket=bucket, Key="prefix/tiny/bpe/manifest.json")["Body"].read()
    assert body == output.read_bytes()
    value = json.loads(body)
    assert isinstance(value, dict)
    return value


def objects(server: Server, bucket: str) -> dict[str, tuple[str, str]]:
    """Return ETag and time of all objects."""
    listed = server.client().list_objects_v2(Bucket=bucket).get("Contents", [])
    return {one["Key"]: (one["ETag"], str(one["LastModified"])) for one in listed}


def unfinished(server: Server, bucket: str) -> list[Any]:
    """Return the uploads in parts that nobody has ended."""
    return list(server.client().list_multipart_uploads(Bucket=bucket).get("Uploads", []))


def test_objects_carry_their_checksum_and_the_run(writer: Server, bucket: str, made: Path) -> None:
    files = publish(writer, bucket)
    assert [one["key"] for one in files] == KEYS
    for one in files:
        answer = writer.client().get_object(Bucket=bucket, Key=f"prefix/{one['key']}")
        body = answer["Body"].read()
        assert body == (made / one["path"]).read_bytes()
        assert answer["Metadata"] == {"sha256": hashlib.sha256(body).hexdigest(), "run-id": RUN}
        assert answer["ETag"] == f'"{one["etag"]}"'
        assert (one["sha256"], one["bytes"]) == (answer["Metadata"]["sha256"], len(body))
    assert set(objects(writer, bucket)) == {f"prefix/{key}" for key in KEYS}


def test_what_is_there_is_not_sent_again(writer: Server, bucket: str, made: Path, capsys: Capture) -> None:
    publish(writer, bucket)
    before = objects(writer, bucket)
    capsys.readouterr()
    publish(writer, bucket)
    assert objects(writer, bucket) == before
    assert capsys.readouterr().err.count("already there:") == 3
    (made / TINY / "tokenizer/meta.json").write_text("changed\n")
    publish(writer, bucket)
    said = capsys.readouterr().err
    assert said.count("already there:") == 2
    assert f"sent: s3://{bucket}/prefix/tiny/bpe/tokenizer/meta.json" in said
    after = objects(writer, bucket)
    assert {key for key in after if after[key] != before[key]} == {"prefix/tiny/bpe/tokenizer/meta.json"}


def test_an_object_of_another_program_is_replaced(writer: Server, bucket: str, made: Path) -> None:
    """Without our metadata, nothing says that its content is right."""
    body = (made / TINY / "tokenizer/meta.json").read_bytes()
    key = "prefix/tiny/bpe/tokenizer/meta.json"
    writer.client().put_object(Bucket=bucket, Key=key, Body=body)
    publish(writer, bucket)
    assert writer.client().head_object(Bucket=bucket, Key=key)["Metadata"]["run-id"] == RUN


def test_a_big_file_goes_in_parts(writer: Server, bucket: str, made: Path) -> None:
    big = TINY / "tokenizer/big.bin"
    write_big(big, 110)
    (one,) = publish(writer, bucket, big)
    assert one["etag"].endswith("-7")
    assert one["bytes"] == 110 << 20
    client, key = writer.client(), f"prefix/{one['key']}"
    digest = hashlib.sha256()
    for start in range(0, 110 << 20, 40 << 20):  # ranges
        piece = client.get_object(Bucket=bucket, Key=key, Range=f"bytes={start}-{start + (40 << 20) - 1}")
        assert piece["ResponseMetadata"]["HTTPStatusCode"] == 206
        for chunk in piece["Body"].iter_chunks(1 << 20):
            digest.update(chunk)
    assert digest.hexdigest() == one["sha256"] == sha256_file(big)
    assert unfinished(writer, bucket) == []
    assert publish(writer, bucket, big) == [one]


class Interrupted(Destination):
    """Lets another program write the object after we have looked at it."""

    def __init__(self, server: Server, bucket: str, body: bytes, sha256: str) -> None:
        endpoint = Endpoint(server.url, "us-east-1", True)
        super().__init__(connect(endpoint), endpoint, Place(bucket, "prefix"), RUN)
        self.other, self.body, self.metadata = server.client(), body, {"sha256": sha256}

    def look(self, place: Place) -> Found | None:
        found = super().look(place)
        self.other.put_object(Bucket=place.bucket, Key=place.key, Body=self.body, Metadata=self.metadata)
        return found


@pytest.mark.parametrize("megabytes", [1, 20])
@pytest.mark.parametrize("first", [True, False], ids=["new", "replaced"])
def test_what_another_program_has_just_written_is_not_overwritten(
    writer: Server, bucket: str, made: Path, megabytes: int, first: bool
) -> None:
    path = TINY / "tokenizer/big.bin"
    if not first:
        write_big(path, megabytes, seed=1)
        publish(writer, bucket, path)
    write_big(path, megabytes)
    with pytest.raises(NanosnakeError, match="another program writes this object too; stop it and run again"):
        Interrupted(writer, bucket, b"theirs", "0" * 64).publish(path)
    stands = writer.client().get_object(Bucket=bucket, Key="prefix/tiny/bpe/tokenizer/big.bin")
    assert stands["Body"].read() == b"theirs"
    assert unfinished(writer, bucket) == []


def test_two_that_publish_the_same_are_both_content(writer: Server, bucket: str, made: Path) -> None:
    path = TINY / "tokenizer/meta.json"
    one, _ = Interrupted(writer, bucket, path.read_bytes(), sha256_file(path)).publish(path)
    assert one.sha256 == sha256_file(path)


def test_nothing_is_published_behind_a_closed_gate(writer: Server, bucket: str, made: Path) -> None:
    (made / TINY / "gate.json").unlink()
    with pytest.raises(NanosnakeError, match=r"gate\.json: no such file: the gate is not open"):
        publish(writer, bucket)
    assert objects(writer, bucket) == {}


def test_files_outside_of_the_results_are_refused(writer: Server, bucket: str, made: Path) -> None:
    (made / "secret").write_text("x")
    with pytest.raises(NanosnakeError, match="secret: not a file below results/"):
        publish(writer, bucket, Path("secret"))


def test_the_manifest_names_what_is_there(writer: Server, bucket: str, made: Path) -> None:
    files = publish(writer, bucket)
    meta = sha256_file(TINY / "tokenizer/meta.json")
    known = [
        {"path": str(TINY / "tokenizer/meta.json"), "sha256": meta, "bytes": 10, "job": 3},
        {"path": str(TINY / "merges.arrow"), "sha256": "1" * 64, "bytes": 1, "job": 2},
    ]
    (made / TINY / "manifest.json").write_text(json.dumps({"run": {"id": RUN}, "files": known}))
    manifest = publish_the_manifest(writer, bucket)
    assert [one["path"] for one in manifest["files"]] == [one["path"] for one in files]
    assert manifest["files"][0] == known[0]
    assert manifest["run"] == {"id": RUN}
    assert manifest["seal"] == seal_of(manifest)
    assert manifest["published"] == {"destination": f"s3://{bucket}/prefix"}
    before = objects(writer, bucket)
    assert publish_the_manifest(writer, bucket) == manifest
    assert objects(writer, bucket) == before


def test_no_manifest_names_what_is_gone(writer: Server, bucket: str, made: Path) -> None:
    publish(writer, bucket)
    (made / TINY / "manifest.json").write_text(json.dumps({"files": []}))
    writer.client().delete_object(Bucket=bucket, Key=f"prefix/{KEYS[1]}")
    with pytest.raises(
        NanosnakeError, match=r"gone or were changed since: tiny/bpe/tokenizer/tokenizer\.json; delete"
    ):
        publish_the_manifest(writer, bucket)
    assert "prefix/tiny/bpe/manifest.json" not in objects(writer, bucket)


def test_no_manifest_says_what_was_not_published(writer: Server, bucket: str, made: Path) -> None:
    publish(writer, bucket)
    anew = {"path": str(TINY / "tokenizer/meta.json"), "sha256": "2" * 64, "bytes": 10}
    (made / TINY / "manifest.json").write_text(json.dumps({"files": [anew]}))
    with pytest.raises(NanosnakeError, match=r"meta\.json: published with sha256 .* the manifest says 2222"):
        publish_the_manifest(writer, bucket)


def test_the_check_leaves_nothing_behind(writer: Server, bucket: str, capsys: Capture) -> None:
    destination = ["--destination", f"s3://{bucket}/prefix", *writer.options_of_endpoint()]
    assert call(check_destination.CheckDestination, destination) == 0
    assert f"s3://{bucket}/prefix: ready" in capsys.readouterr().err
    assert objects(writer, bucket) == {}
    assert unfinished(writer, bucket) == []


def test_a_reader_may_look_but_not_write(
    server: Server, bucket: str, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    become(monkeypatch, server, "reader")
    with pytest.raises(
        NanosnakeError, match=rf"^s3://{bucket}/prefix/tiny.*: no right to write here \(AccessDenied"
    ):
        publish(server, bucket)
    assert objects(server, bucket) == {}
