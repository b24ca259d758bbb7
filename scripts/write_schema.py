"""Write config/schema.json from the typed models, for editors.

python scripts/write_schema.py config/schema.json
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from nanosnake import config
from nanosnake.files import write_json
from nanosnake.options import Positional
from nanosnake.stages import Stage, main


@dataclass(frozen=True, kw_only=True)
class WriteSchema(Stage):
    """Write the JSON schema of the configuration."""

    output: Annotated[Path, Positional]
    """File to write."""

    def run(self) -> str | None:
        write_json(self.output, config.json_schema())
        return None


if __name__ == "__main__":
    main(WriteSchema)
