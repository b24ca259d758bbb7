"""What keeps a plan quick changes no answer."""

from __future__ import annotations

import inspect
from types import SimpleNamespace

import pytest
from snakemake.common import get_input_function_aux_params

from nanosnake.snakemake_internals import format_commands_once, per_job, with_known_signature


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


@pytest.mark.parametrize(("dryrun", "formatted"), [(True, 1), (False, 3)])
def test_a_command_is_formatted_once_in_a_dry_run_and_anew_in_a_run(dryrun: bool, formatted: int) -> None:
    class Job:
        dag = SimpleNamespace(workflow=SimpleNamespace(dryrun=dryrun))
        asked = 0

        @property
        def shellcmd(self) -> str:
            self.asked += 1
            return f"{id(self)}, attempt {self.asked}"

    format_commands_once(Job)
    one, other = Job(), Job()
    assert [one.shellcmd for _ in range(3)][-1] == f"{id(one)}, attempt {formatted}"
    assert other.shellcmd == f"{id(other)}, attempt 1"
