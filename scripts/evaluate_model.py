"""Evaluate a trained model: bits per byte, baselines, samples, tasks, tokens that it hardly learned.

Reads the model's two files, the validation shards, the tokenizer's folder and, where given, a file of
prompts (one a line), task files and the training shards; writes one JSON file and, next to it, nats.parquet:
what each document adds to bits per byte, and answers.parquet: what was answered to each item of the tasks.

    python scripts/evaluate_model.py --model model/d12 --validation tokens/val --tokenizer tokenizer \\
        --train tokens/train --prompts prompts.txt --tasks tasks --out model/d12/evaluation.json
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nanosnake.files import sha256_file, write_json
from nanosnake.stages import Stage, main

if TYPE_CHECKING:
    from torch import Tensor

    from nanosnake.training.distributed import Ranks
    from nanosnake.training.model import GPT
    from nanosnake.training.shards import TokenShards
    from nanosnake.training.vocabulary import Vocabulary


@dataclass(frozen=True, kw_only=True)
class EvaluateModel(Stage):
    """Measure a model on validation tokens, write samples, answer tasks."""

    model: Path
    """Folder with model.safetensors and model.json."""
    validation: tuple[str, ...]
    """Validation shards: .ds files or folders of them."""
    tokenizer: Path
    """Folder with tokenizer.tiktoken and meta.json."""
    out: Path
    """The JSON file to write; nats.parquet and answers.parquet are written next to it."""
    train: tuple[str, ...] = ()
    """Training shards, to count how often the model saw each token; if absent, this is left out."""
    plan: Path | None = None
    """Plan of the mixture that the model was trained on, whose parts the training shards are."""
    parent: Path | None = None
    """Folder of the model that this one began with, whose answers in conversations are shown beside its own."""
    parts: tuple[str, ...] = ()
    """Names of a mixture's parts, one for each word of --validation: each gets its own scores."""
    prompts: Path | None = None
    """Text file of prompts, one a line."""
    tasks: tuple[Path, ...] = ()
    """Task files, and folders of them."""
    contamination: Path | None = None
    """Items that the training text also contains, from check_contamination.py; the others get separate scores."""
    max_items: int = field(default=0, metadata={"ge": 0})
    """Items per task; solved examples are drawn from them too; 0: all."""
    task_context: int = field(default=0, metadata={"ge": 0})
    """Keep at most the last this many tokens of a task's prompt; 0: all, even beyond the trained length."""
    max_tokens: int = field(default=0, metadata={"ge": 0})
    """Validation tokens, about, spread evenly over the split; 0: all."""
    sample_tokens: int = field(default=64, metadata={"ge": 0})
    """Tokens written after each prompt."""
    temperature: float = field(default=0.8, metadata={"ge": 0})
    """Temperature of the samples; 0: always the most likely token."""
    device: str = "auto"
    """auto, cuda or cpu."""

    def run(self) -> str | None:
        evaluate_model(self)
        return None


def evaluate_model(options: EvaluateModel) -> dict[str, Any]:
    """Return the evaluation; under torchrun, the ranks share the work and the first one writes the files."""
    from nanosnake.evaluation import answers, evidence
    from nanosnake.evaluation.contamination import overlapping_items
    from nanosnake.evaluation.evaluate import baselines, evaluate_documents, sample, scores
    from nanosnake.evaluation.items import load_tasks
    from nanosnake.evaluation.tasks import answer_task, first_items, task_scores
    from nanosnake.training.attention import choose_backend
    from nanosnake.training.distributed import Ranks
    from nanosnake.training.export import read_model
    from nanosnake.training.shards import TokenShards
    from nanosnake.training.vocabulary import Vocabulary

    vocabulary = Vocabulary.load(options.tokenizer)
    data = TokenShards(list(options.validation))
    most = options.max_items
    tasks = [first_items(task, most) if most else task for task in load_tasks(options.tasks)]
    ranks = Ranks.start(options.device)
    try:
        model = read_model(options.model, ranks.device, backend=choose_backend("auto", ranks.device))
        data.check(vocabulary.bos, model.config.vocab_size)
        sums = evaluate_documents(model, data, vocabulary.lengths, ranks, max_tokens=options.max_tokens)
        origins = sources(options, data)
        result: dict[str, Any] = {
            **asdict(scores(sums)),
            **scores_of_parts(options, sums, origins),
            "baselines": {} if data.are_conversations else baselines(data, vocabulary),
            "samples": [],
        }
        if data.are_conversations:
            result["talks"] = compare_answers(model, sums, vocabulary, data, ranks, options)
        for prompt in options.prompts.read_text(encoding="utf-8").splitlines() if options.prompts else []:
            text = sample(
                model, vocabulary, prompt, tokens=options.sample_tokens, temperature=options.temperature
            )
            result["samples"].append({"prompt": prompt, "text": text})
        given = [answer_task(model, vocabulary, task, ranks, context=options.task_context) for task in tasks]
        if tasks:
            known = overlapping_items(options.contamination) if options.contamination else None
            result |= task_scores(tasks, given, overlapping=known, whole=not most)
        if ranks.first:
            result["certificate"] = {
                **certificate(options, data),
                "evidence": evidence.write(
                    options.out.with_name(evidence.FILE), sums, data, vocabulary, origins
                ),
                "answers": answers.write(options.out.with_name(answers.FILE), tasks, given),
            }
            if options.train:
                result["under_trained"] = find_under_trained(model, vocabulary, options)
            write_json(options.out, result)
    finally:
        ranks.stop()
    return result


def compare_answers(
    model: GPT, sums: Tensor, vocabulary: Vocabulary, data: TokenShards, ranks: Ranks, options: EvaluateModel
) -> dict[str, Any]:
    """Return how the model answers held-out conversations, beside the one that it began with if there is one.

    Args:
        sums: what `evaluate_documents` returned of the model.
    """
    from nanosnake.evaluation import talks
    from nanosnake.evaluation.evaluate import evaluate_documents
    from nanosnake.training.export import read_model
    from nanosnake.training.recipe import name_of

    models = {options.model.name: (model, sums)}
    if options.parent is not None:
        parent = read_model(options.parent, ranks.device, backend=model.backend)
        theirs = evaluate_documents(parent, data, vocabulary.lengths, ranks, max_tokens=options.max_tokens)
        models = {name_of(options.parent): (parent, theirs), **models}
    return talks.compare(models, vocabulary, data)


def certificate(options: EvaluateModel, data: TokenShards) -> dict[str, Any]:
    """Return the hashes of what was evaluated, on what, by which code."""
    from nanosnake.evaluation.evidence import code_hash

    def hashes(folder: Path, *names: str) -> dict[str, str]:
        return {name: sha256_file(folder / name) for name in names}

    return {
        "model": hashes(options.model, "model.safetensors", "model.json"),
        "tokenizer": hashes(options.tokenizer, "tokenizer.tiktoken", "meta.json"),
        "text": list(data.digests),
        "code": code_hash(),
    }


def sources(options: EvaluateModel, data: TokenShards) -> list[str]:
    """Return where each document is from: the part of a mixture, else the shard."""
    from nanosnake.training.shards import TokenShards

    if options.parts:
        sizes = [TokenShards([word]).documents for word in options.validation]
        return [part for part, size in zip(options.parts, sizes, strict=True) for _ in range(size)]
    return [shard.path.stem for shard in data.shards for _ in shard.ends]


def scores_of_parts(options: EvaluateModel, sums: Tensor, origins: Sequence[str]) -> dict[str, Any]:
    """Return the scores on the validation shards of each part of a mixture; nothing if there are no parts.

    Args:
        origins: what `sources` returned.
    """
    import torch

    from nanosnake.evaluation.evaluate import scores

    if not options.parts or options.max_tokens:
        return {}
    sizes = [origins.count(part) for part in options.parts]
    return {
        "parts": [
            {"part": part, **asdict(scores(of_part))}
            for part, of_part in zip(options.parts, torch.split(sums, sizes), strict=True)
        ]
    }


def find_under_trained(model: GPT, vocabulary: Vocabulary, options: EvaluateModel) -> dict[str, Any]:
    """Return which tokens of the vocabulary a model did not see or hardly learned."""
    from nanosnake.evaluation.under_trained import count_tokens, under_trained
    from nanosnake.training.shards import TokenShards

    counts = count_tokens(TokenShards(options.train, plan=options.plan).taken(), len(vocabulary))
    head = None if model.config.tied_head else model.head.detach().double().cpu().numpy()
    return under_trained(head, counts, vocabulary.tokens)


if __name__ == "__main__":
    main(EvaluateModel)
