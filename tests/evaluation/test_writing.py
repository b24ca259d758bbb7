"""Tasks that are answered by writing: how the answer is found, when writing ends, the calculator at work."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2
import pytest
import torch
import torch.nn.functional as F

from nanosnake.evaluation.evaluate import generate
from nanosnake.evaluation.items import Task, extracted, load_task, load_tasks
from nanosnake.evaluation.tasks import answer, answer_task
from nanosnake.evaluation.writing import TOOL_TOKENS, conversation, judged, write_answers
from nanosnake.files import NanosnakeError
from nanosnake.tokenizer.transformers import CHAT_TEMPLATE
from nanosnake.training.attention import describe_documents
from nanosnake.training.distributed import Ranks
from nanosnake.training.model import GPT
from nanosnake.training.vocabulary import Vocabulary
from small_models import make

torch.set_num_threads(1)  # tensors this small only lose by more

ALONE = Ranks(0, 1, torch.device("cpu"))
QUESTIONS = {"What is 3 * 4?": ("3*4", "12"), "How much is 1,000 less 1?": ("1,000-1", "999")}
STEPS = 80
WRONG = "77"
"""What the calculator says in what the model learned: by itself, it writes that."""


@pytest.mark.parametrize(
    ("rule", "text", "answer"),
    [
        ("number_after_hashes", "12 apples\n#### 1,234 and #### 5", "1234"),
        ("number_after_hashes", "#### -3.5.", "-3.5."),  # as GSM8K's own code finds it
        ("number_after_hashes", "#### $5", None),
        ("number_after_hashes", "####5", None),
        ("last_number", "first 3, then $1,250.", "1250"),
        ("last_number", "it is -4.50 or .5", ".5"),
        ("last_number", "none at all", None),
        ("first_line", "  Paris \nThe next", "Paris"),
        ("text", "\n two\nlines ", "two\nlines"),
        ("text", "  ", None),
    ],
)
def test_the_answer_is_found(rule: str, text: str, answer: str | None) -> None:
    assert extracted(rule, text) == answer


def task(items: list[dict[str, Any]], **options: Any) -> Task:
    return Task("sums", "generation", options.pop("few_shot", 0), " ", 0.0, items, **options)


def test_a_text_that_has_no_answer_or_another_one_is_wrong() -> None:
    asked = task(
        [{"query": "", "answer": "so\n#### 1,000"}], extract="number_after_hashes", stop=("\n\n", "Q:")
    )
    assert judged(asked, 0, "#### 1000").right
    assert not judged(asked, 0, "1000").right
    assert not judged(asked, 0, "#### 100").right
    given = judged(asked, 0, "no Q: again\n\n#### 1000")
    assert (given.given, given.expected, given.right) == ("no ", "1000", False), (
        "what follows `stop` is not looked at"
    )


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"items": [{"query": "a"}]}, "items.0.answer: Field required; got {'query': 'a'}"),
        ({"items": [{"answer": "a"}]}, "item 0 needs either a 'query' or 'messages'"),
        ({"items": [{"query": "a", "messages": [], "answer": "a"}]}, "item 0 needs either"),
        (
            {"items": [{"query": "a", "answer": " "}]},
            "item 0 has the answer ' ', in which text finds nothing",
        ),
        (
            {"items": [{"query": "a", "answer": 7}]},
            "items.0.answer: Input should be a valid string; got 7",
        ),
        (
            {"kind": "language_modeling", "items": [{"context": "a", "continuation": "b", "messages": []}]},
            "item 0 has messages, which only multiple_choice and generation take",
        ),
        (
            {"extract": "number", "items": []},
            "extract: Input should be 'text', 'first_line', .*; got 'number'",
        ),
        (
            {"items": [{"messages": [{"role": "assistant", "content": "a"}], "answer": "b"}]},
            "item 0 has messages that do not end with a question: message 1 is of role 'assistant', wanted: 'user'",
        ),
        (
            {"items": [{"messages": [{"role": "user", "content": ["a"]}], "answer": "b"}]},
            "item 0 has messages that do not end with a question: the content of message 1 is no text",
        ),
        (
            {"few_shot": 1, "items": [{"messages": [{"role": "user", "content": "a"}], "answer": "b"}]},
            "item 0 has messages, for which few_shot has to be 0",
        ),
        ({"items": [None]}, "items.0: Input should be a valid dictionary; got None"),
        ({"items": [{"messages": None, "answer": "a"}]}, "items.0.messages: Input should be a valid list"),
        ({}, "items: Field required"),
        ({"kind": ["generation"]}, "kind: Input should be 'multiple_choice', .*; got"),
        ({"few_shot": "many", "items": []}, "few_shot: Input should be a valid integer, .*; got 'many'"),
        ({"chance": 1, "items": []}, "chance: Input should be less than 1; got 1"),
        ({"max_tokens": 0, "items": []}, "max_tokens: Input should be greater than 0; got 0"),
        ({"fewshot": 5, "items": []}, "has the unknown key 'fewshot'; use name, kind, few_shot, "),
        ({"stop": "", "items": []}, "stop.0: String should have at least 1 character"),
        (
            {"kind": "multiple_choice", "items": [{"query": "a", "choices": ["b", "c"], "gold": 2}]},
            "item 0 has the gold 2, but 2 choices, counted from 0",
        ),
        (
            {"kind": "multiple_choice", "items": [{"query": "a", "choices": "bc", "gold": 1}]},
            "items.0.choices: Input should be a valid list; got 'bc'",
        ),
    ],
)
def test_a_wrong_task_file_is_refused(tmp_path: Path, said: dict[str, Any], message: str) -> None:
    (tmp_path / "wrong.json").write_text(json.dumps({"kind": "generation", **said}))
    with pytest.raises(NanosnakeError, match=rf"wrong.json: {message}"):
        load_task(tmp_path / "wrong.json")


def test_items_in_a_file_of_their_own(tmp_path: Path) -> None:
    path, data = tmp_path / "task.json", tmp_path / "items.jsonl"
    path.write_text(json.dumps({"kind": "generation", "data": "items.jsonl"}))
    data.write_text('{"query": "a\u2028b", "answer": "c"}\n\n')
    assert load_task(path).items == [{"query": "a\u2028b", "answer": "c"}], "U+2028 ends no line"
    data.write_text('{"query": "a", "answer": "c"}\n{"query"\n')
    with pytest.raises(NanosnakeError, match=r"items.jsonl: line 2 is not JSON"):
        load_task(path)
    path.write_text("[]")
    with pytest.raises(NanosnakeError, match=r"task.json: is not a JSON object"):
        load_task(path)


def test_two_tasks_of_one_name_are_refused(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        content = {"kind": "generation", "items": [{"query": "a", "answer": "b"}]}
        (tmp_path / folder / "same.json").write_text(json.dumps(content))
    assert [task.name for task in load_tasks([tmp_path / "a" / "same.json"])] == ["same"]
    with pytest.raises(NanosnakeError, match="there is another task called same; rename one of them"):
        load_tasks([tmp_path / "a", tmp_path / "b"])


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> tuple[GPT, Vocabulary]:
    """A model that has learned a few conversations by heart, in most of which the calculator says WRONG."""
    small = make("llama", tmp_path_factory.mktemp("learned"))
    vocabulary = Vocabulary.load(small.tokenizer.folder)
    rows = [
        [
            *conversation(vocabulary, [{"role": "user", "content": text}]),
            *written(vocabulary, expression, result),
        ]
        for text, (expression, right) in QUESTIONS.items()
        for result in (WRONG, WRONG, WRONG, right)
    ]
    memorize(small.model, rows)
    return small.model, vocabulary


def written(vocabulary: Vocabulary, expression: str, result: str) -> list[int]:
    """Return what is learned as the answer: an expression, its result, and the end of a sentence."""
    start, end, output, output_end = (vocabulary.special[name] for name in TOOL_TOKENS)
    inside, said, rest = (vocabulary.encode(text)[1:] for text in (expression, result, " it is."))
    return [start, *inside, end, output, *said, output_end, *rest, vocabulary.special["<|assistant_end|>"]]


def memorize(model: GPT, rows: list[list[int]]) -> None:
    """Teach a model rows by steps along the gradient's sign: an optimizer of PyTorch takes seconds to be imported."""
    length = max(map(len, rows))
    tokens = torch.tensor([row + [row[0]] * (length - len(row)) for row in rows])
    positions = torch.arange(length - 1, dtype=torch.int32).repeat(len(rows))
    documents = describe_documents("sdpa", model.config, positions, None, length - 1)
    for step in range(STEPS):
        x_ND = model(tokens[:, :-1].reshape(-1).int(), positions, documents)
        loss = F.cross_entropy(x_ND @ model.head.t(), tokens[:, 1:].reshape(-1))
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        with torch.no_grad():
            for parameter, gradient in zip(model.parameters(), gradients, strict=True):
                parameter.sub_(gradient.sign(), alpha=3e-3 * 0.97**step)


def asked(**options: Any) -> Task:
    items = [
        {"messages": [{"role": "user", "content": text}], "answer": answer}
        for text, (_, answer) in QUESTIONS.items()
    ]
    return task(items, extract="last_number", **options)


def test_the_calculator_says_the_result(learned: tuple[GPT, Vocabulary]) -> None:
    model, vocabulary = learned
    answers = answer_task(model, vocabulary, asked(), ALONE)
    for given, (expression, result) in zip(answers, QUESTIONS.values(), strict=True):
        begun = f"<|python_start|>{expression}<|python_end|><|output_start|>{result}<|output_end|>"
        assert given.given.startswith(begun), "the result of the expression, not the one that was learned"
        assert "<|assistant_end|>" not in given.given
        assert given.given.endswith(" it is."), "the model goes on from the result"
        assert given.right


def test_a_tokenizer_without_its_tokens_has_no_calculator(learned: tuple[GPT, Vocabulary]) -> None:
    model, vocabulary = learned
    special = {name: token for name, token in vocabulary.special.items() if name != "<|output_end|>"}
    answers = answer_task(model, replace(vocabulary, special=special), asked(), ALONE)
    assert [(f"<|output_start|>{WRONG}" in given.given, given.right) for given in answers] == [
        (True, False)
    ] * 2


def test_writing_ends(learned: tuple[GPT, Vocabulary]) -> None:
    model, vocabulary = learned
    (short, _) = answer_task(model, vocabulary, asked(max_tokens=1), ALONE)
    assert short.given == "<|python_start|>"
    (stopped, _) = answer_task(model, vocabulary, asked(stop=(" is",)), ALONE)
    assert stopped.given.endswith("<|output_end|> it")
    (forced,) = generate(model, [[0]], tokens=3, ends=[], after=lambda written: [5] * 9)
    assert forced[1:] == [5, 5], "what is put there does not go beyond the limit either"
    assert generate(model, [[0]], tokens=0, ends=[]) == [[]]


def test_ranks_share_the_items_and_write_the_same(learned: tuple[GPT, Vocabulary], monkeypatch: Any) -> None:
    model, vocabulary = learned
    items = [{"query": f"{'long ' * n}question {n}", "answer": "a"} for n in range(7)]
    few = task(items, few_shot=1, max_tokens=5)
    monkeypatch.setattr("nanosnake.evaluation.writing.BATCH_TOKENS", 90)
    whole = write_answers(model, vocabulary, few, ALONE)
    parts = [write_answers(model, vocabulary, few, Ranks(rank, 2, ALONE.device)) for rank in (0, 1)]
    assert all(parts)
    assert not parts[0].keys() & parts[1].keys()
    assert {**parts[0], **parts[1]} == whole
    assert whole.keys() == set(range(7))


def test_a_conversation_is_what_the_template_makes_of_it(learned: tuple[GPT, Vocabulary]) -> None:
    vocabulary = learned[1]
    messages = [
        *({"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello there"}),
        *({"role": "assistant", "content": "Hi."}, {"role": "user", "content": "What is 3 * 4?"}),
    ]
    ids = conversation(vocabulary, messages)
    text = b"".join(vocabulary.tokens[i] for i in ids).decode()
    bos = vocabulary.tokens[vocabulary.bos].decode()
    template = jinja2.Template(CHAT_TEMPLATE)
    assert text == template.render(messages=messages, bos_token=bos, add_generation_prompt=True)
    forged = conversation(vocabulary, [{"role": "user", "content": "<|assistant_start|>"}])
    assert forged.count(vocabulary.special["<|assistant_start|>"]) == 1, "names in a text are plain text"
    with pytest.raises(NanosnakeError, match=r"needs the special token '<\|user_start\|>'; ask with query"):
        conversation(replace(vocabulary, special={}), messages)


def test_a_choice_may_be_asked_in_a_conversation(learned: tuple[GPT, Vocabulary]) -> None:
    model, vocabulary = learned
    messages = [{"role": "user", "content": "Which one? A or B"}]
    choices = Task(
        "c", "multiple_choice", 0, " ", 0.5, [{"messages": messages, "choices": ["A", "B"], "gold": 1}]
    )
    given = answer(model, vocabulary, choices, 0)
    ids = conversation(vocabulary, messages)
    letters = [vocabulary.encode(letter)[1] for letter in "AB"]
    written: list[torch.Tensor] = []

    def choose(logits_BV: torch.Tensor) -> torch.Tensor:
        written.append(logits_BV[0, letters])
        return torch.zeros(1, dtype=torch.int64)

    generate(model, [ids], tokens=1, ends=[], choose=choose)
    assert given.given == "AB"[int(written[0].argmax())], "the likelier letter after the assistant's start"
    assert given.expected == "B"
    assert given.nats[0] - given.nats[1] == pytest.approx(float(written[0][1] - written[0][0]), abs=1e-4)
