"""What keeps a plan quick changes no answer."""

from __future__ import annotations

import inspect

from planning import per_job


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
