"""A stand-in for a shop's order system: answers the webhook of the order-status line, on this machine only."""

from __future__ import annotations

import asyncio
import json

ORDERS = {
    "4711": {"status": "shipped", "delivery": "2026-12-03", "total": "24.50"},
    "1234": {"status": "open", "delivery": "", "total": "119.00"},
    "9090": {"status": "delivered", "delivery": "2026-11-20", "total": "7.95"},
}
"""What the shop knows."""


class OrderService:
    """``GET /orders/NUMBER`` → 200 with status and arrival, or 404. Everything else is 404 as well."""

    def __init__(self, port: int = 8085) -> None:
        self.port = port
        self.requests: list[str] = []
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen on loopback; :attr:`port` is the real one when 0 was asked."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode("ascii", "replace")
            self.requests.append(path)
            order = ORDERS.get(path.removeprefix("/orders/"))
            body = json.dumps(order or {"error": "no such order"}).encode()
            status = b"200 OK" if order else b"404 Not Found"
            writer.write(
                b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
                % (status, len(body))
                + body
            )
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, IndexError):
            pass  # a client that went away or speaks no HTTP gets nothing
        finally:
            writer.close()
