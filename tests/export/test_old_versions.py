"""What we export loads in old versions of other libraries, and gives the same ids there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from nanosnake.tokenizer.folder import TokenizerFolder
from other_environments import Environment
from small_models import make, some_ids
from tiny_tokenizers import evaluation_texts, train

OLDEST = ["transformers==4.44.2", "tokenizers==0.19.1"]
"""The oldest versions that docs/elsewhere.md names for a tokenizer."""
OLDEST_OF_MODEL = ["transformers==4.57.0", "torch==2.5.1", "numpy<2.4"]
"""Those for a model; this PyTorch does not say which numpy is too new for it."""

SCRIPT = """
import json, sys, tokenizers, transformers
folder, texts = sys.argv[1], json.load(sys.stdin)
plain = tokenizers.Tokenizer.from_file(f"{folder}/tokenizer.json")
auto = transformers.AutoTokenizer.from_pretrained(folder)
found = {}
for name, encode, decode in (
    ("tokenizers", lambda text: plain.encode(text, add_special_tokens=False).ids,
        lambda ids: plain.decode(ids, skip_special_tokens=False)),
    ("transformers", lambda text: auto.encode(text, add_special_tokens=False), auto.decode),
):
    ids = [encode(text) for text in texts]
    found[name] = [ids, [decode(row) for row in ids]]
json.dump(found, sys.stdout)
"""


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> TokenizerFolder:
    return train(tmp_path_factory.mktemp("tokenizer"), list(evaluation_texts().values()), vocab_size=1500)


def test_merges_are_words_without_blanks(tokenizer: TokenizerFolder) -> None:
    merges = json.loads((tokenizer.folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["merges"]
    assert all(merge.count(" ") == 1 for merge in merges)
    assert any("Ġ" in merge for merge in merges)  # what stands for a blank


@pytest.mark.nightly
@pytest.mark.peer
def test_the_oldest_versions_give_the_same_ids(tokenizer: TokenizerFolder, tmp_path: Path) -> None:
    old = Environment.make(tmp_path / "venv", *OLDEST)
    specials = list(tokenizer.special_tokens)
    texts = [*evaluation_texts().values(), f"a{specials[0]}b {specials[1]}{specials[0]}", "".join(specials)]
    printed = old.run("python", "-c", SCRIPT, tokenizer.folder, stdin=json.dumps(texts))
    encoding = tokenizer.tiktoken()
    wanted = [encoding.encode(text, allowed_special="all") for text in texts]
    for ids, decoded in json.loads(printed).values():
        assert ids == wanted
        assert decoded == texts


MODEL_SCRIPT = """
import json, sys, torch, transformers
from safetensors.torch import load_file
folder, tensors, prompts = sys.argv[1], load_file(sys.argv[2]), json.load(sys.stdin)
tokenizer = transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=True, padding_side="left")
model = transformers.AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True).eval()
off = {"at once": 0.0, "with a cache": 0.0}
with torch.no_grad():
    for name in [name for name in tensors if name.startswith("ids")]:
        ids, wanted = tensors[name][None], tensors[name.replace("ids", "logits")]
        found = {"at once": model(input_ids=ids).logits[0]}
        parts, cache = [], None
        for part in ids.split([ids.size(1) - 2, 1, 1], dim=1):
            output = model(input_ids=part, past_key_values=cache, use_cache=True)
            parts.append(output.logits[0])
            cache = output.past_key_values
        found["with a cache"] = torch.cat(parts)
        for how, logits in found.items():
            off[how] = max(off[how], float((logits - wanted).abs().max()))
batch = tokenizer(prompts, padding=True, return_tensors="pt")
rows = model.generate(**batch, max_new_tokens=24, do_sample=False)[:, batch["input_ids"].size(1):]
json.dump({"off": off, "written": rows.tolist()}, sys.stdout)
"""


@pytest.mark.nightly
@pytest.mark.peer
@pytest.mark.timeout(1800)
def test_the_oldest_versions_run_the_model(tmp_path: Path) -> None:
    old = Environment.make(tmp_path / "venv", *OLDEST_OF_MODEL)
    prompts = ["The", "A longer prompt, of some words", ""]
    for shape in ("nanosnake", "llama"):
        small = make(shape, tmp_path / shape)
        folder = small.export("transformers", tmp_path / f"for_{shape}", dtype="float32")
        tensors = {}
        for length in (3, 128, 131, 200, 256):
            ids = some_ids(length, seed=length)
            tensors |= {f"ids{length}": torch.tensor(ids), f"logits{length}": small.logits([ids])[0].clone()}
        save_file(tensors, tmp_path / "wanted.safetensors")
        arguments = (MODEL_SCRIPT, folder, tmp_path / "wanted.safetensors")
        found = json.loads(old.run("python", "-c", *arguments, stdin=json.dumps(prompts)))
        assert max(found["off"].values()) < 1e-4, found["off"]
        ends = json.loads((folder / "generation_config.json").read_text())["eos_token_id"]
        for prompt, row in zip(prompts, found["written"], strict=True):
            ids = small.tokenizer.tiktoken().encode(prompt)
            wanted = small.greedy([small.tokenizer.bos_id, *ids], 24, ends)
            assert row[: len(wanted)] == wanted
