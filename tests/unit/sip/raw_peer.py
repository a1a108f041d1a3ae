"""A user agent under test, and a peer that writes its datagrams by hand."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from voicegw.base.metrics import Counters
from voicegw.sip.address import Address
from voicegw.sip.core import UserAgentConfig
from voicegw.sip.events import InviteReceived, SipCallHandle, UserAgentEvent
from voicegw.sip.message import Response
from voicegw.sip.parser import parse
from voicegw.sip.provisional import ReliablePolicy
from voicegw.sip.user_agent import UserAgent

HERE = Address("192.0.2.2", 5060)
PEER = Address("198.51.100.4", 5080)
OFFER = b"v=0\r\noffer"


def text(method: str, *extra: str, cseq: int = 1, branch: str = "1", to_tag: str = "", **replaced: str) -> str:
    """A request as text without its body; ``replaced`` swaps or drops (with "") whole header lines by name."""
    lines = {
        "start": f"{method} sip:demo@192.0.2.2 SIP/2.0",
        "via": f"Via: SIP/2.0/UDP 198.51.100.4:5080;rport;branch=z9hG4bK{branch}",
        "max_forwards": "Max-Forwards: 70",
        "from_": "From: Caller <sip:caller@198.51.100.4>;tag=theirs",
        "to": "To: <sip:demo@192.0.2.2>" + (f";tag={to_tag}" if to_tag else ""),
        "call_id": "Call-ID: c1@198.51.100.4",
        "cseq": f"CSeq: {cseq} {method}",
        "contact": "Contact: <sip:caller@198.51.100.4:5080>",
    }
    lines |= replaced
    return "\r\n".join([*(line for line in lines.values() if line), *extra])


def datagram(method: str, *extra: str, body: bytes = b"", **parts: object) -> bytes:
    """A request as bytes; SDP is labelled unless ``extra`` has a Content-Type."""
    labelled = any(line.lower().startswith("content-type") for line in extra)
    kind = ("Content-Type: application/sdp",) if body and not labelled else ()
    head = text(method, *extra, *kind, f"Content-Length: {len(body)}", **parts)  # type: ignore[arg-type]
    return head.encode() + b"\r\n\r\n" + body


@dataclass
class RawPeer:
    """Feeds ``agent`` and collects what it says."""

    max_calls: int = 10
    max_transactions: int = 100
    reliable: ReliablePolicy = ReliablePolicy.MEDIA
    accept_messages: bool = False
    packages: tuple[str, ...] = ()
    counters: Counters = field(default_factory=Counters)
    now: float = 0.0
    events: list[UserAgentEvent] = field(default_factory=list)
    sent_to: list[Address] = field(default_factory=list)

    def __post_init__(self) -> None:
        config = UserAgentConfig(
            local_address=lambda _peer: HERE,
            max_calls=self.max_calls,
            max_transactions=self.max_transactions,
            reliable=self.reliable,
            accept_messages=self.accept_messages,
            packages=self.packages,
        )
        self.agent = UserAgent(config, random.Random(7).randbytes, self.counters)

    def send(self, data: bytes, source: Address = PEER) -> list[Response]:
        """Send to the agent; returns the responses it gives at once."""
        self.agent.receive_datagram(data, source, self.now)
        return self.responses()

    def one(self, data: bytes, source: Address = PEER) -> Response:
        (response,) = self.send(data, source)
        return response

    def taken(self) -> list[bytes]:
        """What the agent sent since the last look; events are collected on the way."""
        while (event := self.agent.next_event()) is not None:
            self.events.append(event)
        datagrams = self.agent.datagrams_to_send()
        self.sent_to += [address for _, address in datagrams]
        return [data for data, _ in datagrams]

    def responses(self) -> list[Response]:
        return [message for data in self.taken() if isinstance(message := parse(data), Response)]

    def invite(self, source: Address = PEER, **parts: object) -> SipCallHandle:
        """Call, and return the handle."""
        self.send(datagram("INVITE", body=OFFER, **parts), source)  # type: ignore[arg-type]
        event = self.events[-1]
        assert isinstance(event, InviteReceived)
        return event.handle

    def call(self, source: Address = PEER) -> tuple[SipCallHandle, str]:
        """Set a call up; returns its handle and our tag."""
        handle = self.invite(source)
        self.agent.accept(handle, b"v=0\r\nanswer", self.now)
        (response,) = self.responses()
        tag = (response.headers.get("To") or "").partition("tag=")[2]
        self.send(datagram("ACK", to_tag=tag, branch="ack"), source)
        return handle, tag

    def wait(self, seconds: float) -> list[bytes]:
        """Let time pass; returns what was sent meanwhile."""
        end = self.now + seconds
        sent: list[bytes] = []
        while (deadline := self.agent.get_timer()) is not None and deadline <= end:
            self.now = deadline
            self.agent.handle_timer(deadline)
            sent += self.taken()
        self.now = end
        return sent
