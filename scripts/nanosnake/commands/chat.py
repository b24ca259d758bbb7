"""Chat with a trained model in the terminal.

    nanosnake chat results/talks/bpe-4096/chat
    nanosnake chat chat --temperature 0
    echo "What is your name?" | nanosnake chat chat

Each line is a message, an empty line begins a new conversation, and Ctrl-D ends the chat. Needs the group
`serve`: uv sync --group serve.
"""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from nanosnake.commands.sample import Writing
from nanosnake.files import NanosnakeError, read_json
from nanosnake.messages import log
from nanosnake.options import Positional

if TYPE_CHECKING:
    from nanosnake.serving.engine import Engine, Sampling


@dataclass(frozen=True, kw_only=True)
class Answering(Writing):
    """What `chat` and `serve` have in common."""

    group = "serve"

    model: Annotated[Path, Positional]
    """A model's folder or its name in this project, or the folder of an export for transformers."""
    tokens: int = 512
    """Longest answer in tokens; shorter if the model's context is full."""
    seed: int | None = None
    """The same seed gives the same answers; default: a different answer each time."""

    def engine(self) -> tuple[Engine, Sampling]:
        """Return the model and how it chooses tokens.

        Raises:
            NanosnakeError: if the model is missing.
        """
        from nanosnake.serving.engine import Sampling, load
        from nanosnake.training.distributed import choose_device

        place, tokenizer = self.model, None
        if not (place / "config.json").is_file():
            place, tokenizer = self.folders()
        engine = load(place, tokenizer, choose_device(self.device))
        if not engine.chats:
            log(f"{place}: its tokenizer has no chat template, so it continues what you write")
        elif tokenizer and not read_json(place / "model.json")["figures"].get("conversations"):
            log(f"{place}: was trained on text, not on conversations; do not expect answers")
        return engine, Sampling(tokens=self.tokens, temperature=self.temperature, seed=self.seed)


@dataclass(frozen=True, kw_only=True)
class Chat(Answering):
    """Chat with a trained model in the terminal."""

    system: str = ""
    """System message that begins each conversation."""

    def run(self) -> None:
        engine, sampling = self.engine()
        from nanosnake.serving.engine import Refused

        with contextlib.suppress(ImportError):
            import readline  # noqa: F401  keys that edit the line, where the system has them
        messages: list[dict[str, str]] = []
        while (line := _line()) is not None:
            if not line.strip():
                messages = []
                continue
            messages.append({"role": "user", "content": line})
            try:
                prompt = self._prompt(engine, messages)
            except Refused as error:
                log(f"not sent: {error}")
                messages.pop()
                continue
            answer = ""
            for piece in engine.write(prompt, sampling):
                print(piece.text, end="", flush=True)
                answer += piece.text
            print()
            if piece.ended == "length":
                log(f"cut after {piece.tokens:,} tokens")
            messages.append({"role": "assistant", "content": answer})

    def _prompt(self, engine: Engine, messages: list[dict[str, str]]) -> list[int]:
        """Return the ids of a conversation; if it is too long, its oldest messages are dropped."""
        from nanosnake.serving.engine import TooLong

        begin = [{"role": "system", "content": self.system}] if self.system else []
        while True:
            try:
                return engine.prompt([*begin, *messages], room=min(self.tokens, engine.length // 4))
            except TooLong:
                if len(messages) == 1:
                    raise
                log("the oldest messages are left out: they exceed the model's context")
                del messages[:2]


def _line() -> str | None:
    """Return what the user writes next; None at the end."""
    prompt = "> " if sys.stdin.isatty() else ""
    if not sys.stdout.isatty():  # only answers go to a file
        print(prompt, end="", file=sys.stderr, flush=True)
        prompt = ""
    try:
        line = input(prompt)
        line.encode()  # in some locales, Python reads bytes that are not UTF-8 as halves of characters
    except EOFError:
        return None
    except UnicodeError as error:
        raise NanosnakeError(f"stdin: {error}; convert the text to UTF-8 first") from None
    return line
