"""The client. Credentials come from the environment and the usual files (AWS_PROFILE, ~/.aws) and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from nanosnake import __version__
from nanosnake.s3.place import Endpoint
from nanosnake.s3.problems import explain

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

CONNECTIONS = 16
"""Requests at a time that one client keeps connections for."""


def connect(
    endpoint: Endpoint,
    *,
    connect_timeout: float = 10.0,
    read_timeout: float = 60.0,
    attempts: int | None = None,
) -> S3Client:
    """Return a client. It contacts nobody yet, except where credentials come from a service.

    Args:
        endpoint: the server.
        connect_timeout: seconds.
        read_timeout: seconds without a byte.
        attempts: of each request, in all; the usual AWS_MAX_ATTEMPTS (3) if None.

    Raises:
        NanosnakeError: if there are no credentials, only a part of them, or no such profile.
    """
    retries = {"mode": "standard"} | ({} if attempts is None else {"total_max_attempts": attempts})
    try:
        client: S3Client = boto3.session.Session().client(
            "s3",
            endpoint_url=endpoint.endpoint_url,
            region_name=endpoint.region,
            config=Config(
                connect_timeout=connect_timeout,
                read_timeout=read_timeout,
                max_pool_connections=CONNECTIONS,
                retries=retries,  # type: ignore[arg-type]  # the stubs want one of two shapes
                s3={"addressing_style": "path" if endpoint.path_style else "auto"},
                user_agent_extra=f"nanosnake/{__version__}",
            ),
        )
    except (BotoCoreError, ValueError) as error:
        problem = explain(error, endpoint, None, "ask")
    else:
        return client
    raise problem  # outside the handler: a trace of the first error does not help
