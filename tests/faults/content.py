"""What a run leaves, in a form that is equal for runs that differ in nothing but when and how fast they were.

Files are compared byte for byte, but for what two undisturbed runs write differently too:

- JSON: the values of `TIMES`, and hashes and sizes of files that hold such values;
- the table of shards: its columns of seconds;
- pages of reports: the section on time and memory, which shows the jobs that had ended when the page was made; and
  elsewhere figures, drawings and the order of rows.
"""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

from faults.site import Site
from workflow.project import Project

TIMES = {
    *("began", "ended", "made", "seconds", "cpu_seconds", "peak_memory_bytes", "time"),
    *("run", "seal", "id"),  # a manifest's, and the runs that made its files: drawn anew for each start
    *("benchmark", "mb_per_second", "tokens_per_second", "data_wait", "first_step_seconds", "attempts"),
}
"""Keys whose values are times, speeds, or names drawn at random for a run."""

RESULTS_OF_TIMES = re.compile(
    r"(/shards/[^/]*\.json|shards\.csv|training\.json|metrics\.jsonl|manifest\.json|index\.html)$"
)
"""Files with such values: their hashes and sizes differ as well."""

OF_SPEED = re.compile(
    rb"<tr>\s*<th[^>]*><bdi>(data wait|first step seconds|tokens per second)</bdi>.*?</tr>\s*"
    rb"|<div><dt>speed</dt>.*?</div>\s*",
    re.DOTALL,
)
"""What a model's page does not show if nothing was left to train when the trainer was started again."""

OF_A_FILE = {"sha256", "bytes", "etag"}


def content(site: Site, project: Project) -> dict[str, bytes]:
    """Return all that was made by its name: results, history, and what stands in the bucket."""
    found = {}
    for folder in ("results", "history"):
        for path in (project.folder / folder).rglob("*"):
            if path.is_file() and path.name != ".snakemake_timestamp":
                name = str(path.relative_to(project.folder))
                body = path.read_bytes()
                if name == "results/index.html":  # the page of all results is named after its project
                    body = body.replace(project.folder.name.encode(), b"#")
                found[name] = comparable(name, body)
    found |= {f"s3:{key}": comparable(key, body) for key, body in site.objects().items()}
    return found


def comparable(name: str, body: bytes) -> bytes:
    """Return a file's bytes, without what differs from run to run."""
    if name.endswith(".html"):
        body = re.sub(rb'<section id="benchmarks".*?</section>', b"", body, flags=re.DOTALL)
        body = OF_SPEED.sub(b"", body)
        masked = re.sub(rb"<svg.*?</svg>|[-+]?\d[\d.,:eE+ -]*(\b[kMG]?B\b)?", b"#", body, flags=re.DOTALL)
        masked = re.sub(rb"(#(min|h) )+#", b"#", masked)  # 65 s are written as 1 min 5 s
        return b"<".join(sorted(masked.split(b"<")))
    if name.endswith("shards.csv"):
        table = list(csv.DictReader(io.StringIO(body.decode())))
        return json.dumps(without_times(table)).encode()
    if name.endswith(".jsonl"):
        return b"\n".join(json.dumps(without_times(json.loads(line))).encode() for line in body.splitlines())
    if name.endswith(".json"):
        return json.dumps(without_times(json.loads(body)), sort_keys=True).encode()
    return body


def without_times(value: Any) -> Any:
    """Return a JSON value without times, at any depth."""
    if isinstance(value, list):
        return [without_times(one) for one in value]
    if not isinstance(value, dict):
        return value
    left_out = TIMES
    if RESULTS_OF_TIMES.search(str(value.get("path", ""))):
        left_out = TIMES | OF_A_FILE
    return {key: without_times(one) for key, one in value.items() if key not in left_out}


def differences(found: dict[str, bytes], wanted: dict[str, bytes]) -> list[str]:
    """Return what is missing, too much or different, a line each."""
    lines = [f"missing: {name}" for name in sorted(wanted.keys() - found.keys())]
    lines += [f"too much: {name}" for name in sorted(found.keys() - wanted.keys())]
    for name in sorted(found.keys() & wanted.keys()):
        if found[name] != wanted[name]:
            lines.append(f"different: {name}: {_first_difference(found[name], wanted[name])}")
    return lines


def _first_difference(found: bytes, wanted: bytes) -> str:
    pairs = enumerate(zip(found, wanted, strict=False))
    at = next((number for number, (one, other) in pairs if one != other), min(len(found), len(wanted)))
    start = max(at - 60, 0)
    return f"{found[start : at + 60]!r} is not {wanted[start : at + 60]!r}"
