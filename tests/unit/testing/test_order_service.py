from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from voicegw.base.errors import ProviderError
from voicegw.runtime.http_client import HttpxClient
from voicegw.testing.order_service import ORDERS, OrderService


def play(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 10))


async def _raw(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


def test_a_known_order_and_an_unknown_one() -> None:
    async def story() -> None:
        service, client = OrderService(port=0), HttpxClient()
        await service.start()
        base = f"http://127.0.0.1:{service.port}/orders"
        found = await client.request("GET", f"{base}/4711", headers={}, json_body=None, timeout_s=3)
        assert (found.status, found.body) == (
            200,
            '{"status": "shipped", "delivery": "2026-12-03", "total": "24.50"}',
        )
        missing = await client.request("GET", f"{base}/0000", headers={}, json_body=None, timeout_s=3)
        assert missing.status == 404
        assert service.requests == ["/orders/4711", "/orders/0000"]
        await client.close()
        await service.close()

    play(story())


@pytest.mark.parametrize(
    ("request_bytes", "answered"),
    [
        (b"GET /elsewhere HTTP/1.1\r\n\r\n", b"HTTP/1.1 404"),
        (b"hello\r\n\r\n", b""),
        (b"GET /orders/4711 HTTP/1.1\r\n", b""),
        (b"x" * 100_000, b""),
    ],
)
def test_other_requests_get_404_and_what_is_no_http_gets_nothing(request_bytes: bytes, answered: bytes) -> None:
    async def story() -> None:
        service = OrderService(port=0)
        await service.start()
        assert (await _raw(service.port, request_bytes)).startswith(answered)
        assert (await _raw(service.port, b"GET /orders/9090 HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 200")
        await service.close()

    play(story())


def test_nobody_answers_after_close() -> None:
    async def story() -> None:
        service, client = OrderService(port=0), HttpxClient()
        await service.start()
        await service.close()
        with pytest.raises(ProviderError):
            await client.request(
                "GET", f"http://127.0.0.1:{service.port}/", headers={}, json_body=None, timeout_s=3
            )
        await client.close()

    play(story())


def test_every_state_of_an_order_that_the_shipped_agent_tells_apart_is_there() -> None:
    assert {order["status"] for order in ORDERS.values()} == {"open", "shipped", "delivered"}
