"""Where results stand, and what each of them depends on: the functions that the rules ask.

Plain Python, so that it can be tested with no Snakemake; the rules themselves stand in the .smk files.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from nanosnake.checks.verdict import read_verdict
from nanosnake.config import Config, Dataset, S3Source, Tokenizer, UrlSource
from nanosnake.files import NanosnakeError, read_json, sha256_file, write_if_changed
from nanosnake.naming import compact
from nanosnake.runs.disk import cannot_write
from nanosnake.workflow.modules import HASHES, imported_files
from nanosnake.workflow.snakemake_internals import per_job

SHARDS = "results/{dataset}/shards"
COUNTS = "results/{dataset}/counts/{counting}"
SAMPLES = "results/{dataset}/samples"
TOKENIZER = "results/{dataset}/{tokenizer}"
TOKENS = "results/{dataset}/{tokenizer}/tokens/{split}"
MODEL = "results/{dataset}/{tokenizer}/{model}"
CHECKPOINTS = "checkpoints/{dataset}/{tokenizer}/{model}"
HISTORY = "history/{dataset}/{tokenizer}.jsonl"
BASELINES = ".cache/baselines"

MODEL_SHAPE = {"depth", "sequence_length", "window_pattern", "aspect_ratio", "head_dim", "kv_share"}

TEST_MODULES = {"tests.rs", "reference.rs"}
"""Modules of the crate that are compiled for its tests alone."""

SAMPLED_SHARDS = 4
"""From how many shards of a split documents are sampled."""

Wildcards = Any  # Snakemake's: an attribute per wildcard


def any_of(names: Iterable[str]) -> str:
    """Return the constraint of a wildcard: one of these names, or nothing at all where there is none."""
    return "|".join(map(re.escape, sorted(names))) or "(?!)"


def folder_of(name: str) -> Callable[[Wildcards, Any], str]:
    """Return the function that tells a rule the folder of its input or inputs of this name."""

    def folder(wildcards: Wildcards, input: Any) -> str:
        files = getattr(input, name)
        return str(Path(files if isinstance(files, str) else files[0]).parent)

    return folder


def put_python_first() -> None:
    """Let jobs run with the Python that runs Snakemake, also where its environment was not activated."""
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])


class Graph:
    """Answers, for one configuration, which files a rule takes and which values it is given.

    Args:
        config: the configuration.
        repository: folder of the Snakefile, as seen from the working directory.
    """

    def __init__(self, config: Config, repository: Path) -> None:
        self.config = config
        self.repository = repository

    # What decides a result

    def script(self, name: str) -> str:
        """Return the path of a script."""
        return str(self.repository / "scripts" / name)

    def code_folder(self, wildcards: Wildcards) -> str:
        """Return the folder of the code, which is the repository's."""
        return str(self.repository)

    def code(self, script: str, *rust: str) -> dict[str, str]:
        """Return the inputs that stand for a script: itself, and a file with the hashes of what it imports.

        Snakemake sees a rule's text and not what its script imports; as inputs, these make a result outdated
        when they change. One file stands for the modules of Python and of the Rust crate: a dozen inputs more
        for each job would be a fifth of a large plan's time. `rust` names the modules that decide the result.
        """
        own = self.repository / "scripts" / script
        files = [file for file in imported_files(own) if file != own]
        for module in rust:
            source = self.repository / "rustbpe/core/src"
            found = [*source.glob(f"{module}.rs"), *source.glob(f"{module}/**/*.rs")]
            if not found:
                raise ValueError(f"the Rust crate has no module {module!r}")
            files += sorted(file for file in found if file.name not in TEST_MODULES)
        hashes = Path(HASHES, f"{own.stem}.sha256")
        lines = [f"{sha256_file(file)}  {file.relative_to(self.repository)}\n" for file in files]
        try:
            write_if_changed(hashes, "".join(lines))
        except OSError as error:
            raise NanosnakeError(cannot_write(error)) from None
        return {"script": str(own), "modules": str(hashes)}

    # Datasets

    def datasets(self, kind: str) -> list[str]:
        """Return the names of the datasets whose source is of a kind."""
        return [name for name, dataset in self.config.datasets.items() if dataset.source.kind == kind]

    def _dataset(self, wildcards: Wildcards) -> Dataset:
        return self.config.datasets[wildcards.dataset]

    def location(self, wildcards: Wildcards) -> str:
        """Return the URL or the file of a shard."""
        return self._dataset(wildcards).locations[wildcards.shard]

    def shard_number(self, wildcards: Wildcards) -> int:
        """Return the number of a shard of the embedded corpus."""
        return int(wildcards.shard.removeprefix("shard_"))

    @per_job
    def shard_column(self, wildcards: Wildcards) -> str:
        """Return the column that holds the documents of a dataset."""
        return self._dataset(wildcards).text_column

    @per_job
    def download_options(self, wildcards: Wildcards) -> str:
        """Return where a shard is and what it has to hold, as options of the command line."""
        dataset = self._dataset(wildcards)
        words = ["--url", dataset.locations[wildcards.shard], "--text-column", dataset.text_column]
        source = dataset.source
        if isinstance(source, UrlSource):
            if "{revision" in source.url:
                words += ["--revision", source.revision]
            if source.allow_http_redirects:
                words.append("--allow-http-redirects")
        if isinstance(source, S3Source):
            words += source.endpoint.options()
        for table in self.checksums(wildcards):
            words += ["--checksums", table]
        return shlex.join(words)

    def patience_options(self) -> str:
        """Return how long a download waits and how often it tries, as options of the command line."""
        settings = self.config.downloads.model_dump()
        return shlex.join(
            [word for key, value in settings.items() for word in (f"--{key.replace('_', '-')}", str(value))]
        )

    @per_job
    def checksums(self, wildcards: Wildcards) -> list[str]:
        """Return the table of checksums that the configuration names, if any."""
        table = getattr(self._dataset(wildcards).source, "checksums", None)
        return [table] if table else []

    def metadata(self, wildcards: Wildcards) -> list[str]:
        """Return the metadata files of all shards of a dataset."""
        dataset = self._dataset(wildcards)
        names = [*dataset.train_shards, *dataset.validation_shards]
        return [f"{SHARDS.format(dataset=wildcards.dataset)}/{name}.json" for name in names]

    def train_names(self, wildcards: Wildcards) -> str:
        """Return the names of the training shards, in one word."""
        return compact(self._dataset(wildcards).train_shards)

    def validation_names(self, wildcards: Wildcards) -> str:
        """Return the names of the validation shards, in one word."""
        return compact(self._dataset(wildcards).validation_shards)

    # Counts

    def _counting(self, wildcards: Wildcards) -> Tokenizer:
        """Return the first tokenizer that counts this way; all that share the folder count alike."""
        return next(
            tokenizer
            for tokenizer in self.config.tokenizers.values()
            if tokenizer.dataset == wildcards.dataset and tokenizer.counting == wildcards.counting
        )

    @per_job
    def counting_options(self, wildcards: Wildcards) -> str:
        """Return what a counting reads and how it splits, as options of the command line."""
        tokenizer = self._counting(wildcards)
        column = tokenizer.text_column or self.shard_column(wildcards)
        words = ["--text-column", column, "--pattern", tokenizer.pattern, "--doc-cap", str(tokenizer.doc_cap)]
        return shlex.join(words)

    def _selection(self, wildcards: Wildcards) -> str:
        """Return the name of a tokenizer that is trained on a selection of shards."""
        return next(
            name
            for name, tokenizer in self.config.tokenizers.items()
            if tokenizer.dataset == wildcards.dataset
            and tokenizer.counting == wildcards.counting
            and self.config.selection(name) == wildcards.selection
        )

    def selected_names(self, wildcards: Wildcards) -> str:
        """Return the names of the selected shards, in one word."""
        return compact(self.config.training_shards(self._selection(wildcards)))

    def selected_counts(self, wildcards: Wildcards) -> list[str]:
        """Return the count files of the selected shards."""
        folder = COUNTS.format(dataset=wildcards.dataset, counting=wildcards.counting)
        return [
            f"{folder}/{shard}.arrow" for shard in self.config.training_shards(self._selection(wildcards))
        ]

    def shards_to_recount(self, wildcards: Wildcards) -> list[str]:
        """Return the selected shards where characters are limited: the one at the limit is counted in part."""
        name = self._selection(wildcards)
        if self.config.tokenizers[name].max_chars is None:
            return []
        folder = SHARDS.format(dataset=wildcards.dataset)
        return [f"{folder}/{shard}.parquet" for shard in self.config.training_shards(name)]

    def merge_options(self, wildcards: Wildcards) -> str:
        """Return what narrows a selection, as options of the command line."""
        tokenizer = self.config.tokenizers[self._selection(wildcards)]
        options = ["--min-count", str(tokenizer.min_count)]
        if tokenizer.max_chars is not None:
            options += ["--max-chars", str(tokenizer.max_chars)]
        return shlex.join(options)

    # Tokenizers

    def tokenizer(self, wildcards: Wildcards) -> Tokenizer:
        """Return the settings of a tokenizer."""
        return self.config.tokenizers[wildcards.tokenizer]

    def merged_counts(self, wildcards: Wildcards) -> str:
        """Return the summed counts that a tokenizer is trained on."""
        counting = self.tokenizer(wildcards).counting
        folder = COUNTS.format(dataset=wildcards.dataset, counting=counting)
        return f"{folder}/merged/{self.config.selection(wildcards.tokenizer)}.arrow"

    def num_merges(self, wildcards: Wildcards) -> int:
        """Return how many merges a tokenizer learns."""
        return self.tokenizer(wildcards).num_merges

    def special_tokens(self, wildcards: Wildcards) -> list[str]:
        """Return the special tokens; the first begins every document."""
        return self.tokenizer(wildcards).special_tokens

    def training_names(self, wildcards: Wildcards) -> str:
        """Return the names of the shards that a tokenizer learns from, in one word."""
        return compact(self.config.training_shards(wildcards.tokenizer))

    def training_metadata(self, wildcards: Wildcards) -> list[str]:
        """Return the metadata files of the shards that a tokenizer learns from."""
        folder = SHARDS.format(dataset=wildcards.dataset)
        return [f"{folder}/{shard}.json" for shard in self.config.training_shards(wildcards.tokenizer)]

    @per_job
    def tokenizer_folder(self, wildcards: Wildcards) -> str:
        """Return the folder that a tokenizer is loaded from."""
        return f"{TOKENIZER.format(dataset=wildcards.dataset, tokenizer=wildcards.tokenizer)}/tokenizer"

    # Token shards

    def token_shards(self, tokenizer: str, split: str) -> list[str]:
        """Return the token shards of a tokenizer and a split."""
        dataset = self.config.tokenizers[tokenizer].dataset
        shards = self.config.datasets[dataset]
        names = shards.train_shards if split == "train" else shards.validation_shards
        folder = TOKENS.format(dataset=dataset, tokenizer=tokenizer, split=split)
        return [f"{folder}/{name}.ds" for name in names]

    def all_token_shards(self) -> list[str]:
        """Return every token shard of every tokenizer."""
        return [
            file
            for tokenizer in self.config.tokenizers
            for split in ("train", "validation")
            for file in self.token_shards(tokenizer, split)
        ]

    # Models

    def train_tokens(self, wildcards: Wildcards) -> list[str]:
        """Return the token shards that a model is trained on."""
        return self._with_index(self.token_shards(wildcards.tokenizer, "train"))

    def validation_tokens(self, wildcards: Wildcards) -> list[str]:
        """Return the token shards that a model is evaluated on."""
        return self._with_index(self.token_shards(wildcards.tokenizer, "validation"))

    def _with_index(self, files: list[str]) -> list[str]:
        return [part for file in files for part in (file, f"{file}.index")]

    def train_tokens_word(self, wildcards: Wildcards) -> str:
        """Return the training token shards in one word: the folder and the names."""
        return f"{self._tokens(wildcards, 'train')}/{self.train_names(wildcards)}.ds"

    def validation_tokens_word(self, wildcards: Wildcards) -> str:
        """Return the validation token shards in one word: the folder and the names."""
        return f"{self._tokens(wildcards, 'validation')}/{self.validation_names(wildcards)}.ds"

    def _tokens(self, wildcards: Wildcards, split: str) -> str:
        return TOKENS.format(dataset=wildcards.dataset, tokenizer=wildcards.tokenizer, split=split)

    def model_options(self, wildcards: Wildcards) -> str:
        """Return what a model is and how it is trained, as options of the command line."""
        model = self.config.models[wildcards.model]
        values = model.model_dump(include=MODEL_SHAPE) | model.options.model_dump(exclude_defaults=True)
        words: list[str] = []
        for key, value in values.items():
            name = key.replace("_", "-")
            words += (
                [f"--{'' if value else 'no-'}{name}"]
                if isinstance(value, bool)
                else [f"--{name}", str(value)]
            )
        return shlex.join(words)

    def evaluation_inputs(self, wildcards: Wildcards) -> list[str]:
        """Return the files of prompts and tasks that a model is evaluated with."""
        model = self.config.models[wildcards.model]
        tasks = sorted(map(str, Path(model.tasks).glob("*"))) if model.tasks else []
        return ([model.prompts] if model.prompts else []) + tasks

    def evaluation_options(self, wildcards: Wildcards) -> str:
        """Return prompts and tasks as options of the command line."""
        model = self.config.models[wildcards.model]
        given = {"--prompts": model.prompts, "--tasks": model.tasks}
        return shlex.join([word for option, value in given.items() if value for word in (option, value)])

    def of_each_model(self, pattern: str) -> list[str]:
        """Return a file of each model."""
        return [
            pattern.format(
                dataset=self.config.tokenizers[model.tokenizer].dataset, tokenizer=model.tokenizer, model=name
            )
            for name, model in self.config.models.items()
        ]

    # Validation

    def _sampled(self, wildcards: Wildcards) -> list[str]:
        """Return the first shards of a split: enough to sample from, and the same when others are added."""
        dataset = self._dataset(wildcards)
        shards = dataset.train_shards if wildcards.split == "train" else dataset.validation_shards
        return shards[:SAMPLED_SHARDS]

    def sampled_names(self, wildcards: Wildcards) -> str:
        """Return the names of the shards that documents are sampled from, in one word."""
        return compact(self._sampled(wildcards))

    def sampled_shards(self, wildcards: Wildcards) -> list[str]:
        """Return the shards that documents are sampled from."""
        folder = SHARDS.format(dataset=wildcards.dataset)
        return [f"{folder}/{shard}.parquet" for shard in self._sampled(wildcards)]

    def texts(self) -> list[str]:
        """Return the evaluation texts."""
        return sorted(str(path) for path in Path(self.config.evaluation.texts).glob("*.txt"))

    def checks(self) -> list[str]:
        """Return the names of the checks that the configuration does not turn off."""
        return [name for name, settings in self.config.checks if settings.mode != "off"]

    def check_mode(self, wildcards: Wildcards) -> str:
        """Return what a failure of a check does: block or warn."""
        return str(getattr(self.config.checks, wildcards.check).mode)

    def check_thresholds(self, wildcards: Wildcards) -> str:
        """Return the thresholds of a check, as JSON."""
        settings = getattr(self.config.checks, wildcards.check)
        return json.dumps(settings.model_dump(exclude={"mode"}), sort_keys=True)

    def say_verdicts(self) -> None:
        """Print, as the last lines of a run, what the gates and the models came to."""
        for name, tokenizer in self.config.tokenizers.items():
            folder = Path(TOKENIZER.format(dataset=tokenizer.dataset, tokenizer=name))
            found = [read_verdict(path) for path in sorted(folder.glob("checks/*.json"))]
            verdicts = [verdict for verdict in found if verdict.check in self.checks()]
            blocking = [verdict.check for verdict in verdicts if verdict.blocks]
            warnings = [verdict.check for verdict in verdicts if verdict.warns]
            if blocking:
                state = f"gate CLOSED by {', '.join(blocking)}"
            else:
                state = "gate open" if (folder / "gate.json").exists() else "gate not reached"
            warned = f"; warnings: {', '.join(warnings)}" if warnings else ""
            print(f"{name}: {state}{warned}; see {folder}/report/index.html", file=sys.stderr)
        for result in map(Path, self.of_each_model(f"{MODEL}/evaluation.json")):
            if result.exists():
                evaluation = read_json(result)
                others = ", ".join(f"{name} {bits:.3f}" for name, bits in evaluation["baselines"].items())
                print(
                    f"{result.parent.name}: {evaluation['bits_per_byte']:.3f} bits per byte ({others});"
                    f" see {result.parent}/report/index.html",
                    file=sys.stderr,
                )

    def templates(self) -> list[str]:
        """Return what the report is rendered with, other than Python."""
        folder = self.repository / "scripts/nanosnake/report"
        return sorted(str(path) for path in folder.rglob("*") if path.suffix in (".j2", ".css", ".js"))

    def of_each_tokenizer(self, pattern: str) -> list[str]:
        """Return a file of each tokenizer."""
        return [
            pattern.format(dataset=tokenizer.dataset, tokenizer=name)
            for name, tokenizer in self.config.tokenizers.items()
        ]
