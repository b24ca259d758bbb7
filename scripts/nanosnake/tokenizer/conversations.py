"""Conversations: what one has to be, and its ids with a mask of what a model learns from it.

The form and its rendering are nanochat's: `{"messages": [{"role": "user", "content": "…"}, …]}`. A system message may
come first and becomes the beginning of the first user's message; after it, roles alternate, and an assistant has the
last word. What an assistant says is a text or a list of parts, `{"type": "text" | "python" | "python_output", "text":
"…"}`. A model learns the assistants' tokens with the token that ends an answer, but not a program's output.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nanosnake.tokenizer.transformers import CHAT_TOKENS, TOOL_TOKENS

TURN = {"user": CHAT_TOKENS[:2], "assistant": CHAT_TOKENS[2:]}
"""The special tokens around what each role says."""
ENDS_ANSWER = TURN["assistant"][1]

TOOLS = {"python": TOOL_TOKENS[:2], "python_output": TOOL_TOKENS[2:]}
"""Those around each part of what an assistant says; a text has none."""


class WrongConversation(ValueError):
    """A conversation that cannot be learnt from; the text says why."""


def problem(tokenizer: str, special_tokens: Collection[str]) -> str | None:
    """Return why a tokenizer with these special tokens cannot render conversations; None if it can."""
    absent = next((token for token in CHAT_TOKENS if token not in special_tokens), None)
    return absent and (
        f"conversations need the special token {absent}, which {tokenizer} lacks; add it to its special_tokens"
    )


def ends(special: Mapping[str, int], bos: int) -> set[int]:
    """Return the ids that end what a model writes: an answer's end, and the next document's start."""
    return {bos, special.get(ENDS_ANSWER, bos)}


def parse(document: str) -> list[dict[str, Any]]:
    """Return the messages of a conversation, a JSON list or an object with the key `messages`.

    Raises:
        WrongConversation: if it is not one.
    """
    value = loads(document)
    messages: Any = value.get("messages") if isinstance(value, dict) else value
    check(messages)
    return list(messages)


def loads(document: str) -> Any:
    """Return the value of JSON.

    Raises:
        WrongConversation: if it is not JSON, a key is there twice, or its text is not that of Unicode.
    """
    try:
        value = json.loads(document, object_pairs_hook=_once)
        if r"\ud" in document.lower():
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = error.object[error.start : error.start + 1].encode("unicode_escape").decode()
        raise WrongConversation(f"{half} is half of a pair, and no character") from None
    except (ValueError, RecursionError) as error:
        raise WrongConversation(f"not JSON ({error})") from None
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {max(keys, key=keys.count)!r} is there twice")
    return found


def check(messages: Any) -> None:
    """Check a conversation.

    Raises:
        WrongConversation: if roles do not alternate, something is empty, or a part is of an unknown type.
    """
    if not isinstance(messages, list) or not messages:
        raise WrongConversation("no list of messages, such as [{'role': 'user', 'content': '…'}, …]")
    first = 2 if isinstance(messages[0], dict) and messages[0].get("role") == "system" else 1
    for number, message in enumerate(messages, start=1):
        if not isinstance(message, dict) or not {"role", "content"} <= message.keys():
            raise WrongConversation(f"message {number} has no role and content")
        wanted = "system" if number < first else ("user", "assistant")[(number - first) % 2]
        if message["role"] != wanted:
            raise WrongConversation(f"message {number} is of role {message['role']!r}, wanted: {wanted!r}")
        _check_content(message["content"], f"message {number}", parts=wanted == "assistant")
    if (last := messages[-1]["role"]) != "assistant":
        raise WrongConversation(f"the last message is the {last}'s, so that nothing answers it")


def _check_content(content: Any, place: str, *, parts: bool) -> None:
    if isinstance(content, str):
        if not content.strip():
            raise WrongConversation(f"{place} is empty")
        return
    if not parts:
        raise WrongConversation(f"the content of {place} is no text")
    if not isinstance(content, list) or not content:
        raise WrongConversation(f"the content of {place} is neither a text nor a list of parts")
    for part in content:
        if not isinstance(part, dict) or part.get("type") not in ("text", *TOOLS):
            kind = part.get("type") if isinstance(part, dict) else part
            raise WrongConversation(
                f"a part of {place} is of type {kind!r}, allowed: text, {', '.join(TOOLS)}"
            )
        if not isinstance(part.get("text"), str) or not part["text"]:
            raise WrongConversation(f"a part of {place} is empty")


def parts_of(content: str | list[dict[str, str]]) -> list[dict[str, str]]:
    """Return the parts of what is said; a text is one."""
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def render(
    messages: Sequence[Mapping[str, Any]],
    encode: Callable[[str], list[int]],
    special: Mapping[str, int],
    bos: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return the ids of a conversation that `check` accepts, and for each whether a model learns to predict it.

    Args:
        encode: turns text into ids; special tokens in the text are ordinary text.
        special: ids of the special tokens.

    Raises:
        KeyError: if a special token is missing.
    """
    ids, learned = [bos], [False]

    def add(tokens: Sequence[int], learn: bool) -> None:
        ids.extend(tokens)
        learned.extend([learn] * len(tokens))

    if messages[0]["role"] == "system":
        system, asked, *others = messages
        messages = [{**asked, "content": f"{system['content']}\n\n{asked['content']}"}, *others]
    for message in messages:
        begin, end = TURN[message["role"]]
        is_answer = message["role"] == "assistant"
        add([special[begin]], False)
        for part in parts_of(message["content"]):
            around = [special[token] for token in TOOLS.get(part["type"], ())]
            tokens = [*around[:1], *encode(part["text"]), *around[1:]]
            add(tokens, is_answer and part["type"] != "python_output")
        add([special[end]], is_answer)
    return np.array(ids, dtype=np.int64), np.array(learned, dtype=bool)
