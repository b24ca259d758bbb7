"""What keeps a plan of thousands of jobs quick. None of it changes what is planned; docs/cluster.md has the figures.

Plain Python, so that it can be tested with no Snakemake.
"""

from __future__ import annotations

import functools
import gc
import inspect
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from snakemake.common import overwrite_function_params

Function = TypeVar("Function", bound=Callable[..., Any])
Answer = TypeVar("Answer")


def with_known_signature(function: Function) -> Function:
    """Write a function's parameters beside it. Snakemake asks for them several times for each job."""
    overwrite_function_params(function, inspect.signature(function).parameters)
    return function


class per_job(Generic[Answer]):
    """A method that rules ask for each job: from an instance it comes as a function with its signature known.

    Of a bound method, Python would work out the signature anew at each question.
    """

    def __init__(self, method: Callable[..., Answer]) -> None:
        self.method = method
        parameters = list(inspect.signature(method).parameters.values())
        self.signature = inspect.Signature(parameters[1:])

    def __get__(self, instance: object, owner: type | None = None) -> Callable[..., Answer]:
        bound = functools.wraps(self.method)(lambda *args, **kwargs: self.method(instance, *args, **kwargs))
        overwrite_function_params(bound, self.signature.parameters)
        bound.__signature__ = self.signature  # type: ignore[attr-defined]
        return bound


def format_commands_once(job: type) -> None:
    """Let a dry run format a job's command once; Snakemake asks for it three times in a row to print a job."""
    formatted = job.shellcmd.fget  # type: ignore[attr-defined]
    last: tuple[Any, str | None] = (None, None)

    def shellcmd(self: Any) -> str | None:
        nonlocal last
        if last[0] is not self or not self.dag.workflow.dryrun:
            last = (self, formatted(self))
        return last[1]

    job.shellcmd = property(shellcmd)  # type: ignore[attr-defined]


def plan_quickly() -> None:
    """Set up this process for a large plan.

    A plan is millions of small objects that all stay, so that the collector of cycles finds nothing each time it
    looks through them: it looks more seldom. The signature is that of the method behind each resource of each job.
    """
    from snakemake.jobs import Job
    from snakemake.resources import Resource

    gc.set_threshold(100_000, 20, 100)
    with_known_signature(Resource.evaluate)
    format_commands_once(Job)
