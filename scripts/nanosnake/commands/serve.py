"""Serve a trained model over HTTP, with the usual chat completions API.

    nanosnake serve results/talks/bpe-4096/chat
    nanosnake serve chat --port 0

Prints the address for clients, `http://127.0.0.1:8000/v1`; any API key will do. Only this machine can connect, unless
--host names another address; then anyone who can reach it can: there are no passwords. Ctrl-C or SIGTERM ends it.
Needs the group `serve`: uv sync --group serve.
"""

from __future__ import annotations

from dataclasses import dataclass

from nanosnake.commands.chat import Answering
from nanosnake.messages import log


@dataclass(frozen=True, kw_only=True)
class Serve(Answering):
    """Serve a trained model over HTTP, with the usual chat completions API."""

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0: all addresses of this machine."""
    port: int = 8000
    """Port; 0: any free one."""

    def run(self) -> None:
        from nanosnake.serving.server import Service, listen, serve

        with listen(self.host, self.port) as listening:
            engine, sampling = self.engine()
            name = self.model.resolve().name
            address = f"[{self.host}]" if ":" in self.host else self.host
            log(f"{name}: http://{address}:{listening.getsockname()[1]}/v1, until Ctrl-C")
            serve(Service(engine, name, sampling), listening, self.host)
