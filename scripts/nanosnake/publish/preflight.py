"""Whether publishing can work, checked before anything expensive begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nanosnake.s3.place import Endpoint, Place
from nanosnake.s3.problems import S3_ERRORS, explain

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

PROBE = ".nanosnake-may-i-write"


def check(client: S3Client, endpoint: Endpoint, place: Place) -> None:
    """Check that the server answers, credentials are right, the bucket exists, and listing and writing are allowed.

    Nothing is left behind: permission to write is tested by starting a multipart upload and aborting it. Only writing
    shows whether there is room.

    Raises:
        NanosnakeError: one message for what is wrong.
    """
    doing = "list"
    try:
        client.list_objects_v2(Bucket=place.bucket, Prefix=place.key, MaxKeys=1)
        doing = "write"
        probe = place.below(PROBE)
        begun = client.create_multipart_upload(Bucket=probe.bucket, Key=probe.key)
        doing = "take back an upload"
        client.abort_multipart_upload(Bucket=probe.bucket, Key=probe.key, UploadId=begun["UploadId"])
    except S3_ERRORS as error:
        problem = explain(error, endpoint, place, doing)
    else:
        return
    raise problem
