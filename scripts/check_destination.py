"""See whether publishing can work: the server, the credentials, the bucket, the right to list and to write.

In:  the destination; credentials from the environment and the usual files.
Out: one line, and exit code 0 or 1; nothing is left in the bucket. Snakemake asks the same before its first job.

    python scripts/check_destination.py --destination s3://bucket/prefix --endpoint-url https://host
"""

from __future__ import annotations

from nanosnake import cli
from nanosnake.publish.preflight import check
from nanosnake.s3.client import connect
from nanosnake.s3.place import Endpoint, add_destination


def main(argv: list[str] | None = None) -> int:
    """Read the command line and ask."""
    parser = cli.parser(__doc__)
    add_destination(parser)
    arguments = parser.parse_args(argv)
    endpoint = cli.fill(Endpoint, arguments)
    check(connect(endpoint), endpoint, arguments.destination)
    cli.log(f"{arguments.destination}: ready, as far as can be seen without writing")
    return 0


if __name__ == "__main__":
    cli.run_main(main)
