"""Nothing clicks: where the sound of a loud tone stops or goes on, its samples step no further than a fade does."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.media.rig import Pcm
from voicegw.base.ids import CallId, UtteranceId
from voicegw.media import messages as m
from voicegw.media.playout import Playout

CALL = CallId("call")
LOUD = 30_000
TONE_HZ = 200
RATES = pytest.mark.parametrize("rate_hz", [8000, 16000])


class Line:
    """A playout of a loud tone; all that left, and what was told."""

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self.playout = Playout(CALL, rate_hz)
        self.heard: list[Pcm] = []
        self.told: list[m.Event] = []
        self._made = 0

    def queue(self, samples: int, name: str = "u", *, final: bool = False) -> None:
        phase = 2 * np.pi * TONE_HZ * np.arange(self._made, self._made + samples) / self.rate_hz
        self._made += samples
        pcm = np.rint(LOUD * np.cos(phase)).astype(np.int16)
        # It begins and ends with full scale: whatever is not faded clicks.
        self.playout.append(UtteranceId(name), pcm.tobytes(), final=final, interruptible=True, rate_hz=self.rate_hz)

    def tick(self, count: int = 1, *, sent: bool = True) -> None:
        for _ in range(count):
            frame = np.zeros(self.rate_hz // 50, np.int16)
            if self.playout.fill(frame):
                self.told += self.playout.settle(0.0, sent=sent)
            elif not sent:
                self.playout.take_back()
            if sent:
                self.heard.append(frame)

    def click(self) -> int:
        """The largest step between neighbours, after the first sample."""
        return int(np.abs(np.diff(np.concatenate(self.heard).astype(np.int32))).max())

    @property
    def allowed(self) -> float:
        """What a tone of this pitch steps by itself, and what a fade of 5 ms adds to it."""
        tone = LOUD * 2 * np.pi * TONE_HZ / self.rate_hz
        fade = LOUD * np.pi / 2 / (0.005 * self.rate_hz)
        return float(tone + fade)

    @property
    def frame(self) -> int:
        return self.rate_hz // 50


@RATES
def test_a_cut(rate_hz: int) -> None:
    line = Line(rate_hz)
    line.queue(10 * line.frame)
    line.tick(3)
    (cut,) = line.playout.cut(0.0)
    line.tick(2)
    assert line.click() <= line.allowed
    assert cut == m.PlayoutCut(CALL, UtteranceId("u"), 480, 1600, 0.0), "the fade is not counted"
    assert line.heard[3].any()
    assert not line.heard[4].any()


@RATES
@pytest.mark.parametrize("left_ms", [0, 1, 3])
def test_a_cut_just_before_the_end_of_what_has_come(rate_hz: int, left_ms: int) -> None:
    line = Line(rate_hz)
    line.queue(3 * line.frame + left_ms * rate_hz // 1000)
    line.tick(3)
    line.playout.cut(0.0)
    line.tick(2)
    assert line.click() <= line.allowed


@RATES
def test_a_pause_and_a_resume(rate_hz: int) -> None:
    line = Line(rate_hz)
    line.queue(6 * line.frame, final=True)
    line.tick(3)
    line.told += line.playout.pause(0.0)
    line.tick(3)
    line.told += line.playout.resume(0.0)
    line.tick(2)
    assert line.click() <= line.allowed
    paused = [event for event in line.told if isinstance(event, m.PlayoutPaused)]
    assert [event.sent_samples for event in paused] == [480]
    line.tick(1)
    finished = [event for event in line.told if isinstance(event, m.PlayoutFinished)]
    assert [event.sent_samples for event in finished] == [960], "no sample is lost"


@RATES
def test_a_resume_that_did_not_leave_is_faded_in_when_it_does(rate_hz: int) -> None:
    line = Line(rate_hz)
    line.queue(6 * line.frame)
    line.tick(2)
    line.playout.pause(0.0)
    line.tick(2)
    line.playout.resume(0.0)
    line.tick(sent=False)
    line.tick(2)
    assert line.click() <= line.allowed


@RATES
def test_a_cut_before_the_resume_was_heard(rate_hz: int) -> None:
    line = Line(rate_hz)
    line.queue(6 * line.frame)
    line.tick(2)
    line.playout.pause(0.0)
    line.tick(2)
    line.playout.resume(0.0)
    line.playout.cut(0.0)
    line.tick(2)
    assert line.click() <= line.allowed
    assert not line.heard[-1].any()


@RATES
def test_a_cut_whose_end_is_followed_by_a_pause_of_what_comes_next(rate_hz: int) -> None:
    line = Line(rate_hz)
    line.queue(6 * line.frame)
    line.tick(2)
    line.playout.cut(0.0)
    line.queue(2 * line.frame, "next")
    line.playout.pause(0.0)
    line.tick(2)
    assert line.click() <= line.allowed


@RATES
@pytest.mark.parametrize("odd", [0, 7, 100])
def test_a_gap_between_chunks(rate_hz: int, odd: int) -> None:
    line = Line(rate_hz)
    line.queue(2 * line.frame + odd)
    line.tick(5)
    line.queue(2 * line.frame - odd)
    line.tick(2)
    assert line.click() <= line.allowed
    starved = [event for event in line.told if isinstance(event, m.PlayoutStarved)]
    assert [event.sent_samples for event in starved] == [320]
