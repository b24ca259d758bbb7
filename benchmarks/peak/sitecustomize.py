"""Makes each Python process that runs a job record its peak memory when it ends.

It is on PYTHONPATH while benchmarks/memory.py runs Snakemake; the record that a job is asked to write identifies it.
"""

import atexit
import json
import os
from pathlib import Path


def write_peak() -> None:
    """Append the job's record and its peak resident set, in 1,000,000 bytes, to the file of peaks."""
    status = Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6
    line = json.dumps({"record": os.environ["NANOSNAKE_RECORD"], "mb": peak})
    with Path(os.environ["NANOSNAKE_PEAKS"]).open("a") as stream:
        stream.write(line + "\n")


if "NANOSNAKE_RECORD" in os.environ and "NANOSNAKE_PEAKS" in os.environ:
    atexit.register(write_peak)
