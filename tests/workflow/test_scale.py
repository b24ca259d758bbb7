"""The plan of a whole dataset takes seconds."""

from __future__ import annotations

import re
from pathlib import Path

from workflow.plans import dry_run, write_whole_dataset
from workflow.project import REPOSITORY


def test_all_of_fineweb_edu_is_planned_in_seconds_and_within_a_gigabyte(tmp_path: Path) -> None:
    config = write_whole_dataset(tmp_path)
    plan = dry_run(tmp_path, "--snakefile", str(REPOSITORY / "Snakefile"), "--configfile", str(config))
    assert re.search(r"^tokenize_shard +1,823 ", plan.printed, re.MULTILINE), plan.printed
    assert len(plan.printed.splitlines()) < 40
    assert plan.seconds < 40, "of CPU time on a busy machine; docs/cluster.md has the figures"
    assert plan.megabytes < 1_000
