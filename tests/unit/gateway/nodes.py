"""SIP gateways on loopback, with their events in a queue."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from voicegw.base.clock import Clock, SystemClock
from voicegw.base.metrics import Counters
from voicegw.gateway.config import SipConfig
from voicegw.gateway.events import LegEvent
from voicegw.gateway.identity.fetching import Fetch
from voicegw.gateway.locating_config import LocatingConfig
from voicegw.gateway.phone_config import PhonesConfig
from voicegw.gateway.sip_leg import SipGateway
from voicegw.gateway.sip_wire import SipWire
from voicegw.sip.address import Address
from voicegw.sip.challenges import FindCredentials, no_credentials
from voicegw.sip.message import Message, Response
from voicegw.sip.nonces import SharedNonces
from voicegw.sip.parser import parse

E = TypeVar("E", bound=LegEvent)
PATIENCE_S = 10.0


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a test's coroutine; it may take no longer than a broken one should."""

    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await work

    asyncio.run(bounded())


async def until(done: Callable[[], bool]) -> None:
    """Let the loop turn until this is so; the time limit of ``run`` ends a wait for nothing."""
    loop = asyncio.get_running_loop()
    turn = asyncio.Event()
    while not done():
        turn.clear()
        loop.call_later(0.001, turn.set)
        await turn.wait()


class Node:
    """A started gateway. T1 is short, so that what a lost message costs stays small."""

    def __init__(
        self,
        t1_ms: int = 50,
        locating: LocatingConfig | None = None,
        config: SipConfig | None = None,
        clock: Clock | None = None,
        *,
        forward_to: tuple[str, ...] = (),
        replaceable: bool = True,
        phones: PhonesConfig | None = None,
        credentials: FindCredentials = no_credentials,
        fetch: Fetch | None = None,
        nonces: SharedNonces | None = None,
    ) -> None:
        self.counters = Counters()
        self.events: asyncio.Queue[LegEvent] = asyncio.Queue()
        config = config or SipConfig(
            listen_ip="127.0.0.1",
            listen_port=0,
            t1_ms=t1_ms,
            locating=locating or LocatingConfig(),
            forward_to=forward_to,
            replaceable=replaceable,
        )
        self.gateway = SipGateway(
            config,
            self.events.put_nowait,
            random=os.urandom,
            clock=clock or SystemClock(),
            counters=self.counters,
            credentials=credentials,
            phones=phones or PhonesConfig(),
            fetch_certificate=fetch,
            nonces=nonces,
        )
        self.address = self.gateway.start()

    @property
    def wire(self) -> SipWire:
        """All its sockets."""
        return self.gateway._driver.wire

    async def expect(self, kind: type[E]) -> E:
        """The next event, which has to be of this kind."""
        event = await self.events.get()
        assert isinstance(event, kind), event
        return event


class RawSocket:
    """A peer with nothing but a socket."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self._serial = 0

    def request(self, method: str, *extra: str, body: bytes = b"", **parts: str) -> bytes:
        """A request with a fresh branch; ``parts`` replace header lines by name."""
        self._serial += 1
        lines = {
            "start": f"{method} sip:demo@127.0.0.1 SIP/2.0",
            "via": f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};rport;branch=z9hG4bK{self._serial}",
            "from_": 'From: "Caller" <sip:+4930123@127.0.0.1>;tag=t',
            "to": "To: <sip:demo@127.0.0.1>",
            "call_id": f"Call-ID: {self.port}",
            "cseq": f"CSeq: {self._serial} {method}",
            "contact": f"Contact: <sip:c@127.0.0.1:{self.port}>",
        } | parts
        kind = ("Content-Type: application/sdp",) if body else ()
        return "\r\n".join([*lines.values(), *extra, *kind, f"Content-Length: {len(body)}", "", ""]).encode() + body

    async def send(self, data: bytes, to: Address) -> None:
        await asyncio.get_running_loop().sock_sendto(self.socket, data, to.place)

    async def receive(self) -> Message:
        return parse(await asyncio.get_running_loop().sock_recv(self.socket, 65_535))

    async def response(self, status: int) -> Response:
        """The next message, which has to be this response; provisional ones before it are passed over."""
        while True:
            message = await self.receive()
            assert isinstance(message, Response), message
            if message.status >= 200 or message.status == status:
                assert message.status == status, message
                return message

    async def is_answered(self, node: Node) -> None:
        """A health check through the real socket."""
        await self.send(self.request("OPTIONS", call_id=f"Call-ID: o{self._serial}"), node.address)
        await self.response(200)

    def close(self) -> None:
        self.socket.close()


def sdp(port: int, *lines: str, formats: str = "0 8 101", ip: str = "127.0.0.1") -> bytes:
    """A description of one audio stream."""
    head = ["v=0", f"o=x 1 1 IN IP4 {ip}", "s=-", f"c=IN IP4 {ip}", "t=0 0", f"m=audio {port} RTP/AVP {formats}"]
    return "\r\n".join([*head, "a=rtpmap:101 telephone-event/8000", *lines, ""]).encode()
