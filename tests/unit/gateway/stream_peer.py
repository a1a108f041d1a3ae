"""A peer with a connection, TLS or not, and nothing else: what it sends is in the test's hand to the byte."""

from __future__ import annotations

import asyncio
import ssl
from types import TracebackType
from typing import Self

from voicegw.sip.address import Address
from voicegw.sip.framing import StreamFramer
from voicegw.sip.message import Response
from voicegw.sip.parser import parse


def request(
    method: str = "OPTIONS", *extra: str, branch: str = "1", transport: str = "TCP", length: str = "0"
) -> bytes:
    """A request; ``length`` "" leaves Content-Length out."""
    lines = [
        f"{method} sip:demo@127.0.0.1 SIP/2.0",
        f"Via: SIP/2.0/{transport} 127.0.0.1:5999;rport;branch=z9hG4bK{branch}",
        "From: <sip:a@127.0.0.1>;tag=t",
        "To: <sip:demo@127.0.0.1>",
        f"Call-ID: {branch}",
        f"CSeq: 1 {method}",
        *extra,
        *([f"Content-Length: {length}"] if length else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode()


class StreamPeer:
    """Connects on entry; leaving closes."""

    def __init__(
        self, address: Address, tls: ssl.SSLContext | None = None, name: str | None = None, host: str = "127.0.0.1"
    ) -> None:
        self._address = address
        self._tls = tls
        self._name = name if tls is not None else None
        self._host = host
        self._framer = StreamFramer()
        self._ready: list[bytes] = []

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection(
            self._host, self._address.port, ssl=self._tls, server_hostname=self._name
        )
        return self

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def response(self) -> Response:
        """The next response."""
        while not self._ready:
            data = await self.reader.read(65_536)
            assert data, "the connection ended"
            self._ready += self._framer.feed(data)
        message = parse(self._ready.pop(0))
        assert isinstance(message, Response)
        return message

    async def ended(self) -> bytes:
        """What came until the far end closed."""
        try:
            return await self.reader.read()
        except ConnectionError:
            return b""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except (ConnectionError, ssl.SSLError):
            return
