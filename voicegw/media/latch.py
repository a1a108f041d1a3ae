"""Whose packets a leg believes: symmetric RTP (RFC 4961) without RTP bleed.

Peers behind NAT send from another address than their SDP says, so a server that believes only the SDP is deaf to
them, and one that believes the first packet can be taken over by anybody who guesses a port. The rules:

* the address of the SDP is believed at once;
* another one after some consecutive good packets of one source within a short time;
* then the address and the SSRC are locked; the rest is dropped and counted;
* nothing new is learned while the locked source flows: only after a re-INVITE or a long gap. The locked address
  itself may change its SSRC (a PBX that switches to music) as soon as the old one stops;
* for some seconds after a negotiation the address of the SDP has precedence over one that was learned: after a far
  end was exchanged, the old one may go on for a moment and be learned again. Later it has to wait for a gap like
  everybody else: behind NAT it is a private address, which in our own network may be somebody else's.

Good packets: version 2, a negotiated payload type, sequence numbers in order. The caller checks the first two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from voicegw.media.sockets import Address

_SWITCH_GAP_S: Final = 0.06
"""Three frames: a source that has stopped, rather than one that jitters."""
_REOPEN_S: Final = 2.0
"""A peer that moves says so in a re-INVITE and sends from its new address right after."""
_CLAIM_S: Final = 5.0
"""How long the address of the SDP has precedence over one that was learned."""
_SAME_ADDRESS_PACKETS: Final = 2
"""RFC 3550 §A.1 MIN_SEQUENTIAL: what a new SSRC of a known sender must show."""
_MAX_CANDIDATES: Final = 4


@dataclass(slots=True)
class _Candidate:
    sequence: int
    packets: int
    since: float


class SourceLatch:
    """The lock of one leg. Times are monotonic seconds."""

    def __init__(self, packets: int, window_s: float, gap_s: float) -> None:
        self._packets = packets
        self._window_s = window_s
        self._gap_s = gap_s
        self._expected: Address | None = None
        self._open_until = 0.0
        self._claim_until = 0.0
        self._candidates: dict[tuple[Address, int], _Candidate] = {}
        self.source: Address | None = None
        self.ssrc = -1

    def expect(self, address: Address, now: float) -> None:
        """A session was negotiated. A new address unlocks. The same one again (a session refresh) keeps the lock,
        so that a refresh is not heard, but for a moment another source may follow as soon as the locked one stops.
        """
        if address != self._expected:
            self._expected = address
            self.source, self.ssrc = None, -1
        self._open_until = now + _REOPEN_S
        self._claim_until = now + _CLAIM_S
        self._candidates.clear()

    @property
    def target(self) -> Address | None:
        """Where to send: the locked source, else what the SDP says; None before there is any."""
        return self.source or self._expected

    def admits(self, now: float, address: Address, ssrc: int, sequence: int, heard_at: float) -> bool:
        """Whether a good packet is to be believed; may lock on its source.

        ``heard_at`` is when the locked source was last heard.
        """
        if address == self.source and ssrc == self.ssrc:
            return True
        if self.source is None:
            if address == self._expected:
                self._lock(address, ssrc)
                return True
            return self._learn(now, address, ssrc, sequence, self._packets)
        if address == self._expected and self.source != self._expected and now < self._claim_until:
            return self._learn(now, address, ssrc, sequence, _SAME_ADDRESS_PACKETS)
        same = address == self.source
        gap = _SWITCH_GAP_S if same or now < self._open_until else self._gap_s
        if now - heard_at < gap:
            return False
        return self._learn(now, address, ssrc, sequence, _SAME_ADDRESS_PACKETS if same else self._packets)

    def _learn(self, now: float, address: Address, ssrc: int, sequence: int, needed: int) -> bool:
        key = (address, ssrc)
        candidate = self._candidates.get(key)
        follows = candidate is not None and sequence == (candidate.sequence + 1) & 0xFFFF
        if candidate is None or not follows or now - candidate.since > self._window_s:
            self._candidates.pop(key, None)
            if len(self._candidates) >= _MAX_CANDIDATES:
                # The one with least to show: random sources must not push a good one out.
                del self._candidates[min(self._candidates, key=lambda each: self._candidates[each].packets)]
            self._candidates[key] = _Candidate(sequence, 1, now)
            return False
        candidate.sequence = sequence
        candidate.packets += 1
        if candidate.packets < needed:
            return False
        self._lock(address, ssrc)
        return True

    def _lock(self, address: Address, ssrc: int) -> None:
        self.source, self.ssrc = address, ssrc
        self._open_until = 0.0
        self._candidates.clear()
