"""Small workflows in folders of their own, run through the profile of the cluster."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from cluster.cluster import poll

REPOSITORY = Path(__file__).parents[2]
PROFILE = ["--profile", "profiles/slurm", "--slurm-init-seconds-before-status-checks", "2"]


HEAD = """\
from nanosnake.snakemake_internals import Run
from nanosnake.workflow.leftovers import Leftovers
from nanosnake.workflow.resources import memory, minutes
from nanosnake.workflow.shell import put_python_first

put_python_first()
leftovers = Leftovers(Run(workflow), settle=lambda: None, begin=lambda: None)


onstart:
    leftovers.start()


"""


class Flow:
    """A Snakefile with the profiles, the rules' Python and this project's handling of a cluster."""

    def __init__(self, folder: Path, snakefile: str) -> None:
        self.folder = folder
        for name in ("profiles", "rules"):
            shutil.copytree(REPOSITORY / name, folder / name)
        (folder / "Snakefile").write_text(HEAD + snakefile)
        (folder / "journal").mkdir()

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start Snakemake; what it prints goes to the file `printed`."""
        command = [sys.executable, "-m", "snakemake", *PROFILE, *arguments]
        with (self.folder / "printed").open("w") as stream:
            return subprocess.Popen(command, cwd=self.folder, stdout=stream, stderr=stream, text=True)

    def run(self, *arguments: str, seconds: float = 900) -> int:
        """Run Snakemake to its end and return its exit status."""
        process = self.start(*arguments)
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError(f"Snakemake took more than {seconds} s:\n{self.printed}") from None

    def make(self, *arguments: str, seconds: float = 900) -> str:
        """Run Snakemake, which has to succeed, and return what it printed."""
        status = self.run(*arguments, seconds=seconds)
        assert status == 0, self.printed
        return self.printed

    @property
    def printed(self) -> str:
        """What the last run printed."""
        return (self.folder / "printed").read_text()

    def journal(self, name: str) -> list[list[str]]:
        """Return the words of each line that the jobs of a rule wrote."""
        file = self.folder / "journal" / name
        return [line.split() for line in file.read_text().splitlines()] if file.exists() else []

    def wait_for(self, name: str, lines: int = 1, *, seconds: float = 300) -> list[list[str]]:
        """Wait until a rule's jobs have written so many lines."""
        poll(f"{name} wrote {lines} lines", seconds, lambda: len(self.journal(name)) >= lines)
        return self.journal(name)

    def text(self, name: str) -> str:
        """Return the content of a file of the folder."""
        return (self.folder / name).read_text()


def sbatch_calls(run: str) -> int:
    """Return how many jobs a run of Snakemake handed to SLURM, from what it printed."""
    return run.count("has been submitted with SLURM jobid")
