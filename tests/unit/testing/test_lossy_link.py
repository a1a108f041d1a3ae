from __future__ import annotations

import pytest

from voicegw.sip.address import Address
from voicegw.testing.lossy_link import Impairment, LossyLink, by_pattern, delay_first, lose, lose_first, unimpaired
from voicegw.testing.manual_clock import ManualClock

A, B = Address("a", 1), Address("b", 1)


class Recorder:
    """Sends what it is given, notes what it gets, and wakes up once."""

    def __init__(self) -> None:
        self.outbox: list[tuple[bytes, Address]] = []
        self.got: list[tuple[float, bytes]] = []
        self.timer: float | None = None
        self.woken: list[float] = []

    def receive_datagram(self, data: bytes, source: Address, now: float) -> None:
        self.got.append((round(now, 3), data))

    def handle_timer(self, now: float) -> None:
        if self.timer is not None and self.timer <= now:
            self.woken.append(now)
            self.timer = None

    def get_timer(self) -> float | None:
        return self.timer

    def datagrams_to_send(self) -> list[tuple[bytes, Address]]:
        datagrams, self.outbox = self.outbox, []
        return datagrams


def carry(impairment: Impairment, *texts: bytes) -> list[tuple[float, bytes]]:
    """What arrives of ``texts`` that are sent at once at time 0."""
    link = LossyLink(ManualClock(start=0.0), impairment, delay=0.1)
    one, other = Recorder(), Recorder()
    link.attach(A, one)
    link.attach(B, other)
    one.outbox = [(text, B) for text in texts]
    link.run(5.0)
    assert len(link.log) == len(texts)
    return other.got


def test_impairments() -> None:
    assert carry(unimpaired, b"1", b"2") == [(0.1, b"1"), (0.1, b"2")]
    assert carry(lose(0, 2), b"1", b"2", b"3") == [(0.1, b"2")]
    assert carry(lose(0, source=B), b"1") == [(0.1, b"1")]
    assert carry(lose_first("BYE"), b"BYE x\r\n", b"BYE y\r\n") == [(0.1, b"BYE y\r\n")]
    assert carry(delay_first("ACK", 1.0), b"ACK", b"ACK", b"z") == [(0.1, b"ACK"), (0.1, b"z"), (1.1, b"ACK")]
    got = carry(by_pattern(".xdr"), b"1", b"2", b"3", b"4", b"5")
    assert got == [(0.1, b"1"), (0.1, b"3"), (0.1, b"5"), (0.11, b"3"), (0.2, b"4")]


def test_timers_of_endpoints_run_in_their_time_and_those_of_the_dead_stand_still() -> None:
    clock = ManualClock(start=0.0)
    link = LossyLink(clock)
    one, other = Recorder(), Recorder()
    link.attach(A, one)
    link.attach(B, other)
    one.timer, other.timer = 1.5, 1.0
    link.detach(B)
    one.outbox = [(b"to nobody", B)]
    link.run(2.0)
    assert (one.woken, other.woken, other.got) == ([1.5], [], [])
    assert clock.monotonic() == 2.0


def test_the_manual_clock_moves_only_forward() -> None:
    clock = ManualClock(start=5.0, wall=100.0)
    assert clock.advance(2.5) == clock.monotonic() == 7.5
    assert clock.wall() == 102.5
    with pytest.raises(ValueError, match="backwards"):
        clock.advance_to(7.0)
