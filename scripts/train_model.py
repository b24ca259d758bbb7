"""Train a GPT on token shards; one process per GPU.

Reads token shards (.ds), a tokenizer's folder; writes the model (safetensors and JSON), the metrics table
and a summary, and keeps rolling checkpoints in a separate folder, from which it resumes when restarted.

    python scripts/train_model.py --train tokens/train --validation tokens/val --tokenizer tokenizer \\
        --checkpoints checkpoints/d12 --out model/d12 --depth 12
    python scripts/launch.py --processes 8 scripts/train_model.py ...

Exit status: 0 trained to the end; 75 told to stop (SIGTERM or Ctrl-C) with a checkpoint written: restart it; 1 an
error, given on the last line. torchrun's own status is 1 for anything but 0; scripts/launch.py passes 75 on.
"""

from __future__ import annotations

import os
import platform
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

STARTED = time.perf_counter()

from nanosnake import layout  # noqa: E402
from nanosnake.closures import Closures  # noqa: E402
from nanosnake.files import hard_link, read_json, replacing, replacing_folder, sha256_file, write_json  # noqa: E402
from nanosnake.messages import log  # noqa: E402
from nanosnake.provenance.code import REPOSITORY  # noqa: E402
from nanosnake.provenance.record import take_environment, write_environment  # noqa: E402
from nanosnake.provenance.run_id import run_id  # noqa: E402
from nanosnake.stages import Stage, default_of, main  # noqa: E402
from nanosnake.training.config import (  # noqa: E402
    EXIT_STOPPED,
    STATUS_VARIABLE,
    ModelConfig,
    Shape,
    Stopped,
    TrainOptions,
)
from nanosnake.training.recipe import (  # noqa: E402
    DECISIVE,
    FINISHED,
    FORCED,
    KEPT,
    RESULTS,
    Recipe,
    name_of,
    sized,
)

ENVIRONMENT = "environment.json"
"""The environment that a model was trained in, for the record of a later job that only links the model."""

if TYPE_CHECKING:
    from nanosnake.training.trainer import Trainer
    from nanosnake.training.vocabulary import Vocabulary


@dataclass(frozen=True, kw_only=True)
class TrainModel(Stage, Shape, TrainOptions):
    """Train a GPT on token shards."""

    train: tuple[str, ...]
    """Training shards: .ds files or folders of them."""
    validation: tuple[str, ...]
    """Validation shards: .ds files or folders of them."""
    tokenizer: Path
    """Folder with tokenizer.tiktoken and meta.json."""
    checkpoints: Path
    """Folder of rolling checkpoints; each run has its own folder in it, named after all that decides the model."""
    out: Path
    """Folder of the results: model.safetensors, model.json, metrics.jsonl, training.json."""
    device: str = "auto"
    """auto, cuda or cpu."""
    compile_cache: Path | None = None
    """Folder of torch.compile's cache; its default is under /tmp and is lost with the node."""

    plan: Path | None = None
    """Plan of a mixture, whose parts the training shards are."""
    parent: Path | None = None
    """Weights that training begins with, next to their model.json; absent: random ones."""
    keep: tuple[int, ...] = ()
    """Steps after which the weights are kept."""
    given: tuple[str, ...] = ()
    """Names of the options that were given, even if at their default; if absent: those not at their default."""
    recipe: Path | None = None
    """File of their values by the newest plan, which may be that of another configuration; no result is older."""
    follow_code: bool = False
    """Do not reuse a finished model that was trained by other code."""

    @property
    def training(self) -> TrainOptions:
        """The training options alone."""
        return TrainOptions(**{field.name: getattr(self, field.name) for field in fields(TrainOptions)})

    @property
    def decided(self) -> frozenset[str]:
        """Names of the decisive options that were given."""
        if self.given:
            return frozenset(self.given)
        known = {field.name: field for field in fields(self)}
        return frozenset(
            name for name in DECISIVE if name == "depth" or getattr(self, name) != default_of(known[name])
        )

    def run(self) -> int | None:
        try:
            train_model(self)
        except Stopped as stopped:
            log(f"train_model.py: error: {stopped}")  # in the form of any reason to end before the end
            if path := os.environ.get(STATUS_VARIABLE):
                Path(path).write_text(f"{EXIT_STOPPED}\n")
            return EXIT_STOPPED
        return None


def train_model(options: TrainModel) -> None:
    """Train and write the results, or link those of an identical finished model."""
    if options.compile_cache is not None:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(options.compile_cache.resolve())
    os.environ.setdefault("PYTORCH_ALLOC_CONF", "expandable_segments:True")
    from nanosnake.training.shards import TokenShards
    from nanosnake.training.vocabulary import Vocabulary

    vocabulary = Vocabulary.load(options.tokenizer)
    config = ModelConfig.of_shape(options, len(vocabulary))
    train, validation = (
        TokenShards(list(options.train), plan=options.plan),
        TokenShards(list(options.validation)),
    )
    others = {}
    if options.plan and train.planned:
        others["plan"] = ((options.plan.name, train.planned.digest),)
    if options.parent:
        others["parent"] = ((name_of(options.parent.parent), sha256_file(options.parent)[:16]),)
    recipe = Recipe(
        options={name: getattr(options, name) for name in DECISIVE} | {"keep": list(options.keep)},
        given=options.decided,
        data={
            "train": train.digests,
            "validation": validation.digests,
            "vocabulary": sized(
                (("tokenizer.tiktoken", sha256_file(options.tokenizer / "tokenizer.tiktoken")[:16]),),
                len(vocabulary),
            ),
            **others,
        },
        code=Closures(REPOSITORY, Path(layout.CODE)).of("train_model"),
    )
    if found := finished(options, recipe):
        if os.environ.get("RANK", "0") == "0":
            log(
                f"{found}: already holds this model, trained on the same data with the same options; nothing is trained"
            )
            link_results(found, options, vocabulary)
            take_environment(found / ENVIRONMENT)
        return
    from nanosnake.training.distributed import Ranks
    from nanosnake.training.trainer import Files, Trainer

    run = (
        options.checkpoints / recipe.key / (recipe.code_key + (f"-{run_id()}" if is_forced(options) else ""))
    )
    files = Files(train, validation, vocabulary, run, options.parent)
    ranks = Ranks.start(options.device)
    try:
        trainer = Trainer(config, options.training, files, ranks, keep=options.keep, started=STARTED)
        figures = trainer.run()
        if ranks.first:
            place = options.checkpoints / recipe.key / FINISHED
            with replacing_folder(place) as folder:
                write_results(folder, trainer, figures, recipe)
                write_environment(folder / ENVIRONMENT)
            link_results(place, options, vocabulary)
    finally:
        ranks.stop()


def is_forced(options: TrainModel) -> bool:
    """Return whether to retrain a model although nothing has changed."""
    return str(options.out) in os.environ.get(FORCED, "").split(os.pathsep)


def finished(options: TrainModel, recipe: Recipe) -> Path | None:
    """Return the folder of a finished model made with the same options and data; None if there is none.

    Its folder may have another name: a new option or default changes the name, but not what was asked for.
    """
    if is_forced(options):
        return None
    for folder in sorted(options.checkpoints.glob(f"*/{FINISHED}")):
        then = Recipe.of_result(folder)
        if then is not None and recipe.is_made(then, follow_code=options.follow_code):
            return folder
    return None


def link_results(place: Path, options: TrainModel, vocabulary: Vocabulary) -> None:
    """Link the files of a finished model to the results, no older than what they were made from.

    Special tokens may have other names than when it was trained, which changes nothing else.
    """
    from nanosnake.training.shards import files_of, find_shards

    others = (options.recipe, options.plan, options.parent)
    inputs = [*options.tokenizer.iterdir(), *(path for path in others if path)]
    for path in find_shards([*options.train, *options.validation]):
        inputs += files_of(path).values()
    newest = max(path.stat().st_mtime_ns for path in inputs)
    for name in RESULTS:
        hard_link(place / name, options.out / name)
    said = read_json(place / "model.json")
    if said["tokenizer"]["special_tokens"] != vocabulary.special:
        said["tokenizer"]["special_tokens"] = vocabulary.special
        write_json(options.out / "model.json", said)
    for name in RESULTS:
        stat = (options.out / name).stat()
        os.utime(options.out / name, ns=(stat.st_atime_ns, max(stat.st_mtime_ns, newest)))


def write_results(folder: Path, trainer: Trainer, figures: dict[str, Any], recipe: Recipe) -> None:
    """Write a finished model."""
    from nanosnake.training.export import write_model

    names = ("steps", "tokens", "bits_per_byte", "validation_loss", "conversations")
    kept = {key: figures[key] for key in names}
    *_, metrics_file, summary_file = (folder / name for name in RESULTS)
    write_model(folder, trainer.model, trainer.files.vocabulary, kept)
    with replacing(metrics_file) as temporary:
        temporary.write_bytes(trainer.files.metrics.read_bytes())
    write_json(summary_file, summary(trainer, figures, recipe))
    for step in trainer.keep:
        for file in trainer.kept(step).iterdir():
            hard_link(file, folder / KEPT / str(step) / file.name)


def summary(trainer: Trainer, figures: dict[str, Any], recipe: Recipe) -> dict[str, Any]:
    """Return the run's figures, with what they were measured on and what the model was made from."""
    import torch

    cuda = torch.cuda.is_available()
    return {
        "figures": figures,
        "model": trainer.config.to_dict(),
        "options": asdict(trainer.options),
        "ranks": trainer.ranks.world,
        "device": torch.cuda.get_device_name() if cuda else platform.machine(),
        "versions": {"torch": torch.__version__, "python": platform.python_version()},
        "recipe": recipe.to_json(),
    }


if __name__ == "__main__":
    main(TrainModel)
