"""lm-evaluation-harness loads an exported model and gives a task the trainer's likelihoods."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from other_environments import Environment
from small_models import Small, make

VERSION = "lm_eval[hf]==0.4.13"
"""The one that docs/elsewhere.md names."""
ITEMS = [
    {"query": "The capital of France is", "choices": ["Rome", "Paris", "a large and old city"], "gold": 1},
    {"query": "Two and two", "choices": ["are four", "are five"], "gold": 0},
]
TASK = """\
task: ours
dataset_path: json
dataset_kwargs: {{data_files: {{test: {items}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{query}}}}"
doc_to_choice: choices
doc_to_target: gold
metric_list: [{{metric: acc}}]
"""


@torch.no_grad()
def likelihood(small: Small, query: str, choice: str) -> float:
    """Return the trainer's log-likelihood of a choice after a query."""
    encode = small.tokenizer.tiktoken().encode
    ids = [small.tokenizer.bos_id, *encode(f"{query} {choice}")]
    first = 1 + len(encode(query))
    nats = small.logits([ids])[0, :-1].log_softmax(-1).gather(1, torch.tensor(ids[1:])[:, None])
    return float(nats[first - 1 :].sum())


@pytest.mark.nightly
@pytest.mark.peer
@pytest.mark.timeout(1800)
def test_likelihoods_are_the_trainers(tmp_path: Path) -> None:
    harness = Environment.make(tmp_path / "venv", VERSION)
    items = tmp_path / "items.jsonl"
    items.write_text("".join(json.dumps(item) + "\n" for item in ITEMS))
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/ours.yaml").write_text(TASK.format(items=items))
    for shape in ("nanosnake", "llama"):
        small = make(shape, tmp_path / shape)
        folder = small.export("transformers", tmp_path / f"for_{shape}", dtype="float32")
        arguments = f"pretrained={folder},trust_remote_code=True,add_bos_token=True"
        harness.run(
            *("lm_eval", "--model", "hf", "--model_args", arguments, "--device", "cpu", "--tasks", "ours"),
            *("--include_path", tmp_path / "tasks", "--output_path", tmp_path / f"out_{shape}"),
            "--log_samples",
        )
        (samples,) = (tmp_path / f"out_{shape}").rglob("samples_ours_*.jsonl")
        for sample in map(json.loads, samples.read_text().splitlines()):
            item = sample["doc"]
            found = [float(answer[0][0]) for answer in sample["resps"]]
            wanted = [likelihood(small, item["query"], choice) for choice in item["choices"]]
            assert found == pytest.approx(wanted, abs=1e-3)
