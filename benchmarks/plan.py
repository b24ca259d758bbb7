"""Measures what our plan of a whole dataset costs, next to Snakemake's own floor.

Plans all of FineWeb-Edu (1,823 shards, one tokenizer, one model) in a temporary folder, downloading nothing. The floor
is Snakemake on as many jobs, of three rules with one input and one output each and no log, resources or parameters.
The two run in turn, and each run is compared with those right before and after it: on a shared machine the seconds
vary more than the ratios.

    uv run python benchmarks/plan.py --runs 5
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median

sys.path[:0] = [str(Path(__file__).parents[1] / folder) for folder in ("tests", "scripts")]

from tables import machine  # noqa: E402

from workflow.plans import Plan, dry_run, write_whole_dataset  # noqa: E402
from workflow.project import REPOSITORY  # noqa: E402

FLOOR = """
rule all:
    input:
        expand("three/{{n}}", n=range({chains})),
        expand("one/{{n}}", n=range({chains}, {chains} + {rest})),

rule one:
    input: "Snakefile"
    output: "one/{{n}}"
    shell: "cp {{input}} {{output}}"

rule two:
    input: "one/{{n}}"
    output: "two/{{n}}"
    shell: "cp {{input}} {{output}}"

rule three:
    input: "two/{{n}}"
    output: "three/{{n}}"
    shell: "cp {{input}} {{output}}"
"""


def jobs_of(plan: Plan) -> int:
    """Return the number of jobs that Snakemake itself prints."""
    found = re.search(r"^total +(\d+)", plan.printed, re.MULTILINE)
    assert found, plan.printed[-2000:]
    return int(found[1])


def spread(values: Sequence[float], digits: int = 0) -> str:
    """Return the median, and the least and the most."""
    return f"{median(values):,.{digits}f} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5, help="runs of each")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="nanosnake.") as made:
        ours, floor = Path(made, "ours"), Path(made, "floor")
        ours.mkdir()
        floor.mkdir()
        # the folders of packages may be read-only, and compiling everything in each run would hide differences
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = f"{made}/bytecode"
        call = ["--snakefile", str(REPOSITORY / "Snakefile"), "--configfile", str(write_whole_dataset(ours))]
        # not measured: the first runs fill the caches of bytecode and of our code's closures
        jobs = jobs_of(dry_run(ours, *call, NANOSNAKE_OUTPUT="snakemake"))
        chains, rest = divmod(jobs - 1, 3)
        (floor / "Snakefile").write_text(FLOOR.format(chains=chains, rest=rest))
        assert jobs_of(dry_run(floor)) == jobs
        plans = []
        for number in range(options.runs):
            plans += [dry_run(floor), dry_run(ours, *call)]
            took = " and ".join(f"{plan.seconds:.2f}" for plan in plans[-2:])
            print(f"{number + 1} of {options.runs}: {took} CPU s", flush=True)
    print(f"\n{machine()}\n\n| | jobs | CPU s | peak MB |\n|---|---:|---:|---:|")
    for name, runs in (("Snakemake's floor", plans[::2]), ("nanosnake", plans[1::2])):
        took, held = spread([one.seconds for one in runs], 1), spread([one.megabytes for one in runs])
        print(f"| {name} | {jobs:,} | {took} | {held} |")
    seconds = [one.seconds for one in plans]
    ratios = [b / a if at % 2 == 0 else a / b for at, (a, b) in enumerate(pairwise(seconds))]
    print(f"\nnanosnake takes {spread(ratios, 2)} times as long as the floor.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
