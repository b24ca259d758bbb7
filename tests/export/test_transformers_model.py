"""Exported models in transformers: the trainer's logits with and without a cache, generation, training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from nanosnake.exports.formats import MODEL_FILES
from small_models import Small, make, some_ids

transformers = pytest.importorskip("transformers")
LENGTHS = (1, 2, 3, 17, 64, 65, 128, 129, 130, 200, 255, 256)
"""Of texts; the short window is 128."""


@pytest.fixture(autouse=True)
def _modules(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the copies of our modeling file that transformers makes out of the user's cache."""
    from transformers import dynamic_module_utils

    place = str(tmp_path_factory.getbasetemp() / "modules")
    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", place)


@pytest.fixture(scope="module", params=["nanosnake", "llama", "tied"])
def small(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Small:
    return make(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def folder(small: Small) -> Path:
    return small.export(
        "transformers", small.folder / f"for_{small.model.config.architecture}", dtype="float32"
    )


def load(folder: Path, **options: Any) -> Any:
    """Load a folder as a user does; a Llama-shaped one needs no trust."""
    ours = (folder / "modeling_nanosnake.py").is_file()
    trust = {"trust_remote_code": True} if ours else {}
    return transformers.AutoModelForCausalLM.from_pretrained(folder, **trust, **options).eval()


def load_tokenizer(folder: Path) -> Any:
    trust = (folder / "modeling_nanosnake.py").is_file()
    return transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=trust, padding_side="left")


@pytest.fixture
def loaded(folder: Path) -> Any:
    return load(folder)


def cache_of(output: Any) -> dict[str, Any]:
    """Return the cache of a forward pass, by the name that the next one takes."""
    name = "cache" if "cache" in output else "past_key_values"
    return {name: output[name]}


def test_files(small: Small, folder: Path, loaded: Any) -> None:
    architecture = small.model.config.architecture
    assert {path.name for path in folder.iterdir()} == set(MODEL_FILES["transformers", architecture])
    assert type(loaded).__name__ == {"nanosnake": "NanosnakeForCausalLM"}.get(
        architecture, "LlamaForCausalLM"
    )
    config = json.loads((folder / "config.json").read_text())
    assert ("auto_map" in config) == (architecture == "nanosnake")
    assert config["vocab_size"] == small.tokenizer.vocab_size, "rows of padding are left out"
    assert loaded.generation_config.eos_token_id == [
        small.tokenizer.bos_id,
        small.tokenizer.special_tokens["<|assistant_end|>"],
    ]
    assert "import nanosnake" not in (folder / "README.md").read_text()


@torch.no_grad()
def test_logits_are_the_trainers(small: Small, loaded: Any) -> None:
    for length in LENGTHS:
        ids = some_ids(length, seed=length)
        found = loaded(input_ids=torch.tensor([ids])).logits
        torch.testing.assert_close(found, small.logits([ids]), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_logits_with_a_cache_are_the_trainers(small: Small, loaded: Any) -> None:
    rows = [some_ids(200, seed=1), some_ids(200, seed=2)]
    ids, parts, cache = torch.tensor(rows), [], {}
    for first, last in [(0, 1), (1, 2), (2, 90), (90, 91), (91, 140), *((i, i + 1) for i in range(140, 200))]:
        output = loaded(input_ids=ids[:, first:last], use_cache=True, **cache)
        parts.append(output.logits)
        cache = cache_of(output)
    torch.testing.assert_close(torch.cat(parts, dim=1), small.logits(rows), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_padding_changes_nothing(small: Small, loaded: Any) -> None:
    texts = [some_ids(length, seed=length) for length in (1, 5, 140)]
    longest = max(map(len, texts))
    ids = torch.tensor([[3] * (longest - len(text)) + text for text in texts])
    mask = torch.tensor([[0] * (longest - len(text)) + [1] * len(text) for text in texts])
    found = loaded(input_ids=ids, attention_mask=mask).logits
    for row, text in zip(found, texts, strict=True):
        torch.testing.assert_close(row[-len(text) :], small.logits([text])[0], rtol=1e-4, atol=1e-4)


def test_loss_is_the_trainers(small: Small, loaded: Any) -> None:
    ids = some_ids(150)
    wanted = F.cross_entropy(small.logits([ids])[0, :-1], torch.tensor(ids[1:]))
    loss = loaded(input_ids=torch.tensor([ids]), labels=torch.tensor([ids])).loss
    assert float(loss.detach()) == pytest.approx(float(wanted), abs=1e-4)


def test_generation(small: Small, folder: Path, loaded: Any) -> None:
    tokenizer = load_tokenizer(folder)
    prompts = ["The", "A longer prompt, of some words", ""]
    batch = tokenizer(prompts, padding=True, return_tensors="pt")
    options = {"max_new_tokens": 24, "do_sample": False}
    together = loaded.generate(**batch, **options)
    assert torch.equal(together, loaded.generate(**batch, **options, use_cache=False))
    ends, start = loaded.generation_config.eos_token_id, batch["input_ids"].shape[1]
    for prompt, row in zip(prompts, together, strict=True):
        ids = tokenizer(prompt).input_ids
        wanted = small.greedy(ids, 24, ends)
        assert row[start : start + len(wanted)].tolist() == wanted
    beams = loaded.generate(**batch, **options, num_beams=3)
    assert torch.equal(beams, loaded.generate(**batch, **options, num_beams=3, use_cache=False))


def test_pipeline(small: Small, folder: Path, loaded: Any) -> None:
    tokenizer = load_tokenizer(folder)
    pipe = transformers.pipeline("text-generation", model=loaded, tokenizer=tokenizer)
    text = pipe("Hello", max_new_tokens=8, do_sample=False)[0]["generated_text"]
    wanted = small.greedy(tokenizer("Hello").input_ids, 8, loaded.generation_config.eos_token_id)
    assert text == "Hello" + tokenizer.decode(wanted, skip_special_tokens=True)
    answer = pipe([{"role": "user", "content": "Hello"}], max_new_tokens=4, do_sample=False)[0][
        "generated_text"
    ]
    assert [message["role"] for message in answer] == ["user", "assistant"]


def test_accelerate_trains_it(folder: Path) -> None:
    accelerate = pytest.importorskip("accelerate")
    model = load(folder, device_map="cpu").train()
    accelerator = accelerate.Accelerator(cpu=True)
    model, optimizer = accelerator.prepare(model, torch.optim.AdamW(model.parameters(), lr=1e-3))
    ids = torch.tensor([some_ids(64, seed=seed) for seed in range(2)])
    losses = []
    for _ in range(4):
        loss = model(input_ids=ids, labels=ids).loss
        losses.append(float(loss))
        accelerator.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
    assert losses[-1] < losses[0] - 0.1


def test_saved_and_loaded_again(folder: Path, loaded: Any, tmp_path: Path) -> None:
    loaded.save_pretrained(tmp_path / "again")
    again = load(tmp_path / "again")
    ids = torch.tensor([some_ids(40)])
    assert torch.equal(again(input_ids=ids).logits, loaded(input_ids=ids).logits)


@torch.no_grad()
def test_in_half_the_bytes(small: Small, folder: Path, tmp_path: Path) -> None:
    half = small.export("transformers", tmp_path / "half")
    sizes = [(place / "model.safetensors").stat().st_size for place in (half, folder)]
    assert sizes[0] / sizes[1] == pytest.approx(0.5, abs=0.02)
    ids = some_ids(100)
    wanted = small.logits([ids])
    found = load(half, dtype=torch.float32)(input_ids=torch.tensor([ids])).logits
    assert float((found - wanted).square().mean().sqrt()) < 0.05 * float(wanted.std())
