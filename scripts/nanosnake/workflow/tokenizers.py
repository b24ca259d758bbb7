"""Tokenizers: the counts and merges that each is made from, its checks, and its token shards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from check_tokenizer import CheckTokenizer
from compare_tokenizers import CompareTokenizers
from count_pretokens import CountPretokens
from cut_merges import CutMerges
from export_tokenizer import ExportTokenizer
from merge_counts import MergeCounts
from mix_counts import MixCounts
from nanosnake import layout
from nanosnake.checks import CHECKS
from nanosnake.checks.stability import LEAST_UNITS
from nanosnake.config import Config, Taken, Tokenizer
from nanosnake.exports.formats import TOKENIZER_FILES
from nanosnake.naming import compact, selection_name
from nanosnake.snakemake_internals import per_job
from nanosnake.stages import words
from nanosnake.tokenizer.conversion import MERGES_ENDING, file_of
from nanosnake.workflow.datasets import Datasets
from nanosnake.workflow.shell import Wildcards
from take_merges import TakeMerges
from tokenize_conversations import TokenizeConversations
from tokenize_shard import TokenizeShard
from train_tokenizer import TrainTokenizer

OF_A_TOKENIZER = (
    *("tokenizer/tokenizer.json", "tokenizer/tokenizer_config.json", "tokenizer/tokenizer.tiktoken"),
    *("tokenizer/meta.json", "merges.arrow", "gate.json", "figures.json", "curve.json"),
    "report/index.html",
)


class Tokenizers:
    """Provides what the rules of counts, merges, checks and token shards need."""

    def __init__(self, config: Config, datasets: Datasets) -> None:
        self.config, self.datasets = config, datasets

    def each(self, pattern: str) -> list[str]:
        """Return a file of each tokenizer."""
        return [
            pattern.format(dataset=tokenizer.dataset, tokenizer=name)
            for name, tokenizer in self.config.tokenizers.items()
        ]

    def home(self, name: str) -> str:
        """Return the folder of a tokenizer."""
        return layout.TOKENIZER.format(dataset=self.config.tokenizers[name].dataset, tokenizer=name)

    def files(self, name: str) -> list[str]:
        """Return everything made from a tokenizer, except its token shards."""
        checks = (f"checks/{check}.json" for check in self.checks())
        return [*(f"{self.home(name)}/{file}" for file in (*OF_A_TOKENIZER, *checks)), *self.exports(name)]

    def exports(self, name: str) -> list[str]:
        """Return a tokenizer's files in further formats that the configuration asks for."""
        return [
            f"{self.home(name)}/tokenizer/{file}"
            for format in self.config.tokenizers[name].exports
            for file in TOKENIZER_FILES[format]
        ]

    # Counts

    @per_job
    def count(self, wildcards: Wildcards) -> str:
        """Return the options that count a shard; all tokenizers that share the folder count the same way."""
        tokenizer = next(
            tokenizer
            for tokenizer in self.config.tokenizers.values()
            if tokenizer.counting == wildcards.counting
            and wildcards.source in map(self.config.source_of, self.config.parts(tokenizer.dataset))
        )
        column = tokenizer.text_column or self.datasets.column(wildcards)
        return words(CountPretokens, text_column=column, pattern=tokenizer.pattern, doc_cap=tokenizer.doc_cap)

    def _selected(self, wildcards: Wildcards) -> str | None:
        """Return the name of a tokenizer that is trained on a selection of shards; None for all of a mixture's part."""
        return next(
            (
                name
                for name, tokenizer in self.config.tokenizers.items()
                if tokenizer.dataset == wildcards.dataset
                and tokenizer.counting == wildcards.counting
                and self.config.selection(name) == wildcards.selection
            ),
            None,
        )

    def _selected_shards(self, wildcards: Wildcards) -> list[str]:
        name = self._selected(wildcards)
        return (
            self.config.training_shards(name)
            if name is not None
            else self.config.datasets[wildcards.dataset].train_shards
        )

    def _counts_folder(self, dataset: str, counting: str) -> str:
        return layout.COUNTS.format(source=self.config.source_of(dataset), counting=counting)

    def counts(self, wildcards: Wildcards) -> list[str]:
        """Return the count files of the selected shards."""
        folder = self._counts_folder(wildcards.dataset, wildcards.counting)
        return [f"{folder}/{shard}.arrow" for shard in self._selected_shards(wildcards)]

    def shards_to_recount(self, wildcards: Wildcards) -> list[str]:
        """Return the selected shards where characters are limited: the one at the limit is counted in part."""
        name = self._selected(wildcards)
        if name is None or self.config.tokenizers[name].max_chars is None:
            return []
        return self.datasets.files(wildcards.dataset, self._selected_shards(wildcards))

    def merge_counts(self, wildcards: Wildcards) -> str:
        """Return the options that sum the counts of a selection."""
        name = self._selected(wildcards)
        limits = (
            self.config.tokenizers[name].model_dump(include={"min_count", "max_chars"})
            if name is not None
            else {}
        )
        return words(
            MergeCounts,
            counts=Path(self._counts_folder(wildcards.dataset, wildcards.counting)),
            shards=self._selected_shards(wildcards),
            shard_folder=Path(self.datasets.folder(wildcards.dataset)),
            **limits,
        )

    def counts_of_parts(self, wildcards: Wildcards) -> list[str]:
        """Return the summed counts of each part of a mixture: of all its training shards."""
        return self._of_parts(wildcards.dataset, wildcards.counting)

    def _of_parts(self, dataset: str, counting: str) -> list[str]:
        selection = selection_name(None, max_chars=None, min_count=1)
        return [
            layout.MERGED_COUNTS.format(dataset=part, counting=counting, selection=selection)
            for part in self.config.parts(dataset)
        ]

    def mix_counts(self, wildcards: Wildcards) -> str:
        """Return the options that sum the counts of a mixture's parts."""
        mixture, name = self.config.mixture(wildcards.dataset), self._selected(wildcards)
        assert mixture is not None
        assert name is not None
        return words(
            MixCounts,
            parts=mixture.part_names,
            shares=mixture.shares,
            temperature=mixture.temperature,
            min_count=self.config.tokenizers[name].min_count,
        )

    # Merges and exports

    def merged_counts(self, wildcards: Wildcards) -> str:
        """Return the summed counts that a tokenizer is trained on."""
        tokenizer = self.of(wildcards)
        return layout.MERGED_COUNTS.format(
            dataset=tokenizer.dataset,
            counting=tokenizer.counting,
            selection=self.config.selection(wildcards.tokenizer),
        )

    def of(self, wildcards: Wildcards) -> Taken | Tokenizer:
        """Return the settings of a tokenizer."""
        return self.config.tokenizers[wildcards.tokenizer]

    def train(self, wildcards: Wildcards) -> str:
        """Return the options that learn a tokenizer's merges."""
        tokenizer = self.of(wildcards)
        return words(
            TrainTokenizer,
            merges=tokenizer.num_merges,
            base=next(map(Path, self.base(wildcards)), None),
            seeds=tuple(tokenizer.seeds),
        )

    def base(self, wildcards: Wildcards) -> list[str]:
        """Return the merges that come first, if a tokenizer has a base."""
        name, base = wildcards.tokenizer, self.of(wildcards).base
        if base is None:
            return []
        if name in self.taken():
            return [f"{self.home(name)}/given.arrow"]
        return [f"{self.home(base)}/merges.arrow" if base in self.config.tokenizers else base]

    def taken(self) -> list[str]:
        """Return the tokenizers whose first merges are those of one that was made elsewhere."""
        found = {name: tokenizer for name, tokenizer in self.config.tokenizers.items() if tokenizer.base}
        return [
            name
            for name, tokenizer in found.items()
            if isinstance(tokenizer, Taken) or tokenizer.base not in self.config.tokenizers
            if not str(tokenizer.base).endswith(MERGES_ENDING)
        ]

    def source(self, wildcards: Wildcards) -> list[str]:
        """Return the file of a tokenizer that was made elsewhere; a published one has none here."""
        file = file_of(str(self.of(wildcards).base))
        return [str(file)] if file else []

    def take(self, wildcards: Wildcards) -> str:
        """Return the options that take merges from elsewhere."""
        tokenizer = self.of(wildcards)
        return words(
            TakeMerges,
            source=tokenizer.base,
            pattern=tokenizer.pattern,
            baseline_cache=Path(layout.BASELINES),
        )

    def trained(self) -> list[str]:
        """Return the tokenizers that are trained; the others of a sweep are cut from these."""
        return [name for name in self.config.tokenizers if self.config.trained_as(name) == name]

    def larger_merges(self, wildcards: Wildcards) -> str:
        """Return the merges that a smaller tokenizer of a sweep is cut from."""
        return f"{self.home(self.config.trained_as(wildcards.tokenizer))}/merges.arrow"

    def cut(self, wildcards: Wildcards) -> str:
        """Return the options that cut a tokenizer's merges from larger ones."""
        return words(CutMerges, merges=self.of(wildcards).num_merges)

    def training_metadata(self, wildcards: Wildcards) -> list[str]:
        """Return the metadata files of the shards that a tokenizer learns from."""
        return [
            file
            for part, shards in self._training_shards(wildcards.tokenizer).items()
            for file in self.datasets.files(part, shards, ".json")
        ]

    def _training_shards(self, name: str) -> dict[str, list[str]]:
        """Return the shards that a tokenizer learns from, by data set."""
        tokenizer = self.config.tokenizers[name]
        if not isinstance(tokenizer, Tokenizer):
            return {}
        dataset = tokenizer.dataset
        if not self.config.mixture(dataset):
            return {dataset: self.config.training_shards(name)}
        return {part: self.config.datasets[part].train_shards for part in self.config.parts(dataset)}

    def export(self, wildcards: Wildcards) -> str:
        """Return the options that describe a tokenizer to other tools."""
        tokenizer = self.of(wildcards)
        return words(
            ExportTokenizer,
            name=wildcards.tokenizer,
            pattern=tokenizer.pattern,
            vocab_size=tokenizer.vocab_size,
            special_tokens=tokenizer.special_tokens,
            bos=tokenizer.bos,
            eos=tokenizer.eos,
            pad=tokenizer.pad,
            chat_template=tokenizer.chat_template,
            shards=[
                f"{self.datasets.folder(part)}/{compact(shards)}"
                for part, shards in self._training_shards(wildcards.tokenizer).items()
            ],
        )

    def chat_template(self, wildcards: Wildcards) -> list[str]:
        """Return the template of conversations, where the configuration names a file."""
        file = self.of(wildcards).chat_template
        return [file] if file else []

    # Checks and the report

    def checks(self) -> list[str]:
        """Return the names of the checks that the configuration does not turn off, and that some tokenizer needs."""
        learned_from_mixtures = any(
            self.config.mixture(tokenizer.dataset) for tokenizer in self.config.tokenizers.values()
        )
        return [
            name
            for name, settings in self.config.checks
            if settings.mode != "off" and (learned_from_mixtures or "parts" not in CHECKS[name].needs)
        ]

    def checks_of_the_corpus(self) -> list[str]:
        """Return the names of the checks that look at the counts of the whole training text."""
        return [name for name in self.checks() if "counts" in CHECKS[name].needs]

    def checks_of_texts(self) -> list[str]:
        """Return the names of all other checks, which are light."""
        return [name for name in self.checks() if "counts" not in CHECKS[name].needs]

    def check(self, wildcards: Wildcards) -> str:
        """Return the options of a check."""
        settings = getattr(self.config.checks, wildcards.check)
        return words(
            CheckTokenizer,
            check=wildcards.check,
            mode=settings.mode,
            thresholds=settings.model_dump(exclude={"mode"}),
            **self._sources(wildcards),
            baseline_cache=Path(layout.BASELINES),
        )

    def _sources(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return the options that locate what a check needs besides texts and samples."""
        name, needs = wildcards.tokenizer, CHECKS[wildcards.check].needs
        found: dict[str, Any] = {}
        if "counts" in needs:
            found["counts"] = Path(self.merged_counts(wildcards))
        tokenizer = self.config.tokenizers[name]
        mixture = self.config.mixture(tokenizer.dataset)
        if "parts" in needs and mixture:
            files = self._of_parts(tokenizer.dataset, tokenizer.counting)
            found |= {"mixture": found["counts"].with_suffix(".json"), "parts": list(map(Path, files))}
        if "units" in needs and not mixture:
            shards = self.config.training_shards(name)
            folder = self._counts_folder(tokenizer.dataset, tokenizer.counting)
            found |= {"shards": shards, "count_folder": Path(folder)}
            if len(shards) < LEAST_UNITS:
                found["shard_folder"] = Path(self.datasets.folder(tokenizer.dataset))
        if "parallel" in needs and self.config.evaluation.parallel:
            found["parallel"] = Path(self.config.evaluation.parallel)
        return found

    def check_inputs(self, wildcards: Wildcards) -> list[str]:
        """Return the files that a check reads besides the tokenizer, the texts and the samples."""
        found = self._sources(wildcards)
        shards = found.get("shards", ())
        files = [found[key] for key in ("counts", "mixture") if key in found] + found.get("parts", [])
        files += [found["count_folder"] / f"{shard}.arrow" for shard in shards]
        if "shard_folder" in found:
            files += [found["shard_folder"] / f"{shard}.parquet" for shard in shards]
        if "parallel" in found and found["parallel"].is_dir():
            files += sorted(path for path in found["parallel"].iterdir() if path.is_file())
        return list(map(str, files))

    def comparisons(self) -> list[str]:
        """Return the pages that compare tokenizers."""
        return [
            layout.COMPARISON.format(
                dataset=self.config.tokenizers[found.tokenizers[0]].dataset, comparison=name
            )
            for name, found in self.config.compared.items()
        ]

    def compared(self, wildcards: Wildcards) -> list[str]:
        """Return the files of the tokenizers that a page compares."""
        found = self.config.compared[wildcards.comparison]
        ours = [f"{self.home(name)}/tokenizer/meta.json" for name in found.tokenizers]
        files = (Path(other.path) for other in found.others.values())
        return [*ours, *(str(file / "tokenizer.json" if file.is_dir() else file) for file in files)]

    def compare(self, wildcards: Wildcards) -> str:
        """Return the options of a page that compares tokenizers."""
        found = self.config.compared[wildcards.comparison]
        return words(
            CompareTokenizers,
            name=wildcards.comparison,
            tokenizers=[Path(self.home(name), "tokenizer") for name in found.tokenizers],
            baselines=found.baselines,
            others={name: other.model_dump(exclude_none=True) for name, other in found.others.items()},
            baseline_cache=Path(layout.BASELINES),
        )

    def texts(self) -> list[str]:
        """Return the evaluation texts."""
        folders = self.config.evaluation.text_folders
        return [str(path) for folder in folders for path in sorted(Path(folder).glob("*.txt"))]

    # Token shards

    @per_job
    def hashes(self, wildcards: Wildcards) -> str:
        """Return the file that has the hashes of a tokenizer, whatever data set is encoded with it."""
        return layout.TOKENIZER_HASHES.format(
            dataset=self.of(wildcards).dataset, tokenizer=wildcards.tokenizer
        )

    @per_job
    def gate(self, wildcards: Wildcards) -> str:
        """Return the gate of a tokenizer."""
        return layout.GATE.format(dataset=self.of(wildcards).dataset, tokenizer=wildcards.tokenizer)

    @per_job
    def shard(self, wildcards: Wildcards) -> str:
        """Return the shard that a token shard is made from."""
        return layout.SHARD.format(source=self.config.source_of(wildcards.dataset), shard=wildcards.shard)

    @per_job
    def tokenize(self, wildcards: Wildcards) -> str:
        """Return the options that encode a shard, of text or of conversations."""
        dataset = self.config.datasets[wildcards.dataset]
        tokenizer = Path(self.home(wildcards.tokenizer), "tokenizer")
        given: dict[str, Any] = {"text_column": dataset.column, "tokenizer": tokenizer}
        if dataset.content == "text":
            return words(TokenizeShard, **given)
        return words(TokenizeConversations, **given, max_tokens=dataset.max_tokens)

    def token_shards(self, tokenizer: str, dataset: str, split: str) -> list[str]:
        """Return the token shards of a split; of a mixture, those of its parts."""
        return [
            f"{layout.TOKENS.format(dataset=part, tokenizer=tokenizer, split=split)}/{name}.ds"
            for part in self.config.parts(dataset)
            for name in self.config.datasets[part].shards_of(split)
        ]

    def token_words(self, tokenizer: str, dataset: str, split: str) -> tuple[str, ...]:
        """Return the token shards of a split in one word, the folder and the names; of a mixture, a word for each part."""
        return tuple(
            f"{layout.TOKENS.format(dataset=part, tokenizer=tokenizer, split=split)}/"
            f"{compact(self.config.datasets[part].shards_of(split))}.ds"
            for part in self.config.parts(dataset)
        )

    def all_token_shards(self) -> list[str]:
        """Return every token shard of every tokenizer, of its own data set."""
        return [
            file
            for name, tokenizer in self.config.tokenizers.items()
            for split in ("train", "validation")
            for file in self.token_shards(name, tokenizer.dataset, split)
        ]
