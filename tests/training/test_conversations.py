"""Learning from conversations: only answers are targets, none is split, and training may begin with a model's weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nanosnake.evaluation.evaluate import evaluate_documents, scores
from nanosnake.evaluation.talks import compare, first_answers
from nanosnake.files import NanosnakeError
from nanosnake.tokenizer.conversations import TURN
from nanosnake.training.config import ModelConfig, TrainOptions
from nanosnake.training.distributed import Ranks
from nanosnake.training.export import read_model, write_model
from nanosnake.training.loader import IGNORED, RowSource, assemble
from nanosnake.training.schedule import steps_and_rows
from nanosnake.training.shards import TokenShards, files_of
from nanosnake.training.trainer import Files, Trainer
from nanosnake.training.vocabulary import Vocabulary

from .conftest import BOS, write_shard

LENGTH = 64
CPU = torch.device("cpu")


def write_talks(path: Path, count: int, seed: int) -> None:
    """Write conversations of bytes: a question that is not learned, then an answer that is."""
    rng = np.random.default_rng(seed)
    documents, mask = [], []
    for _ in range(count):
        question, answer = rng.integers(2, 20), rng.integers(2, 30)
        documents.append(
            [BOS, *rng.integers(97, 123, question).tolist(), *rng.integers(48, 58, answer).tolist()]
        )
        mask += [0] * (1 + question) + [1] * answer
    write_shard(path, documents)
    np.array(mask, dtype=np.uint8).tofile(path.with_name(f"{path.name}.mask"))


@pytest.fixture(scope="module")
def talks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("talks")
    for number, split in enumerate(("train", "validation")):
        (folder / split).mkdir()
        write_talks(folder / split / "a.ds", 150, number)
    return folder


@pytest.mark.parametrize("shuffle", [True, False])
def test_each_answer_is_learned_once_in_its_whole_conversation(talks: Path, shuffle: bool) -> None:
    data = TokenShards([talks / "train"], block_tokens=300)
    source = RowSource(data, LENGTH, 5, 0, 0, shuffle=shuffle)
    rows = [assemble(source, 1) for _ in range(source.order.rows)]
    assert source.order.epoch == 1, "the rows are those of the epoch"
    targets = torch.cat([row[1] for row in rows])
    shard = data.shards[0]
    assert shard.learned is not None
    wanted = shard.tokens[shard.learned == 1]
    assert sorted(targets[targets != IGNORED].tolist()) == sorted(wanted.tolist())
    positions = torch.cat([row[2] for row in rows])
    tokens = torch.cat([row[0] for row in rows])
    begins = (positions == 0).nonzero()[:, 0]
    whole = [tuple(part.tolist()) for part in np.split(tokens.numpy(), begins[1:].numpy())]
    bounds = [0, *shard.ends.tolist()]
    documents = [tuple(shard.tokens[a:b].tolist()) for a, b in pairwise(bounds)]
    talks_found = [piece for piece in whole if set(piece) != {BOS}]
    assert sorted(
        piece[: len(d)] for piece, d in zip(sorted(talks_found), sorted(documents), strict=True)
    ) == sorted(documents)


def test_a_row_without_an_answer_is_no_row(talks: Path) -> None:
    data = TokenShards([talks / "train"], block_tokens=300)
    source = RowSource(data, 16, 5, 0, 0)
    rows = [assemble(source, 1)[1] for _ in range(source.order.rows)]
    assert source.order.epoch == 1
    assert all(int((row != IGNORED).sum()) for row in rows), "each has something to learn"
    shard = data.shards[0]
    assert shard.learned is not None
    targets = torch.cat(rows)
    assert sorted(targets[targets != IGNORED].tolist()) == sorted(shard.tokens[shard.learned == 1].tolist())


def test_text_beside_conversations_is_learned_whole(tmp_path: Path) -> None:
    write_talks(tmp_path / "a.ds", 20, 3)
    write_shard(tmp_path / "b.ds", [[BOS, 1, 2, 3]] * 5)
    data = TokenShards([tmp_path])
    learned = int(np.fromfile(tmp_path / "a.ds.mask", dtype=np.uint8).sum())
    assert data.learned_tokens == learned + 20
    source = RowSource(data, LENGTH, 5, 0, 0)
    targets = torch.cat([assemble(source, 1)[1] for _ in range(source.order.rows)])
    assert int((targets == BOS).sum()) == 5, "the end of a text is learned, that of a conversation is not"


def test_the_first_answers_of_some_conversations(talks: Path, tmp_path: Path) -> None:
    write_talks(tmp_path / "a.ds", 200, 3)
    write_shard(tmp_path / "b.ds", [[BOS, 1, 2, 3]] * 5)
    data = TokenShards([tmp_path])
    found = list(first_answers(data, 32))
    assert len(found) == 32
    documents = [data.one(number).tokens.tolist() for number in range(200)]
    whole = [[*prompt, *answer] for prompt, answer in found]
    assert whole[0] == documents[0]
    assert whole[-1] == documents[-1]
    assert all(one in documents for one in whole), "there is one answer in each"
    assert all(min(prompt[1:]) >= 97 and max(answer) < 58 for prompt, answer in found)
    assert len(list(first_answers(data, 1000))) == 200


def test_the_mask_is_a_part_of_what_a_model_is_made_from(tmp_path: Path) -> None:
    write_talks(tmp_path / "a.ds", 20, 3)
    assert [file.name for file in files_of(tmp_path / "a.ds").values()] == ["a.ds", "a.ds.index", "a.ds.mask"]
    before = TokenShards([tmp_path]).fingerprint()
    mask = np.fromfile(tmp_path / "a.ds.mask", dtype=np.uint8)
    (1 - mask).tofile(tmp_path / "a.ds.mask")
    assert TokenShards([tmp_path]).fingerprint() != before


def make(
    talks: Path,
    tokenizer: Path,
    folder: Path,
    config: ModelConfig,
    options: TrainOptions,
    parent: Path | None = None,
) -> Trainer:
    files = Files(
        TokenShards([talks / "train"]),
        TokenShards([talks / "validation"]),
        Vocabulary.load(tokenizer),
        folder,
        parent,
    )
    return Trainer(config, options, files, Ranks.start("cpu"))


def save(trainer: Trainer, folder: Path) -> Path:
    write_model(folder, trainer.model, trainer.files.vocabulary, {})
    return folder / "model.safetensors"


def test_training_learns_the_answers(
    talks: Path, tokenizer: Path, tmp_path: Path, config: ModelConfig, options: TrainOptions
) -> None:
    trainer = make(talks, tokenizer, tmp_path / "run", config, dataclasses.replace(options, steps=12))
    first = trainer.train_step()["loss"]
    figures = trainer.run()
    assert first == pytest.approx(np.log(258), rel=0.05), "a loss is per token that is learned"
    assert figures["validation_loss"] < 0.75 * first
    model = read_model(save(trainer, tmp_path / "m").parent, CPU)
    data = TokenShards([talks / "validation"])
    sums = evaluate_documents(
        model, data, trainer.files.vocabulary.lengths, Ranks.start("cpu"), micro_batch=4
    )
    shard = data.shards[0]
    assert shard.learned is not None
    bounds = [0, *shard.ends.tolist()]
    answers = [int(shard.learned[a:b].sum()) for a, b in pairwise(bounds)]
    assert sums[:, 2].tolist() == answers
    assert sums[:, 3].tolist() == answers, "each token is one byte"
    # beside texts, which are validated on too, the figures are those of the answers alone
    vocabulary = dataclasses.replace(trainer.files.vocabulary, special={TURN["assistant"][1]: BOS})
    (tmp_path / "mix").mkdir()
    write_shard(tmp_path / "mix" / "text.ds", [[BOS, *range(97, 123)]] * 9)
    mixed = TokenShards([talks / "validation", tmp_path / "mix"])

    def compared(text: TokenShards) -> dict[str, Any]:
        own = evaluate_documents(model, text, vocabulary.lengths, Ranks.start("cpu"), micro_batch=4)
        return compare({"m": (model, own)}, vocabulary, text)

    alone, beside = compared(data), compared(mixed)
    assert alone["models"][0]["bits_per_byte"] == pytest.approx(scores(sums).bits_per_byte)
    assert beside["bytes"] == alone["bytes"] == sum(answers)
    assert beside["models"][0]["bits_per_byte"] == pytest.approx(alone["models"][0]["bits_per_byte"])


def test_training_begins_with_the_weights_of_another(
    talks: Path, tokenizer: Path, tmp_path: Path, config: ModelConfig, options: TrainOptions
) -> None:
    parent = make(talks, tokenizer, tmp_path / "parent", config, options)
    parent.run()
    path = save(parent, tmp_path / "m")
    child = make(talks, tokenizer, tmp_path / "child", config, options, path)
    for name, weights in child.model.named_parameters():
        assert torch.equal(weights, dict(parent.model.named_parameters())[name]), name
    child.train_step()
    child.save()
    again = make(talks, tokenizer, tmp_path / "child", config, options, path)
    assert again.step == 1, "a run that is resumed does not begin again"
    other = dataclasses.replace(config, depth=1)
    with pytest.raises(NanosnakeError, match=r"model.json: describes another model"):
        make(talks, tokenizer, tmp_path / "other", other, options, path)


def test_conversations_that_are_cut_are_counted(
    talks: Path,
    tokenizer: Path,
    tmp_path: Path,
    config: ModelConfig,
    options: TrainOptions,
    capfd: pytest.CaptureFixture[str],
) -> None:
    data = TokenShards([talks / "train"])
    sizes = np.diff(data.shards[0].ends.astype(int), prepend=0)
    assert data.longer_conversations(LENGTH) == 0
    longer = int(np.count_nonzero(sizes > 32))
    assert data.longer_conversations(32) == longer > 0
    short = dataclasses.replace(config, sequence_length=32)
    make(talks, tokenizer, tmp_path, short, dataclasses.replace(options, steps=1)).run()
    assert (
        f"{longer} conversations are longer than 32 tokens and are cut into pieces" in capfd.readouterr().err
    )


def test_epochs_decide_the_steps(
    talks: Path, tokenizer: Path, tmp_path: Path, config: ModelConfig, options: TrainOptions
) -> None:
    wanted = dataclasses.replace(options, steps=0, epochs=2.0)
    trainer = make(talks, tokenizer, tmp_path, config, wanted)
    rows = RowSource(trainer.files.train, config.sequence_length, options.seed_of_order, 0, 0).order.rows
    assert trainer.plan.steps == round(2 * rows / steps_and_rows(config, wanted)[1]) > 2
    trainer.loader.close()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": -1.0}, "epochs is -1.0"),
        ({"lr_scale": 0.0}, "lr_scale is 0.0"),
        ({"epochs": 1.0, "steps": 3}, "steps is 3 and epochs 1.0; give one of the two"),
    ],
)
def test_options_that_make_no_sense(change: dict[str, float], message: str) -> None:
    make_options: Callable[..., TrainOptions] = TrainOptions
    with pytest.raises(NanosnakeError, match=message):
        make_options(**change)


def test_a_scale_is_a_factor_on_all_rates(
    talks: Path, tokenizer: Path, tmp_path: Path, config: ModelConfig, options: TrainOptions
) -> None:
    whole = make(talks, tokenizer, tmp_path / "a", config, options)
    half = make(talks, tokenizer, tmp_path / "b", config, dataclasses.replace(options, lr_scale=0.5))
    assert half.plan.lr_scale == whole.plan.lr_scale / 2
    whole.loader.close()
    half.loader.close()
