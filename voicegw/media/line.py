"""Cleaning what comes from telephones before anybody hears it: echo, noise and level, a processor a leg.

An echo canceller looks for its echo in the last half second of what was sent. A satellite, a mobile network and
our own jitter buffer together may be later than that: where the levels show that they are (:class:`EchoGate` knows
the delay at which the loss is least), what was sent is held back for it until the echo is in its reach again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voicegw.audio.levels import SILENCE_DBOV, level_dbov
from voicegw.audio.rate_change import RateChanger
from voicegw.media.config import FRAME_MS, SAMPLE_RATE_HZ, WIDE_HZ
from voicegw.media.filling import Pcm, Rows
from voicegw.media.leg import Leg
from voicegw.ports.line import LineProcessor, LineProcessors
from voicegw.turn.echo_gate import EchoGate
from voicegw.turn.echo_gate_config import EchoGateConfig

_LONGEST_MS: Final = 1000
"""The latest echo that is looked for. Later ones are the other end's own, and no business of a telephone line."""
_REACH_MS: Final = 420
"""Later ones than this are brought near; the canceller's own search ends at 500 to 520 ms."""
_NEAR_MS: Final = 200
_LOOK_TICKS: Final = 25
_LEARNING_TICKS: Final = 400
"""Eight seconds of our speech: AEC3 left no burst after the sixth."""


_FIRST_ROW: Final = np.array([0], np.intp)


class _Line:
    """One leg: its processor, and what was sent to it of late."""

    __slots__ = ("_changer", "_place", "_processor", "_sent", "hold", "rate_hz")

    def __init__(self, processor: LineProcessor, rate_hz: int) -> None:
        """``rate_hz``: of what comes."""
        self.rate_hz = rate_hz
        self.hold = 0
        """Frames by which what was sent is held back."""
        self._processor = processor
        self._changer: RateChanger | None = None
        self._sent = np.zeros((_LONGEST_MS // FRAME_MS, rate_hz * FRAME_MS // 1000), np.int16)
        self._place = 0

    def sent(self, frame: Pcm) -> None:
        """The frame of this tick, at the rate of the codec that it goes out by."""
        self._place = (self._place + 1) % len(self._sent)
        self._sent[self._place] = frame if len(frame) == self._sent.shape[1] else self._changed(frame)

    def _changed(self, frame: Pcm) -> Pcm:
        if self._changer is None:
            self._changer = RateChanger(1, len(frame) * 1000 // FRAME_MS, self.rate_hz)
        changed: Pcm = self._changer.process(_FIRST_ROW, frame[np.newaxis])[0]
        return changed

    def clean(self, heard: Pcm) -> Pcm:
        """What came in this tick, without what the processor takes away."""
        return self._processor.process(heard, self._sent[self._place - self.hold])

    def look(self, delay_ms: float) -> None:
        """The echo was found so late: hold back what was sent, where the processor would not find it."""
        seen_ms = delay_ms - self.hold * FRAME_MS
        if not 0 <= seen_ms <= _REACH_MS:
            self.hold = max(0, round((delay_ms - _NEAR_MS) / FRAME_MS))


@dataclass(frozen=True, slots=True)
class _Way:
    """How legs that are opened now are cleaned."""

    make: LineProcessors
    cancels: bool
    """The processors take echo away."""


class _Echoes:
    """What is known of the echo of all rows: as it comes (``watch``), and of what is left of it."""

    def __init__(self, capacity: int) -> None:
        self.watch = EchoGate(capacity, EchoGateConfig(longest_ms=_LONGEST_MS))
        self.left = EchoGate(capacity)
        self.taught = np.zeros(capacity, np.int64)
        self.levels = np.full(capacity, SILENCE_DBOV, np.float32)

    def reset(self, row: int) -> None:
        self.watch.reset(row)
        self.left.reset(row)
        self.taught[row] = 0


class LineStage:
    """The lines of the worker."""

    def __init__(self, capacity: int, make: LineProcessors | None, *, cancels: bool = True) -> None:
        """``make``: None where nothing is cleaned so far. ``cancels``: the processors take echo away."""
        self._capacity = capacity
        self._ways: dict[int, _Way] = {}
        """Of rows whose legs are cleaned."""
        self._lines: dict[int, _Line] = {}
        self._echoes: _Echoes | None = None
        self._ticks = 0
        self._cancelling = np.zeros(capacity, np.bool_)
        self.use(make, cancels=cancels)
        self._cancelling[:] = make is not None and cancels

    def use(self, make: LineProcessors | None, *, cancels: bool) -> None:
        """Clean in another way, or not at all, what comes from legs that are opened from now on."""
        self._way = _Way(make, cancels) if make is not None else None
        if make is not None and self._echoes is None:
            self._echoes = _Echoes(self._capacity)

    @property
    def busy(self) -> bool:
        """Whether any leg is cleaned."""
        return bool(self._lines)

    def reset(self, row: int) -> None:
        """The row belongs to another leg."""
        self._lines.pop(row, None)
        self._ways.pop(row, None)
        self._cancelling[row] = False
        if self._echoes is not None:
            self._echoes.reset(row)
        if self._way is not None:
            self._ways[row] = self._way
            self._cancelling[row] = self._way.cancels

    def plan(self, legs: Sequence[Leg]) -> None:
        """The negotiated legs of the worker; those whose speech is detected are telephones, and cleaned."""
        if not self._ways and not self._lines:
            return
        for row in self._lines.keys() - {leg.row for leg in legs}:
            del self._lines[row]
        for leg in legs:
            way = self._ways.get(leg.row)
            rate_hz = WIDE_HZ if leg.wide_in else SAMPLE_RATE_HZ
            line = self._lines.get(leg.row)
            if way is None or leg.settings is None or not leg.settings.vad:
                self._lines.pop(leg.row, None)
            elif line is None or line.rate_hz != rate_hz:
                self._lines[leg.row] = _Line(way.make(rate_hz), rate_hz)

    def clean(self, rows: Rows, frames: Pcm) -> Pcm:
        """What came on ``rows`` in this tick, cleaned."""
        if not len(rows) or self._echoes is None:
            return frames
        self._echoes.watch.own(rows, level_dbov(frames))
        cleaned = frames.copy()
        for place, row in enumerate(rows.tolist()):
            line = self._lines.get(row)
            if line is not None:
                cleaned[place] = line.clean(frames[place])
        return cleaned

    def own(self, rows: Rows, cleaned: Pcm, own: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
        """Which frames are more than echo: those that were as they came (``own``), and those of which much is left.

        A canceller has to hear some seconds of us first, in which bursts of echo are left that are like words.
        """
        cancelling, echoes = self._cancelling[rows], self._echoes
        if own is None or echoes is None or not cancelling.any():
            return own
        more = echoes.left.own(rows, level_dbov(cleaned)) & (echoes.taught[rows] > _LEARNING_TICKS)
        return own | more & cancelling

    def sent(self, rows: Rows, *shipped: tuple[Sequence[Leg], Pcm]) -> None:
        """The frames (legs, samples) of this tick; what is sent to the rest of ``rows`` is silence."""
        echoes = self._echoes
        if echoes is None:
            return
        echoes.levels[rows] = SILENCE_DBOV
        for legs, frames in shipped:
            for leg, frame in zip(legs, frames, strict=True):
                if leg.row in self._lines:
                    self._lines[leg.row].sent(frame)
            if legs:
                echoes.levels[[leg.row for leg in legs]] = level_dbov(frames)
        levels = echoes.levels[rows]
        echoes.watch.sent(rows, levels)
        echoes.left.sent(rows, levels)
        echoes.taught[rows] += levels > echoes.left.config.loud_dbov
        self._ticks += 1
        for row, line in self._lines.items() if self._ticks % _LOOK_TICKS == 0 else ():
            delay_ms = echoes.watch.delay_ms(row)
            if delay_ms is not None:
                line.look(delay_ms)
