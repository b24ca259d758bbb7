"""Check whether publishing can work: the server, the credentials, the bucket, permission to list and to write.

In:  the destination; credentials from the environment and the usual files.
Out: one line, and exit code 0 or 1; nothing is left in the bucket. Snakemake checks the same before its first job.

    python scripts/check_destination.py --destination s3://bucket/prefix --endpoint-url https://host
"""

from __future__ import annotations

from dataclasses import dataclass

from nanosnake.s3.place import AnyPlace, Endpoint
from nanosnake.stages import Stage, main


@dataclass(frozen=True, kw_only=True)
class CheckDestination(Stage, Endpoint):
    """Check whether publishing can work."""

    destination: AnyPlace
    """s3://bucket/prefix."""

    def run(self) -> str | None:
        from nanosnake.publish.preflight import check
        from nanosnake.s3.client import connect

        check(connect(self), self, self.destination)
        return f"{self.destination}: ready, as far as can be seen without writing"


if __name__ == "__main__":
    main(CheckDestination)
