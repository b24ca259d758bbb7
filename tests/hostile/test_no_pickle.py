"""No pickle is read anywhere: none in the code, and none where a file of ours is expected."""

from __future__ import annotations

import ast
import json
import pickle
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import rustbpe
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tiny_tokenizers
from nanosnake.exports.nanochat import PICKLE, pickled
from nanosnake.files import NanosnakeError, read_json, sha256_file, write_json
from nanosnake.tokenizer.folder import load
from nanosnake.training.tensors import read_tensors, write_tensors

REPOSITORY = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for folder in ("scripts", "rules", "benchmarks")
    for path in (REPOSITORY / folder).rglob("*.py")
    if "__pycache__" not in path.parts
)
READERS = {
    "pickle",
    "_pickle",
    "cPickle",
    "dill",
    "cloudpickle",
    "joblib",
    "shelve",
    "marshal",
    "pandas.read_pickle",
}
CALLS = {"eval", "exec", "compile", "__import__"}
UNSAFE = {"load", "loads", "read_pickle", "Unpickler", "unsafe_load", "full_load"}


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Yield the dotted names of what is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            yield ast.unparse(node.func), node


def faults(path: Path) -> Iterator[str]:
    """Yield what in a file could read a pickle or run text as code."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in READERS & set(names):
            if not (name == "pickle" and path.name == "nanochat.py"):
                yield f"{path}: imports {name}"
    for name, call in calls(tree):
        options = {word.arg: ast.unparse(word.value) for word in call.keywords}
        if name in CALLS:
            yield f"{path}:{call.lineno}: calls {name}"
        if name.startswith("pickle.") and name != "pickle.dumps":
            yield f"{path}:{call.lineno}: calls {name}"
        if (
            name in ("torch.load", "torch.jit.load", "torch.package")
            and options.get("weights_only") != "True"
        ):
            yield f"{path}:{call.lineno}: calls {name} without weights_only=True"
        if options.get("allow_pickle", "False") != "False":
            yield f"{path}:{call.lineno}: allows pickles"
        if name.startswith("yaml.") and name.removeprefix("yaml.") in UNSAFE:
            yield f"{path}:{call.lineno}: calls {name}"


def test_nothing_in_the_code_reads_a_pickle() -> None:
    assert len(SOURCES) > 80
    assert [fault for path in SOURCES for fault in faults(path)] == []


def test_the_search_finds_what_it_looks_for(tmp_path: Path) -> None:
    path = tmp_path / "bad.py"
    path.write_text(
        "import pickle, dill\nfrom joblib import load\npickle.loads(b'')\ntorch.load(f)\nnp.load(f, allow_pickle=True)\n"
        "yaml.load(f)\neval('1')\ntorch.load(f, weights_only=True)\n"
    )
    assert len(list(faults(path))) == 8


class Bomb:
    """An object whose pickle makes a file when it is read."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.marker,)


def test_a_pickle_in_the_place_of_any_file_is_refused_and_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "it ran"
    bomb = pickle.dumps(Bomb(marker))
    pickle.loads(bomb)
    assert marker.exists(), "the bomb is none"
    marker.unlink()
    zipped = tmp_path / "zipped.pt"
    torch.save({"model": Bomb(marker)}, zipped)
    path = tmp_path / "planted"
    readers: list[Callable[[], object]] = [
        lambda: read_tensors(path),
        lambda: read_json(path),
        lambda: rustbpe.Counts.read(path),
        lambda: rustbpe.Merges.read(path),
        lambda: rustbpe.count_parquet(path, pattern="gpt4"),
    ]
    for content in (bomb, zipped.read_bytes()):
        path.write_bytes(content)
        for read in readers:
            with pytest.raises((NanosnakeError, rustbpe.FileFormatError)) as error:
                read()
            assert str(path) in str(error.value)
    assert not marker.exists()


def test_a_planted_pickle_in_a_tokenizer_folder_is_not_looked_at(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizers.train(tmp_path, ["some text to train on, and some more"] * 20, vocab_size=280)
    folder = tokenizer.folder
    marker = tmp_path / "it ran"
    (folder / PICKLE).write_bytes(pickle.dumps(Bomb(marker)))
    assert load(folder).rust().encode("some text") == tokenizer.rust().encode("some text")
    assert pickled(load(folder))
    for name in ("tokenizer.tiktoken", "tokenizer.json", "meta.json"):
        kept = (folder / name).read_bytes()
        (folder / name).write_bytes(pickle.dumps(Bomb(marker)))
        with pytest.raises(NanosnakeError, match=name.replace(".", r"\.")):
            load(folder)
        (folder / name).write_bytes(kept)
    # even where the folder's own hashes vouch for it
    ranks = folder / "tokenizer.tiktoken"
    ranks.write_bytes(pickle.dumps(Bomb(marker)))
    meta = read_json(folder / "meta.json")
    meta["files"][ranks.name].update(sha256=sha256_file(ranks), bytes=ranks.stat().st_size)
    write_json(folder / "meta.json", meta)
    with pytest.raises(NanosnakeError, match="wanted: base64, a space, an id"):
        load(folder)
    assert not marker.exists()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_header_of_a_weights_file_gives_tensors_or_a_message(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "model.safetensors"
    numbers = (
        st.integers(-5, 70) | st.sampled_from([2**40, -(2**40), 2**70]) | st.floats() | st.text(max_size=3)
    )
    entry = st.fixed_dictionaries(
        {},
        optional={
            "dtype": st.sampled_from(["F32", "U8", "BOOL", "?", None]),
            "shape": st.lists(numbers, max_size=3) | st.none(),
            "data_offsets": st.lists(numbers, min_size=1, max_size=3) | st.none(),
        },
    )
    header = data.draw(
        st.dictionaries(st.text(max_size=4), entry | st.integers(), max_size=3) | st.integers()
    )
    text = json.dumps(header).encode()
    body = data.draw(st.binary(max_size=80))
    path.write_bytes(struct.pack("<Q", data.draw(st.sampled_from([len(text), 0, 2**62]))) + text + body)
    try:
        found = read_tensors(path)
    except NanosnakeError as error:
        assert str(error).startswith(f"{path}: ")  # noqa: PT017
        return
    assert all(isinstance(tensor, torch.Tensor) for tensor in found.values())


def test_weights_come_back_as_they_were(tmp_path: Path) -> None:
    tensors = {"a": torch.arange(6, dtype=torch.float32).view(2, 3), "b": torch.tensor([], dtype=torch.int64)}
    tensors["c"] = torch.tensor(3, dtype=torch.bfloat16)
    write_tensors(tmp_path / "w", tensors)
    back = read_tensors(tmp_path / "w")
    assert all(torch.equal(back[name], tensor) for name, tensor in tensors.items())
