"""Writes the answers of an exported model, a token at a time.

The model is the one that transformers loads, from the folder of an export. Of that folder only data is read, no code
and no pickle: the code of our architecture is the library's own, so that a folder from elsewhere runs nothing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from jinja2 import TemplateError
from tokenizers.decoders import DecodeStream
from torch import Tensor
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.utils.logging import disable_progress_bar

from nanosnake.exports.modeling_nanosnake import CACHE, NanosnakeForCausalLM
from nanosnake.exports.transformers import export
from nanosnake.files import NanosnakeError, read_json
from nanosnake.training.export import read_model
from nanosnake.training.vocabulary import Vocabulary

ARCHITECTURES = {"nanosnake": NanosnakeForCausalLM, "llama": LlamaForCausalLM}
"""By `model_type` of an export's config.json."""

COLDEST = 1e-4
"""Lower temperatures are as 0, and would not fit into a float."""


class Refused(NanosnakeError):
    """A conversation that the model cannot answer."""


class TooLong(Refused):
    """A conversation that is longer than what the model sees."""


@dataclass(frozen=True)
class Sampling:
    """How an answer is chosen."""

    tokens: int
    """At most; fewer where the model sees no more."""
    temperature: float
    """0 takes the likeliest token each time."""
    top_p: float = 1.0
    """Share of the likeliest tokens that are considered."""
    seed: int | None = None
    """None: another answer each time."""
    stop: tuple[str, ...] = ()
    """Texts that end an answer and are not part of it."""


class Piece(NamedTuple):
    """A part of an answer."""

    text: str
    tokens: int
    """Written so far."""
    ended: Literal["stop", "length"] | None
    """Why the answer ends here: the model or a text of `stop` ended it, or it is as long as it may be."""


class Engine:
    """A model that answers.

    Args:
        folder: what `export_model.py --format transformers` writes.
    """

    def __init__(self, folder: Path, device: torch.device) -> None:
        kind = read_json(folder / "config.json").get("model_type")
        if kind not in ARCHITECTURES:
            raise NanosnakeError(
                f"{folder}/config.json: model_type is {kind!r}; this command answers with models of nanosnake "
                f"({', '.join(ARCHITECTURES)})"
            )
        if not (folder / "tokenizer.json").is_file():  # transformers' words are about packages
            raise NanosnakeError(
                f"{folder}: has no tokenizer.json; name the whole folder of an export for transformers"
            )
        disable_progress_bar()
        self.tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
        dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
        found = ARCHITECTURES[kind].from_pretrained(folder, dtype=dtype, use_safetensors=True)
        self.model = found.to(device).eval()
        self.length: int = self.model.config.max_position_embeddings
        ends = self.model.generation_config.eos_token_id
        self.ends = {ends} if isinstance(ends, int) else set(ends)
        self.chats = bool(self.tokenizer.chat_template)
        """Whether there is a template; without one, the model continues the text of the messages."""

    def prompt(self, messages: Sequence[Mapping[str, str]], *, room: int = 1) -> list[int]:
        """Return the ids that an answer follows.

        Args:
            room: tokens of an answer that must fit.

        Raises:
            Refused: if the template does not allow the conversation, or a special token is written in it.
            TooLong: if the answer has no room.
        """
        for number, message in enumerate(messages, start=1):
            if found := [token for token in self.tokenizer.all_special_tokens if token in message["content"]]:
                raise Refused(f"message {number}: contains the special token {found[0]}; leave it out")
        if messages[-1]["role"] != "user":
            raise Refused(f"the last message is of the role {messages[-1]['role']}; end with a user's")
        if self.chats:
            try:
                text = self.tokenizer.apply_chat_template(
                    list(messages), tokenize=False, add_generation_prompt=True
                )
            except TemplateError as error:
                raise Refused(f"the chat template refuses the messages: {error}") from None
        else:
            text = "\n".join(message["content"] for message in messages)
        ids: list[int] = self.tokenizer(text, add_special_tokens=not self.chats, verbose=False).input_ids
        if len(ids) + room > self.length:
            raise TooLong(
                f"the conversation has {len(ids):,} tokens, and the model sees {self.length:,} together with its "
                "answer; shorten it"
            )
        return ids

    @torch.no_grad()
    def write(self, prompt: list[int], sampling: Sampling) -> Iterator[Piece]:
        """Yield an answer as it is written; the last piece says why it ended."""
        draw = torch.Generator()
        draw.seed() if sampling.seed is None else draw.manual_seed(sampling.seed)
        decoder, rust = DecodeStream(skip_special_tokens=True), self.tokenizer.backend_tokenizer
        held = max(map(len, sampling.stop), default=1) - 1  # characters that may begin a text of `stop`
        text, ids, count, cache, unread = "", prompt, 0, dict[str, Any](), list[int]()
        ended: Literal["stop", "length"] = "length"
        for count in range(1, min(sampling.tokens, self.length - len(prompt)) + 1):
            ids_BT = torch.tensor([ids], device=self.model.device)
            output = self.model(input_ids=ids_BT, use_cache=True, logits_to_keep=1, **cache)
            chosen = choose(output.logits[0, -1].float().cpu(), sampling, draw)
            if chosen in self.ends:
                ended = "stop"
                break
            unread.append(chosen)
            if more := decoder.step(rust, chosen):
                text, unread = text + more, []
            if any(stop in text for stop in sampling.stop):
                break
            if ready := text[: max(len(text) - held, 0)]:
                yield Piece(ready, count, None)
                text = text[len(ready) :]
            ids, cache = [chosen], {CACHE: output[CACHE]}
        text += rust.decode(unread).rstrip("\ufffd")  # the decoder waits for the rest of a character
        if places := [place for stop in sampling.stop if (place := text.find(stop)) >= 0]:
            text, ended = text[: min(places)], "stop"
        yield Piece(text, count, ended)


def choose(logits_V: Tensor, sampling: Sampling, draw: torch.Generator) -> int:
    """Return a token."""
    if sampling.temperature < COLDEST:
        return int(logits_V.argmax())
    shares_V, order_V = (logits_V / sampling.temperature).softmax(0).sort(descending=True)
    shares_V[1:][(shares_V.cumsum(0) - shares_V)[1:] >= sampling.top_p] = 0
    return int(order_V[torch.multinomial(shares_V, 1, generator=draw)])


def load(model: Path, tokenizer: Path | None, device: torch.device) -> Engine:
    """Return the engine of a trained model, which is exported for this, or of an export."""
    if tokenizer is None:
        return Engine(model, device)
    trained = read_model(model, torch.device("cpu"))
    if (count := len(Vocabulary.load(tokenizer))) != trained.config.vocab_size:
        raise NanosnakeError(
            f"{tokenizer}: has {count:,} tokens, the model {trained.config.vocab_size:,}; name the model's own tokenizer "
            "with --tokenizer"
        )
    with tempfile.TemporaryDirectory() as folder:
        dtype = "bfloat16" if device.type == "cuda" else "float32"
        export(trained, tokenizer, Path(folder), dtype=dtype, card="")
        return Engine(Path(folder), device)
