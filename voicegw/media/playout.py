"""The agent's speech on its way to the caller, counted in samples that left.

Nothing is pushed ahead: each tick takes one frame, and positions move only by frames that were sent
(:meth:`Playout.fill`, then :meth:`Playout.settle`, or :meth:`Playout.take_back`). So a pause or a cut knows the
exact sample, and a frame that the network refused is offered again.

A pause fades out over the first 5 ms of what would have come next and does not count them: the resume begins with
the same samples, faded in, and nothing is lost. A gap because nothing more has come sounds the same. Where less
than 5 ms has come, the last that was heard is faded out once more, backwards: to stop at once would be a click.

Inside, everything is counted in samples at the rate of the call; what is told is in samples at 8 kHz.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voicegw.audio.levels import fade_in, fade_out
from voicegw.audio.resample import Resampler, resample
from voicegw.base.ids import CallId, UtteranceId
from voicegw.media.config import FRAME_MS, SAMPLE_RATE_HZ
from voicegw.media.messages import (
    Event,
    PlayoutCut,
    PlayoutFinished,
    PlayoutPaused,
    PlayoutResumed,
    PlayoutStarted,
    PlayoutStarved,
)

_Pcm = NDArray[np.int16]

FADE_SAMPLES: Final = 40
"""5 ms, at 8 kHz: too short to be heard as a fade, long enough not to be heard as a click."""
_REMEMBERED_DEAD: Final = 64
_FIRST_ROOM: Final = 4000


class _Utterance:
    """Samples that have come, and how many of them have left."""

    __slots__ = (
        "_odd",
        "_rate_hz",
        "_resampler",
        "pcm",
        "final",
        "interruptible",
        "queued",
        "sent",
        "starved",
        "started",
        "utterance_id",
    )

    def __init__(self, utterance_id: UtteranceId, rate_hz: int, call_hz: int, *, interruptible: bool) -> None:
        """``rate_hz`` is that of what comes, ``call_hz`` that of what is kept."""
        self.utterance_id = utterance_id
        self._rate_hz = rate_hz
        self._resampler = _resampler(rate_hz, call_hz)
        self.interruptible = interruptible
        self.final = self.started = self.starved = False
        self.sent = self.queued = 0
        self.pcm = np.zeros(_FIRST_ROOM, np.int16)  # the first ``queued`` samples have come
        self._odd = b""  # half a sample that waits for its other byte

    def append(self, pcm: bytes, rate_hz: int, call_hz: int, *, final: bool) -> None:
        """Add audio of ``rate_hz``, in a call of ``call_hz``; ``final`` is the end of it."""
        if rate_hz != self._rate_hz:
            self._keep(np.empty(0, np.int16) if self._resampler is None else self._resampler.flush())
            self._rate_hz, self._resampler, self._odd = rate_hz, _resampler(rate_hz, call_hz), b""
        data = self._odd + pcm if self._odd else pcm
        count = len(data) // 2
        self._odd = data[2 * count :]
        samples = np.frombuffer(data, "<i2", count)
        if self._resampler is None:
            self._keep(samples)
        else:
            self._keep(self._resampler.process(samples.astype(np.int16)))
            if final:
                self._keep(self._resampler.flush())
        self.final = final

    def _keep(self, samples: _Pcm) -> None:
        """Room grows by doubling, so that many small chunks cost no more than few large ones."""
        end = self.queued + len(samples)
        if end > len(self.pcm):
            grown = np.zeros(max(end, 2 * len(self.pcm)), np.int16)
            grown[: self.queued] = self.pcm[: self.queued]
            self.pcm = grown
        self.pcm[self.queued : end] = samples
        self.queued = end

    def retune(self, source_hz: int, target_hz: int) -> None:
        """The call turned out to have another rate than the one that this was kept for."""
        self.pcm = resample(self.pcm[: self.queued], source_hz, target_hz)
        self.queued = len(self.pcm)
        self.sent = self.sent * target_hz // source_hz
        self._resampler = _resampler(self._rate_hz, target_hz)


def _resampler(source_hz: int, target_hz: int) -> Resampler | None:
    return None if source_hz == target_hz else Resampler(source_hz, target_hz)


class Playout:
    """The queue of utterances of one call."""

    def __init__(self, call_id: CallId, rate_hz: int = SAMPLE_RATE_HZ) -> None:
        """``rate_hz``: of the frames that are taken; a multiple of 8 kHz."""
        self._call_id = call_id
        self._set_rate(rate_hz)
        self._queue: deque[_Utterance] = deque()
        self._dead: deque[UtteranceId] = deque(maxlen=_REMEMBERED_DEAD)
        self._taken: list[tuple[_Utterance, int]] = []
        self._starving: _Utterance | None = None
        self._tail: _Pcm | None = None
        self._fade_in = False
        self._steady: _Utterance | None = None
        self.paused = False
        self._quick = False  # this tick's frame came from the middle of an utterance

    def _set_rate(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self._scale = rate_hz // SAMPLE_RATE_HZ
        self._frame = rate_hz * FRAME_MS // 1000
        self._fade = FADE_SAMPLES * self._scale

    def retune(self, rate_hz: int) -> None:
        """The rate of the call is known now; to be called before anything was taken."""
        for utterance in self._queue if rate_hz != self.rate_hz else ():
            utterance.retune(self.rate_hz, rate_hz)
        self._set_rate(rate_hz)

    @property
    def idle(self) -> bool:
        """Whether the next tick has nothing to send, so that it need not ask."""
        return self._tail is None and (self.paused or not self._queue)

    @property
    def interruptible(self) -> bool:
        """Whether caller speech should pause what plays now."""
        return bool(self._queue) and not self.paused and self._queue[0].interruptible

    def append(
        self,
        utterance_id: UtteranceId,
        pcm: bytes,
        *,
        final: bool,
        interruptible: bool,
        rate_hz: int = SAMPLE_RATE_HZ,
    ) -> bool:
        """Add audio; False when the utterance is over (cut, finished or closed) and the audio is refused."""
        if utterance_id in self._dead:
            return False
        utterance = next((u for u in self._queue if u.utterance_id == utterance_id), None)
        if utterance is None:
            utterance = _Utterance(utterance_id, rate_hz, self.rate_hz, interruptible=interruptible)
            self._queue.append(utterance)
        if utterance.final:
            return False
        utterance.append(pcm, rate_hz, self.rate_hz, final=final)
        return True

    def pause(self, at: float) -> list[Event]:
        """Hold what plays and what is yet to come, until :meth:`resume` or :meth:`cut`."""
        if self.paused:
            return []
        self.paused = True
        if not self._queue:
            return []
        self._fade_away()
        self._steady = None
        head = self._queue[0]
        return [PlayoutPaused(self._call_id, head.utterance_id, self._told(head.sent), at)]

    def resume(self, at: float) -> list[Event]:
        """Go on at the sample of the pause."""
        if not self.paused:
            return []
        self.paused = False
        if not self._queue:
            return []
        self._fade_in = self._queue[0].started
        return [PlayoutResumed(self._call_id, self._queue[0].utterance_id, at)]

    def cut(self, at: float) -> list[Event]:
        """Drop everything; one event for each utterance."""
        if not self.paused and self._queue:
            self._fade_away()
        events: list[Event] = []
        for utterance in self._queue:
            self._dead.append(utterance.utterance_id)
            sent, queued = self._told(utterance.sent), self._told(utterance.queued)
            events.append(PlayoutCut(self._call_id, utterance.utterance_id, sent, queued, at))
        self._queue.clear()
        self._steady = None
        self.paused = self._fade_in = False
        return events

    def _told(self, samples: int) -> int:
        """A position as others count, that is in samples at 8 kHz."""
        return samples // self._scale

    def _fade_away(self) -> None:
        """The next frame is what follows the last sample sent, faded to nothing, if anything is being heard."""
        head = self._queue[0]
        if self._tail is None and head.started and not head.starved and not self._fade_in:
            self._tail = self._fading_tail(head)

    def _fading_tail(self, head: _Utterance) -> _Pcm:
        follows = head.pcm[head.sent : min(head.sent + self._fade, head.queued)]
        lacking = self._fade - len(follows)
        if lacking:
            heard = head.pcm[max(head.queued - lacking, 0) : head.queued]
            follows = np.concatenate((follows, heard[::-1]))
        return fade_out(follows, self._fade)

    def fill(self, frame: _Pcm) -> bool:
        """Write the next samples into ``frame``, which holds silence. True: :meth:`settle` is to say what became
        of them; else they, if there are any, count as sent but for :meth:`take_back`.
        """
        steady = self._steady
        if steady is not None:
            # Almost every frame of almost every utterance: nothing begins, ends or fades.
            start = steady.sent
            end = start + self._frame
            if end < steady.queued:
                frame[:] = steady.pcm[start:end]
                steady.sent = end
                self._quick = True
                return False
            self._steady = None
        self._quick = False
        if self.idle:
            return False
        if self._tail is not None:
            frame[: len(self._tail)] = self._tail
            self._tail = None
            return True
        filled, size = 0, len(frame)
        for utterance in self._queue:
            left = utterance.queued - utterance.sent
            count = min(left, size - filled)
            if filled + count < size and not utterance.final:
                # Whole frames only: better one gap between chunks than silence inside a frame.
                self._starving = utterance
                if not filled and utterance.started and not utterance.starved and not self._fade_in:
                    tail = self._fading_tail(utterance)
                    frame[: len(tail)] = tail
                break
            frame[filled : filled + count] = utterance.pcm[utterance.sent : utterance.sent + count]
            self._taken.append((utterance, count))
            filled += count
            if count < left or not utterance.final:
                break
        if self._fade_in and filled:
            frame[: self._fade] = fade_in(frame[: self._fade], self._fade)
        return True

    def take_back(self) -> None:
        """The frame of this tick did not leave."""
        if self._quick and self._steady is not None:
            self._steady.sent -= self._frame
        self._quick = False

    def settle(self, at: float, *, sent: bool) -> list[Event]:
        """The frame of this tick left at ``at``, or did not: move the positions and tell."""
        events: list[Event] = []
        if self._starving is not None:
            events += self._starve(self._starving, at)
            self._starving = None
        taken, self._taken = self._taken, []
        if not sent:
            return events
        if taken:
            self._fade_in = False
        for utterance, count in taken:
            if not utterance.started:
                utterance.started = True
                events.append(PlayoutStarted(self._call_id, utterance.utterance_id, at))
            utterance.sent += count
            utterance.starved = False
            if utterance.final and utterance.sent == utterance.queued:
                self._queue.popleft()
                self._dead.append(utterance.utterance_id)
                sent_samples = self._told(utterance.sent)
                events.append(PlayoutFinished(self._call_id, utterance.utterance_id, sent_samples, at))
        if taken and self._queue and self._queue[0].started:
            self._steady = self._queue[0]
        return events

    def _starve(self, utterance: _Utterance, at: float) -> list[Event]:
        """Once a gap, and not before the first sample: waiting for the first audio is no gap."""
        if utterance.starved or not utterance.started:
            return []
        utterance.starved = self._fade_in = True
        return [PlayoutStarved(self._call_id, utterance.utterance_id, self._told(utterance.sent), at)]
