"""How long calls take to be set up, by the messages that go by: INVITE to 100, 18x and 200, and from there to ACK.

Measured where a capture on this machine would measure it: at the user agent's door, retransmissions and all.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from voicegw.base.metrics import Counters
from voicegw.gateway.trace_message import call_id_of
from voicegw.sip.address import Address

_MOST: Final = 4096
"""Set-ups under way that are timed; of a flood only the newest."""
_LONGEST_ID: Final = 512
"""No telephone has a Call-ID of more characters; strangers could have a quarter of a gigabyte of them kept here."""
_LONGEST_S: Final = 600.0
"""A set-up that has not ended by then is not timed to its end: a call that nobody acknowledges has none."""
_TAGGED: Final = re.compile(rb"^(?:to|t)[ \t]*:[^\r\n]*;[ \t]*tag[ \t]*=", re.IGNORECASE | re.MULTILINE)
_OF_INVITE: Final = re.compile(rb"^cseq[ \t]*:[ \t]*\d+[ \t]+INVITE", re.IGNORECASE | re.MULTILINE)
_RESPONSE: Final = b"SIP/2.0 "


class _SetUp:
    """One call on its way to an answer."""

    __slots__ = ("is_ours", "invited_at", "answered_at", "told")

    def __init__(self, is_ours: bool, invited_at: float) -> None:
        self.is_ours = is_ours
        self.invited_at = invited_at
        self.answered_at = 0.0
        self.told: set[str] = set()


class SetUpClock:
    """A :class:`voicegw.sip.tap.Tap`. ``now`` is monotonic seconds."""

    def __init__(self, counters: Counters, now: Callable[[], float]) -> None:
        self._counters = counters
        self._now = now
        self._under_way: OrderedDict[str, _SetUp] = OrderedDict()

    @property
    def under_way(self) -> int:
        """How many set-ups are being timed."""
        return len(self._under_way)

    def received(self, data: bytes, _source: Address) -> None:
        """See :class:`voicegw.sip.tap.Tap`."""
        if data.startswith(b"ACK "):
            self._acknowledged(call_id_of(data))
        else:
            self._note(data, sent=False)

    def sent(self, data: bytes, _destination: Address) -> None:
        """See :class:`voicegw.sip.tap.Tap`."""
        self._note(data, sent=True)

    def _note(self, data: bytes, *, sent: bool) -> None:
        if data.startswith(b"INVITE "):
            self._invited(data, sent=sent)
        elif data.startswith(_RESPONSE) and self._under_way:
            call_id = call_id_of(data)
            set_up = self._under_way.get(call_id)
            if set_up is not None and set_up.is_ours is not sent and _is_of_invite(data):
                self._responded(call_id, set_up, data[8:11])

    def _invited(self, data: bytes, *, sent: bool) -> None:
        """Of a call that is begun: not again for a retransmission, for credentials, or within the call."""
        call_id = call_id_of(data)
        if call_id in self._under_way or len(call_id) > _LONGEST_ID or _is_in_dialog(data):
            return
        now = self._now()
        self._under_way[call_id] = _SetUp(sent, now)
        while len(self._under_way) > _MOST or next(iter(self._under_way.values())).invited_at < now - _LONGEST_S:
            self._under_way.popitem(last=False)

    def _responded(self, call_id: str, set_up: _SetUp, status: bytes) -> None:
        if status == b"100":
            self._tell(set_up, "trying", set_up.invited_at)
        elif status.startswith(b"1"):
            self._tell(set_up, "ringing", set_up.invited_at)
        elif status.startswith(b"2"):
            self._tell(set_up, "answered", set_up.invited_at)
            set_up.answered_at = set_up.answered_at or self._now()
            if set_up.is_ours:
                del self._under_way[call_id]
        elif status not in (b"401", b"407"):  # with credentials it goes on
            del self._under_way[call_id]

    def _acknowledged(self, call_id: str) -> None:
        set_up = self._under_way.get(call_id)
        if set_up is not None and set_up.answered_at:
            self._tell(set_up, "acknowledged", set_up.answered_at)
            del self._under_way[call_id]

    def _tell(self, set_up: _SetUp, stage: str, since: float) -> None:
        if stage not in set_up.told:
            set_up.told.add(stage)
            way = "outgoing" if set_up.is_ours else "incoming"
            self._counters.observe(f"sip_{way}_setup_seconds_{stage}", self._now() - since)


def _is_of_invite(response: bytes) -> bool:
    """By its CSeq. Nearly everybody spells the header as the standard does, and a search costs much more."""
    _, usual, rest = response.partition(b"\r\nCSeq: ")
    if usual:
        return rest.partition(b"\r\n")[0].endswith(b" INVITE")
    return _OF_INVITE.search(response) is not None


def _is_in_dialog(invite: bytes) -> bool:
    """Whether its To has a tag."""
    _, usual, rest = invite.partition(b"\r\nTo: ")
    if usual:
        return b";tag=" in rest.partition(b"\r\n")[0]
    return _TAGGED.search(invite.partition(b"\r\n\r\n")[0]) is not None
