"""Ladders: their models, their curves, and claims about two of them."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from compare_ladders import CompareLadders
from measure_ladder import MeasureLadder
from nanosnake import layout
from nanosnake.config import Config
from nanosnake.config.ladders import NOT_DECISIVE
from nanosnake.ladders import preregistration
from nanosnake.runs.disk import cannot_write
from nanosnake.snakemake_internals import Run, refuse
from nanosnake.stages import words
from nanosnake.workflow.models import Models
from nanosnake.workflow.shell import Wildcards

OF_A_MODEL = ("training.json", *(Path(name).name for name in (layout.EVALUATION, layout.NATS)))
"""Files of a model that decide its point on a curve."""


NOT_OF_TOKENS = {"exports"}
"""Keys of a tokenizer that token shards do not depend on."""


def _said(settings: BaseModel, leave_out: AbstractSet[str] = frozenset()) -> dict[str, Any]:
    """Return what the configuration sets."""
    return settings.model_dump(mode="json", exclude_unset=True, exclude=set(leave_out))


class Ladders:
    """Provides what the rules of ladders need."""

    def __init__(self, config: Config, models: Models, run: Run) -> None:
        self.config, self.models, self.run = config, models, run

    def all(self) -> list[str]:
        """Return the pages and claims of all ladders and comparisons."""
        pages = [self._of_ladder(layout.LADDER_PAGE, name) for name in self.config.whole_ladders]
        for name in self.config.comparisons:
            pages += [self._of_comparison(layout.CLAIM, name)]
            pages += [self._of_comparison(layout.LADDER_COMPARISON_PAGE, name)]
        return pages

    def _of_ladder(self, pattern: str, name: str) -> str:
        return pattern.format(dataset=self.config.dataset_of_ladder(name), ladder=name)

    def _of_comparison(self, pattern: str, name: str) -> str:
        dataset = self.config.dataset_of_ladder(self.config.comparisons[name].of[0])
        return pattern.format(dataset=dataset, compared=name)

    def evaluated(self, wildcards: Wildcards) -> list[str]:
        """Return what a ladder's curve is made from."""
        return self._files(wildcards.ladder)

    def _files(self, ladder: str) -> list[str]:
        names = self.config.members[ladder]
        return [f"{self.models.home(name)}/{file}" for name in names for file in OF_A_MODEL]

    def measure(self, wildcards: Wildcards) -> str:
        """Return the options of a ladder's curve."""
        names = self.config.members[wildcards.ladder]
        return words(MeasureLadder, models=[Path(self.models.home(name)) for name in names])

    def curves(self, wildcards: Wildcards) -> list[str]:
        """Return the curves of the two ladders of a comparison."""
        of = self.config.comparisons[wildcards.compared].of
        return [self._of_ladder(layout.LADDER_CURVE, name) for name in of]

    def evidence(self, wildcards: Wildcards) -> list[str]:
        """Return the evidence of the models of a comparison."""
        name = Path(layout.NATS).name
        return [f"{self.models.home(model)}/{name}" for model in self._compared(wildcards.compared)]

    def _compared(self, comparison: str) -> list[str]:
        """Return the names of the models of a comparison."""
        of = self.config.comparisons[comparison].of
        return list(dict.fromkeys(name for one in of for name in self.config.members[one]))

    def terms(self, comparison: str) -> dict[str, Any]:
        """Return what a comparison claims, of which models."""
        said = self.config.comparisons[comparison]
        models = {
            one: {name: _said(self.config.models[name], NOT_DECISIVE) for name in self.config.members[one]}
            for one in said.of
        }
        return {
            **said.model_dump(mode="json"),
            "share": said.share,
            "models": models,
            **self._made_from(said.of),
        }

    def _made_from(self, of: Sequence[str]) -> dict[str, Any]:
        """Return the settings of the tokenizers and data sets of some ladders, which decide their models too."""
        config = self.config
        tokenizers = {str(config.whole_ladders[one].tokenizer) for one in of}
        trained = {config.dataset_of_ladder(one) for one in of} | {
            config.tokenizers[name].dataset for name in tokenizers
        }
        datasets = {part for name in trained for part in (name, *config.parts(name))}
        return {
            "tokenizers": {
                name: _said(config.tokenizers[name], NOT_OF_TOKENS) for name in sorted(tokenizers)
            },
            "datasets": {name: _said(config.datasets[name]) for name in sorted(datasets)},
        }

    def compare(self, wildcards: Wildcards) -> str:
        """Return the options of a comparison."""
        return words(CompareLadders, terms=self.terms(wildcards.compared))

    def preregistered(self, wildcards: Wildcards) -> list[str]:
        """Return the record of a comparison's terms, which a run writes while it plans, before its first job."""
        path = Path(layout.PREREGISTRATION.format(compared=wildcards.compared))
        if self.run.makes_files:
            begun = [name for name in self._compared(wildcards.compared) if self._is_begun(name)]
            try:
                preregistration.record(path, self.terms(wildcards.compared), begun)
            except OSError as error:
                refuse(cannot_write(error))
        return [str(path)] if path.exists() else []

    def _is_begun(self, name: str) -> bool:
        """Return whether a model exists, or has checkpoints."""
        weights = Path(self.models.home(name), Path(layout.WEIGHTS).name)
        return weights.exists() or Path(self.models.checkpoints_of(name)).exists()
