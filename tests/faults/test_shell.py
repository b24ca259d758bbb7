"""Nothing that a user or a host names reaches a shell as anything but a word."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from nanosnake import config as configuration
from nanosnake.config import S3Source
from nanosnake.files import NanosnakeError
from nanosnake.naming import SAFE_NAME
from workflow.project import TINY_MODEL, Project

NASTY = "a b'c\"d $(touch pwned) `touch pwned` ;touch pwned; #&|<>~!\\"
WITH_NEWLINE = f"b {NASTY}\n$(touch pwned)\ntouch pwned"
PATTERN = "'\"$(touch pwned)|`touch pwned`|[^\\s]+|\\s+"
IN_A_URL = "$(touch$IFS.pwned);touch+pwned&x=$HOME|y"
"""What a URL of the configuration may hold: no spaces and no quotes."""

WORDS = """\
set -euo pipefail
python() { printf '%s\\0' python "$@"; }
torchrun() { printf '%s\\0' torchrun "$@"; }
tee() { while IFS= read -r -d '' word; do printf '%s\\0' "$word"; done; }
touch() { : > pwned; }
"""
"""Bash with no program at all: what it would start is printed as words. `touch` is what the values try to call."""


def rename_column(folder: Path, name: str) -> None:
    """Give the text column of all parquet files in a folder another name."""
    for path in folder.iterdir():
        table = pq.read_table(path).rename_columns([name])
        pq.write_table(table, path, row_group_size=50)


def pwned(folder: Path) -> list[Path]:
    """Return the files that a command inside a value would have made."""
    return [path for path in folder.rglob("*") if path.name.startswith("pwned")]


def test_a_run_with_such_names_everywhere_makes_token_shards(tmp_path: Path) -> None:
    folder = tmp_path / NASTY.replace("\\", "")
    folder.mkdir()
    project = Project(folder)
    data = f"data {NASTY}"
    (folder / "data").rename(folder / data)
    rename_column(folder / data, WITH_NEWLINE)
    project.config["datasets"]["tiny"] |= {
        "source": {"kind": "local", "path": data},
        "text_column": WITH_NEWLINE,
    }
    project.config["tokenizers"]["bpe"] |= {
        "special_tokens": ["<|bos|>", NASTY, WITH_NEWLINE],
        "pattern": PATTERN,
    }
    project.make("--", "tokens")
    assert len(list(folder.glob("results/tiny/bpe/tokens/train/*.ds"))) == 2
    assert pwned(tmp_path) == []
    meta = yaml.safe_load((folder / "results/tiny/bpe/tokenizer/meta.json").read_text())
    assert list(meta["special_tokens"]) == ["<|bos|>", NASTY, WITH_NEWLINE]


def hostile(project: Project) -> dict[str, Any]:
    """Return a configuration with such values wherever one is free, and make the files that it names."""
    places = {name: f"{name} {NASTY}" for name in ("prompts", "tasks", "texts", "sums")}
    for name in ("prompts", "sums"):
        (project.folder / places[name]).write_text("")
    for name in ("tasks", "texts"):
        (project.folder / places[name]).mkdir()
        (project.folder / places[name] / f"{NASTY}.txt").write_text("text\n")
    (project.folder / places["tasks"] / "cloze.json").write_text("{}")
    url = f"http://host/{IN_A_URL}/{{revision}}/shard_{{shard:05d}}.parquet?{IN_A_URL}"
    source = {"kind": "url", "url": url, "shards": 3, "checksums": places["sums"]}
    model = {
        **TINY_MODEL,
        "prompts": places["prompts"],
        "tasks": places["tasks"],
        "exports": ["transformers"],
    }
    tokenizer = {
        "dataset": "tiny",
        "vocab_size": 320,
        "pattern": PATTERN,
        "special_tokens": [NASTY, WITH_NEWLINE],
    }
    return {
        "datasets": {
            "tiny": {"source": source, "train": "0-1", "validation": 2, "text_column": WITH_NEWLINE},
            "near": {"source": {"kind": "local", "path": "data"}, "train": "a", "validation": "b"},
        },
        "tokenizers": {"bpe": {**tokenizer, "exports": ["nanochat"]}},
        "models": {"d1": model},
        "evaluation": {"texts": places["texts"]},
        "publish": {
            "destination": f"s3://bucket/{IN_A_URL}",
            "endpoint_url": "http://127.0.0.1:9",
            "include": ["shards", "token_shards", "models"],
        },
    }


def commands(printed: str) -> list[str]:
    """Return the shell commands of a plan."""
    found = re.findall(r"^Shell command: (.*?)\n(?=\n|\[\w{3} \w{3})", printed, re.DOTALL | re.MULTILINE)
    return [command for command in found if not command.startswith("None\n")]  # of a target


def test_every_rule_hands_over_each_value_as_one_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commands of the whole plan, given to a bash that has no programs."""
    monkeypatch.setenv("NANOSNAKE_OUTPUT", "snakemake")
    (tmp_path / "project").mkdir()
    project = Project(tmp_path / "project")
    project.config = hostile(project)
    code = tmp_path / "our code"
    monkeypatch.setenv("PYTHONPATH", f"{code}/scripts")
    found = commands(project.make("--dry-run", "--printshellcmds", *project.move_code(code)))
    scripts = {name for command in found for name in re.findall(r"scripts/(\w+)\.py", command)}
    assert {"download_shard", "link_shard", "count_pretokens", "train_model", "publish_files"} <= scripts
    assert len(scripts) >= 20, scripts
    (tmp_path / "empty").mkdir()
    words: set[str] = set()
    for command in found:
        own, _, log = command.rpartition(" &> ")
        assert len(shlex.split(log)) == 1, "the log is one word"
        ended = subprocess.run(
            ["/bin/bash", "-c", f"{WORDS}{own}"],
            cwd=tmp_path / "empty",
            env={"PATH": "/nowhere"},
            capture_output=True,
            check=False,
        )
        assert (ended.returncode, ended.stderr) == (0, b""), (command, ended.stderr)
        words |= set(ended.stdout.decode().split("\0"))
    assert os.listdir(tmp_path / "empty") == []  # noqa: PTH208
    url = f"http://host/{IN_A_URL}/main/shard_00000.parquet?{IN_A_URL}"
    settings = project.config["models"]["d1"]
    for word in (
        PATTERN,
        NASTY,
        WITH_NEWLINE,
        url,
        f"s3://bucket/{IN_A_URL}",
        f"sums {NASTY}",
        settings["prompts"],
        "../our code/scripts/launch.py",
    ):
        assert word in words, word


@pytest.mark.parametrize(
    ("path", "value"),
    [
        *((("datasets",), name) for name in ("../x", "a/b", "..", "$(id)", "-rf", "a\nb", "")),
        *((("tokenizers",), name) for name in ("../x", "/etc", ".hidden")),
        *((("models",), name) for name in ("../../x", "a b")),
    ],
)
def test_a_name_cannot_leave_its_folder(path: tuple[str, ...], value: str) -> None:
    raw: dict[str, Any] = {
        "datasets": {"demo": {"source": {"kind": "embedded"}, "train": "0-3", "validation": 4}},
        "tokenizers": {"bpe": {"dataset": "demo", "vocab_size": 300}},
        "models": {"d1": {"tokenizer": "bpe", "depth": 1}},
    }
    section = raw[path[0]]
    section[value] = section.pop(next(iter(section)))
    with pytest.raises(NanosnakeError, match="a name becomes a folder"):
        configuration.load(raw)


def refusal(source: dict[str, Any], train: object) -> str:
    """Return what is said of a configuration with such a source."""
    dataset = {"source": source, "train": train, "validation": "a"}
    tokenizers = {"bpe": {"dataset": "demo", "vocab_size": 300}}
    with pytest.raises(NanosnakeError) as caught:
        configuration.load({"datasets": {"demo": dataset}, "tokenizers": tokenizers})
    return str(caught.value)


@pytest.mark.parametrize(
    "name", ["../secret", "../../etc/passwd", "/etc/passwd", "data/../../secret", "a\nb", "$(id)"]
)
def test_a_shard_of_a_folder_cannot_stand_outside_of_it(tmp_path: Path, name: str) -> None:
    (tmp_path / "data").mkdir()
    for file in ("data/a.parquet", "secret.parquet"):
        (tmp_path / file).touch()
    assert "no file of" in refusal({"kind": "local", "path": str(tmp_path / "data")}, [name])


@pytest.mark.parametrize("key", ["$(id)", "-rf", "a b", ".hidden", "`id`", "a\nb"])
def test_an_object_cannot_give_a_shard_an_unsafe_name(key: str) -> None:
    source = {"kind": "s3", "url": ["s3://bucket/a.parquet", f"s3://bucket/x/{key}.parquet"]}
    try:
        names = S3Source(**source).names("*")
    except ValueError:
        return  # it is no key that a tool can read again
    assert len(names) == 2
    assert all(SAFE_NAME.fullmatch(name) for name in names), names
