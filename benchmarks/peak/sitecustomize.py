"""Makes each Python process that runs a job record its peak memory when it ends.

It is on PYTHONPATH while benchmarks/memory.py runs Snakemake; its log identifies a job.
"""

import atexit
import json
import os
from pathlib import Path


def write_peak() -> None:
    """Append the job's log and its peak resident set, in 1,000,000 bytes, to the file of peaks."""
    status = Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6
    line = json.dumps({"log": os.environ["NANOSNAKE_LOG"], "mb": peak})
    with Path(os.environ["NANOSNAKE_PEAKS"]).open("a") as stream:
        stream.write(line + "\n")


if "NANOSNAKE_LOG" in os.environ and "NANOSNAKE_PEAKS" in os.environ:
    atexit.register(write_peak)
