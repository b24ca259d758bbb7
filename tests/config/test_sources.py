"""Each file of a source is one shard with a name of its own, or the plan says why not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nanosnake import naming
from nanosnake.config import Config
from nanosnake.config import load as load_config
from nanosnake.files import NanosnakeError


def load(source: dict[str, Any], train: object, validation: object) -> Config:
    return load_config(
        {
            "datasets": {"d": {"source": source, "train": train, "validation": validation}},
            "tokenizers": {"t": {"dataset": "d", "vocab_size": 300}},
        }
    )


def refusal(source: dict[str, Any], train: object, validation: object) -> str:
    with pytest.raises(NanosnakeError) as caught:
        load(source, train, validation)
    return str(caught.value)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


def touch(folder: Path, *files: str) -> None:
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        if file.endswith(".parquet"):
            pq.write_table(pa.table({"text": ["a"]}), folder / file)
        else:
            (folder / file).touch()


HIVE = [f"data/lang={lang}/{name}.parquet" for lang in ("de", "en", "fr") for name in ("a", "b", "train-0")]


@pytest.mark.parametrize("path", ["data/*/*.parquet", "data/**/*.parquet", "data/lang=*/*.parquet"])
def test_equal_names_in_several_folders_are_several_shards(folder: Path, path: str) -> None:
    touch(folder, *HIVE)
    dataset = load({"kind": "local", "path": path}, "*", "lang=fr/train-0").datasets["d"]
    assert len(dataset.train_shards) == 8
    assert dataset.validation_shards == ["lang_fr.train-0"]
    assert sorted(dataset.locations.values()) == HIVE
    assert dataset.locations["lang_de.train-0"] == "data/lang=de/train-0.parquet"


def test_a_new_folder_renames_no_shard(folder: Path) -> None:
    touch(folder, HIVE[0], HIVE[3])
    source = {"kind": "local", "path": "data/*/*.parquet"}
    before = load(source, "lang=de/*", "lang=en/*").datasets["d"].locations
    touch(folder, *HIVE)
    after = load(source, "lang=de/a", "lang=en/a").datasets["d"].locations
    assert before == after


def test_files_whose_names_differ_only_in_what_a_name_cannot_hold_are_listed(folder: Path) -> None:
    touch(folder, "data/a+b.parquet", "data/a b.parquet", "data/c.parquet")
    message = refusal({"kind": "local", "path": "data"}, "*", "c")
    assert "datasets.d.source.path: several files would be the same shard" in message
    assert "data/a b.parquet" in message
    assert "data/a+b.parquet" in message


NAMES = [
    ("my part {}", "my_part_{}"),
    ("a+b-{}", "a_b-{}"),
    ("-{}", "{}"),
    ("часть-{}", "{}"),
    ("part-{}-c000.snappy", "part-{}-c000.snappy"),
    ("part-" + 17 * "0" + "{}", "part-" + 17 * "0" + "{}"),
]


@pytest.mark.parametrize(("file", "name"), NAMES)
@pytest.mark.parametrize("kind", ["url", "numbered", "folder", "s3", "list"])
def test_a_name_is_safe_in_every_kind_of_source(folder: Path, kind: str, file: str, name: str) -> None:
    if kind in ("s3", "list") and " " in file:
        file = file.replace(" ", "+")  # blanks in a key are refused
    files = [f"{file.format(f'{number:03d}')}.parquet" for number in range(2)]
    template = f"{file.format('{shard:03d}')}.parquet"
    touch(folder / "data", *files)
    sources: dict[str, dict[str, Any]] = {
        "url": {"kind": "url", "url": "https://host/" + template.replace(" ", "%20")},
        "numbered": {"kind": "local", "path": f"data/{template}"},
        "folder": {"kind": "local", "path": "data"},
        "s3": {"kind": "s3", "url": f"s3://bucket/{template}"},
        "list": {"kind": "s3", "url": [f"s3://bucket/{file}" for file in files]},
    }
    numbered = kind in ("url", "numbered", "s3")
    dataset = load(sources[kind], *((0, 1) if numbered else files)).datasets["d"]
    names = [*dataset.train_shards, *dataset.validation_shards]
    assert names == [name.format("000"), name.format("001")]
    assert all(naming.SAFE_NAME.fullmatch(name) for name in names)
    assert naming.expand(naming.compact(names)) == names
    assert len(set(dataset.locations.values())) == 2


BAD = [
    ({"kind": "url", "url": "https://host/{shard}.parquet.gz"}, "source.url", "unpack it"),
    ({"kind": "local", "path": "data/{shard}.parquet.zst"}, "source.path", "unpack it"),
    ({"kind": "s3", "url": "s3://bucket/{shard}.parquet.gz"}, "source.url", "unpack it"),
    ({"kind": "url", "url": "https://host/x-{shard:.0e}.parquet"}, "source.url", "the same shard"),
    ({"kind": "url", "url": "https://host/{shard:.0e}/x.parquet"}, "source.url", "the same file"),
    ({"kind": "local", "path": "data/" + 210 * "x" + "{shard}.parquet"}, "source.path", "at most 200"),
]


@pytest.mark.parametrize(("source", "key", "words"), BAD)
def test_a_template_without_a_name_for_each_shard_is_refused(
    source: dict[str, Any], key: str, words: str
) -> None:
    message = refusal(source, "100-104", "7")
    assert f"datasets.d.{key}: " in message
    assert words in message


def test_a_number_in_the_query_names_the_shard() -> None:
    source = {"kind": "url", "url": "https://host/get?file=part-{shard}"}
    assert load(source, "0-3", 4).datasets["d"].train_shards == [f"shard_0000{n}" for n in range(4)]


@pytest.mark.parametrize("name", ["my [corpus] v1", "what?", "a*b", "{{}}"])
def test_a_folder_is_a_folder_whatever_its_name(folder: Path, name: str) -> None:
    touch(folder / name.format(), "a.parquet", "b.parquet")
    assert load({"kind": "local", "path": name}, "a", "b").datasets["d"].train_shards == ["a"]


@pytest.mark.parametrize(("path", "name"), [("{{v1}}", "a"), ("data", "{shard}")])
def test_a_name_that_snakemake_would_fill_in_is_refused(folder: Path, path: str, name: str) -> None:
    touch(folder / path.format(), f"{name}.parquet", "b.parquet")
    assert "has a name in braces" in refusal({"kind": "local", "path": path}, name, "b")


@pytest.mark.parametrize(
    ("kind", "path"), [("local", "data"), ("local", "data/*.parquet"), ("files", "data")]
)
def test_a_link_to_nothing_is_named(folder: Path, kind: str, path: str) -> None:
    touch(folder / "data", "a.parquet", "b.parquet")
    (folder / "data/c.parquet").symlink_to("/no/such")
    assert "data/c.parquet is a link to /no/such, which is not there" in refusal(
        {"kind": kind, "path": path}, "a", "b"
    )


def test_a_misspelled_validation_shard_is_blamed_on_validation(folder: Path) -> None:
    touch(folder / "data", "a.parquet", "b.parquet")
    assert "datasets.d.validation: no file" in refusal({"kind": "local", "path": "data"}, "*", "c")


def test_a_file_is_asked_for_by_its_name_though_it_looks_like_a_glob(folder: Path) -> None:
    touch(folder / "data", "a[1].parquet", "a1.parquet", "b.parquet")
    dataset = load({"kind": "local", "path": "data"}, "a[1]", "b").datasets["d"]
    assert list(dataset.locations.values()) == ["data/a[1].parquet", "data/b.parquet"]


def test_the_home_folder_is_written_as_in_a_shell(folder: Path) -> None:
    touch(folder / "home/corpus", "a.parquet", "b.parquet")
    dataset = load({"kind": "local", "path": "~/corpus"}, "a", "b").datasets["d"]
    assert dataset.locations["a"] == str(folder / "home/corpus/a.parquet")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("no/such", "no such file or folder (relative to"),
        ("no/*.parquet", "no file matches this glob"),
        (".", "the folder holds no .parquet file"),
    ],
)
def test_a_path_without_files_is_blamed_on_the_path(folder: Path, path: str, words: str) -> None:
    message = refusal({"kind": "local", "path": path}, "*", "a")
    assert re.search(rf"datasets\.d\.source\.path: {re.escape(words)}", message)
    assert f"got {path!r}" in message


@pytest.mark.parametrize("kind", ["local", "files"])
def test_files_whose_endings_alone_differ_are_not_one_shard(folder: Path, kind: str) -> None:
    touch(folder / "data", "a.parquet", "a.jsonl", "b.parquet")
    message = refusal({"kind": kind, "path": "data/*"}, "a", "b")
    assert "datasets.d.source.path: several files would be the same shard ('a': 'data/a.jsonl'" in message


def test_a_file_that_two_patterns_find_is_read_once_or_refused(folder: Path) -> None:
    touch(folder / "data", "a.jsonl", "b.jsonl")
    message = refusal({"kind": "files", "path": ["data", "data/a.jsonl"], "shards": 2}, 0, 1)
    assert "several files would be the same shard ('data/a.jsonl'" in message


def test_an_ending_says_which_files(folder: Path) -> None:
    """`*.jsonl` took a.txt too, because a shard is named without its ending."""
    (folder / "data").mkdir()
    (folder / "data/a.txt").write_text("a")
    for name in ("b.jsonl", "c.jsonl"):
        (folder / "data" / name).write_text('{"text": "a"}')
    assert load({"kind": "files", "path": "data"}, "*.jsonl", "c.jsonl").datasets["d"].train_shards == ["b"]
    assert "no file of source.path is named 'a.jsonl'" in refusal(
        {"kind": "files", "path": "data"}, "*", "a.jsonl"
    )


def test_a_name_may_end_like_another_kind_of_file(folder: Path) -> None:
    touch(folder / "data", "a.txt.parquet", "b.txt.parquet")
    dataset = load({"kind": "local", "path": "data"}, "*", "b.txt").datasets["d"]
    assert list(dataset.locations.values()) == ["data/a.txt.parquet", "data/b.txt.parquet"]


@pytest.mark.parametrize("path", ["**/*.jsonl", "../**/*.jsonl"])
def test_results_are_not_read_as_text(folder: Path, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(folder, "here/a.jsonl", "here/b.jsonl", "here/results/d/samples/train.jsonl")
    monkeypatch.chdir(folder / "here")
    assert "results/d/samples/train.jsonl is a result of this project" in refusal(
        {"kind": "files", "path": path}, "*", "b"
    )


def test_a_folder_is_read_as_its_links_say_and_without_what_is_hidden(folder: Path) -> None:
    touch(folder, "data/.cache/x.metadata", "data/.y.txt", "data/a.txt", "elsewhere/b.txt")
    (folder / "data/linked").symlink_to(folder / "elsewhere")
    source = {"kind": "files", "path": "data"}
    assert load(source, "a", "linked/b").datasets["d"].source.files == ["data/a.txt", "data/linked/b.txt"]
    (folder / "data/round").symlink_to(folder / "data")
    assert "data/round is a link to a folder that it is in" in refusal(source, "a", "linked/b")


@pytest.mark.parametrize("kind", ["files", "local"])
def test_a_folder_that_cannot_be_read_is_named(
    folder: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(folder / "data", "a.parquet", "b.parquet", "closed/c.parquet")
    path = "data" if kind == "files" else "data/*"
    monkeypatch.setattr("os.access", lambda path, mode: Path(path).name != "closed")  # root may read all
    assert "the folder data/closed cannot be read" in refusal({"kind": kind, "path": path}, "a", "b")


@pytest.mark.parametrize("path", ["da{t}a", "da{ta", "da}ta", "da{}ta", "{shard}"])
def test_braces_are_blamed_on_the_path(path: str) -> None:
    message = refusal({"kind": "files", "path": path}, "a", "b")
    assert "datasets.d.source.path: " in message
    assert "braces of the name itself are written twice" in message


@pytest.mark.parametrize("value", [5, None, "", [], [5], {"a": 1}])
@pytest.mark.parametrize(("kind", "key"), [("files", "path"), ("url", "url"), ("s3", "url")])
def test_one_message_says_what_a_list_may_hold(kind: str, key: str, value: object) -> None:
    message = refusal({"kind": kind, key: value}, "0", "1")
    assert "a mistake" in message
    assert f"datasets.d.source.{key}: write one as text, or a list of at least 1" in message


def test_a_folder_without_files(folder: Path) -> None:
    (folder / "data").mkdir()
    assert "the folder holds no file" in refusal({"kind": "files", "path": "data"}, "a", "b")
