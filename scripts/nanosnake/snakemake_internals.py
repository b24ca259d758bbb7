"""Every use of Snakemake's internals, and the versions that they were tested with.

Without them large plans take longer, runs in one folder disturb each other, what failed once counts as made, changes
beside a change of the gate are overlooked, and manifests lack how files were made.
Snakemake is imported inside the functions: jobs do not need it.
"""

from __future__ import annotations

import atexit
import functools
import gc
import inspect
import os
import re
import shlex
import shutil
from base64 import urlsafe_b64encode
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Generic, Literal, NoReturn, TypeVar

from nanosnake.files import sha256_file

TESTED = ("9.27",)
"""Minor versions of Snakemake that all of this was tested with."""

NOTES = Path(".snakemake/metadata")
"""Folder of Snakemake's notes: for each output the rule, the inputs and the logs of its job."""

NAME_MAX = 255
"""The longest name of a file; Snakemake cuts longer ones into folders."""

SLURM_RUN = re.compile(r"(?:.*_)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""Name of a job that the SLURM executor submitted: an optional prefix and the id of the run."""

REFUSED = re.compile(r"SLURM sbatch failed\. The error message was '(.*?)'\.\n", re.DOTALL)
"""What the SLURM executor says about a job that sbatch did not accept."""

OUR_SCRIPT = re.compile(r"python '?([^']*?)scripts/\w+\.py")
"""The first script of a rule, behind the folder of the Snakefile."""

Function = TypeVar("Function", bound=Callable[..., Any])
Answer = TypeVar("Answer")


def with_known_signature(function: Function) -> Function:
    """Store a function's parameters with it. Snakemake asks for them several times for each job."""
    from snakemake.common import overwrite_function_params

    overwrite_function_params(function, inspect.signature(function).parameters)
    return function


class per_job(Generic[Answer]):
    """A method that rules call for each job: on an instance it is a function whose signature is known.

    For a bound method, Python would work out the signature on each call.
    """

    def __init__(self, method: Callable[..., Answer]) -> None:
        self.method = method
        parameters = list(inspect.signature(method).parameters.values())
        self.signature = inspect.Signature(parameters[1:])

    def __get__(self, instance: object, owner: type | None = None) -> Callable[..., Answer]:
        from snakemake.common import overwrite_function_params

        bound = functools.wraps(self.method)(lambda *args, **kwargs: self.method(instance, *args, **kwargs))
        overwrite_function_params(bound, self.signature.parameters)
        bound.__signature__ = self.signature  # type: ignore[attr-defined]
        return bound


def format_printed_commands(job: type) -> None:
    """Let a dry run format the commands that it prints, each once; Snakemake asks for each three times, printed or not.

    Of the others it formats one of each rule, to find mistakes in the rules.
    """
    formatted = job.shellcmd.fget  # type: ignore[attr-defined]
    last: tuple[Any, str | None] = (None, None)
    seen: set[str] = set()

    def shellcmd(self: Any) -> str | None:
        nonlocal last
        workflow = self.dag.workflow
        if last[0] is not self or not workflow.dryrun:
            if workflow.dryrun and not workflow.output_settings.printshellcmds and self.rule.name in seen:
                return None
            seen.add(self.rule.name)
            last = (self, formatted(self))
        return last[1]

    job.shellcmd = property(shellcmd)  # type: ignore[attr-defined]


def plan_quickly() -> None:
    """Set up this process for a large plan.

    A plan is millions of small objects that all stay, so the garbage collector searches them in vain: it is
    made to run less often, and at the end it leaves them to the system instead of taking them apart one by one.
    The signature is that of the method behind each resource of each job.
    """
    from snakemake.jobs import Job
    from snakemake.resources import Resource

    gc.set_threshold(1_000_000, 20, 100)
    atexit.register(gc.freeze)
    with_known_signature(Resource.evaluate)
    format_printed_commands(Job)


def allow_repeated_characters() -> None:
    """Allow names that repeat a character twenty times, which Snakemake takes for a rule that feeds itself."""
    from snakemake.dag import DAG

    if not callable(DAG.check_periodic_wildcards):
        raise AttributeError("check_periodic_wildcards")
    DAG.check_periodic_wildcards = lambda self, job: None


def ignore_code_of(rule: str) -> None:
    """Do not rerun jobs because a rule's text or its conda environment has changed."""
    from snakemake.persistence import PersistenceBase

    def unless_of_rule(changed: Callable[..., bool]) -> Callable[..., bool]:
        return lambda self, job, file=None: not job.rule.name.endswith(rule) and changed(self, job, file)

    for name in ("_code_changed", "_software_stack_changed"):
        setattr(PersistenceBase, name, unless_of_rule(getattr(PersistenceBase, name)))


def read_notes_as_of_today(wordings: Mapping[str, str], *, code: str) -> None:
    """Compare each job with the notes of its results as if words of earlier versions had been today's.

    And as if our own files had been where they are now: rules name them as seen from the working directory, so that
    everything would be outdated after either was moved, and in another checkout.

    Args:
        wordings: today's words by the earlier ones.
        code: the folder of the Snakefile, as seen from the working directory.
    """
    from snakemake.persistence import PersistenceBase

    noted = PersistenceBase.metadata
    of_today: set[str | None] = {None}

    def metadata(self: Any, target: Any) -> Any:
        note = noted(self, target)
        if note is None or note.code in of_today:
            return note
        for earlier, now in wordings.items():
            note.code = note.code.replace(earlier, now)
        if moved := moved_since(note.code, code):
            note.code, note.input = moved(note.code), sorted(map(moved, note.input))
            note.params = list(map(moved, note.params))
            note.input_checksums = {moved(path): sha256 for path, sha256 in note.input_checksums.items()}
        of_today.add(note.code)
        return note

    PersistenceBase.metadata = metadata


def moved_since(rule: str, code: str) -> Callable[[str], str] | None:
    """Return what names our files in texts of a note by where they are now; None if they were there.

    Args:
        rule: the text of the rule in the note.
        code: the folder of the Snakefile, as seen from the working directory.
    """
    now = "" if code == "." else f"{code}/"
    then = OUR_SCRIPT.search(rule)
    if then is None or then[1] == now:
        return None
    ours = re.compile(rf"(?<![\w./-]){re.escape(then[1])}(?=(?:scripts|resources)/)")
    return lambda text: ours.sub(lambda _: now, text)


def note_only_what_was_made(say: Callable[[str], None], *, ours: str) -> None:
    """Keep the notes of an output's last successful job when a later one fails, and the mark that it is not complete.

    Snakemake overwrites them with the parameters, the code and the inputs of the job that failed, and then deletes its
    outputs: the next plan would find no change, and count what was made from them before as up to date. Without the
    mark, so would a file that a process finishes after Snakemake has seen its shell killed, and what was made from a
    file from outside that was edited meanwhile: the edit is older than the result.

    Args:
        ours: beginning of the paths of files from outside of which jobs read nothing.
    """
    from snakemake.jobs import Job
    from snakemake.persistence import PersistenceBase

    end, note = Job.postprocess, PersistenceBase.finished
    failed: set[Any] = set()

    async def postprocess(self: Any, *arguments: Any, error: bool = False, **options: Any) -> None:
        if error:
            failed.add(self)
        try:
            await end(self, *arguments, error=error, **options)
        finally:
            failed.discard(self)

    def edited_meanwhile(self: Any, job: Any) -> str | None:
        marks = [mark for mark in map(mark_of, job.output) if mark.exists()]
        outside = set(job.input).difference(*self.dag.dependencies[job].values()) if marks else ()
        began = min((mark.stat().st_mtime_ns for mark in marks), default=0)
        for path in sorted(outside):
            if not path.startswith(ours) and Path(path).exists() and Path(path).stat().st_mtime_ns > began:
                return str(path)
        return None

    async def finished(self: Any, job: Any) -> None:
        if job in failed:
            return
        if (path := edited_meanwhile(self, job)) is not None:
            say(f"note: {path} changed while {job.output[0]} was made from it; the next run makes that again")
        else:
            await note(self, job)

    Job.postprocess, PersistenceBase.finished = postprocess, finished


def look_at_every_job(say: Callable[[str], None]) -> None:
    """Let nothing follow from what a job names as `ancient`, and say which results cannot be judged.

    Snakemake takes a job that does for one that follows and does not look at it, but then does not run it either: other
    options of a model, together with another evaluation text, would train nothing until the run after. If the file is
    missing it does run it: a gate that opens again would encode all shards again. And what Snakemake has no notes of is
    up to date whatever the settings; a run does not say so.
    """
    from snakemake.dag import DAG

    update = DAG.update_needrun

    async def update_needrun(self: Any, create_inventory: bool = False) -> None:
        depending = self.depending
        self.depending = defaultdict(dict)
        for job, after in depending.items():
            for other, files in after.items():
                if not all(file.is_ancient for file in files):
                    self.depending[job][other] = files
        try:
            await update(self, create_inventory)
        finally:
            self.depending = depending
        if not (create_inventory and self.workflow.is_main_process):
            return
        unknown = (job for job in self.jobs if self.reason(job).no_metadata and not self.needrun(job))
        if rules := sorted({job.rule.name for job in unknown}):
            say(
                f"note: {NOTES} does not say how results of these rules were made (it was deleted, or not copied with "
                "them), so other settings are not noticed there; --forcerun makes them again: "
                + " ".join(rules)
            )

    DAG.update_needrun = update_needrun


def notice_what_times_do_not_show(*, code: str, ours: str) -> None:
    """Notice a file from outside that was replaced by an older one, and a deleted one that was made again before.

    Snakemake compares contents of newer files alone, and of a deleted one nothing: results of what it was once count as
    up to date, although it was made again for others since. It has noted checksums of files up to 1 MB; jobs with a
    parameter `state` have what tells larger ones apart. The files that say what the code means are older than results
    that were made while a clock was ahead.

    Args:
        code: beginning of the paths of those files.
        ours: beginning of the paths of files whose times say more than their contents.
    """
    from snakemake.persistence import PersistenceBase

    differ, digest = PersistenceBase._input_changed, functools.cache(sha256_file)

    def _input_changed(self: Any, job: Any, file: Any) -> bool:
        if differ(self, job, file):
            return True
        if (note := self.metadata(file)) is None:
            return False
        exists, inputs = self.dag.workflow.iocache.mtime, {path for path in job.input if not path.is_ancient}
        deleted = [made for path in inputs if path not in exists and (made := self.metadata(path))]
        if any(made.endtime > note.endtime for made in deleted):
            return True
        checksums, compared = note.input_checksums or {}, code if hasattr(job.params, "state") else ""
        return any(
            not checksums[path].endswith(digest(path))
            for path in inputs.difference(*self.dag.dependencies[job].values())
            if path in checksums
            and path in exists
            and path.startswith(compared)
            and not path.startswith(ours)
        )

    PersistenceBase._input_changed = _input_changed


def untested() -> str | None:
    """Return a line to print if this module was not tested with the installed version of Snakemake."""
    found = version("snakemake")
    if ".".join(found.split(".")[:2]) in TESTED:
        return None
    return (
        f"note: nanosnake was tested with Snakemake {', '.join(TESTED)}, not with {found}; if something fails that "
        "should not, install the version in uv.lock"
    )


def note_name(path: str) -> Path:
    """Return where Snakemake notes an output: its name in base64, long ones cut into folders."""
    encoded = urlsafe_b64encode(os.fspath(path).encode()).decode()
    step = NAME_MAX - 1
    parts = [encoded[start : start + step] for start in range(0, len(encoded), step)]
    return Path(*(f"@{part}" for part in parts[:-1]), parts[-1])


def mark_of(output: str) -> Path:
    """Return the file that is there while an output is not complete; a plan then says that it is forced."""
    return NOTES.with_name("incomplete") / note_name(output)


def slurm_rule(comment: str) -> str:
    """Return the rule, with its wildcards, of a job whose comment the SLURM executor wrote."""
    return comment.removeprefix("rule_").replace("_wildcards_", " ") or "?"


def refuse(message: str) -> NoReturn:
    """End Snakemake with our own message and no traceback."""
    from snakemake.exceptions import WorkflowError

    raise WorkflowError(message) from None


State = Literal["made", "up to date", "failed", "left"]


@dataclass(frozen=True)
class Planned:
    """A job of a run."""

    fields: dict[str, Any]
    """What Snakemake logs of a job when it begins, by the same names."""
    state: State


@dataclass(frozen=True)
class Submission:
    """What a job requests from SLURM."""

    rule: str
    asked: str
    """In the words of Snakemake's resources."""
    call: str
    """The call of sbatch that the executor would make, without the job itself."""


class _Asked(dict[str, Any]):
    """Resources as the SLURM executor reads them: by key and by attribute."""

    def __getattr__(self, name: str) -> Any:
        return self[name]


ASKED = (
    *("slurm_partition", "slurm_account", "nodes", "gres", "gpu", "cpus_per_task", "mem_mb", "runtime"),
    *("constraint", "qos", "slurm_extra"),
)
"""Resources that are passed to SLURM, in the order in which they are named."""


class Run:
    """What is known about a running Snakemake.

    Args:
        workflow: Snakemake's object of that name.
    """

    def __init__(self, workflow: Any) -> None:
        self._workflow = workflow

    @property
    def config_files(self) -> list[str]:
        """The files that the configuration comes from, as far as they are known."""
        return [] if self.config_section is None else list(map(str, self._workflow.configfiles))

    @property
    def config_section(self) -> tuple[str, ...] | None:
        """The keys below which the files hold the configuration; empty unless this is a module.

        Another workflow passes a module its whole configuration, a section of it, or (None) values that are in no file.
        """
        module = self._workflow.modifier
        if module.parent_modifier is None:
            return ()
        whole = module.parent_modifier.globals["config"]
        return next((keys for keys, value in _sections(whole) if value is module.globals["config"]), None)

    @property
    def config_words(self) -> list[str]:
        """The `key=value` words after `--config`, as they were written."""
        return list(self._workflow.config_settings.config_args or []) if self.config_section == () else []

    @property
    def moves_paths(self) -> bool:
        """Whether another workflow takes this one as a module and puts its files elsewhere."""
        paths = self._workflow.modifier.path_modifier
        return bool(paths and (paths.prefix or paths._prefix_replacements))

    @property
    def makes_files(self) -> bool:
        """Whether this process plans jobs that will be run: not in a dry run, and not in the process of a job."""
        workflow = self._workflow
        return bool(workflow.executor_plugin and workflow.is_main_process and not workflow.dryrun)

    @property
    def is_main(self) -> bool:
        """Whether this is the process that plans, and not that of a job."""
        return bool(self._workflow.is_main_process)

    @property
    def is_local(self) -> bool:
        """Whether jobs run on this host."""
        return bool(self._workflow.local_exec)

    @property
    def executor(self) -> str:
        """The name of what runs jobs: local, slurm or another."""
        return str(self._workflow.executor_plugin.name)

    @property
    def rules(self) -> list[str]:
        """The rules of the jobs to run."""
        return [job.rule.name for job in self._workflow.dag.needrun_jobs()]

    @property
    def inputs(self) -> Iterable[str]:
        """The inputs of the jobs to run."""
        return (file for job in self._workflow.dag.needrun_jobs() for file in job.input)

    @property
    def outputs(self) -> set[str]:
        """The outputs of the jobs to run."""
        return {str(file) for job in self._workflow.dag.needrun_jobs() for file in job.output}

    @property
    def forced(self) -> set[str]:
        """Outputs that were requested although they are up to date, as by --forcerun.

        Snakemake also forces outputs that a killed job left, which nobody has requested.
        """
        dag, named = self._workflow.dag, self._workflow.dag_settings.forcerun
        return {
            str(file)
            for job in dag.needrun_jobs()
            if dag.reason(job).forced
            for file in job.output
            if job.rule in dag.forcerules or file in named or not mark_of(file).exists()
        }

    def planned(self) -> Iterator[Planned]:
        """Yield every job that the targets need, whether or not it has to run."""
        dag, failed = self._workflow.dag, self._failed()
        for job in dag.jobs:
            state: State = "failed" if job in failed else "left" if dag.needrun(job) else "up to date"
            yield Planned(
                {
                    "jobid": dag.jobid(job),
                    "rule_name": job.rule.name,
                    "wildcards": job.wildcards_dict,
                    "input": list(map(str, job.input)),
                    "output": list(map(str, job.output)),
                    "log": list(map(str, job.log)),
                    "threads": job.threads if state == "left" else 1,
                    "resources": job.resources if state == "left" else {},
                },
                "made" if dag.finished(job) else state,
            )

    def submissions(self) -> Iterator[Submission]:
        """Yield the most that the jobs of each rule request from SLURM, without what depends on files not yet made."""
        dag, batches = self._workflow.dag, self._workflow.group_settings.group_components
        rules: dict[str, list[Any]] = {}
        for job in dag.needrun_jobs():
            if job.group is not None or not job.is_local:
                rules.setdefault(job.rule.name, []).append(job)
        for rule, jobs in rules.items():
            asked: dict[str, Any] = {}
            for job in jobs:
                for name, value in job.resources.items():
                    if isinstance(value, int):
                        asked[name] = max(value, asked.get(name, 0))
                    elif str(value) != "<TBD>":
                        asked.setdefault(name, str(value))
            if jobs[0].group is not None and "runtime" in asked:  # one after the other
                asked["runtime"] *= min(len(jobs), batches.get(jobs[0].group, 1))
            yield _submission(rule, asked, max(job.threads for job in jobs), self._workflow.executor_settings)

    def give_up_where(self, hopeless: Callable[[str, str], str | None]) -> None:
        """Let a job that SLURM refused fail at once if a retry, which requests more, would be refused too.

        Args:
            hopeless: for a rule and SLURM's words, returns what to say; None if another try may succeed.
        """
        from snakemake_executor_plugin_slurm import Executor

        report = Executor.report_job_error

        def report_job_error(self: Any, job_info: Any, msg: str | None = None, **kwargs: Any) -> None:
            job, refused = job_info.job, REFUSED.match(msg or "")
            if refused and (explained := hopeless(job.name, refused[1])):
                job.attempt, msg = max(job.attempt, job.restart_times + 1), explained
            report(self, job_info, msg, **kwargs)

        Executor.report_job_error = report_job_error

    def _failed(self) -> set[Any]:
        """Return the jobs that failed for good; those of a batch one by one."""
        failed = getattr(self._workflow.scheduler, "failed", ())
        return {job for found in failed for job in (found.jobs if found.is_group() else [found])}

    def unlock(self) -> None:
        """Remove all of Snakemake's locks."""
        locks = Path(self._workflow.persistence.path, "locks")
        shutil.rmtree(locks, ignore_errors=True)
        locks.mkdir()

    def share_locks(self, refusal: Callable[[], str | None], explain: Callable[[OSError], str]) -> None:
        """Make a run that is refused name the run that holds the folder, and a run that ends keep the locks of others.

        Snakemake itself removes all locks of the folder at its end, including those of a run that continues.

        Args:
            refusal: returns what to say if others are making files in this folder; None if nobody is known to.
            explain: returns what to say if the locks cannot be written.

        Raises:
            AttributeError: if Snakemake's locks are not where they were: nothing would protect another run then.
        """
        if not self._workflow.execution_settings.lock:
            return
        persistence = self._workflow.persistence
        lock, files = persistence.lock, persistence._lockfile

        @contextmanager
        def lock_or_name_the_others() -> Iterator[None]:
            if persistence.locked and (message := refusal()):
                refuse(message)
            with ExitStack() as stack:
                try:
                    stack.enter_context(lock())
                except OSError as error:
                    refuse(explain(error))
                yield

        def remove_own() -> None:
            for file in files.values():
                Path(file).unlink(missing_ok=True)
            files.clear()

        if not callable(persistence._delete_locks):
            raise AttributeError("_delete_locks")
        persistence.lock = lock_or_name_the_others
        persistence._delete_locks = remove_own


def _sections(value: object, keys: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Yield a configuration and each mapping in it, with the keys that lead there."""
    if isinstance(value, dict):
        yield keys, value
        for key, below in value.items():
            yield from _sections(below, (*keys, str(key)))


def _submission(rule: str, asked: dict[str, Any], threads: int, settings: Any) -> Submission:
    """Return what a job with these resources requests from SLURM."""
    from snakemake_executor_plugin_slurm.submit_string import get_submit_command
    from snakemake_executor_plugin_slurm.utils import set_gres_string

    job = SimpleNamespace(resources=_Asked(asked), threads=threads, name=rule, is_group=lambda: False)
    parameters = {
        "run_uuid": "test",
        "slurm_logfile": os.devnull,
        "comment_str": rule,
        "account": f"-A {shlex.quote(asked['slurm_account'])}" if "slurm_account" in asked else "",
        "partition": f"-p {shlex.quote(asked['slurm_partition'])}" if "slurm_partition" in asked else "",
        "workdir": "",
    }
    call = get_submit_command(job, parameters, settings=settings) + set_gres_string(job)
    named = [f"{name}={asked[name]}" for name in ASKED if name in asked]
    return Submission(rule, ", ".join([f"threads={threads}", *named]), call)
