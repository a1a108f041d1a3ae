"""Set-up times by the messages that go by."""

from __future__ import annotations

from voicegw.base.metrics import Counters
from voicegw.gateway.set_up_clock import SetUpClock
from voicegw.sip.address import Address

PEER = Address("192.0.2.1", 5060)


class Line:
    """Messages go by; ``at`` is the clock."""

    def __init__(self) -> None:
        self.at = 100.0
        self.counters = Counters()
        self.clock = SetUpClock(self.counters, lambda: self.at)

    def passes(
        self, after_s: float, start: str, cseq: str, *, sent: bool, call_id: str = "a", tag: str = ""
    ) -> None:
        self.at += after_s
        to = f"To: <sip:b@example.com>{tag}"
        data = f"{start}\r\n{to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq}\r\n\r\n".encode()
        (self.clock.sent if sent else self.clock.received)(data, PEER)

    def told(self, way: str) -> dict[str, tuple[int, float]]:
        begin = f"sip_{way}_setup_seconds_"
        return {
            name.removeprefix(begin): (sum(state.counts), round(state.total, 6))
            for name, state in self.counters.histograms().items()
            if name.startswith(begin)
        }


INVITE = "INVITE sip:b@example.com SIP/2.0"


def test_a_call_that_came() -> None:
    line = Line()
    line.passes(0.0, INVITE, "1 INVITE", sent=False)
    line.passes(0.002, "SIP/2.0 100 Trying", "1 INVITE", sent=True)
    line.passes(0.1, INVITE, "1 INVITE", sent=False)  # again: it counts from the first
    line.passes(0.2, "SIP/2.0 180 Ringing", "1 INVITE", sent=True)
    line.passes(0.5, "SIP/2.0 180 Ringing", "1 INVITE", sent=True)
    line.passes(0.0, "SIP/2.0 200 OK", "2 PRACK", sent=True)
    line.passes(1.0, "SIP/2.0 200 OK", "1 INVITE", sent=True)
    line.passes(0.5, "SIP/2.0 200 OK", "1 INVITE", sent=True)
    line.passes(0.1, "ACK sip:us@example.com SIP/2.0", "1 ACK", sent=False, tag=";tag=7")
    line.passes(9.0, INVITE, "2 INVITE", sent=False, tag=";tag=7")  # within the call: a hold, for example
    line.passes(0.1, "SIP/2.0 200 OK", "2 INVITE", sent=True, tag=";tag=7")
    assert line.told("incoming") == {
        "trying": (1, 0.002),
        "ringing": (1, 0.302),
        "answered": (1, 1.802),
        "acknowledged": (1, 0.6),
    }
    assert not line.told("outgoing")


def test_a_call_of_ours_counts_from_its_first_invite() -> None:
    line = Line()
    line.passes(0.0, INVITE, "1 INVITE", sent=True)
    line.passes(0.01, "SIP/2.0 407 Proxy Authentication Required", "1 INVITE", sent=False)
    line.passes(0.0, "ACK sip:b@example.com SIP/2.0", "1 ACK", sent=True)
    line.passes(0.01, INVITE, "2 INVITE", sent=True)
    line.passes(0.03, "SIP/2.0 183 Session Progress", "2 INVITE", sent=False)
    line.passes(2.0, "SIP/2.0 200 OK", "2 INVITE", sent=False)
    line.passes(0.5, "SIP/2.0 200 OK", "2 INVITE", sent=False)  # another fork, or again
    assert line.told("outgoing") == {"ringing": (1, 0.05), "answered": (1, 2.05)}


def test_a_refusal_is_no_answer_and_a_flood_is_bounded() -> None:
    line = Line()
    line.passes(0.0, INVITE, "1 INVITE", sent=False)
    line.passes(0.0, "SIP/2.0 486 Busy Here", "1 INVITE", sent=True)
    line.passes(0.0, "ACK sip:us@example.com SIP/2.0", "1 ACK", sent=False)
    for number in range(5000):
        line.passes(0.0, INVITE, "1 INVITE", sent=False, call_id=str(number))
    line.passes(0.0, "SIP/2.0 200 OK", "1 INVITE", sent=True, call_id="1")
    assert not line.told("incoming")
    line.passes(0.0, "SIP/2.0 200 OK", "1 INVITE", sent=True, call_id="4999")
    assert line.told("incoming") == {"answered": (1, 0.0)}


def test_long_call_ids_are_not_kept() -> None:
    line = Line()
    line.passes(0.0, INVITE, "1 INVITE", sent=False, call_id="x" * 512)
    line.passes(0.0, INVITE, "1 INVITE", sent=False, call_id="x" * 513)
    line.passes(0.1, "SIP/2.0 200 OK", "1 INVITE", sent=True, call_id="x" * 513)
    assert line.clock.under_way == 1 and not line.told("incoming")


def test_a_call_that_is_never_acknowledged_is_forgotten() -> None:
    line = Line()
    for number in range(100):
        line.passes(10.0, INVITE, "1 INVITE", sent=False, call_id=f"call{number}")
        line.passes(1.0, "SIP/2.0 200 OK", "1 INVITE", sent=True, call_id=f"call{number}")
    assert line.clock.under_way == 55  # those of ten minutes
