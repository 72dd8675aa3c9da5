"""Server-sent events of an ASGI application."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.types import Message


async def events(
    app: Starlette, path: str, cookies: httpx.Cookies
) -> AsyncGenerator[tuple[str, dict[str, str]]]:
    """Ask for a page as a stream until the caller leaves: httpx would wait for its end."""
    sent: asyncio.Queue[Message] = asyncio.Queue()
    gone = asyncio.Event()

    async def receive() -> Message:
        await gone.wait()
        return {"type": "http.disconnect"}

    cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
    scope: dict[str, Any] = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": b"",
        "root_path": "", "client": ("127.0.0.1", 1), "server": ("localhost", 80),
        "headers": [
            (b"host", b"localhost"), (b"accept", b"text/event-stream"),
            (b"cookie", cookie.encode()),
        ],
    }  # fmt: skip
    serving = asyncio.create_task(app(scope, receive, sent.put))
    text = ""
    try:
        while True:
            message = await sent.get()
            if message["type"] != "http.response.body":
                continue
            text += message.get("body", b"").decode()
            *whole, text = text.split("\n\n")
            for event in whole:
                fields = dict(
                    line.split(": ", 1) for line in event.splitlines() if not line.startswith(":")
                )
                if "event" in fields:
                    yield fields["event"], json.loads(fields["data"])
            if not message.get("more_body", False):
                return
    finally:
        gone.set()
        with suppress(asyncio.CancelledError):
            serving.cancel()
            await serving
