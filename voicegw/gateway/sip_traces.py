"""What was said by SIP on each leg: every message in and out, bounded, until the call takes it into its record.

Messages are told apart by their Call-ID. One that belongs to no leg is kept for a moment only if it is an INVITE:
its leg comes into being right after it.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from voicegw.base.ids import LegId
from voicegw.gateway.call_ids import CallIds
from voicegw.gateway.ladder_config import LadderConfig
from voicegw.gateway.trace_message import Message, Passed, call_id_of, harmless, read
from voicegw.sip.address import Address

_CANDIDATES: Final = 64
"""INVITEs whose legs are about to begin; of a flood only the last."""
_ENDED: Final = 512
"""Legs that have ended and that no call has asked for yet."""
Listener = Callable[[Passed], None]
"""Is told of every message as it goes by; must be quick and must not fail."""
_OPENING_BYTES: Final = 6000
"""Of one leg: kept as it was as long as the leg lasts, for a capture that begins late. An ordinary set-up."""
_UNREAD_BYTES: Final = 8192
"""Of one leg: a call of ordinary length. More is read, which takes less room."""


class Trace:
    """The messages of one leg, of all its attempts; ``dropped`` ones were in the middle."""

    __slots__ = (
        "dropped",
        "_config",
        "_first",
        "_taken",
        "_last",
        "_unread",
        "_unread_bytes",
        "_text_left",
        "_open",
        "_seen",
        "listener",
        "_opening",
        "_opening_left",
    )

    def __init__(self, config: LadderConfig) -> None:
        self.dropped = 0
        self.listener: Listener | None = None
        self._config = config
        self._opening: list[Passed] = []
        self._opening_left = _OPENING_BYTES
        self._first: list[Message] = []
        self._taken = 0
        self._last: deque[Message] = deque()
        self._unread: list[Passed] = []
        self._unread_bytes = 0
        self._text_left = config.text_bytes
        self._open: set[str] = set()
        """CSeq of requests without a final answer, and of INVITEs without the ACK of theirs."""
        self._seen: set[int] = set()

    @property
    def messages(self) -> tuple[Message, ...]:
        """In order."""
        self._read_all()
        return tuple(sorted((*self._first, *self._last), key=lambda message: message.at))

    @property
    def settled(self) -> bool:
        """Whether nothing is owed to either side."""
        self._read_all()
        return not self._open

    @property
    def opening(self) -> tuple[Passed, ...]:
        """The first messages as they were."""
        return tuple(self._opening)

    def take_first(self) -> Trace | None:
        """What there is of the first half of what is kept, and was not taken yet; None for nothing.

        The other half stays until the end: there the middle of a long leg is still to be dropped.
        """
        self._read_all()
        if not self._first:
            return None
        taken = Trace(self._config)
        taken._first, self._first = self._first, []
        self._taken += len(taken._first)
        return taken

    def take_over(self, other: Trace) -> None:
        """What belongs to another leg belongs to this one from now on."""
        for message in other.messages:
            self._add(message)
        self._open |= other._open
        self.dropped += other.dropped

    def note(self, passed: Passed) -> None:
        """One more message went by."""
        if self.listener is not None:
            self.listener(passed)
        if self._opening_left > 0:
            self._opening_left -= len(passed.data)
            self._opening.append(passed)
        self._unread.append(passed)
        self._unread_bytes += len(passed.data)
        if self._unread_bytes > _UNREAD_BYTES:
            self._read_all()

    def _read_all(self) -> None:
        unread, self._unread, self._unread_bytes = self._unread, [], 0
        for passed in unread:
            fingerprint = hash((passed.sent, passed.data))
            again = fingerprint in self._seen
            if len(self._seen) < self._config.messages:
                self._seen.add(fingerprint)
            message = read(passed, again=again, text="" if again else self._full_text(passed.data))
            self._add(message)
            self._note_state(message.start_line, message.cseq)

    def _add(self, message: Message) -> None:
        """Keep it, or drop one from the middle."""
        most = self._config.messages
        if self._taken + len(self._first) < most // 2:
            self._first.append(message)
            return
        self._last.append(message)
        if len(self._last) > most - most // 2:
            self._last.popleft()
            self.dropped += 1

    def _note_state(self, start_line: str, cseq: str) -> None:
        """What is still to come after this message (RFC 3261 §17)."""
        number, _, method = cseq.partition(" ")
        if not start_line.startswith("SIP/2.0 "):
            if method == "ACK":
                self._open.discard(f"{number} INVITE")
            else:
                self._open.add(cseq)
        elif method != "INVITE" and start_line[8:9] >= "2":
            self._open.discard(cseq)

    def _full_text(self, data: bytes) -> str:
        if not self._config.full_text:
            return ""
        text = harmless(data)
        if len(text) > self._text_left:
            return ""
        self._text_left -= len(text)
        return text


class SipTraces:
    """A :class:`voicegw.sip.tap.Tap`. ``here`` tells how a peer reaches us; ``now`` is monotonic seconds."""

    def __init__(self, config: LadderConfig, here: Callable[[Address], Address], now: Callable[[], float]) -> None:
        self.config = config
        """Of legs that begin from now on."""
        self._here = here
        self._now = now
        self._by_call_id: dict[str, Trace] = {}
        self._candidates: OrderedDict[str, Trace] = OrderedDict()
        self._legs: dict[LegId, tuple[Trace, list[str]]] = {}
        self._ended: OrderedDict[LegId, None] = OrderedDict()
        self._listeners: dict[LegId, Listener] = {}
        self.call_ids = CallIds()

    # ------------------------------------------------------------ legs

    def follow(self, leg_id: LegId, call_id: str) -> None:
        """Messages with this Call-ID are of this leg, what came already as well. A leg may have several."""
        self.call_ids.follow(leg_id, call_id)
        if not self.config.messages:
            return
        early = self._candidates.pop(call_id, None)
        trace, call_ids = self._legs.setdefault(leg_id, (early or Trace(self.config), []))
        if early is not None and early is not trace:
            trace.take_over(early)
        if call_id not in call_ids:
            call_ids.append(call_id)
        self._by_call_id[call_id] = trace
        trace.listener = self._listeners.get(leg_id)

    def listen(self, leg_id: LegId, listener: Listener | None) -> tuple[Passed, ...]:
        """Tell somebody of every message of a leg from now on, or nobody any more; the first that there were.

        The leg may be one that is yet to begin. Where no ladder is kept there is nothing to be told.
        """
        if listener is None:
            self._listeners.pop(leg_id, None)
        elif self.config.messages:
            self._listeners[leg_id] = listener
        known = self._legs.get(leg_id)
        if known is None:
            return ()
        known[0].listener = listener
        return known[0].opening

    def rename(self, leg_id: LegId, name: LegId) -> None:
        """A leg is called something else from now on; one that is called so already is the same leg."""
        self.call_ids.rename(leg_id, name)
        known = self._legs.pop(leg_id, None)
        if known is None:
            return
        trace, call_ids = self._legs.setdefault(name, known)
        if (listener := self._listeners.pop(leg_id, None)) is not None:
            self.listen(name, listener)
        if trace is not known[0]:
            trace.take_over(known[0])
            call_ids += known[1]
            self._by_call_id |= dict.fromkeys(known[1], trace)

    def ended(self, leg_id: LegId) -> None:
        """Its messages wait for :meth:`take`, but not for ever."""
        self.call_ids.ended(leg_id)
        if leg_id in self._legs:
            self._ended[leg_id] = None
        while len(self._ended) > _ENDED:
            self._forget(self._ended.popitem(last=False)[0])

    def settled(self, leg_id: LegId) -> bool:
        """Whether no message is owed to either side; true for a leg of which nothing is known."""
        known = self._legs.get(leg_id)
        return known is None or known[0].settled

    def take_first(self, leg_id: LegId) -> Trace | None:
        """What was said lately on a leg that goes on; see :meth:`Trace.take_first`."""
        known = self._legs.get(leg_id)
        return known[0].take_first() if known is not None else None

    def take(self, leg_id: LegId) -> Trace | None:
        """What was said; it is forgotten here."""
        self._ended.pop(leg_id, None)
        known = self._forget(leg_id)
        return known if known is not None and (known.messages or known.dropped) else None

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
        """In the path of every message: what can wait until somebody wants to know does."""
        if not self.config.messages and not self._by_call_id:
            return
        trace = self._trace_of(call_id_of(data), data, sent=sent)
        if trace is not None:
            trace.note(Passed(self._now(), sent, self._here(peer), peer, data))

    def _trace_of(self, call_id: str, data: bytes, *, sent: bool) -> Trace | None:
        trace = self._by_call_id.get(call_id) or self._candidates.get(call_id)
        if trace is not None or sent or not data.startswith(b"INVITE ") or not call_id:
            return trace
        if not self.config.messages:
            return None
        trace = self._candidates[call_id] = Trace(self.config)
        if len(self._candidates) > _CANDIDATES:
            self._candidates.popitem(last=False)
        return trace
