"""Write config/schema.json from the typed models, for editors.

python scripts/write_schema.py config/schema.json
"""

from __future__ import annotations

from pathlib import Path

from nanosnake import cli, config
from nanosnake.files import write_json


def main(argv: list[str] | None = None) -> int:
    """Read the command line and write the schema."""
    parser = cli.parser(__doc__)
    parser.add_argument("output", type=Path)
    write_json(parser.parse_args(argv).output, config.json_schema())
    return 0


if __name__ == "__main__":
    cli.run_main(main)
