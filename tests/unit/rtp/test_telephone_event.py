from __future__ import annotations

import pytest

from voicegw.base.errors import LocalError, RemoteProtocolError
from voicegw.rtp.telephone_event import (
    EventPacket,
    TelephoneEvent,
    TelephoneEventReceiver,
    TelephoneEventSender,
)

Wire = list[tuple[int, bytes]]


def press(digit: int, start: int, updates: int = 5, ends: int = 3) -> Wire:
    """A press as a telephone sends it: an update each 20 ms, then the end packets."""
    packets = [(start, TelephoneEvent(digit, False, 10, 160 * (i + 1)).to_bytes()) for i in range(updates)]
    end = TelephoneEvent(digit, True, 10, 160 * (updates + 1)).to_bytes()
    return packets + [(start, end)] * ends


def hear(packets: Wire, keep: set[int] | None = None) -> str:
    """Digits from the packets whose places are in ``keep`` (all if None), and what is left at the end."""
    receiver = TelephoneEventReceiver()
    digits = []
    now = 0.0
    for place, (timestamp, payload) in enumerate(packets):
        now += 0.02
        if keep is None or place in keep:
            digits += receiver.receive(now, timestamp, payload)
        digits += receiver.poll(now)
    digits += receiver.poll(now + 1)
    return "".join(d.digit for d in digits)


def test_one_digit_with_its_duration() -> None:
    receiver = TelephoneEventReceiver()
    pressed = [d for t, p in press(5, 1000) for d in receiver.receive(0.0, t, p)]
    assert [(d.digit, d.duration_samples) for d in pressed] == [("5", 960)]
    assert not receiver.pending


def test_any_single_packet_is_enough() -> None:
    packets = press(7, 1000)
    for place in range(len(packets)):
        assert hear(packets, {place}) == "7"


def test_same_digit_twice_with_all_ends_lost() -> None:
    packets = press(3, 1000) + press(3, 5000)
    ends = {place for place, (_, payload) in enumerate(packets) if payload[1] & 0x80}
    assert hear(packets) == "33"
    assert hear(packets, set(range(len(packets))) - ends) == "33"


def test_duplicates_and_late_packets_of_an_older_press() -> None:
    first, second = press(1, 1000), press(2, 3000)
    assert hear([p for p in first for _ in range(4)] + second + first[-1:] + second[-1:]) == "12"


def test_a_source_that_counts_from_elsewhere_is_heard_and_what_is_late_is_not() -> None:
    receiver = TelephoneEventReceiver()
    digits = ""
    for now, packets in ((0.0, press(1, 90_000)), (0.9, press(2, 30_000)), (1.9, press(3, 30_000))):
        digits += "".join(found.digit for t, p in packets for found in receiver.receive(now, t, p))
    assert digits == "13"


def test_timestamps_wrap() -> None:
    assert hear(press(1, 0xFFFFFF00) + press(2, 0x00000500)) == "12"


def test_a_pause_in_the_packets_is_still_one_press() -> None:
    packets = press(9, 1000, updates=40)
    assert hear(packets, {0, 1, 2, 38, 39, 40, 41}) == "9"


def test_a_long_press_is_reported_at_the_limit_and_once() -> None:
    receiver = TelephoneEventReceiver()
    reported_at = []
    now, start, duration = 0.0, 1000, 0
    for _ in range(600):  # 12 s, more than one segment of 65535 samples
        now += 0.02
        if duration + 160 > 0xFFFF:
            receiver.receive(now, start, TelephoneEvent(0, False, 10, 0xFFFF).to_bytes())
            start, duration = start + 0xFFFF, 0
        duration += 160
        reported_at += [
            now for _ in receiver.receive(now, start, TelephoneEvent(0, False, 10, duration).to_bytes())
        ]
    reported_at += [now for _ in receiver.receive(now, start, TelephoneEvent(0, True, 10, duration).to_bytes())]
    assert len(reported_at) == 1
    assert 4.9 < reported_at[0] < 5.2


def test_other_events_are_no_keys_and_torn_ones_are_errors() -> None:
    receiver = TelephoneEventReceiver()
    assert receiver.receive(0.0, 1, TelephoneEvent(36, True, 0, 400).to_bytes()) == []
    with pytest.raises(RemoteProtocolError):
        receiver.receive(0.0, 1, b"\x01\x02\x03")


def send(digits: str, duration_ms: int) -> list[EventPacket | None]:
    sender = TelephoneEventSender()
    sender.queue(digits, duration_ms)
    out = []
    timestamp = 8000
    while sender.busy:
        out.append(sender.next(timestamp))
        timestamp += 160
    return out


def test_sent_digits_follow_the_rfc() -> None:
    packets = send("5", 100)
    events = [(p.timestamp, p.marker, TelephoneEvent.parse(p.payload)) for p in packets if p]
    assert {timestamp for timestamp, _, _ in events} == {8000}
    assert [marker for _, marker, _ in events] == [True] + [False] * 6
    assert [e.duration for _, _, e in events] == [160, 320, 480, 640, 800, 800, 800]
    assert [e.end for _, _, e in events] == [False] * 4 + [True] * 3


def test_digits_are_apart_and_all_are_heard() -> None:
    packets = send("12*#aD", 120)
    gaps = "".join("x" if p else "." for p in packets).split("x")
    assert max(len(gap) for gap in gaps) == 4  # 80 ms
    assert hear([(p.timestamp, p.payload) for p in packets if p]) == "12*#AD"


def test_what_is_no_digit_cannot_be_queued() -> None:
    with pytest.raises(LocalError):
        TelephoneEventSender().queue("1x", 100)
