"""Calls by sipp that introduce themselves in different ways, many at once to one server, each with its sound."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.interop.rtp import RtpPeer
from tests.interop.server import CallLog, Server
from tests.interop.sipp_peer import TOLD, Seen, Sipp
from tests.interop.sound import seconds_with, speech_seconds, tone

SDP = "application/sdp"
BOUNDARY = "part-of-it"
_FIRST_HZ, _STEP_HZ = 500, 100
_POLL_S = 0.02
_TCP_MS = 12_000
"""Nobody can tell such a call when to end."""


@dataclass(frozen=True, slots=True)
class Introduction:
    """What the INVITE of one call says. ``parts`` around the description make a multipart body of it.

    ``host`` is where it comes from, which tells its trunk.
    """

    name: str
    host: str
    headers: Sequence[str] = ()
    uri: str = "sip:100@[remote_ip]:[remote_port]"
    sender: str = '"Ada" <sip:+4930777@carrier.test>'
    receiver: str = "<sip:100@house.test>"
    before: Sequence[str] = ()
    after: Sequence[str] = ()
    extra: tuple[str, ...] = ()
    says_s: float = 4.0
    """So much of its tone it says at least, and the server keeps all but a second of that."""

    def values(self, rtp_port: int) -> dict[str, str]:
        """For the scenario ``uac_introduced``."""
        description = (
            "v=0\no=sipp 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\n"
            f"m=audio {rtp_port} RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000\n"
        )
        parts = [*self.before, f"Content-Type: {SDP}\n\n{description}", *self.after]
        whole = "".join(f"--{BOUNDARY}\n{part}\n" for part in parts) + f"--{BOUNDARY}--"
        several = len(parts) > 1
        return {
            "uri": self.uri,
            "sender": self.sender,
            "receiver": self.receiver,
            "headers": "".join(f"\n{line}" for line in self.headers),
            "kind": f"multipart/mixed;boundary={BOUNDARY}" if several else SDP,
            "body": whole if several else description,
            "hold_ms": str(_TCP_MS) if self.extra else TOLD,
        }


@dataclass(slots=True)
class Taken:
    """A call that has been: its record, and what each side heard."""

    log: CallLog
    answer: Seen
    facts: dict[str, Any] = field(default_factory=dict)
    """Of the offer, of what introduced it and of its route."""

    def says(self, **expected: object) -> None:
        """These facts are in the record."""
        assert {name: self.facts[name] for name in expected} == expected


def take_all(server: Server, work: Path, calls: Sequence[Introduction]) -> dict[str, Taken]:
    """Place them all at once; both sides of each have heard one another, and nobody a third."""
    with ExitStack() as stack:
        placed = [_Placed(server, work, call, number, stack) for number, call in enumerate(calls)]
        silent = list(placed)
        while silent:
            for one in [one for one in silent if one.is_answered()]:
                one.talk()
                silent.remove(one)
            time.sleep(_POLL_S)
        for one in placed:
            one.end()
        for one in placed:
            one.peer.passed()
        logs = {log.one("CallWasOffered")["sip_call_id"]: log for log in server.calls(len(calls))}
        return {one.call.name: one.taken(logs) for one in placed}


class _Placed:
    """A call that is up, with a tone of its own."""

    def __init__(self, server: Server, work: Path, call: Introduction, number: int, stack: ExitStack) -> None:
        self.call = call
        self._server = server
        self._hz = _FIRST_HZ + _STEP_HZ * number
        self._media = stack.enter_context(RtpPeer())
        values, target = call.values(self._media.port), server.address
        sipp = Sipp(work, "uac_introduced", target=target, host=call.host, values=values, extra=call.extra)
        self.peer = stack.enter_context(sipp)

    def is_answered(self) -> bool:
        """Or over, without an answer."""
        return not self.peer.process.running or bool(self.peer.received("SIP/2.0 200", "INVITE"))

    def talk(self) -> None:
        self._media.start((self._server.host, self.peer.answered_port()), tone(self._hz, 60))

    def end(self) -> None:
        """When both sides have talked; one that comes by TCP ends by itself."""
        if not self.call.extra:
            self._media.wait_sent(self.call.says_s + 2)
            self._media.wait_heard(lambda heard: speech_seconds(heard) >= 1)
            self.peer.tell()

    def taken(self, logs: Mapping[str, CallLog]) -> Taken:
        answer = self.peer.received("SIP/2.0 200", "INVITE")[0]
        log = logs[answer.header("Call-ID")]
        caller, _agent = self._server.recording(log)
        assert seconds_with(caller, self._hz) >= self.call.says_s - 1
        assert speech_seconds(self._media.heard()) >= 1
        kinds = ("CallWasOffered", "CallWasIntroduced", "CallWasRouted")
        facts = {name: value for kind in kinds for fact in log.all(kind) for name, value in fact.items()}
        return Taken(log, answer, facts)
