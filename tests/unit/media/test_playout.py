from __future__ import annotations

import numpy as np

from tests.unit.media.rig import Pcm
from voicegw.base.ids import CallId, UtteranceId
from voicegw.media import messages as m
from voicegw.media.playout import FADE_SAMPLES, Playout

CALL = CallId("call")


def ramp(samples: int, start: int = 1) -> bytes:
    return np.arange(start, start + samples, dtype=np.int16).tobytes()


class Line:
    """A playout whose frames are sent, or lost by the kernel."""

    def __init__(self) -> None:
        self.playout = Playout(CALL)
        self.events: list[m.Event] = []
        self.now = 0.0

    def queue(self, name: str, pcm: bytes, *, final: bool = True, interruptible: bool = True) -> bool:
        return self.playout.append(UtteranceId(name), pcm, final=final, interruptible=interruptible)

    def tick(self, sent: bool = True) -> Pcm:
        self.now += 0.02
        frame = np.zeros(160, np.int16)
        if self.playout.fill(frame):
            self.events += self.playout.settle(self.now, sent=sent)
        elif not sent:
            self.playout.take_back()
        return frame

    def ticks(self, count: int) -> Pcm:
        return np.concatenate([self.tick() for _ in range(count)])


def test_samples_leave_in_order_and_are_counted() -> None:
    line = Line()
    line.queue("u", ramp(500))
    heard = line.ticks(4)
    assert heard[:500].tolist() == list(range(1, 501))
    assert not heard[500:].any()
    assert line.events == [m.PlayoutStarted(CALL, "u", 0.02), m.PlayoutFinished(CALL, "u", 500, 0.08)]
    assert line.playout.idle


def test_utterances_follow_each_other_inside_a_frame() -> None:
    line = Line()
    line.queue("a", ramp(100))
    line.queue("b", ramp(60, 101))
    line.queue("c", ramp(200, 161))
    assert line.ticks(3)[:360].tolist() == list(range(1, 361))
    assert [type(e).__name__ + e.utterance_id for e in line.events] == [  # type: ignore[union-attr]
        "PlayoutStarteda",
        "PlayoutFinisheda",
        "PlayoutStartedb",
        "PlayoutFinishedb",
        "PlayoutStartedc",
        "PlayoutFinishedc",
    ]


def test_a_pause_loses_no_sample_and_fades_both_ways() -> None:
    line = Line()
    line.queue("u", np.full(1600, 10000, np.int16).tobytes())
    line.ticks(3)
    assert line.playout.pause(1.0) == [m.PlayoutPaused(CALL, "u", 480, 1.0)]
    tail = line.tick()
    assert 9000 < tail[0] <= 10000 and tail[FADE_SAMPLES - 1] < 200 and not tail[FADE_SAMPLES:].any()
    assert line.playout.idle and not line.tick().any()
    assert line.playout.resume(2.0) == [m.PlayoutResumed(CALL, "u", 2.0)]
    head = line.tick()
    assert head[0] < 200 and (head[FADE_SAMPLES:] == 10000).all()
    rest = line.ticks(7)
    assert (rest[: 6 * 160] == 10000).all() and not rest[6 * 160 :].any()
    assert line.events[-1] == m.PlayoutFinished(CALL, "u", 1600, line.events[-1].at)  # type: ignore[union-attr]


def test_a_resume_begins_at_the_sample_of_the_pause() -> None:
    line = Line()
    line.queue("u", ramp(1000))
    line.ticks(2)
    line.playout.pause(1.0)
    line.ticks(3)
    line.playout.resume(2.0)
    assert line.tick()[FADE_SAMPLES:].tolist() == list(range(321 + FADE_SAMPLES, 481))


def test_what_comes_during_a_pause_of_nothing_waits_for_its_end() -> None:
    line = Line()
    assert line.playout.pause(1.0) == []
    line.queue("u", ramp(320))
    assert not line.tick().any()
    line.playout.resume(2.0)
    assert line.tick().tolist() == list(range(1, 161)), "from the first sample, and not faded in"


def test_a_pause_of_nothing_can_end_in_nothing() -> None:
    line = Line()
    line.playout.pause(1.0)
    assert line.playout.resume(2.0) == []
    line.playout.pause(3.0)
    assert line.playout.cut(4.0) == []
    line.queue("u", ramp(320))
    assert line.tick().any()


def test_pausing_twice_is_nothing() -> None:
    line = Line()
    line.queue("u", ramp(320))
    assert line.playout.pause(1.0) == [m.PlayoutPaused(CALL, "u", 0, 1.0)]
    assert line.playout.pause(1.0) == []
    assert not line.tick().any()  # no tail of what was never heard
    line.playout.resume(2.0)
    assert line.playout.resume(2.0) == []


def test_a_cut_tells_what_was_sent_of_each() -> None:
    line = Line()
    line.queue("a", ramp(400))
    line.queue("b", ramp(300), final=False)
    line.ticks(2)
    assert line.playout.cut(1.0) == [m.PlayoutCut(CALL, "a", 320, 400, 1.0), m.PlayoutCut(CALL, "b", 0, 300, 1.0)]
    assert line.tick()[:FADE_SAMPLES].any()  # the fade
    assert line.playout.idle


def test_audio_for_a_dead_utterance_is_refused() -> None:
    line = Line()
    line.queue("a", ramp(160), final=False)
    line.playout.cut(1.0)
    assert not line.queue("a", ramp(160))
    line.queue("b", ramp(160))
    assert not line.queue("b", ramp(160))  # closed already
    line.ticks(2)
    assert not line.queue("b", ramp(160))  # finished
    assert not line.tick().any()


def test_starvation_is_told_once_a_gap_and_not_before_the_first_sample() -> None:
    line = Line()
    line.queue("u", b"", final=False)
    line.ticks(3)
    assert line.events == []
    line.queue("u", ramp(200), final=False)
    line.ticks(4)
    line.queue("u", ramp(200, 201), final=False)
    line.ticks(4)
    starved = [e for e in line.events if isinstance(e, m.PlayoutStarved)]
    assert [e.sent_samples for e in starved] == [160, 320]
    line.queue("u", b"", final=True)
    line.ticks(1)
    assert line.events[-1] == m.PlayoutFinished(CALL, "u", 400, line.now)


def test_an_empty_utterance_starts_and_finishes() -> None:
    line = Line()
    line.queue("u", b"")
    line.tick()
    assert line.events == [m.PlayoutStarted(CALL, "u", 0.02), m.PlayoutFinished(CALL, "u", 0, 0.02)]


def test_chunks_may_be_torn_inside_a_sample() -> None:
    line = Line()
    data = ramp(320)
    for cut in range(0, len(data), 7):
        line.queue("u", data[cut : cut + 7], final=False)
    line.queue("u", b"", final=True)
    assert line.ticks(2).tolist() == list(range(1, 321))


def test_a_frame_that_did_not_leave_is_sent_again() -> None:
    line = Line()
    line.queue("u", ramp(1600))
    line.tick(sent=False)
    assert line.events == []
    line.ticks(3)
    line.tick(sent=False)
    assert line.tick().tolist() == list(range(481, 641))
    line.ticks(7)
    assert line.events[-1] == m.PlayoutFinished(CALL, "u", 1600, line.now - 0.02)


def test_whether_speech_may_interrupt_is_up_to_what_plays() -> None:
    line = Line()
    assert not line.playout.interruptible
    line.queue("a", ramp(160), interruptible=False)
    line.queue("b", ramp(160))
    assert not line.playout.interruptible
    line.tick()
    assert line.playout.interruptible
    line.playout.pause(1.0)
    assert not line.playout.interruptible
