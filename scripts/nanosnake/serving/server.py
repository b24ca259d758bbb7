"""An endpoint with the usual interface of chat completions: `/v1/chat/completions` and `/v1/models`.

One answer is written at a time; other requests wait. What is asked for and not supported is refused, not ignored.
"""

from __future__ import annotations

import asyncio
import json
import socket
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, Literal

import uvicorn
from pydantic import BaseModel, Field, PositiveInt, ValidationError, model_validator
from starlette.applications import Starlette
from starlette.concurrency import iterate_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from nanosnake.files import NanosnakeError
from nanosnake.serving.engine import Engine, Piece, Refused, Sampling, TooLong

LARGEST = 1 << 20
"""Bytes of a request."""
LOOPBACK = ("127.0.0.1", "localhost")


class Body(BaseModel, extra="forbid"):
    """A part of a request. A key that is null asks for nothing, and clients send many such."""

    @model_validator(mode="before")
    @classmethod
    def _without_null(cls, data: Any) -> Any:
        return {key: data[key] for key in data if data[key] is not None} if isinstance(data, dict) else data


class Part(Body):
    """A part of a message."""

    type: Literal["text"]
    text: str


class Message(Body):
    """A message of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str | list[Part]

    def plain(self) -> dict[str, str]:
        """Return the message with its text in one piece."""
        content = self.content
        text = content if isinstance(content, str) else "".join(part.text for part in content)
        return {"role": self.role, "content": text}


class StreamOptions(Body):
    """What a stream may have besides the answer."""

    include_usage: bool = False


class Asked(Body):
    """What a client may ask for."""

    messages: list[Message] = Field(min_length=1)
    model: str | None = None
    max_completion_tokens: PositiveInt | None = None
    max_tokens: PositiveInt | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    seed: int | None = Field(None, ge=0, lt=1 << 63)
    stop: str | list[str] | None = None
    stream: bool | None = None
    stream_options: StreamOptions = StreamOptions()
    n: Literal[1] | None = None
    user: str | None = None

    def sampling(self, default: Sampling) -> Sampling:
        """Return how the answer is chosen."""
        given = self.model_dump(include={"temperature", "top_p", "seed"}, exclude_none=True)
        tokens = self.max_completion_tokens or self.max_tokens or default.tokens
        stop = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return replace(default, **given, tokens=tokens, stop=tuple(filter(None, stop)))


class Service:
    """Answers requests.

    Args:
        name: what clients call the model.
        default: what a request does not say.
    """

    def __init__(self, engine: Engine, name: str, default: Sampling) -> None:
        self.engine, self.name, self.default = engine, name, default
        self.described = {"id": name, "object": "model", "created": 0, "owned_by": "nanosnake"}
        self.turn = asyncio.Lock()

    async def models(self, request: Request) -> Response:
        """List the one model."""
        return JSONResponse({"object": "list", "data": [self.described]})

    async def model(self, request: Request) -> Response:
        """Describe the model, if it is the one that is asked for."""
        asked: str = request.path_params["name"]
        return JSONResponse(self.described) if asked == self.name else self.no_such(asked)

    def no_such(self, model: str) -> Response:
        """Say that a model is not served here."""
        return problem(f"model {model!r} is not here; this server has {self.name!r}", 404)

    async def complete(self, request: Request) -> Response:
        """Answer a conversation, at once or as a stream."""
        asked = Asked.model_validate_json(await content(request))
        if asked.model not in (None, self.name):
            return self.no_such(asked.model)
        prompt = self.engine.prompt([message.plain() for message in asked.messages])
        pieces = self.pieces(request, prompt, asked.sampling(self.default))
        head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": self.name}
        if asked.stream:
            lines = self.lines(head, pieces, len(prompt), asked.stream_options.include_usage)
            return StreamingResponse(lines, media_type="text/event-stream")
        written = [piece async for piece in pieces]
        message = {"role": "assistant", "content": "".join(piece.text for piece in written)}
        choice = {"index": 0, "message": message, "finish_reason": written[-1].ended}
        usage_of = counted(len(prompt), written[-1].tokens)
        return JSONResponse({**head, "object": "chat.completion", "choices": [choice], "usage": usage_of})

    async def pieces(self, request: Request, prompt: list[int], sampling: Sampling) -> AsyncIterator[Piece]:
        """Yield an answer, once it is its turn, for as long as the client is there."""
        async with self.turn:
            async for piece in iterate_in_threadpool(self.engine.write(prompt, sampling)):
                yield piece
                if await request.is_disconnected():
                    return

    async def lines(
        self, head: dict[str, Any], pieces: AsyncIterator[Piece], prompt: int, usage: bool
    ) -> AsyncIterator[str]:
        """Yield the events of a stream."""

        def event(choices: list[dict[str, Any]], **more: Any) -> str:
            said = {**head, "object": "chat.completion.chunk", "choices": choices, **more}
            return f"data: {json.dumps(said)}\n\n"

        role, written = {"role": "assistant"}, 0
        async for piece in pieces:
            delta = {**role, "content": piece.text}
            yield event([{"index": 0, "delta": delta, "finish_reason": piece.ended}])
            role, written = {}, piece.tokens
        if usage:
            yield event([], usage=counted(prompt, written))
        yield "data: [DONE]\n\n"


def counted(prompt: int, written: int) -> dict[str, int]:
    """Return the tokens of a request and its answer."""
    return {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}


async def content(request: Request) -> bytes:
    """Return the body of a request.

    Raises:
        Refused: if it is too large, or the client left before its end.
    """
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > LARGEST:
                raise Refused(f"the request is larger than {LARGEST:,} bytes; shorten the conversation")
    except ClientDisconnect:
        raise Refused("the request is not complete") from None
    return bytes(body)


def problem(message: str, status: int = 400, code: str | None = None) -> Response:
    """Return an error as clients read it."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return JSONResponse({"error": error}, status_code=status)


def refused(request: Request, error: Exception) -> Response:
    """Say why a conversation is not answered."""
    return problem(str(error), code="context_length_exceeded" if isinstance(error, TooLong) else None)


def invalid(request: Request, error: Exception) -> Response:
    """Say what is wrong with a request."""
    assert isinstance(error, ValidationError)
    first = max(error.errors(), key=lambda one: len(one["loc"]))  # of a union's, the one that got furthest
    place = ".".join(map(str, first["loc"])) or "the request"
    if first["type"] == "extra_forbidden":
        return problem(f"{place}: is not supported here; leave it out")
    return problem(f"{place}: {first['msg']}; got {first['input']!r:.80}")


def application(service: Service, host: str) -> Starlette:
    """Return the application; on loopback it answers no page that found it under another name."""
    return Starlette(
        routes=[
            Route("/v1/models", service.models),
            Route("/v1/models/{name:path}", service.model),
            Route("/v1/chat/completions", service.complete, methods=["POST"]),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=LOOPBACK if host in LOOPBACK else ["*"])],
        exception_handlers={Refused: refused, ValidationError: invalid},
    )


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        NanosnakeError: if the port is taken, or the host is empty or not this machine's.
    """
    if not host:  # as of a variable that is not set
        raise NanosnakeError("--host is empty, which means all addresses; write 0.0.0.0 if you want them")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise NanosnakeError(
            f"--host {host}, --port {port}: {why}; choose another port (0: any free one) or address"
        ) from None


def serve(service: Service, listening: socket.socket, host: str) -> None:
    """Answer until Ctrl-C or SIGTERM; answers that are being written get some seconds to end."""
    config = uvicorn.Config(application(service, host), log_level="warning", timeout_graceful_shutdown=5)
    uvicorn.Server(config).run(sockets=[listening])
