"""A chat server for the interop tests: scripted, on a loop of its own, and set anew for each story."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from voicegw.testing.faulty_llm_server import FaultyLlmServer, Script


def words(text: str) -> tuple[str, ...]:
    """Tokens of an answer."""
    return tuple(f"{word} " for word in text.split())


def messages_of(request: bytes) -> list[dict[str, Any]]:
    """What a request told the model."""
    return list(json.loads(request)["messages"])


@contextmanager
def chat_server(*scripts: Script) -> Iterator[FaultyLlmServer]:
    """The scripted chat server, running."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="chat server")
    thread.start()
    server = FaultyLlmServer(*scripts)
    asyncio.run_coroutine_threadsafe(server.start(), loop).result()
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.close(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
