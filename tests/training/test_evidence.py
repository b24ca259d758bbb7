"""The evidence of an evaluation: each document by itself, its sums, and two models paired by it."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from nanosnake.commands.compare import Compare
from nanosnake.commands.verify import evidence_problems, other_code
from nanosnake.evaluation import evidence
from nanosnake.evaluation.evaluate import evaluate_documents, scores
from nanosnake.evaluation.evidence import Evidence, difference, differences_by
from nanosnake.files import NanosnakeError, read_json, write_json
from nanosnake.training.config import ModelConfig
from nanosnake.training.distributed import Ranks
from nanosnake.training.model import build_model
from nanosnake.training.shards import TokenShards
from nanosnake.training.vocabulary import Vocabulary

from .conftest import BOS, text_documents, write_shard


def some(
    nats: list[float], sizes: list[int], names: list[str] | None = None, sources: list[str] | None = None
) -> Evidence:
    names = names or [f"{i:03}" for i in range(len(nats))]
    return Evidence(names, np.array(sizes), np.array(sizes), np.array(nats), sources or ["text"] * len(nats))


def keep(folder: Path, found: Evidence) -> Path:
    """Write a model's folder with this evidence."""
    folder.mkdir()
    table = pa.table(
        dict(zip(evidence.SCHEMA.names, vars(found).values(), strict=True)), schema=evidence.SCHEMA
    )
    pq.write_table(table, folder / evidence.FILE)
    bits = found.sums["nats"] / (math.log(2) * found.sums["bytes"])
    figures = {key: found.sums[key] for key in ("bytes", "tokens")} | {"bits_per_byte": bits}
    write_json(folder / evidence.EVALUATION, {**figures, "certificate": {"evidence": found.sums}})
    write_json(folder / "training.json", {"figures": {"bits_per_byte": bits + 0.1, "steps": 9}})
    return folder


def test_each_document_has_the_nats_that_it_has_alone(
    config: ModelConfig, ranks: Ranks, tokenizer: Path, tmp_path: Path
) -> None:
    documents = [*text_documents(25, seed=1), [BOS], text_documents(3, seed=2)[1]]
    write_shard(tmp_path / "a.ds", documents[:9])
    write_shard(tmp_path / "b.ds", documents[9:])
    vocabulary, data = Vocabulary.load(tokenizer), TokenShards([tmp_path / "a.ds", tmp_path / "b.ds"])
    model = build_model(config, ranks.device, backend="sdpa", seed=1)
    torch.nn.init.normal_(model.head, std=0.05, generator=torch.Generator().manual_seed(1))

    def sums(some: TokenShards) -> torch.Tensor:
        return evaluate_documents(model, some, vocabulary.lengths, ranks, micro_batch=4)

    found = sums(data)
    assert found.shape == (27, 4)
    for number in (0, 8, 9, 24, 25, 26):
        write_shard(tmp_path / "alone.ds", [documents[number]])
        assert found[number].tolist() == pytest.approx(
            sums(TokenShards([tmp_path / "alone.ds"]))[0].tolist(), rel=1e-4
        )
        assert int(found[number, 2]) == len(documents[number])  # all but the start token, and the end
    whole = scores(evaluate_documents(model, data, vocabulary.lengths, ranks, micro_batch=3))
    assert scores(found).bits_per_byte == pytest.approx(whole.bits_per_byte, rel=1e-6)
    sources = ["a"] * 9 + ["b"] * 18
    evidence.write(tmp_path / evidence.FILE, found, data, vocabulary, sources)
    kept = Evidence.read(tmp_path / evidence.FILE)
    assert kept.document == [hashlib.sha256(bytes(tokens[1:])).hexdigest() for tokens in documents]
    assert kept.bytes.tolist() == [len(tokens) - 1 for tokens in documents]
    assert kept.source == sources
    few = evaluate_documents(model, data, vocabulary.lengths, ranks, micro_batch=4, max_tokens=128)
    part = evidence.write(tmp_path / evidence.FILE, few, data, vocabulary, sources)
    assert 0 < part["documents"] < 27
    assert part["bytes"] == scores(few).bytes


def test_a_part_of_the_tokens_is_like_all_of_them(
    tmp_path: Path, tokenizer: Path, config: ModelConfig, ranks: Ranks
) -> None:
    """Packing puts the longest documents first; of documents that are longer than a row, the last ones."""
    lengths = Vocabulary.load(tokenizer).lengths
    model = build_model(config, ranks.device, backend="sdpa", seed=1)
    for name, documents in {"short": text_documents(900, seed=1), "long": [[BOS] + [97] * 1999] * 9}.items():
        write_shard(tmp_path / f"{name}.ds", documents)
        data = TokenShards([tmp_path / f"{name}.ds"])
        sizes = np.diff(data.shards[0].ends.astype(int), prepend=0)
        for share in (0.05, 0.3):
            most = round(share * data.tokens)
            few = evaluate_documents(model, data, lengths, ranks, micro_batch=4, max_tokens=most)[
                :, 2
            ].numpy()
            assert few.sum() == pytest.approx(most, rel=0.3)
            assert np.average(sizes, weights=few) == pytest.approx(np.average(sizes, weights=sizes), rel=0.1)
            assert np.average(np.arange(len(few)), weights=few) == pytest.approx(len(few) / 2, rel=0.25)
            again = evaluate_documents(model, data, lengths, ranks, micro_batch=3, max_tokens=most)[:, 2]
            assert again.tolist() == few.tolist()


def test_verify_adds_up_again(tmp_path: Path) -> None:
    folder = keep(tmp_path / "model", some([5.0, 7.5], [4, 6]))
    assert list(evidence_problems(folder)) == []
    said = read_json(folder / "evaluation.json")
    write_json(folder / "evaluation.json", {**said, "bits_per_byte": said["bits_per_byte"] * 0.999})
    (line,) = evidence_problems(folder)
    assert line.startswith("evaluation.json: bits_per_byte is 1.80")
    assert "nats.parquet adds up to 1.80" in line
    write_json(folder / "evaluation.json", {key: said[key] for key in said if key != "certificate"})
    assert "certificate: nats is None" in "".join(evidence_problems(folder))
    (folder / "nats.parquet").write_bytes(b"PAR1")
    with pytest.raises(NanosnakeError, match="evaluate the model again"):
        list(evidence_problems(folder))
    (folder / "nats.parquet").unlink()
    assert list(evidence_problems(folder)) == []


def test_verify_compares_the_hash(tmp_path: Path) -> None:
    folder = keep(tmp_path / "model", some([5.0, 7.5], [4, 6]))
    said = read_json(folder / "evaluation.json")
    said["certificate"]["evidence"]["sha256"] = "0" * 64
    write_json(folder / "evaluation.json", said)
    (line,) = evidence_problems(folder)
    assert line.startswith(
        f"evaluation.json: certificate: SHA-256 of nats.parquet is {'0' * 64}, but that of"
    )


def test_other_code_is_noted(tmp_path: Path) -> None:
    folder = keep(tmp_path / "model", some([5.0, 7.5], [4, 6]))
    assert other_code(folder) is None, "nothing is known"
    said = read_json(folder / "evaluation.json")
    for code, note in ((evidence.code_hash(), None), ("0" * 64, "evaluated by other code than that of")):
        said["certificate"]["code"] = code
        write_json(folder / "evaluation.json", said)
        assert (other_code(folder) or "").startswith(note or "")
        assert (other_code(folder) is None) == (note is None)


def test_the_difference_by_length_and_source() -> None:
    sizes = [100] * 10 + [200] * 10 + [300] * 10 + [400] * 10
    sources = ["korean", "english"] * 20
    a = some([1.0 * size for size in sizes], sizes, sources=sources)
    worse = [size * (1.1 if source == "korean" else 1.0) for size, source in zip(sizes, sources, strict=True)]
    b = some(worse, sizes, sources=sources)
    found = dict(differences_by(a, b))
    assert list(found) == [*(f"{size} to {size} bytes" for size in (100, 200, 300, 400)), "english", "korean"]
    assert found["korean"].value == pytest.approx(0.1 / math.log(2))
    assert (found["english"].value, found["english"].documents) == (0, 20)
    assert found["100 to 100 bytes"].value == pytest.approx(0.05 / math.log(2))
    one = some([1.0, 2.0, 3.0], [1, 2, 3])
    assert all("bytes" in name for name, _ in differences_by(one, one)), "one source needs no row"
    assert list(differences_by(a, one)) == []


def test_the_paired_difference() -> None:
    draw = np.random.default_rng(7)
    sizes = draw.integers(50, 2000, 200)
    nats = sizes * draw.uniform(0.3, 1.2, 200)
    noise = sizes * draw.normal(0, 0.01, 200)
    a = some(nats.tolist(), sizes.tolist())
    same = difference(a, some((nats + noise - noise.mean()).tolist(), sizes.tolist()))
    better = difference(a, some((nats * 0.99 + noise - noise.mean()).tolist(), sizes.tolist()))
    assert same is not None
    assert better is not None
    assert same.within_noise
    assert not better.within_noise
    expected = -0.01 * nats.sum() / sizes.sum() / math.log(2)
    assert better.value == pytest.approx(expected, rel=0.2)
    assert better.low < better.value < better.high < 0
    order = draw.permutation(200).tolist()
    turned = some(nats[order].tolist(), sizes[order].tolist(), [f"{i:03}" for i in order])
    assert difference(turned, a) == replace(same, value=0.0, low=0.0, high=0.0)
    assert difference(a, some([1.0], [1])) is None
    assert difference(a, some(nats.tolist(), (sizes + 1).tolist())) is None


def test_the_interval_is_as_wide_as_the_standard_error_says() -> None:
    draw = np.random.default_rng(3)
    changes = draw.normal(0, 1, 400)
    found = difference(some([0.0] * 400, [10] * 400), some(changes.tolist(), [10] * 400))
    assert found is not None
    error = changes.std() / math.sqrt(400) / 10 / math.log(2)
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_compare_says_what_is_within_noise(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = keep(tmp_path / "a", some([5.0, 7.0, 6.0], [4, 6, 5]))
    b = keep(tmp_path / "b", some([5.1, 6.9, 6.0], [4, 6, 5]))
    c = keep(tmp_path / "c", some([4.0, 5.5, 4.75], [4, 6, 5]))
    d = keep(tmp_path / "d", some([4.0, 5.5, 4.75], [4, 6, 5], ["x", "y", "z"]))
    said = []
    for other in (b, c, d):
        Compare(a=str(a), b=str(other)).run()
        lines = capsys.readouterr().out.splitlines()
        said.append(lines[-1])
        assert [line.split("  ")[0] for line in lines[1:4]] == [
            "bits per byte",
            "bytes it was measured on",
            "steps",
        ]
    assert said[0].endswith(": within noise")
    assert said[1].startswith("c less a, paired over 3 documents: -0.36")
    assert "within noise" not in said[1]
    assert said[2].startswith("no paired difference")
