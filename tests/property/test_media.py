"""Properties of the media worker: sample counts, who hears whom, and nothing that arrives stops the tick."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.media.rig import Rig, power_at
from voicegw.base.ids import CallId, LegId, UtteranceId
from voicegw.media import messages as m
from voicegw.media.clock import TickClock
from voicegw.media.playout import Playout

CALL = CallId("call")
STEPS = st.lists(
    st.sampled_from(["tick", "tick", "tick", "lost", "pause", "resume", "cut", "queue", "more", "close"]),
    max_size=60,
)


@settings(max_examples=80, deadline=None)
@given(STEPS, st.lists(st.integers(0, 500), min_size=1, max_size=8))
def test_every_sample_leaves_once_in_order_and_is_counted(steps: list[str], sizes: list[int]) -> None:
    """Whatever is queued, paused, cut or refused by the network: what is reported is what left."""
    playout = Playout(CALL)
    queued: dict[str, int] = {}
    told: dict[str, int] = {}
    left: dict[str, int] = {}
    names: list[str] = []
    events: list[m.Event] = []
    for place, step in enumerate(steps):
        size = sizes[place % len(sizes)]
        match step:
            case "queue":
                names.append(f"u{place}")
                queued[names[-1]] = 0
                playout.append(UtteranceId(names[-1]), b"", final=False, interruptible=True)
            case "more" | "close" if names:
                pcm = np.full(size, 1 + len(names), np.int16)
                if playout.append(UtteranceId(names[-1]), pcm.tobytes(), final=step == "close", interruptible=True):
                    queued[names[-1]] += size
            case "pause":
                events += playout.pause(0.0)
            case "resume":
                events += playout.resume(0.0)
            case "cut":
                events += playout.cut(0.0)
            case "tick" | "lost":
                frame = np.zeros(160, np.int16)
                if playout.fill(frame):
                    events += playout.settle(0.0, sent=step == "tick")
                elif step == "lost":
                    playout.take_back()
    events += playout.cut(0.0)
    for event in events:
        match event:
            case m.PlayoutFinished():
                told[event.utterance_id] = event.sent_samples
                assert event.sent_samples == queued[event.utterance_id]
            case m.PlayoutCut():
                assert event.utterance_id not in told
                told[event.utterance_id] = event.sent_samples
                assert event.sent_samples <= event.queued_samples == queued[event.utterance_id]
            case m.PlayoutPaused() | m.PlayoutStarved():
                assert left.get(event.utterance_id, 0) <= event.sent_samples
                left[event.utterance_id] = event.sent_samples
            case _:
                pass
    assert set(told) == set(names)
    finished = [e.utterance_id for e in events if isinstance(e, m.PlayoutFinished)]
    assert finished == [name for name in names if name in set(finished)]


@settings(max_examples=25, deadline=None)
@given(st.sets(st.tuples(st.integers(0, 2), st.integers(0, 2))))
def test_a_leg_hears_exactly_the_sources_of_its_edges(edges: set[tuple[int, int]]) -> None:
    names, tones = ("a", "b", "c"), (400.0, 1000.0, 1700.0)
    rig = Rig()
    peers = [rig.open(name) for name in names]
    rig.mix(*[(names[source], names[sink]) for source, sink in edges])
    for _ in range(14):
        for peer, hz in zip(peers, tones, strict=True):
            peer.say_tone(hz)
        rig.tick()
    for sink, peer in enumerate(peers):
        heard = peer.heard()[640:]
        for source, hz in enumerate(tones):
            assert (power_at(heard, hz) > 5000) == ((source, sink) in edges)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.binary(max_size=600) | st.binary(min_size=4, max_size=60).map(lambda b: b"\x80\x00" + b), max_size=40
    )
)
def test_no_datagram_stops_the_tick(datagrams: list[bytes]) -> None:
    rig = Rig()
    peer = rig.open("a")
    for place, data in enumerate(datagrams):
        peer.send_raw(data)
        rig.network.deliver(data, peer.address, (peer.server[0], peer.server[1] + 1))
        if place % 3 == 0:
            rig.tick()
    rig.tick(12)
    assert len(peer.packets) >= 12
    rig.do(m.CloseLeg(LegId("a")))
    assert rig.of(m.LegClosed)


@given(st.lists(st.floats(0, 0.3), max_size=50))
def test_deadlines_stay_on_the_grid_and_catch_up_is_bounded(delays: list[float]) -> None:
    clock = TickClock(0.0, catch_up_frames=3)
    now = 0.0
    lost = 0
    for ticks, delay in enumerate(delays, 1):
        now = max(now, clock.deadline) + delay
        lost += clock.advance(now)
        assert abs(clock.deadline - (ticks + lost) * 0.02) < 1e-6
        assert now - clock.deadline <= 3 * 0.02
