"""What keeps a plan quick changes no answer."""

from __future__ import annotations

import inspect
from types import SimpleNamespace

import pytest
from snakemake.common import get_input_function_aux_params

from nanosnake.snakemake_internals import format_printed_commands, per_job, with_known_signature


class Shelf:
    def __init__(self, name: str) -> None:
        self.name = name

    @per_job
    def place(self, shard: str, depth: int = 1) -> str:
        """Where a shard stands."""
        return f"{self.name}/{shard}/{depth}"


def test_a_method_asked_for_each_job_answers_for_its_own_instance() -> None:
    assert [Shelf(name).place("s", depth=2) for name in "ab"] == ["a/s/2", "b/s/2"]


def test_its_signature_is_known_and_has_no_self() -> None:
    place = Shelf("a").place
    assert list(inspect.signature(place).parameters) == ["shard", "depth"]
    assert inspect.signature(place) is inspect.signature(place)
    assert place.__doc__ == "Where a shard stands."


def test_snakemake_finds_the_parameters_without_working_them_out(monkeypatch: pytest.MonkeyPatch) -> None:
    @with_known_signature
    def memory(wildcards: object, attempt: int) -> int:
        return attempt

    monkeypatch.delattr(inspect, "signature")
    for asked in (memory, Shelf("a").place):
        kept = get_input_function_aux_params(asked, {"attempt": 1, "depth": 2, "threads": 3})
        assert kept == ({"attempt": 1} if asked is memory else {"depth": 2})


class Printed:
    """A job that counts how often its command is formatted."""

    def __init__(self, rule: str, *, dryrun: bool, prints: bool) -> None:
        settings = SimpleNamespace(printshellcmds=prints)
        self.dag = SimpleNamespace(workflow=SimpleNamespace(dryrun=dryrun, output_settings=settings))
        self.rule = SimpleNamespace(name=rule)
        self.asked = 0

    @property
    def shellcmd(self) -> str | None:
        self.asked += 1
        return f"{self.rule.name}, attempt {self.asked}"


@pytest.mark.parametrize(
    ("dryrun", "prints", "second", "third"),
    [
        (True, False, None, "b, attempt 1"),
        (True, True, "a, attempt 1", "b, attempt 1"),
        (False, False, "a, attempt 3", "b, attempt 3"),
    ],
)
def test_a_dry_run_formats_printed_commands_once_and_others_for_one_job_of_a_rule(
    dryrun: bool, prints: bool, second: str | None, third: str
) -> None:
    class Job(Printed):
        shellcmd = Printed.shellcmd

    format_printed_commands(Job)
    jobs = [Job(rule, dryrun=dryrun, prints=prints) for rule in ("a", "a", "b")]
    found = [[job.shellcmd for _ in range(3)][-1] for job in jobs]
    assert found == ["a, attempt 3" if not dryrun else "a, attempt 1", second, third]
