"""Some documents of an evaluation are computed again from model, tokenizer and text."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from evaluate_model import EvaluateModel
from nanosnake.commands.verify import Verify
from nanosnake.evaluation import evaluate, evidence
from nanosnake.evaluation.evidence import Evidence
from nanosnake.evaluation.recompute import recompute
from nanosnake.files import NanosnakeError
from nanosnake.training.config import ModelConfig
from nanosnake.training.export import read_model, write_model
from nanosnake.training.model import build_model
from nanosnake.training.vocabulary import Vocabulary

from .conftest import text_documents, write_shard


@pytest.fixture
def model(config: ModelConfig, tokenizer: Path, tmp_path: Path) -> Path:
    """Return the folder of a model that was evaluated, in a project."""
    home = tmp_path / "results/demo/bytes"
    shutil.copytree(tokenizer, home / "tokenizer")
    (home / "tokens/validation").mkdir(parents=True)
    for name, seed in (("a", 1), ("b", 2)):
        write_shard(home / f"tokens/validation/{name}.ds", text_documents(30, seed))
    made = build_model(config, torch.device("cpu"), backend="sdpa", seed=1)
    torch.nn.init.normal_(made.head, std=0.05, generator=torch.Generator().manual_seed(1))
    folder = home / "m"
    write_model(folder, made, Vocabulary.load(tokenizer), {})
    evaluated(folder)
    return folder


def evaluated(model: Path) -> None:
    """Evaluate a model on the validation shards next to it."""
    home = model.parent
    EvaluateModel(
        model=model,
        validation=tuple(str(home / f"tokens/validation/{name}.ds") for name in "ab"),
        tokenizer=home / "tokenizer",
        out=model / "evaluation.json",
        device="cpu",
    ).run()


def test_the_documents_are_as_recorded(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, nats = [], evaluate.batch_nats

    def counted(*given: Any) -> torch.Tensor:
        rows.append(1)
        return nats(*given)

    monkeypatch.setattr(evaluate, "batch_nats", counted)
    found = recompute(model, 5)
    assert (found.documents, found.of, found.problems) == (5, 60, ())
    assert abs(found.off) < 1e-5
    assert found.most < 1e-4
    few = len(rows)
    assert recompute(model, 1000).documents == 60
    assert few < len(rows) - few, "only rows with the chosen documents are computed"


def test_a_conversation_has_special_tokens_that_are_not_in_its_text(model: Path) -> None:
    talks = [[256, *b"how much?", 257, *b"four, or fi"]] * 30
    for name in "ab":
        shard = model.parent / f"tokens/validation/{name}.ds"
        write_shard(shard, talks)
        mask = np.concatenate([np.arange(len(talk)) > talk.index(257) for talk in talks])
        mask.astype(np.uint8).tofile(shard.with_name(f"{shard.name}.mask"))
    evaluated(model)
    assert recompute(model, 5).problems == ()


def change_nats(model: Path) -> None:
    """Claim a better result than the model has."""
    found = Evidence.read(model / evidence.FILE)
    write(model, replace(found, nats=found.nats * 0.99))


def change_weights(model: Path) -> None:
    """Put another model in the place of the one that was evaluated."""
    other = read_model(model, torch.device("cpu"))
    with torch.no_grad():
        for parameter in other.parameters():
            parameter *= 1.5
    write_model(model, other, Vocabulary.load(model.parent / "tokenizer"), {})


def change_text(model: Path) -> None:
    """Put other text in the place of that which was evaluated."""
    write_shard(model.parent / "tokens/validation/b.ds", text_documents(30, seed=3))


def change_counts(model: Path) -> None:
    """Claim more tokens than there were."""
    found = Evidence.read(model / evidence.FILE)
    write(model, replace(found, tokens=found.tokens + 1))


def write(model: Path, found: Evidence) -> None:
    """Write the evidence of a model again."""
    columns = dict(zip(evidence.SCHEMA.names, vars(found).values(), strict=True))
    pq.write_table(pa.table(columns, schema=evidence.SCHEMA), model / evidence.FILE)


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        (change_nats, ["nats.parquet: the nats of 60 documents are off by +1.01"]),
        (
            change_weights,
            ["model.safetensors: is not the file that was evaluated", "more than rounding explains"],
        ),
        (
            change_text,
            ["b.ds: is not the text that was evaluated", "its text is not the one that was recorded"],
        ),
        (change_counts, ["tokens and bytes, recorded were"]),
    ],
)
def test_what_was_changed_is_seen(model: Path, change: Callable[[Path], None], problems: list[str]) -> None:
    change(model)
    said = "\n".join(recompute(model, 60).problems)
    for problem in problems:
        assert problem in said


def test_what_is_gone_is_named(model: Path) -> None:
    (model.parent / "tokens/validation/b.ds").unlink()
    with pytest.raises(NanosnakeError, match="are not there; run Snakemake with the target `tokens`"):
        recompute(model, 5)
    (model.parent / "tokenizer/meta.json").write_text("{}")
    with pytest.raises(
        NanosnakeError, match="no folder of a tokenizer is the one that the model was evaluated"
    ):
        recompute(model, 5)


def test_the_command_says_how_far_they_are_off(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(Verify(documents=3).recompute(model)) == []
    assert "3 of 60 documents computed again on the CPU: nats off by " in capsys.readouterr().out
    assert list(Verify().recompute(model)) == []
    assert capsys.readouterr().out == ""
