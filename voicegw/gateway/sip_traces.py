"""What was said by SIP on each leg: every message in and out, bounded, until the call takes it into its record.

Messages are told apart by their Call-ID. One that belongs to no leg is kept for a moment only if it is an INVITE:
its leg comes into being right after it.
"""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from voicegw.base.ids import LegId
from voicegw.gateway.ladder_config import LadderConfig
from voicegw.sip.address import Address, bracketed

_CANDIDATES: Final = 64
"""INVITEs whose legs are about to begin; of a flood only the last."""
_ENDED: Final = 512
"""Legs that have ended and that no call has asked for yet."""
_LONGEST_LINE: Final = 300
_HEADERS = re.compile(rb"^(call-id|i|cseq|reason)[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_UNTOLD = re.compile(
    rb"^(authorization|proxy-authorization|www-authenticate|proxy-authenticate|authentication-info|identity|y"
    rb"|user-to-user|subject|s)[ \t]*:[^\r\n]*(?:\r\n[ \t][^\r\n]*)*",
    re.IGNORECASE | re.MULTILINE,
)
"""Credentials, and headers that agents put into words."""
_KEYS = re.compile(rb"^(a=(?:crypto|key-mgmt|ice-pwd):?)[^\r\n]*|^(k=)[^\r\n]*", re.IGNORECASE | re.MULTILINE)
_SDP = re.compile(rb"^(?:content-type|c)[ \t]*:[ \t]*application/sdp", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Message:
    """One message. ``peer`` and ``here`` are HOST:PORT; ``again``: the same bytes went the same way before."""

    at: float
    sent: bool
    here: str
    peer: str
    transport: str
    start_line: str
    cseq: str
    reason: str
    again: bool
    text: str = ""


@dataclass(slots=True)
class Trace:
    """The messages of one leg, of all its attempts; ``dropped`` ones were in the middle."""

    first: list[Message] = field(default_factory=list)
    last: deque[Message] = field(default_factory=deque)
    dropped: int = 0
    text_left: int = 0
    open: set[str] = field(default_factory=set)
    """CSeq of requests without a final answer, and of INVITEs without the ACK of theirs."""
    seen: set[int] = field(default_factory=set)

    @property
    def messages(self) -> tuple[Message, ...]:
        """In order."""
        return tuple(sorted((*self.first, *self.last), key=lambda message: message.at))

    def take_over(self, other: Trace, most: int) -> None:
        """What belongs to another leg belongs to this one from now on."""
        for message in other.messages:
            self.add(message, most)
        self.open |= other.open
        self.dropped += other.dropped

    @property
    def settled(self) -> bool:
        """Whether nothing is owed to either side."""
        return not self.open

    def add(self, message: Message, most: int) -> None:
        """Keep it, or drop one from the middle."""
        if len(self.first) < most // 2:
            self.first.append(message)
            return
        self.last.append(message)
        if len(self.last) > most - most // 2:
            self.last.popleft()
            self.dropped += 1

    def note_state(self, start_line: str, cseq: str) -> None:
        """What is still to come after this message (RFC 3261 §17)."""
        number, _, method = cseq.partition(" ")
        if not start_line.startswith("SIP/2.0 "):
            if method == "ACK":
                self.open.discard(f"{number} INVITE")
            else:
                self.open.add(cseq)
        elif method != "INVITE" and start_line[8:9] >= "2":
            self.open.discard(cseq)


class SipTraces:
    """A :class:`voicegw.sip.tap.Tap`. ``here`` tells how a peer reaches us; ``now`` is monotonic seconds."""

    def __init__(self, config: LadderConfig, here: Callable[[Address], Address], now: Callable[[], float]) -> None:
        self._config = config
        self._here = here
        self._now = now
        self._by_call_id: dict[str, Trace] = {}
        self._candidates: OrderedDict[str, Trace] = OrderedDict()
        self._legs: dict[LegId, tuple[Trace, list[str]]] = {}
        self._ended: OrderedDict[LegId, None] = OrderedDict()

    # ------------------------------------------------------------ legs

    def follow(self, leg_id: LegId, call_id: str) -> None:
        """Messages with this Call-ID are of this leg, what came already as well. A leg may have several."""
        if not self._config.messages:
            return
        early = self._candidates.pop(call_id, None)
        trace, call_ids = self._legs.setdefault(leg_id, (early or self._new(), []))
        if early is not None and early is not trace:
            trace.take_over(early, self._config.messages)
        if call_id not in call_ids:
            call_ids.append(call_id)
        self._by_call_id[call_id] = trace

    def rename(self, leg_id: LegId, name: LegId) -> None:
        """A leg is called something else from now on; one that is called so already is the same leg."""
        known = self._legs.pop(leg_id, None)
        if known is None:
            return
        trace, call_ids = self._legs.setdefault(name, known)
        if trace is not known[0]:
            trace.take_over(known[0], self._config.messages)
            call_ids += known[1]
            self._by_call_id |= dict.fromkeys(known[1], trace)

    def ended(self, leg_id: LegId) -> None:
        """Its messages wait for :meth:`take`, but not for ever."""
        if leg_id in self._legs:
            self._ended[leg_id] = None
        while len(self._ended) > _ENDED:
            self._forget(self._ended.popitem(last=False)[0])

    def settled(self, leg_id: LegId) -> bool:
        """Whether no message is owed to either side; true for a leg of which nothing is known."""
        known = self._legs.get(leg_id)
        return known is None or known[0].settled

    def take(self, leg_id: LegId) -> Trace | None:
        """What was said; it is forgotten here."""
        self._ended.pop(leg_id, None)
        known = self._forget(leg_id)
        return known if known is not None and known.messages else None

    def _forget(self, leg_id: LegId) -> Trace | None:
        trace, call_ids = self._legs.pop(leg_id, (None, []))
        for call_id in call_ids:
            self._by_call_id.pop(call_id, None)
        return trace

    # ------------------------------------------------------------ messages

    def received(self, data: bytes, source: Address) -> None:
        """See :class:`voicegw.sip.tap.Tap`."""
        self._note(data, source, sent=False)

    def sent(self, data: bytes, destination: Address) -> None:
        """See :class:`voicegw.sip.tap.Tap`."""
        self._note(data, destination, sent=True)

    def _note(self, data: bytes, peer: Address, *, sent: bool) -> None:
        if not self._config.messages:
            return
        head = data.partition(b"\r\n\r\n")[0]
        found = {name.lower(): value for name, value in reversed(_HEADERS.findall(head))}
        call_id = _text(found.get(b"call-id") or found.get(b"i") or b"").strip()
        trace = self._trace_of(call_id, head, sent=sent)
        if trace is None:
            return
        start_line = _text(head.partition(b"\r\n")[0])[:_LONGEST_LINE]
        cseq = " ".join(_text(found.get(b"cseq", b"")).split())
        fingerprint = hash((sent, data))
        again = fingerprint in trace.seen
        if len(trace.seen) < self._config.messages:
            trace.seen.add(fingerprint)
        here = self._here(peer)
        message = Message(
            self._now(),
            sent,
            _place(here),
            _place(peer),
            peer.transport.value,
            start_line,
            cseq[:_LONGEST_LINE],
            _text(found.get(b"reason", b""))[:_LONGEST_LINE],
            again,
            "" if again else self._full_text(trace, data),
        )
        trace.add(message, self._config.messages)
        trace.note_state(start_line, cseq)

    def _trace_of(self, call_id: str, head: bytes, *, sent: bool) -> Trace | None:
        trace = self._by_call_id.get(call_id) or self._candidates.get(call_id)
        if trace is not None or sent or not head.startswith(b"INVITE ") or not call_id:
            return trace
        trace = self._candidates[call_id] = self._new()
        if len(self._candidates) > _CANDIDATES:
            self._candidates.popitem(last=False)
        return trace

    def _new(self) -> Trace:
        return Trace(text_left=self._config.text_bytes)

    def _full_text(self, trace: Trace, data: bytes) -> str:
        if not self._config.full_text:
            return ""
        text = _harmless(data)
        if len(text) > trace.text_left:
            return ""
        trace.text_left -= len(text)
        return text


def _harmless(data: bytes) -> str:
    """The message without credentials, keys, and words of the conversation."""
    head, blank, body = data.partition(b"\r\n\r\n")
    told = _UNTOLD.sub(rb"\1: [removed]", head)
    if body:
        body = _KEYS.sub(rb"\1\2[removed]", body) if _SDP.search(head) else b"[removed]"
    return _text(told + blank + body)


def _place(address: Address) -> str:
    return f"{bracketed(address.host)}:{address.port}"


def _text(data: bytes) -> str:
    """As text that every store takes."""
    return data.decode("utf-8", "replace")
