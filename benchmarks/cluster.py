"""What a batch costs on a cluster in addition to the work of its shards.

Starts the throw-away SLURM cluster of the tests (which needs root and SLURM's packages), counts many shards of a
given size through profiles/slurm, and compares the accounting data of the jobs with the shards' own benchmarks.

    python benchmarks/cluster.py --parquet TEXTS.parquet --shards 64 --megabytes 250 --batch 64

All shards are links to one file of --megabytes of text, made by repeating the given one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

sys.path[:0] = [str(Path(__file__).parents[1] / folder) for folder in ("tests", "scripts")]

from cluster.cluster import missing, running  # noqa: E402
from nanosnake.slurm.summary import records  # noqa: E402
from workflow.project import Project  # noqa: E402


def write_shards(project: Project, parquet: Path, shards: int, megabytes: int) -> list[str]:
    """Write one shard of the given size and links to it; return their names."""
    data = project.folder / "data"
    for file in data.iterdir():
        file.unlink()
    texts = pq.read_table(parquet, columns=["text"])
    size = texts.nbytes
    copies = pa.concat_tables([texts] * -(-megabytes * 1_000_000 // size))
    pq.write_table(copies.slice(0, copies.num_rows * megabytes * 1_000_000 // copies.nbytes), data / "text")
    names = [f"shard_{number:05d}" for number in range(shards)]
    for name in [*names, "held_out"]:
        (data / f"{name}.parquet").hardlink_to(data / "text")
    project.config["datasets"]["tiny"]["train"] = names
    return names


def measure(project: Project, names: list[str], batch: int) -> dict[str, float]:
    """Count the shards through the profile; return seconds of the jobs and of the shards in them."""
    counts = Path("results/tiny/counts/nanochat")
    shards = [f"results/tiny/shards/{name}.parquet" for name in names]
    project.make("--", *shards)
    profile = ["--profile", "profiles/slurm", "--group-components", f"counts={batch}"]
    project.make(*profile, "--", *[str(counts / f"{name}.arrow") for name in names])
    jobs = records(project.folder)
    logs = project.folder / "logs/tiny/counts/nanochat"
    work = pd.concat([pd.read_csv(logs / f"{name}.tsv", sep="\t") for name in names])
    return {
        "batch": batch,
        "jobs": len(jobs),
        "wall s a job": sum(job.ran for job in jobs) / len(jobs),
        "s a shard": work["s"].mean(),
        "CPU s a shard": work["cpu_time"].mean(),
        "CPU s beside, a job": (sum(job.cpu for job in jobs) - work["cpu_time"].sum()) / len(jobs),
        "share of wall beside": 1 - work["s"].sum() / sum(job.ran for job in jobs),
    }


def main() -> int:
    """Read the command line, measure, print a row for each size of batch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parquet", type=Path, required=True, help="a file with a column `text`")
    parser.add_argument("--shards", type=int, default=64)
    parser.add_argument("--megabytes", type=int, default=250, help="text of a shard")
    parser.add_argument("--batch", type=int, nargs="+", default=[64], help="shards of a job")
    options = parser.parse_args()
    if reason := missing():
        sys.exit(reason)
    rows = []
    with tempfile.TemporaryDirectory(prefix="slurm.") as folder, running(Path(folder)):
        for batch in options.batch:
            with tempfile.TemporaryDirectory(prefix="nanosnake.") as place:
                project = Project(Path(place))
                project.patience = 3600
                names = write_shards(project, options.parquet, options.shards, options.megabytes)
                rows.append(measure(project, names, batch))
    print(pd.DataFrame(rows).to_string(index=False, float_format="{:.2f}".format))
    return 0


if __name__ == "__main__":
    sys.exit(main())
