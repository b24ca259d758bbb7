"""Data sets: their shards, where each comes from, and the samples drawn from them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from download_shard import DownloadShard
from link_shard import LinkShard, replace_link
from make_demo_shard import MakeDemoShard
from make_shards import MakeShards
from nanosnake import layout
from nanosnake.config import Config, Dataset, FilesSource, HubSource, S3Source, UrlSource
from nanosnake.config.datasets import VALIDATION
from nanosnake.files import read_json
from nanosnake.snakemake_internals import per_job
from nanosnake.sources.formats import filters
from nanosnake.stages import words
from nanosnake.workflow.shell import Wildcards
from sample_documents import SampleDocuments

SAMPLED_SHARDS = 4
"""Number of shards of a split that documents are sampled from."""


class Datasets:
    """Provides what the rules of shards and samples need. A wildcard `source` is the first data set that reads it."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def of_kind(self, *kinds: str) -> list[str]:
        """Return the sources of some kinds."""
        return [name for name in self.config.sources if self.config.datasets[name].source.kind in kinds]

    def of_content(self, content: str) -> list[str]:
        """Return the data sets with shards of their own whose documents are text, or conversations."""
        return [name for name in self.plain() if self.config.datasets[name].content == content]

    @cached_property
    def _locations(self) -> dict[str, dict[str, str]]:
        """Where the shards of each source are, by its name and theirs."""
        found: dict[str, dict[str, str]] = {}
        for source, names in self.config.sources.items():
            for name in names:
                found.setdefault(source, {}).update(self.config.datasets[name].locations)
        return found

    def location(self, wildcards: Wildcards) -> str:
        """Return the URL or the file of a shard."""
        return self._locations[wildcards.source][wildcards.shard]

    @per_job
    def column(self, wildcards: Wildcards) -> str:
        """Return the column that holds the documents of a source."""
        return self.config.datasets[wildcards.source].column

    def cut(self, wildcards: Wildcards) -> str:
        """Return the options that cut a shard out of the embedded corpus."""
        source: Any = self.config.datasets[wildcards.source].source
        number = int(wildcards.shard.removeprefix("shard_"))
        return words(
            MakeDemoShard, shard=number, of=source.shards, corpus=source.corpus, language=source.language
        )

    @per_job
    def link(self, wildcards: Wildcards) -> str:
        """Return the options that check a local file."""
        content = self.config.datasets[wildcards.source].content
        return words(LinkShard, text_column=self.column(wildcards), content=content)

    def _files(self, name: str) -> FilesSource:
        source = self.config.datasets[name].source
        assert isinstance(source, FilesSource)
        return source

    def of_files(self, *, together: bool) -> list[str]:
        """Return the sources of files that become shards together, or each for itself."""
        return [name for name in self.of_kind("files") if bool(self._files(name).shards) == together]

    def made_together(self, name: str, pattern: str) -> list[str]:
        """Return a file of each shard that the files of a source become together."""
        validation = [VALIDATION] if self.config.datasets[name].split else []
        return [pattern.format(source=name, shard=shard) for shard in self._files(name).together + validation]

    def to_read(self, name: str, shard: str | None = None) -> list[str]:
        """Return the files that a source's shards, or one of them, are made from, and that of its filter."""
        source = self._files(name)
        files = source.files if shard is None else [self._locations[name][shard]]
        return files + ([str(filters.file_of(source.filter))] if source.filter else [])

    @per_job
    def to_read_for(self, wildcards: Wildcards) -> list[str]:
        """Return the file that one shard is made from, and that of its source's filter."""
        return self.to_read(wildcards.source, wildcards.shard)

    def make(self, name: str, shard: str | None = None) -> str:
        """Return the options that make the shards of a source, or one of them."""
        dataset, source = self.config.datasets[name], self._files(name)
        return words(
            MakeShards,
            files=source.files if shard is None else [self._locations[name][shard]],
            text_column=dataset.read_column,
            content=dataset.content,
            **source.model_dump(include={"format", "documents", "template", "on_error", "filter"}),
            folder=Path(layout.SHARDS.format(source=name)),
            shards=source.together if shard is None else [shard],
            validation=VALIDATION if dataset.split else None,
            fraction=dataset.split.fraction if dataset.split else None,
        )

    @per_job
    def make_one(self, wildcards: Wildcards) -> str:
        """Return the options that make one shard of one file."""
        return self.make(wildcards.source, wildcards.shard)

    def mend_links(self) -> None:
        """Let shards whose links lead nowhere lead to their files again, if a project was moved together with these."""
        for source in self.of_kind("local"):
            for shard, location in self._locations[source].items():
                link = Path(layout.SHARD.format(source=source, shard=shard))
                metadata = link.with_suffix(".json")
                if not link.is_symlink() or link.exists() or not metadata.is_file():
                    continue
                if not Path(location).exists():
                    continue
                said, stat = read_json(metadata), Path(location).stat()
                if (said["bytes"], said.get("mtime_ns")) == (stat.st_size, stat.st_mtime_ns):
                    linked = link.lstat().st_mtime_ns
                    replace_link(link, Path(os.path.abspath(location)))  # noqa: PTH100  (as link_shard.py has it)
                    os.utime(link, ns=(linked, linked), follow_symlinks=False)

    @per_job
    def state(self, wildcards: Wildcards) -> str:
        """Return size and time of a local file: Snakemake notices only newer files, and a replacement may be older."""
        return state_of([self.location(wildcards)])

    def state_together(self, name: str) -> str:
        """Return the same of all files of a source."""
        return state_of(self._files(name).files)

    @per_job
    def download(self, wildcards: Wildcards) -> str:
        """Return the options of a download: where the shard is, what it must contain, and how long to try."""
        dataset = self.config.datasets[wildcards.source]
        source = dataset.source
        values: dict[str, Any] = self.config.downloads.model_dump()
        if isinstance(source, UrlSource):
            values["revision"] = source.revision if "{revision" in str(source.url) else None
            values["allow_http_redirects"] = source.allow_http_redirects
        if isinstance(source, HubSource):
            values |= {"revision": source.listing.commit, "sha256": source.sha256(wildcards.shard)}
        if isinstance(source, S3Source):
            values |= vars(source.endpoint)
        return words(
            DownloadShard,
            url=self.location(wildcards),
            text_column=dataset.read_column,
            content=dataset.content,
            checksums=next(iter(self.checksums(wildcards)), None),
            **values,
        )

    @per_job
    def checksums(self, wildcards: Wildcards) -> list[str]:
        """Return the table of checksums that the configuration names, if any."""
        table = getattr(self.config.datasets[wildcards.source].source, "checksums", None)
        return [table] if table else []

    def plain(self) -> list[str]:
        """Return the data sets that have shards of their own."""
        return [name for names in self.config.sources.values() for name in names]

    def mixtures(self) -> list[str]:
        """Return the data sets that are mixtures of others."""
        return [name for name in self.config.datasets if self.config.mixture(name)]

    def of_parts(self, *patterns: str) -> Callable[[Wildcards], list[str]]:
        """Return the function that gives files of a data set, or, of a mixture, those of each part."""

        def files(wildcards: Wildcards) -> list[str]:
            parts = self.config.parts(wildcards.dataset)
            return [pattern.format(dataset=part) for pattern in patterns for part in parts]

        return files

    def folder(self, name: str) -> str:
        """Return the folder of a data set's shards."""
        return layout.SHARDS.format(source=self.config.source_of(name))

    def files(self, name: str, shards: list[str], ending: str = ".parquet") -> list[str]:
        """Return a file of each of some shards."""
        folder = self.folder(name)
        return [f"{folder}/{shard}{ending}" for shard in shards]

    def metadata(self, wildcards: Wildcards) -> list[str]:
        """Return the metadata files of all shards of a data set."""
        return self.files(wildcards.dataset, self._all(self.config.datasets[wildcards.dataset]), ".json")

    @staticmethod
    def _all(dataset: Dataset) -> list[str]:
        return [*dataset.train_shards, *dataset.validation_shards]

    def table(self, wildcards: Wildcards) -> str:
        """Return the options that list a data set's shards."""
        from list_shards import ListShards

        dataset = self.config.datasets[wildcards.dataset]
        return words(
            ListShards,
            folder=Path(self.folder(wildcards.dataset)),
            train=dataset.train_shards,
            validation=dataset.validation_shards,
        )

    def _sampled(self, wildcards: Wildcards) -> list[str]:
        """Return the first shards of a split: enough to sample from, and the same when others are added."""
        return self.config.datasets[wildcards.dataset].shards_of(wildcards.split)[:SAMPLED_SHARDS]

    def sampled(self, wildcards: Wildcards) -> list[str]:
        """Return the shards that documents are sampled from."""
        return self.files(wildcards.dataset, self._sampled(wildcards))

    def sample(self, wildcards: Wildcards) -> str:
        """Return the options that draw documents."""
        evaluation = self.config.evaluation
        return words(
            SampleDocuments,
            folder=Path(self.folder(wildcards.dataset)),
            shards=self._sampled(wildcards),
            split=wildcards.split,
            documents=evaluation.sampled_documents,
            seed=evaluation.seed,
            text_column=self.config.datasets[wildcards.dataset].column,
        )


def state_of(files: Sequence[str]) -> str:
    """Return sizes and times of files, in few words."""
    states = []
    for file in files:
        try:
            stat = Path(file).stat()
            states.append(f"{stat.st_size} bytes, {stat.st_mtime_ns} ns")
        except OSError:
            states.append("absent")
    return states[0] if len(states) == 1 else hashlib.sha256("\n".join(states).encode()).hexdigest()
