"""Kill random processes of the workflow at random moments, go on with the ordinary command, and compare the results.

    just kill --kills 100 --seed 7

A round is a fresh folder: kinds of processes are drawn and put in the order in which a run comes to them; of each, one
is killed with SIGKILL a random time after it appeared; the command is started again until it succeeds; then all that
it made is compared with an undisturbed run. The seed decides kinds and times; which instruction a kill hits is the
machine's to decide.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from faults.content import content, differences
from faults.site import Site, site
from publish.server import PLANTED
from workflow.project import Project

PATIENCE = 300.0
"""Seconds that a run may take."""

POLL = 0.02

SPARE = 3
"""How many kinds more than kills are drawn for a round: some processes end before they are killed."""


@dataclass(frozen=True)
class Kind:
    """A kind of process, in a stage of the workflow."""

    name: str
    sign: str
    """What the command line looks like, words joined by blanks, whose appearance begins the stage."""
    life: float
    """Seconds after that in which the process is killed."""
    victim: str = ""
    """What the victim's command line looks like, if it is not the same."""
    ranks: int = 1
    """How many processes have to train for there to be one."""

    def begins(self, command: str) -> bool:
        """Return whether a process begins the stage."""
        return re.search(self.sign, command) is not None

    def matches(self, command: str) -> bool:
        """Return whether a process is of this kind."""
        return re.search(self.victim or self.sign, command) is not None


def script(name: str) -> str:
    """Return the pattern of the Python that runs a script."""
    return rf"^\S*python\S* (-\S+ )*\S*scripts/{name}\.py "


SNAKEMAKE = r"^\S*python\S* -m snakemake "
SHELL = r"^\S*bash -c set -euo pipefail"
TORCHRUN = r"^\S*python\S* -m torch\.distributed\.run "

KINDS = [
    Kind("Snakemake, planning", SNAKEMAKE, 4.0),
    Kind("downloader", script("download_shard"), 1.0),
    Kind("Snakemake, downloading", script("download_shard"), 1.0, SNAKEMAKE),
    Kind("counter", script("count_pretokens"), 0.3),
    Kind("merger of counts", script("merge_counts"), 0.3),
    Kind("trainer of merges", script("train_tokenizer"), 0.3),
    Kind("exporter", script("export_tokenizer"), 0.5),
    Kind("shell of a check", script("check_tokenizer"), 0.5, SHELL + ".*check_tokenizer"),
    Kind("check", script("check_tokenizer"), 0.8),
    Kind("encoder", script("tokenize_shard"), 0.4),
    Kind("shell of the trainer", script("train_model"), 4.0, SHELL + ".*train_model"),
    Kind("torchrun", TORCHRUN, 6.0, ranks=2),
    Kind("trainer", script("train_model"), 4.0),
    Kind("Snakemake, training", script("train_model"), 4.0, SNAKEMAKE),
    Kind("report", script(r"make_(model_)?report"), 2.0),
    Kind("evaluation", script("evaluate_model"), 4.0),
    Kind("manifest", script("make_manifest"), 0.3),
    Kind("uploader", script(r"publish_(files|manifest)"), 0.8),
    Kind("Snakemake, publishing", script(r"publish_(files|manifest)"), 0.8, SNAKEMAKE),
]
"""In the order in which a run comes to them."""


@dataclass(frozen=True)
class Kill:
    """One kill."""

    kind: str
    victim: str
    """The script or command that was killed."""
    age: float
    """Seconds since the stage was seen to begin."""

    def __str__(self) -> str:
        return f"{self.kind}: killed {self.victim} after {self.age:.2f} s"


@dataclass
class Outcome:
    """What came of the rounds."""

    kills: list[Kill] = field(default_factory=list)
    starts: int = 0
    rounds: int = 0
    compared: int = 0
    """Files and objects that were compared, all rounds together."""
    faults: list[str] = field(default_factory=list)
    """What differed or went wrong."""

    def __str__(self) -> str:
        kinds = ", ".join(
            f"{name} {number}" for name, number in sorted(Counter(k.kind for k in self.kills).items())
        )
        verdict = "all equal" if not self.faults else f"{len(self.faults)} FAULTS"
        return (
            f"{len(self.kills)} kills in {self.rounds} rounds ({kinds}); {self.starts} starts of the ordinary command; "
            f"{self.compared} artifacts compared: {verdict}"
        )


def processes(folder: Path) -> dict[int, str]:
    """Return the command lines of all processes that work in a folder, by process id; none may hold a secret."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if (place / "cwd").readlink() == folder:
                words = (place / "cmdline").read_bytes().split(b"\0")
                found[int(place.name)] = b" ".join(words).decode(errors="replace")
        except OSError:  # it has ended
            continue
    assert not [command for command in found.values() if PLANTED in command]
    return {pid: command for pid, command in found.items() if command}


def named(command: str) -> str:
    """Return what a process runs, without options: a script, or a rule's shell with its script."""
    scripts = re.findall(r"scripts/(\w+\.py)", command)
    if re.match(SHELL, command):
        return f"the shell of {scripts[-1]}" if scripts else "a shell"
    if re.match(TORCHRUN, command):
        return "torchrun"
    return scripts[-1] if scripts else "Snakemake"


class Round:
    """One fresh folder, in which processes of the given kinds are killed one after the other."""

    def __init__(self, site: Site, name: str, draw: random.Random, limit: int, haste: float) -> None:
        self.site, self.draw, self.limit, self.haste = site, draw, limit, haste
        kinds = [kind for kind in KINDS if kind.ranks <= site.ranks]
        self.wanted = sorted(draw.sample(kinds, min(limit + SPARE, len(kinds))), key=KINDS.index)
        self.project = site.project(name)
        self.kills: list[Kill] = []
        self.starts = 0

    def run(self, say: Callable[[str], None]) -> list[str]:
        """Kill and start again until all is made; return what went wrong."""
        status = -1
        while status != 0:
            began = len(self.kills)
            process = self.site.start(self.project)
            self.starts += 1
            try:
                for kill in self._kill_while(process):
                    self.kills.append(kill)
                    say(str(kill))
                status = process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                return [f"a run took more than {PATIENCE:.0f} s"]
            if status != 0 and len(self.kills) == began:
                return [f"a run that nothing was killed in ended with {status}:\n{self._printed()[-3000:]}"]
        return []

    def _printed(self) -> str:
        return (self.project.folder / "printed").read_text()

    def _kill_while(self, process: subprocess.Popen[bytes]) -> Iterator[Kill]:
        """Kill one process of each kind that is still wanted, while a run is at work."""
        while self.wanted and len(self.kills) < self.limit and process.poll() is None:
            kind = self.wanted[0]
            age = self.draw.uniform(0, kind.life * self.haste)
            if not self._await(kind, process):
                return
            time.sleep(age)
            there = sorted(one for one in processes(self.project.folder).items() if kind.matches(one[1]))
            victim = self.draw.choice(there) if there else None
            self.wanted.pop(0)
            if victim is None or not self._kill(victim[0]):
                continue  # it was quicker
            yield Kill(kind.name, named(victim[1]), age)
            if kind.name.startswith("Snakemake"):
                return

    def _await(self, kind: Kind, process: subprocess.Popen[bytes]) -> bool:
        """Wait until a stage begins; return False if the run ends before."""
        deadline = time.monotonic() + PATIENCE
        while process.poll() is None and time.monotonic() < deadline:
            if any(kind.begins(command) for command in processes(self.project.folder).values()):
                return True
            time.sleep(POLL)
        return False

    def _kill(self, pid: int) -> bool:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True


def undisturbed(site: Site) -> dict[str, bytes]:
    """Return what a run makes in which nothing is killed."""
    project = site.project("undisturbed")
    assert site.start(project).wait(PATIENCE) == 0, (project.folder / "printed").read_text()[-3000:]
    return content(site, project)


def holds_secret(path: Path) -> bool:
    """Return whether a file holds a part of the credentials that the run was given."""
    return path.is_file() and PLANTED.encode() in path.read_bytes()


def remains(site: Site, project: Project) -> list[str]:
    """Return what a kill left behind that the next run should have taken away, a line each."""
    left = [f"still at work: {named(command)}" for command in processes(project.folder).values()]
    left += [f"a partial file: {path.name}" for path in (project.folder / "results").rglob(".*.part")]
    left += [f"a secret in {path}" for path in project.folder.rglob("*") if holds_secret(path)]
    left += [f"an unfinished upload: {key}" for key in site.unfinished_uploads()]
    plan = project.snakemake("--dry-run", "--quiet", "rules")
    if "Nothing to be done" not in plan.stdout + plan.stderr:
        left.append(f"still to be made: {plan.stdout}{plan.stderr}")
    return left


def kill_many(
    site: Site,
    *,
    kills: int,
    seed: int,
    each_round: int,
    haste: float = 1.0,
    say: Callable[[str], None] = print,
) -> Outcome:
    """Kill so many processes, in as many rounds as it takes.

    Args:
        site: the servers.
        kills: how many in all.
        seed: decides what is killed and when.
        each_round: how many in one folder, at most.
        haste: share of its life in which a process is killed; with less, fewer end before.
        say: is told a line for each kill.
    """
    draw = random.Random(seed)
    outcome = Outcome()
    say(f"seed {seed}")
    wanted = undisturbed(site)
    while len(outcome.kills) < kills and outcome.rounds < kills:
        number = min(each_round, kills - len(outcome.kills))
        outcome.rounds += 1
        one = Round(site, f"round{outcome.rounds}", draw, number, haste)
        faults = one.run(say)
        found = content(site, one.project)
        faults += differences(found, wanted) + remains(site, one.project)
        outcome.faults += [f"round {outcome.rounds}: {fault}" for fault in faults]
        outcome.kills += one.kills
        outcome.starts += one.starts
        outcome.compared += len(found)
        say(f"round {outcome.rounds}: {one.starts} starts, {len(found)} artifacts, {len(faults)} faults")
    return outcome


def main(argv: list[str] | None = None) -> int:
    """Read the command line, kill, and say what came of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10_000))
    parser.add_argument("--each-round", type=int, default=10, help="kills in one folder")
    parser.add_argument(
        "--folder", type=Path, help="where it all happens; it is kept; a temporary one by default"
    )
    arguments = parser.parse_args(argv)
    with (
        tempfile.TemporaryDirectory(prefix="kill.") as temporary,
        site(arguments.folder or Path(temporary)) as one,
    ):
        outcome = kill_many(
            one, kills=arguments.kills, seed=arguments.seed, each_round=arguments.each_round, say=say
        )
    print(*outcome.faults, outcome, sep="\n")
    return 1 if outcome.faults else 0


def say(line: str) -> None:
    """Print a line at once, with the time."""
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
