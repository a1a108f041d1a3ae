from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from voicegw.base.metrics import Counters
from voicegw.cli import serve


class Server:
    """Starts, is told to stop at once, and remembers how many objects were set aside meanwhile."""

    def __init__(self) -> None:
        self.made: list[object] = []
        self.frozen = -1
        self.node = SimpleNamespace(drainer=self, counters=Counters())

    async def start(self) -> None:
        self.made = [{"number": number} for number in range(1000)]

    async def wait_stop(self) -> None:
        self.frozen = gc.get_freeze_count()

    def reload(self) -> None: ...

    async def close(self) -> None: ...


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    """Nothing is set aside before or after."""
    gc.unfreeze()
    yield
    gc.unfreeze()


def test_what_the_start_has_made_is_not_visited_by_later_collections() -> None:
    server = Server()
    asyncio.run(serve._serve(server))  # type: ignore[arg-type]
    assert server.frozen > len(server.made)
