"""Finished models are kept: retrained only if options or data have changed, and restored if that fails.

Snakemake compares times of files and deletes a job's outputs before it runs. So a model's rule has no code
among its inputs, and instead of options it takes a small file, the recipe, whose time changes only if the options
really differ from those that the model was trained with. Before the first job, the old files get second names; if the
job fails, they get their first names back.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from nanosnake.closures import differences
from nanosnake.files import hard_link, read_json, write_if_changed
from nanosnake.messages import duration, log
from nanosnake.runs.disk import cannot_write
from nanosnake.snakemake_internals import Run, refuse
from nanosnake.training.recipe import DECISIVE, FINISHED, FORCED, RESULTS, Recipe, in_few_words
from nanosnake.workflow.code import Code
from nanosnake.workflow.models import Models
from train_model import TrainModel

TICK = 1_000_000
"""Nanoseconds by which one time must exceed another to count as later for Snakemake."""


class Keeper:
    """Keeps the finished models of a configuration."""

    def __init__(self, models: Models, code: Code, run: Run) -> None:
        self.models, self.run = models, run
        self.code = code.closures.of(TrainModel.__module__) if models.config.models else {}
        self.aside: list[str] = []
        """Models whose old files have second names until this run ends."""
        if run.is_main:
            try:
                self.write_recipes()
            except OSError as error:
                refuse(cannot_write(error))

    def write_recipes(self) -> None:
        """Write the given options of each model; a file is newer than the model only if they have changed."""
        for name in self.models.config.models:
            path, now = Path(self.models.recipe_of(name)), self.recipe(name)
            then = self.trained(name)
            changed = then is None or bool(now.changed_options(then))
            given = {option: now.options[option] for option in sorted(now.given)}
            made = RESULTS if then is not None else ()
            times = [Path(self.models.home(name), file).stat().st_mtime_ns for file in made]
            # a plan during the training wrote the same, of which Snakemake has noted that the model was made from it
            instead = {"instead of the model of": max(times)} if changed and times else {}
            write_if_changed(path, json.dumps({"given": given, **instead}, indent=1) + "\n")
            if not times:
                continue
            if changed and path.stat().st_mtime_ns <= max(times) + TICK:
                os.utime(path, ns=(max(times) + TICK,) * 2)
            elif not changed and path.stat().st_mtime_ns >= min(times) - TICK:
                os.utime(path, ns=(min(times) - TICK,) * 2)

    def recipe(self, name: str) -> Recipe:
        """Return the recipe of a model by the configuration, without the data, which only the trainer knows."""
        model = self.models.config.models[name]
        values = {**model.model_dump(), **model.options.model_dump()}
        options = {option: values[option] for option in DECISIVE}
        return Recipe(options, frozenset(self.models.given(name)), {}, self.code)

    def trained(self, name: str) -> Recipe | None:
        """Return the recipe of the existing model; None if the model is incomplete or has no recipe."""
        home = Path(self.models.home(name))
        return Recipe.of_result(home) if all((home / file).exists() for file in RESULTS) else None

    # Before the first job

    def start(self) -> None:
        """For each finished model that will be retrained, log why and what it cost, and set its files aside."""
        made_again, forced = self.run.outputs, []
        for name in self.models.config.models:
            home = Path(self.models.home(name))
            if not any(str(home / file) in made_again for file in RESULTS):
                continue
            if any(str(home / file) in self.run.forced for file in RESULTS):
                forced.append(str(home))
            then = self.trained(name)
            if then is not None:
                why = (
                    "is trained again, as asked for"
                    if str(home) in forced
                    else self._why(name, then, made_again)
                )
                log(f"{name}: {why}; {cost(home)}")
            if all((home / file).exists() for file in RESULTS):
                for file in RESULTS:
                    hard_link(home / file, self._aside(name) / file)
                self.aside.append(name)
        os.environ[FORCED] = os.pathsep.join(forced)

    def _why(self, name: str, then: Recipe, made_again: set[str]) -> str:
        """Return why a model will be retrained, or what that depends on."""
        options = self.recipe(name).changed_options(then)
        reasons = [f"options: {', '.join(options)}"] if options else []
        pending = []
        for split in ("train", "validation"):
            tokens = self.models.token_files(name, split)
            now, before = (
                {Path(file).stem for file in tokens},
                {shard for shard, _ in then.data.get(split, ())},
            )
            if now != before:
                reasons.append(f"{split} shards: {in_few_words(sorted(now ^ before))}")
            pending += [Path(file).stem for file in tokens if file in made_again]
        pending += [Path(file).name for file in self.models.plan_of(name) if file in made_again]
        if set(self.models.parent_of(name)) & made_again:
            pending.append(str(self.models.config.models[name].parent))
        if self.models.config.models[name].follow_code and (code := differences(then.code, self.code)):
            reasons.append(f"code: {in_few_words(code)}")
        if reasons and len(reasons) == bool(options) and not pending and self._is_kept(name):
            return f"is taken from its checkpoints ({reasons[0]})"
        if reasons:
            return f"is trained again ({'; '.join(reasons)})"
        if pending:
            return f"is trained again if its token shards come out as others; made again: {in_few_words(pending)}"
        return "is looked at again, and trained again only if its token shards are others"

    def _is_kept(self, name: str) -> bool:
        """Return whether a model of the same options was finished before."""
        now = self.recipe(name)
        kept = (
            Recipe.of_result(folder)
            for folder in Path(self.models.checkpoints_of(name)).glob(f"*/{FINISHED}")
        )
        return any(then is not None and not now.changed_options(then) for then in kept)

    # After the last job, and after a run that was killed

    def finish(self) -> None:
        """Restore the old files of models that this run has not retrained."""
        while self.aside:
            self._settle(self.aside.pop())

    def settle(self) -> None:
        """Restore the files of models that a killed run has set aside; no other run may be active."""
        for name in self.models.config.models:
            self._settle(name)
        self.write_recipes()

    def _settle(self, name: str) -> None:
        home, aside = Path(self.models.home(name)), self._aside(name)
        if not all((aside / file).exists() for file in RESULTS):
            return
        if not all((home / file).exists() for file in RESULTS):
            for file in RESULTS:
                hard_link(aside / file, home / file)
            log(f"{name}: was not trained again; the model from before is back in {home}")
        shutil.rmtree(aside)

    def _aside(self, name: str) -> Path:
        return Path(self.models.checkpoints_of(name), "aside")


def cost(home: Path) -> str:
    """Describe how long a finished model took, from its own record."""
    said = read_json(home / "training.json")
    took = duration(said["figures"]["seconds"])
    return f"the one that is there took {took} on {said['ranks']} x {said['device']}"
