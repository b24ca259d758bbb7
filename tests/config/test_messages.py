"""Every mistake in a configuration gives one message: the key's path, the value seen, what is allowed."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from nanosnake import config as configuration
from nanosnake.files import NanosnakeError

REPOSITORY = Path(__file__).parents[2]
Raw = dict[str, Any]


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths in a configuration are relative to the working directory."""
    monkeypatch.chdir(REPOSITORY)


@pytest.fixture
def raw() -> Raw:
    """Return the embedded default, with one tokenizer in place of its sweep."""
    settings: Raw = yaml.safe_load((REPOSITORY / "config/config.yaml").read_text())
    settings["tokenizers"] = {"bpe4k": {**settings["tokenizers"]["bpe"], "vocab_size": 4096}}
    settings["models"]["tiny"]["tokenizer"] = "bpe4k"
    return settings


@pytest.mark.parametrize("name", ["config", "fineweb-edu", "climbmix", "ladder"])
def test_shipped_configurations_are_valid(name: str) -> None:
    configuration.load(yaml.safe_load((REPOSITORY / f"config/{name}.yaml").read_text()))


def dataset(**values: object) -> Callable[[Raw], None]:
    return lambda raw: raw["datasets"]["demo"].update(values)


def source(**values: object) -> Callable[[Raw], None]:
    return lambda raw: raw["datasets"]["demo"]["source"].update(values)


def tokenizer(**values: object) -> Callable[[Raw], None]:
    return lambda raw: raw["tokenizers"]["bpe4k"].update(values)


def model(**values: object) -> Callable[[Raw], None]:
    return lambda raw: raw.update(models={"d2": {"tokenizer": "bpe4k", "depth": 2, **values}})


def replaced(**values: object) -> Callable[[Raw], None]:
    return lambda raw: raw.update(values)


def published(**values: object) -> Callable[[Raw], None]:
    return lambda raw: raw.update(publish={"destination": "s3://bucket/prefix", **values})


MISTAKES: list[tuple[Callable[[Raw], None], list[str]]] = [
    # unknown and missing keys
    (
        tokenizer(vocab_sze=3),
        [
            "tokenizers.bpe4k.vocab_sze",
            "did you mean 'vocab_size'",
            "allowed: base, bos, chat_template, dataset,",
        ],
    ),
    (model(steps=5), ["models.d2.steps: unknown key (did you mean 'options.steps'?); allowed: "]),
    (dataset(path="x"), ["datasets.demo.path: unknown key (did you mean 'source.path'?)"]),
    (model(options={"fp8": True}), ["models.d2.options.fp8", "was removed: models train in bf16"]),
    (model(options={"tensorboard": True}), ["models.d2.options.tensorboard", "`nanosnake track` shows"]),
    (
        model(prompts="~nobody-here/prompts.txt"),
        ["models.d2.prompts", "no home folder is known for ~nobody-here"],
    ),
    (
        lambda raw: raw.update(comparisons={"sizes": {"tokenizers": ["bpe4k"]}}),
        ["comparisons.sizes.tokenizers", "are under `tokenizer_comparisons` now"],
    ),
    (replaced(tokenizer={}), ["tokenizer: unknown key", "did you mean 'tokenizers'"]),
    (lambda raw: raw.pop("tokenizers"), ["tokenizers: this key is required"]),
    (lambda raw: raw["datasets"]["demo"].pop("source"), ["datasets.demo.source: this key is required"]),
    # types
    (tokenizer(vocab_size="4096"), ["tokenizers.bpe4k.vocab_size", "integer", "'4096' (str)"]),
    (tokenizer(vocab_size=True), ["tokenizers.bpe4k.vocab_size", "integer", "True (bool)"]),
    (dataset(train={"a": 1}), ["datasets.demo.train", "'0-239'", "{'a': 1} (dict)"]),
    (dataset(train=True), ["datasets.demo.train", "True (bool)"]),
    (replaced(evaluation=3), ["evaluation", "3 (int)"]),
    (replaced(tokenizers=None), ["tokenizers", "None (NoneType)"]),
    # ranges
    (
        tokenizer(vocab_size=264),
        ["tokenizers.bpe4k.vocab_size", "256 bytes and 9 special tokens", "265", "got 264"],
    ),
    (tokenizer(doc_cap=-1), ["tokenizers.bpe4k.doc_cap", "greater than or equal to 0", "got -1"]),
    (source(shards=0), ["datasets.demo.source.shards", "greater than or equal to 1", "got 0"]),
    (dataset(train=-1), ["datasets.demo.train", "begin at 0", "-1"]),
    (dataset(train="3-1"), ["datasets.demo.train", "'1-3'", "'3-1'"]),
    (dataset(train="0-9"), ["datasets.demo.train", "shard 9 does not exist", "0-4", "'0-9'"]),
    (dataset(train="0,0"), ["datasets.demo.train", "twice: 0", "'0,0'"]),
    (dataset(train="0-99999999999"), ["datasets.demo.train", "more than 1,000,000"]),
    # empty lists
    (dataset(train=[]), ["datasets.demo.train", "no shard", "[] (list)"]),
    (dataset(validation=[]), ["datasets.demo.validation", "no shard"]),
    (tokenizer(shards=[]), ["tokenizers.bpe4k.shards", "no shard"]),
    (tokenizer(special_tokens=[]), ["tokenizers.bpe4k.special_tokens", "at least one"]),
    (replaced(tokenizers={}), ["tokenizers", "at least 1"]),
    # names that are defined elsewhere
    (
        tokenizer(pattern="nanochta"),
        ["tokenizers.bpe4k.pattern", "did you mean 'nanochat'", "or write a regex"],
    ),
    (tokenizer(dataset="dmo"), ["tokenizers.bpe4k.dataset", "'dmo'", "defined: demo", "did you mean 'demo'"]),
    (tokenizer(shards="3-4"), ["tokenizers.bpe4k.shards", "shard_00004", "datasets.demo.train"]),
    (dataset(train="0-4"), ["datasets.demo.train", "shard_00004", "pinned for validation"]),
    (model(tokenizer="bpe4"), ["models.d2.tokenizer", "'bpe4'", "defined: bpe4k", "did you mean 'bpe4k'"]),
    (model(depth=0), ["models.d2.depth", "greater than or equal to 1", "got 0"]),
    (model(aspect_ratio=8, head_dim=8), ["models.d2: model: the width is 16", "raise head_dim"]),
    (model(options={"step": 3}), ["models.d2.options.step", "did you mean 'steps'"]),
    (model(options={"epochs": math.inf}), ["models.d2.options.epochs", "a finite number", "got inf"]),
    (
        model(options={"global_batch": 1000}),
        [
            "models.d2.options",
            "1000 tokens, which is not a multiple of the sequence length 2048; use 2048",
            "got {'global_batch': 1000}",
        ],
    ),
    (model(kv_share=4), ["models.d2:", "1 query heads cannot share key/value heads by 4; use a kv_share"]),
    (
        lambda raw: (raw["models"].clear(), tokenizer(chat_template="no.jinja")(raw)),
        ["tokenizers.bpe4k.chat_template", "no.jinja does not exist"],
    ),
    (model(prompts="no/such.txt"), ["models.d2.prompts", "does not exist", "no/such.txt"]),
    (model(prompts="config"), ["models.d2.prompts", "config is not a file"]),
    (model(tasks="docs"), ["models.d2.tasks", "docs holds no task: neither NAME.json nor a folder of such"]),
    (model(tasks="README.md"), ["models.d2.tasks", "README.md holds no task"]),
    (replaced(models={"tokens": {"tokenizer": "bpe4k", "depth": 2}}), ["models.tokens", "another name"]),
    # values
    (tokenizer(pattern="(a"), ["tokenizers.bpe4k.pattern", "gpt2, gpt4, gpt4o, nanochat", "'(a'"]),
    (tokenizer(exports=["sentencepiece"]), ["tokenizers.bpe4k.exports[0]", "'nanochat'", "'sentencepiece'"]),
    (tokenizer(special_tokens=["<a>", "<a>"]), ["tokenizers.bpe4k.special_tokens", "twice", "'<a>'"]),
    (tokenizer(special_tokens=["--x"]), ["tokenizers.bpe4k.special_tokens", "'--x' begins with a dash"]),
    (
        source(kind="ftp"),
        ["datasets.demo.source.kind", "'ftp'", "'embedded', 'url', 'huggingface', 'local', 'files', 's3'"],
    ),
    (lambda raw: raw["datasets"]["demo"]["source"].pop("kind"), ["datasets.demo.source.kind", "required"]),
    (source(language="xx"), ["datasets.demo.source.language", "'en', 'fr' or 'es'", "'xx'"]),
    (replaced(evaluation={"texts": "no/such"}), ["evaluation.texts", "no/such", "holds no .txt file"]),
    (
        replaced(checks={"round_trip": {"mode": "maybe"}}),
        ["checks.round_trip.mode", "'block', 'warn' or 'off'"],
    ),
    (replaced(checks={"compresion": {}}), ["checks.compresion", "did you mean 'compression'", "round_trip"]),
    (
        replaced(checks={"round_trip": {"max_failure": 1}}),
        ["checks.round_trip.max_failure", "'max_failures'"],
    ),
    (replaced(checks={"round_trip": {"max_failures": -1}}), ["checks.round_trip.max_failures", "got -1"]),
    # publishing
    (published(destination="http://b"), ["publish.destination", "s3://bucket/prefix", "'http://b'"]),
    (published(destination="s3://bucket/a//b"), ["publish.destination", "no empty part"]),
    (published(destination="s3://bucket/../b"), ["publish.destination", "no '..'"]),
    (published(include=["shard"]), ["publish.include[0]", "'shards', 'token_shards' or 'models'", "'shard'"]),
    (published(include=["shards", "shards"]), ["publish.include", "twice"]),
    (published(endpoint_url="host:1"), ["publish.endpoint_url", "https://", "'host:1'"]),
    (published(endpoint_url="https://host/bucket"), ["publish.endpoint_url", "a scheme, a host and a port"]),
    (published(path_stile=True), ["publish.path_stile", "did you mean 'path_style'"]),
    (replaced(publish={}), ["publish.destination: this key is required"]),
    # names become folders
    (
        lambda raw: raw["tokenizers"].update({"../up": raw["tokenizers"]["bpe4k"]}),
        ["tokenizers.../up", "folder"],
    ),
    (lambda raw: raw["datasets"].update({"a b": raw["datasets"]["demo"]}), ["datasets.a b", "folder"]),
    (
        lambda raw: raw["tokenizers"].update(counts=raw["tokenizers"]["bpe4k"]),
        ["tokenizers.counts", "another name"],
    ),
]


@pytest.mark.parametrize(("change", "words"), MISTAKES, ids=[words[0] for _, words in MISTAKES])
def test_one_mistake_gives_one_clear_line(raw: Raw, change: Callable[[Raw], None], words: list[str]) -> None:
    broken = copy.deepcopy(raw)
    change(broken)
    with pytest.raises(NanosnakeError) as caught:
        configuration.load(broken, origin="config/config.yaml")
    lines = str(caught.value).splitlines()
    assert lines[0] == "config/config.yaml: a mistake; nothing was run"
    assert len(lines) == 2, lines
    for word in words:
        assert word in lines[1]


def test_all_mistakes_are_said_at_once(raw: Raw) -> None:
    raw["tokenizers"]["bpe4k"].update(doc_cap=-1, exports=["x"])
    raw["datasets"]["demo"]["train"] = []
    with pytest.raises(NanosnakeError, match="3 mistakes"):
        configuration.load(raw)


@pytest.mark.parametrize("key", ["prompts", "chat_template"])
def test_a_file_of_text_is_utf8(raw: Raw, tmp_path: Path, key: str) -> None:
    (tmp_path / "latin1.txt").write_bytes(b"caf\xe9")
    raw["models"] = {"d2": {"tokenizer": "bpe4k", "depth": 2}}
    (raw["models"]["d2"] if key == "prompts" else raw["tokenizers"]["bpe4k"])[key] = str(
        tmp_path / "latin1.txt"
    )
    with pytest.raises(
        NanosnakeError, match=rf"{key}: .*latin1\.txt is not UTF-8 \(byte 3\); convert it first"
    ):
        configuration.load(raw)


def test_an_unknown_key_hides_no_other_mistake(raw: Raw) -> None:
    raw["modls"] = {}
    raw["tokenizers"]["bpe4k"].update(patern="gpt4", doc_cap=-1)
    raw["tokenizers"]["bpe4k"][5] = 6
    raw["models"] = {"d2": {"tokenizer": "bpe4k", "dept": 2}}  # and not that depth is missing, too
    with pytest.raises(NanosnakeError) as caught:
        configuration.load(raw)
    assert [line.split(":")[0].strip() for line in str(caught.value).splitlines()[1:]] == [
        "tokenizers.bpe4k.doc_cap",
        "tokenizers.bpe4k.patern",
        "tokenizers.bpe4k.5",
        "models.d2.dept",
        "modls",
    ]


URL = {"kind": "url", "url": "https://host/data/{revision}/shard_{shard:05d}.parquet"}
BAD_URLS = [
    ("ftp://host/{shard}.parquet", "begins with https://"),
    ("file:///etc/passwd{shard}", "begins with https://"),
    ("https://host/all.parquet", "has no place for the shard's number"),
    ("https://host/{number}.parquet", "unknown field {number}"),
    ("https://host/{shard:x^y}.parquet", "format of an integer"),
    ("https://user:secret@host/{shard}.parquet", "no credentials"),
    ("https://host/a b/{shard}.parquet", "percent-encode"),
    ("https://host/$(id)`{shard}.parquet", "percent-encode"),
]


@pytest.mark.parametrize(("url", "message"), BAD_URLS)
def test_a_url_that_cannot_be_right_is_refused(raw: Raw, url: str, message: str) -> None:
    raw["datasets"]["demo"]["source"] = URL | {"url": url}
    with pytest.raises(NanosnakeError) as caught:
        configuration.load(raw)
    assert "datasets.demo.source.url" in str(caught.value)
    assert message in str(caught.value)


PLANTED = "wJalrXUtnFEMI"


@pytest.mark.parametrize(
    "values",
    [
        {"secret_access_key": PLANTED},
        {"aws_secret_access_key": PLANTED},
        {"access_key": PLANTED},
        {"endpoint_url": f"https://key:{PLANTED}@host"},
    ],
)
def test_credentials_in_a_configuration_are_refused_and_not_shown(raw: Raw, values: dict[str, str]) -> None:
    for change in (
        published(**values),
        source(kind="s3", url="s3://bucket/{shard}.parquet", **values),
    ):
        broken = copy.deepcopy(raw)
        broken["datasets"]["demo"]["source"].pop("language")
        change(broken)
        with pytest.raises(NanosnakeError, match="no credentials in a") as caught:
            configuration.load(broken)
        assert PLANTED not in str(caught.value)


BAD_OBJECTS = [
    ("https://host/{shard}.parquet", "s3://bucket/prefix"),
    ("s3://bucket", "names no object"),
    ("s3://bucket/a.parquet", "has no place for the shard's number"),
    ("s3://bucket/{number}.parquet", "unknown field {number}"),
    (["s3://bucket/a.parquet", "s3://bucket/b/a.parquet"], "several files would be the same shard ('a':"),
    (["s3://bucket/$.parquet"], "gives no name for a shard"),
    ([], "at least 1"),
]


@pytest.mark.parametrize(("url", "message"), BAD_OBJECTS)
def test_a_place_in_s3_that_cannot_be_right_is_refused(raw: Raw, url: object, message: str) -> None:
    raw["datasets"]["demo"]["source"] = {"kind": "s3", "url": url}
    with pytest.raises(NanosnakeError) as caught:
        configuration.load(raw)
    assert "datasets.demo.source.url" in str(caught.value)
    assert message in str(caught.value)


def test_shards_of_a_bucket_go_by_number_or_by_name(raw: Raw) -> None:
    template = "s3://bucket/prefix/shard_{shard:05d}.parquet"
    raw["datasets"]["demo"]["source"] = {"kind": "s3", "url": template, "shards": 5}
    numbered = configuration.load(raw).datasets["demo"]
    assert numbered.locations["shard_00004"] == "s3://bucket/prefix/shard_00004.parquet"
    raw["datasets"]["demo"] = {
        "source": {"kind": "s3", "url": ["s3://bucket/a.parquet", "s3://bucket/held.parquet"]},
        "train": "*",
        "validation": "held",
    }
    listed = configuration.load(raw).datasets["demo"]
    assert (listed.train_shards, listed.validation_shards) == (["a"], ["held"])


def test_shards_of_a_url_are_named_after_their_files(raw: Raw) -> None:
    raw["datasets"]["demo"]["source"] = URL | {"revision": "abc"}
    demo = configuration.load(raw).datasets["demo"]
    assert demo.train_shards == ["shard_00000", "shard_00001", "shard_00002", "shard_00003"]
    assert demo.locations["shard_00004"] == "https://host/data/abc/shard_00004.parquet"


def test_more_training_shards_never_move_the_validation_shard(raw: Raw) -> None:
    before = configuration.load(raw).datasets["demo"].validation_shards
    raw["datasets"]["demo"]["source"]["shards"] = 50
    raw["datasets"]["demo"]["train"] = ["0-3", "5-49"]
    assert configuration.load(raw).datasets["demo"].validation_shards == before


class TestLocalFiles:
    """A folder or glob goes by file name, so that a new file moves none."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        for name in ("b", "a", "held_out"):
            (tmp_path / f"{name}.parquet").touch()
        return tmp_path

    def load(self, raw: Raw, path: str, **values: object) -> configuration.Dataset:
        raw["datasets"]["demo"] |= {"source": {"kind": "local", "path": path}, **values}
        return configuration.load(raw).datasets["demo"]

    @pytest.mark.parametrize("suffix", ["", "/*.parquet"])
    def test_a_star_takes_what_is_not_pinned(self, raw: Raw, folder: Path, suffix: str) -> None:
        demo = self.load(raw, f"{folder}{suffix}", train="*", validation="held_out")
        assert demo.train_shards == ["a", "b"]
        (folder / "z.parquet").touch()
        demo = self.load(raw, f"{folder}{suffix}", train="*", validation="held_out")
        assert demo.train_shards == ["a", "b", "z"]
        assert demo.validation_shards == ["held_out"]

    def test_a_template_goes_by_number(self, raw: Raw, folder: Path) -> None:
        demo = self.load(raw, f"{folder}/part-{{shard:03d}}.parquet", train="0-1", validation=7)
        assert demo.locations["part-007"] == f"{folder}/part-007.parquet"

    @pytest.mark.parametrize(
        ("path", "train", "message"),
        [
            ("", "c", "no file of"),
            ("", 0, "are named after files"),
            ("/none", "*", "no such file or folder"),
            ("/{index}.parquet", "*", "unknown field"),
        ],
    )
    def test_mistakes(self, raw: Raw, folder: Path, path: str, train: object, message: str) -> None:
        with pytest.raises(NanosnakeError, match=message):
            self.load(raw, f"{folder}{path}", train=train, validation="held_out")

    def test_no_name_of_a_file_is_unsafe_in_a_path(self, raw: Raw, folder: Path) -> None:
        (folder / "$(id) x.parquet").touch()
        loaded = self.load(raw, str(folder), train="$(id) x", validation="held_out")
        assert loaded.train_shards == ["id_x"]


def test_the_schema_is_the_models() -> None:
    import json

    written = json.loads((REPOSITORY / "config/schema.json").read_text())
    assert written == configuration.json_schema(), (
        "run `just schema`: config/schema.json is older than the models"
    )


class TestEvaluationTexts:
    """Texts of one's own are looked at besides the built-in ones."""

    @pytest.fixture
    def own(self, tmp_path: Path) -> Path:
        (tmp_path / "own").mkdir()
        (tmp_path / "own/mine.txt").write_text("mine")
        return tmp_path / "own"

    def test_the_built_in_ones_are_found_from_any_folder(
        self, raw: Raw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        del raw["models"]
        monkeypatch.chdir(tmp_path)
        (folder,) = configuration.load(raw).evaluation.text_folders
        assert len(list((tmp_path / folder).glob("*.txt"))) == 13

    def test_the_demo_names_files_of_ours_from_any_folder(
        self, raw: Raw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        model = configuration.load(raw).models["tiny"]
        assert model.prompts is not None
        assert (tmp_path / model.prompts).samefile(REPOSITORY / "resources/prompts.txt")

    def test_own_ones_are_added(self, raw: Raw, own: Path) -> None:
        raw["evaluation"] = {"texts": str(own)}
        assert configuration.load(raw).evaluation.text_folders == ["resources/texts", str(own)]

    def test_a_key_of_its_own_leaves_the_built_in_ones_out(self, raw: Raw, own: Path) -> None:
        raw["evaluation"] = {"texts": str(own), "built_in_texts": False}
        assert configuration.load(raw).evaluation.text_folders == [str(own)]

    def test_the_built_in_ones_named_by_hand_are_looked_at_once(self, raw: Raw) -> None:
        raw["evaluation"] = {"texts": "resources/texts/"}
        assert configuration.load(raw).evaluation.text_folders == ["resources/texts"]

    def test_mistakes(self, raw: Raw, own: Path) -> None:
        raw["evaluation"] = {"built_in_texts": False}
        with pytest.raises(NanosnakeError, match=r"evaluation\.built_in_texts: without the built-in texts"):
            configuration.load(raw)
        (own / "korean.txt").write_text("mine")
        raw["evaluation"] = {"texts": str(own)}
        with pytest.raises(
            NanosnakeError, match=r"korean\.txt has the name of the built-in resources/texts/korean"
        ):
            configuration.load(raw)
