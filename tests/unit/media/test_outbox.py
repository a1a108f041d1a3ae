from __future__ import annotations

import socket

from voicegw.base.ids import CallId, LegId
from voicegw.base.messages import FrameDecoder
from voicegw.base.metrics import Counters
from voicegw.media.messages import AudioBatch, AudioTapped, DtmfSent, Event, decode_event
from voicegw.media.outbox import Outbox

BATCH = AudioBatch((AudioTapped(CallId("c"), bytes(320)),) * 10)


def read(sock: socket.socket) -> list[Event]:
    sock.setblocking(False)
    decoder, events = FrameDecoder(), []
    try:
        while data := sock.recv(1 << 20):
            events += [decode_event(payload) for payload in decoder.feed(data)]
    except BlockingIOError:
        pass
    return events


def pair(limit: int) -> tuple[Outbox, socket.socket, socket.socket, Counters]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    counters = Counters()
    return Outbox(ours, limit, counters), ours, theirs, counters


def test_events_arrive_in_order() -> None:
    outbox, ours, theirs, _ = pair(10_000)
    with ours, theirs:
        outbox.put([DtmfSent(LegId("a"), "1"), BATCH, DtmfSent(LegId("a"), "2")])
        assert outbox.flush()
        assert read(theirs) == [DtmfSent(LegId("a"), "1"), BATCH, DtmfSent(LegId("a"), "2")]


def test_audio_is_dropped_first_when_nobody_reads() -> None:
    outbox, ours, theirs, counters = pair(10_000)
    with ours, theirs:
        for number in range(1000):
            outbox.put([BATCH, DtmfSent(LegId("a"), str(number))])
            assert outbox.flush()
        assert counters.get("taps_dropped") > 0
        events = []
        for _ in range(100):
            events += read(theirs)
            outbox.flush()
        digits = [event.digits for event in events if isinstance(event, DtmfSent)]
        kept = 1000 - counters.get("events_dropped")
        assert len(digits) == kept
        assert digits == [str(number) for number in range(kept)]


def test_a_gateway_that_is_gone_is_noticed() -> None:
    outbox, ours, theirs, _ = pair(1000)
    with ours:
        theirs.close()
        outbox.put([BATCH])
        assert not outbox.flush()
