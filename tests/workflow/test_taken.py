"""Tokenizers that were made elsewhere, and extensions, go through the whole workflow as any other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from nanosnake.checks import CHECKS
from nanosnake.tokenizer.folder import load
from nanosnake.training.shards import open_shard
from workflow.project import Project


def write_theirs(folder: Path, texts: list[str]) -> tokenizers.Tokenizer:
    """Train a tokenizer with the tokenizers library and write it as transformers does."""
    made = tokenizers.Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=330, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet, show_progress=False
        ),
    )
    folder.mkdir()
    made.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"bos_token": "</s>"}))
    return made


def verdicts(project: Project, name: str) -> dict[str, dict[str, Any]]:
    folder = project.folder / "results/tiny" / name / "checks"
    return {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}


def test_they_are_checked_compared_extended_and_encoded_with(project: Project) -> None:
    texts = pq.read_table(project.folder / "data/a.parquet")["text"].to_pylist()
    made = write_theirs(project.folder / "llama", texts)
    project.config["tokenizers"] |= {
        "llama": {"path": "llama"},
        "longer": {"dataset": "tiny", "base": "llama", "vocab_size": 380, "seeds": [" qqqqq"]},
    }
    project.config["tokenizer_comparisons"] = {
        "all": {"tokenizers": ["bpe", "llama", "longer"], "baselines": []}
    }
    kept = {"round_trip", "agreement", "reachability", "residue", "stability"}
    project.config["checks"] = {check: {"mode": "warn" if check in kept else "off"} for check in CHECKS}
    names = ("llama", "longer")
    files = [
        f"results/tiny/{name}/{file}" for name in names for file in ("report/index.html", "tokens/train/a.ds")
    ]
    project.make(page := "results/tiny/comparisons/all/index.html", *files)
    llama, longer = (load(project.folder / f"results/tiny/{name}/tokenizer") for name in names)

    assert (llama.vocab_size, llama.special_tokens, llama.meta["bos"]) == (
        330,
        {"<s>": 328, "</s>": 329},
        "</s>",
    )
    assert (llama.meta["pattern_name"], llama.meta["given"], llama.meta["shards"]) == ("gpt2", 72, [])
    made.encode_special_tokens = True
    for text in texts:
        cut = made.encode(text, add_special_tokens=False).tokens
        assert [llama.tokens[rank] for rank in llama.rust().encode(text)] == [
            of_bytes(token) for token in cut
        ]
    shard = open_shard(project.folder / files[1])
    assert shard.tokens[0] == llama.bos_id

    assert longer.tokens[:328] == llama.tokens
    assert longer.tokens[332] == b" qqqqq"
    assert longer.meta["given"] == 77

    for name in names:
        one = verdicts(project, name)
        assert set(one) == kept
        assert {check for check, verdict in one.items() if verdict["verdict"] == "fail"} <= {"residue"}
        assert (project.folder / f"results/tiny/{name}/gate.json").is_file()
    assert "does not apply" in verdicts(project, "llama")["stability"]["notes"][0]
    stable = verdicts(project, "longer")["stability"]["figures"][0]
    assert stable["tokens"] == 380 - 256 - 77 - 9
    assert all(name in (project.folder / page).read_text() for name in ("bpe", *names))
    assert project.plan("--cores", "2", page, *files) == {}


def of_bytes(token: str) -> bytes:
    from nanosnake.tokenizer.export import byte_characters

    return bytes(byte_characters().index(character) for character in token)
