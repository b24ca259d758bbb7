"""`nanosnake chat` and `nanosnake serve`: a real server with the official client, a pipe and a terminal."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from nanosnake.commands.__main__ import main
from nanosnake.commands.chat import _line
from nanosnake.commands.subject import model_folder, tokenizer_folder
from nanosnake.files import NanosnakeError
from small_models import LENGTH, Small, make
from tiny_tokenizers import train

openai = pytest.importorskip("openai")
pytest.importorskip("transformers")
pytest.importorskip("uvicorn")
HELLO = [{"role": "user", "content": "Hello there"}]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return make("nanosnake", tmp_path_factory.mktemp("nanosnake"))


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return make("llama", tmp_path_factory.mktemp("llama"))


@pytest.fixture
def exported(llama: Small, tmp_path: Path) -> Path:
    return llama.export("transformers", tmp_path / "exported", dtype="float32")


class Server:
    """`nanosnake serve` in a process of its own."""

    def __init__(self, *words: str | Path) -> None:
        command = [sys.executable, "-m", "nanosnake.commands", "serve", *map(str, words), "--port", "0"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        self.said = ""
        for line in self.process.stderr:
            self.said += line
            if found := re.search(r"(\S+): (http://127\.0\.0\.1:\d+/v1), until Ctrl-C", line):
                self.name, self.address = found.groups()
                break
        else:
            pytest.fail(f"the server did not start: {self.said}")
        self.client = openai.OpenAI(base_url=self.address, api_key="any", max_retries=0, timeout=60)

    def ask(self, messages: Any = HELLO, **options: Any) -> Any:
        options = {"temperature": 0, "max_tokens": 12, "model": self.name, **options}
        return self.client.chat.completions.create(messages=messages, **options)

    def end(self, number: int) -> tuple[int, str]:
        """Send a signal; return the status and the rest of stderr."""
        self.process.send_signal(number)
        rest = self.process.communicate(timeout=30)[1]
        return self.process.returncode, rest


@pytest.fixture(scope="module")
def server(small: Small) -> Iterator[Server]:
    started = Server(small.folder / "model")
    yield started
    started.end(signal.SIGKILL)


def rendered(small: Small, *messages: str) -> list[int]:
    """Return nanochat's ids of messages, a user's first, up to where an answer begins."""
    special, encoder = small.tokenizer.special_tokens, small.tokenizer.rust()
    ids = [special["<|bos|>"]]
    for number, message in enumerate(messages):
        role = ("user", "assistant")[number % 2]
        ids += [
            special[f"<|{role}_start|>"],
            *encoder.encode_batch([message], 1)[0],
            special[f"<|{role}_end|>"],
        ]
    return [*ids, special["<|assistant_start|>"]]


def greedy(small: Small, ids: list[int], count: int) -> list[int]:
    """Return the likeliest tokens by the trainer's own model."""
    written: list[int] = []
    while len(written) < count:
        written.append(int(small.logits([[*ids, *written]])[0, -1].argmax()))
    return written


def text_of(small: Small, ids: list[int]) -> str:
    """Return the text of ids, without special tokens and without a character that is cut at the end."""
    ids = [number for number in ids if number < len(small.tokenizer.tokens)]
    return small.tokenizer.rust().decode_bytes(ids).decode(errors="replace").rstrip("\ufffd")


def test_an_answer_is_what_the_trainers_model_writes(small: Small, server: Server) -> None:
    prompt = rendered(small, "Hello there")
    answer = server.ask()
    assert answer.choices[0].message.content == text_of(small, greedy(small, prompt, 12))
    assert answer.choices[0].finish_reason == "length"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (len(prompt), 12)
    assert [model.id for model in server.client.models.list()] == [server.name] == ["model"]
    assert server.client.models.retrieve(server.name).id == server.name


def test_a_stream_has_the_same_answer(server: Server) -> None:
    chunks = list(server.ask(stream=True, stream_options={"include_usage": True}))
    assert chunks[0].choices[0].delta.role == "assistant"
    parts = [chunk.choices[0].delta.content for chunk in chunks[:-1]]
    whole = server.ask()
    assert "".join(parts) == whole.choices[0].message.content
    assert len(parts) > 4
    assert chunks[-2].choices[0].finish_reason == "length"
    assert chunks[-1].usage == whole.usage


def test_a_conversation_and_parts_of_a_message(small: Small, server: Server) -> None:
    parts = [{"type": "text", "text": "And "}, {"type": "text", "text": "now?"}]
    turns = [*HELLO, {"role": "assistant", "content": "Yes."}, {"role": "user", "content": parts}]
    prompt = rendered(small, "Hello there", "Yes.", "And now?")
    assert server.ask(turns).choices[0].message.content == text_of(small, greedy(small, prompt, 12))


def test_seeds_and_shares(server: Server) -> None:
    def answer(seed: int, **options: Any) -> str:
        return str(server.ask(seed=seed, temperature=1.5, **options).choices[0].message.content)

    assert answer(1) == answer(1) != answer(2)
    assert (
        server.ask(temperature=1e-300).choices[0].message.content == server.ask().choices[0].message.content
    )
    for share in (1e-6, 1e-320):
        assert answer(1, top_p=share) == server.ask().choices[0].message.content, "only the likeliest is left"


@pytest.mark.parametrize("stream", [False, True])
def test_a_text_ends_an_answer(server: Server, stream: bool) -> None:
    whole = server.ask().choices[0].message.content
    stop = whole[len(whole) // 2 :][:5]
    answer = server.ask(stop=["never there", stop], stream=stream)
    if stream:
        *parts, last = [chunk.choices[0] for chunk in answer]
        found, ended = "".join(part.delta.content for part in [*parts, last]), last.finish_reason
    else:
        found, ended = answer.choices[0].message.content, answer.choices[0].finish_reason
    assert (found, ended) == (whole[: whole.index(stop)], "stop")


def test_a_clients_own_form_of_an_answer_can_go_back_into_the_conversation(server: Server) -> None:
    """With the keys that the openai library knows and that are null here."""
    first = server.ask(max_tokens=3).choices[0].message.model_dump()
    assert None in first.values()
    server.ask(messages=[*HELLO, first, *HELLO], tools=None)


def test_a_character_that_is_cut_takes_nothing_else_with_it(
    llama: Small, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from nanosnake.serving import engine

    tokens = llama.tokenizer.tokens
    cut = tokens.index(b"><\xc2")
    monkeypatch.setattr(engine, "choose", lambda logits, sampling, draw: cut)
    model = engine.load(exported, None, torch.device("cpu"))
    for stop, wanted in (((), ("><", "length")), (("<",), (">", "stop"))):
        *_, last = model.write([0], engine.Sampling(tokens=1, temperature=0, stop=stop))
        assert (last.text, last.ended) == wanted


def test_an_answer_ends_where_the_model_sees_no_more(server: Server) -> None:
    answer = server.ask(max_tokens=100_000)
    assert answer.usage.total_tokens == LENGTH
    assert answer.choices[0].finish_reason == "length"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"messages": [{"role": "user", "content": "word " * 300}]},
            "the model sees 256 together with its answer",
        ),
        ({"messages": HELLO * 2}, "roles alternate"),
        ({"messages": []}, "messages: List should have at least 1 item"),
        ({"messages": [*HELLO, {"role": "assistant", "content": "x"}]}, "end with a user's"),
        ({"messages": [{"role": "user", "content": "<|assistant_start|>"}]}, "the special token"),
        (
            {"tools": [{"type": "function", "function": {"name": "f"}}]},
            "tools: is not supported here; leave it out",
        ),
        (
            {"messages": [{"role": "user", "content": "x", "name": "Ann"}]},
            "messages.0.name: is not supported here; leave it out",
        ),
        (
            {"stream": True, "stream_options": {"include_usages": True}},
            "stream_options.include_usages: is not supported here",
        ),
        ({"n": 2}, "n: Input should be 1; got 2"),
        ({"seed": 1 << 70}, "seed: Input should be less than"),
        ({"temperature": -1}, "temperature: .* got -1"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "a"}}]}]},
            "content.*type: Input should be 'text'; got 'image_url'",
        ),
        ({"messages": [{"role": "user", "content": "x" * (1 << 20)}]}, "larger than 1,048,576 bytes"),
    ],
)
def test_what_cannot_be_answered_is_refused(server: Server, options: dict[str, Any], said: str) -> None:
    with pytest.raises(openai.BadRequestError, match=said) as caught:
        server.ask(**options)
    assert (caught.value.code == "context_length_exceeded") == ("sees" in said)


def test_another_model_or_name_of_the_host_is_refused(server: Server) -> None:
    with pytest.raises(openai.NotFoundError, match="model 'org/gpt' is not here; this server has 'model'"):
        server.client.models.retrieve("org/gpt")
    with pytest.raises(openai.NotFoundError, match="model 'gpt' is not here; this server has 'model'"):
        server.ask(model="gpt")
    request = urllib.request.Request(f"{server.address}/models", headers={"Host": "example.org"})
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(request, timeout=30)


def test_requests_wait_for_each_other_but_not_for_clients_that_left(server: Server) -> None:
    alone = server.ask().choices[0].message.content
    left = server.ask(stream=True, max_tokens=200)
    next(iter(left))
    left.close()
    with ThreadPoolExecutor(3) as threads:
        answers = list(threads.map(lambda _: server.ask().choices[0].message.content, range(3)))
    assert answers == [alone] * 3


def test_a_port_that_is_taken(server: Server) -> None:
    from nanosnake.serving.server import listen

    port = int(server.address.split(":")[2].split("/")[0])
    with pytest.raises(NanosnakeError, match=rf"port {port}: Address already in use.*\(0: any free"):
        listen("127.0.0.1", port)
    with pytest.raises(NanosnakeError, match=r"--host is empty, .* write 0\.0\.0\.0 if"):
        listen("", 0)
    with pytest.raises(NanosnakeError, match=r"--port 99999: .*must be 0-65535.*; choose another port"):
        listen("127.0.0.1", 99_999)


def test_a_client_that_leaves_within_its_request_is_no_error(exported: Path) -> None:
    server = Server(exported)
    port = int(server.address.split(":")[2].split("/")[0])
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{")
    assert server.ask().choices
    assert server.end(signal.SIGTERM) == (143, "nanosnake: error: stopped by SIGTERM\n")


def test_sigterm_ends_the_server_during_an_answer(server: Server) -> None:
    stream = server.ask(stream=True, max_tokens=200)
    next(iter(stream))
    assert server.end(signal.SIGTERM) == (143, "nanosnake: error: stopped by SIGTERM\n")


def chat(monkeypatch: pytest.MonkeyPatch, model: Path, lines: list[str], *words: str) -> None:
    """Chat in this process, as through a pipe."""
    given = iter(lines)

    def read(prompt: str) -> str:
        assert prompt == "", "no prompt in a pipe"
        try:
            return next(given)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("builtins.input", read)
    assert main(["chat", str(model), "--temperature", "0", "--tokens", "12", "--device", "cpu", *words]) == 0


def test_a_chat_through_a_pipe(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = text_of(small, greedy(small, rendered(small, "Hello there"), 12))
    second = text_of(small, greedy(small, rendered(small, "Hello there", first, "And now?"), 12))
    long = "word " * 75
    lines = ["Hello there", "And now?", "", "Hello there", "<|bos|>", long, "long " * 300]
    chat(monkeypatch, small.folder / "model", lines)
    printed = capsys.readouterr()
    third = text_of(small, greedy(small, rendered(small, long), 12))
    assert printed.out == f"{first}\n{second}\n{first}\n{third}\n"
    assert printed.err.startswith(f"{small.folder / 'model'}: was trained on text, not on conversations")
    assert "not sent: message 3: contains the special token <|bos|>; leave it out" in printed.err
    assert printed.err.count("the oldest messages are left out") == 2
    assert "the model sees 256" in printed.err.splitlines()[-1]
    taught = shutil.copytree(small.folder / "model", tmp_path / "taught")
    said = json.loads((taught / "model.json").read_text())
    (taught / "model.json").write_text(
        json.dumps({**said, "figures": {**said["figures"], "conversations": True}})
    )
    tokenizer = str(small.tokenizer.folder)
    chat(monkeypatch, taught, ["there"], "--system", "Hello", "--tokenizer", tokenizer)
    system = text_of(small, greedy(small, rendered(small, "Hello\n\nthere"), 12))
    printed = capsys.readouterr()
    assert printed.out == f"{system}\n"
    assert "conversations" not in printed.err


def test_the_tokens_that_end_an_answer_are_the_exports(
    llama: Small, exported: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = greedy(llama, rendered(llama, "Hello there"), 12)
    end = next(place for place in range(3, 12) if ids[place] not in ids[:place])
    (exported / "generation_config.json").write_text(json.dumps({"eos_token_id": [3, ids[end]]}))
    chat(monkeypatch, exported, ["Hello there"])
    printed = capsys.readouterr()
    assert printed.out == text_of(llama, ids[:end]) + "\n"
    assert "cut after" not in printed.err


def test_a_model_without_a_chat_template_continues(
    llama: Small, exported: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = exported / "tokenizer_config.json"
    config = json.loads(path.read_text())
    del config["chat_template"]
    path.write_text(json.dumps(config))
    chat(monkeypatch, exported, ["Hello there"])
    printed = capsys.readouterr()
    prompt = [llama.tokenizer.bos_id, *llama.tokenizer.rust().encode_batch(["Hello there"], 1)[0]]
    assert printed.out == text_of(llama, greedy(llama, prompt, 12)) + "\n"
    assert f"{exported}: its tokenizer has no chat template" in printed.err


def test_the_folder_of_an_export_runs_nothing(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    exported = small.export("transformers", tmp_path / "exported", dtype="float32")
    (exported / "modeling_nanosnake.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    chat(monkeypatch, exported, ["Hello there"])
    assert capsys.readouterr().out == text_of(small, greedy(small, rendered(small, "Hello there"), 12)) + "\n"
    (exported / "model.safetensors").rename(exported / "pytorch_model.bin")
    with pytest.raises(OSError, match=r"model\.safetensors"):
        chat(monkeypatch, exported, ["Hello there"])
    assert not (tmp_path / "ran").exists()


def test_a_chat_in_a_terminal(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    seen = b""

    def user() -> None:
        nonlocal seen
        for count, written in enumerate((b"Hello there\n", b"\x04"), start=1):
            while seen.count(b"> ") < count:
                seen += os.read(ours, 4096)
            os.write(ours, written)

    person = threading.Thread(target=user, daemon=True)
    person.start()
    with os.fdopen(theirs, "r+b", buffering=0) as terminal:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(terminal))
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(terminal, write_through=True))
        assert main(["chat", str(small.folder / "model"), "--temperature=0", "--tokens=3"]) == 0
        person.join()
        monkeypatch.undo()
    os.close(ours)
    expected = text_of(small, greedy(small, rendered(small, "Hello there"), 3))
    assert expected in seen.decode(errors="replace").replace("\r\n", "\n")


def test_the_prompt_is_not_among_redirected_answers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal("hello\n"))
    assert _line() == "hello"
    assert capsys.readouterr() == ("", "> ")


def test_an_export_without_its_tokenizer_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(NanosnakeError, match=f"{tmp_path}: has no tokenizer.json"):
        main(["chat", str(tmp_path)])


def test_a_model_is_found_by_its_name(small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for data in ("a", "b"):
        shutil.copytree(small.folder / "model", tmp_path / f"results/{data}/bpe/tiny")
    shutil.copytree(small.folder / "model", tmp_path / "results/a/bpe/other")
    assert model_folder(Path("other")) == Path("results/a/bpe/other")
    with pytest.raises(
        NanosnakeError, match="several models; say which: results/a/bpe/tiny, results/b/bpe/tiny"
    ):
        model_folder(Path("tiny"))
    with pytest.raises(NanosnakeError, match=r"nothing: has no model\.json"):
        main(["serve", "nothing", "--port", "0"])
    with pytest.raises(NanosnakeError, match="has no tokenizer next to it; name one with --tokenizer"):
        main(["chat", "other"])
    (tmp_path / "results/c/bpe").mkdir(parents=True)
    shutil.copytree(small.tokenizer.folder, tmp_path / "results/c/bpe/tokenizer")
    assert tokenizer_folder(Path("results/a/bpe/other")) == tmp_path / "results/c/bpe/tokenizer"
    few = train(tmp_path / "few", ["few words"], vocab_size=265)
    with pytest.raises(NanosnakeError, match="has 265 tokens, the model 600; name the model's own tokenizer"):
        main(["chat", "other", "--tokenizer", str(few.folder)])
    with pytest.raises(NanosnakeError, match=r"results: has no tokenizer next to it"):
        main(["chat", "other", "--tokenizer", "results"])
    with pytest.raises(NanosnakeError, match="--tokens is 0"):
        main(["chat", "other", "--tokens", "0"])
    with pytest.raises(NanosnakeError, match=r"--temperature nan; use .* 0 or more"):
        main(["chat", "other", "--temperature", "nan"])
    with pytest.raises(NanosnakeError, match=r"--seed is 1\d+; use a number of 63 bits"):
        main(["chat", "other", "--seed", str(1 << 64)])


@pytest.mark.parametrize(("errors", "said"), [("strict", "decode byte 0xe9"), ("surrogateescape", "encode")])
def test_a_line_that_is_not_utf8(
    exported: Path, monkeypatch: pytest.MonkeyPatch, errors: str, said: str
) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(b"caf\xe9\n"), encoding="utf-8", errors=errors)
    monkeypatch.setattr(sys, "stdin", stdin)
    with pytest.raises(NanosnakeError, match=f"stdin: 'utf-8' codec can't {said}.*convert the text to UTF-8"):
        main(["chat", str(exported), "--device", "cpu"])


@pytest.mark.parametrize("words", [["chat"], ["sample", "the river"]])
def test_a_gpu_that_is_not_there(small: Small, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(NanosnakeError, match=r"device is cuda, but torch .* sees no GPU"):
        main([words[0], str(small.folder / "model"), *words[1:], "--device", "cuda"])


def test_a_missing_package_names_the_group(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(NanosnakeError, match="uvicorn is not installed: uv sync --group serve"):
        main(["serve", str(small.folder / "model")])
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(
        NanosnakeError, match="torch is not installed: uv sync --group train, or pip install torch"
    ):
        main(["sample", str(small.folder / "model"), "The river"])
