"""One utterance on its way through Whisper: what has come in, what was made of it, and what to decode next.

No engine in here and no clock: time is counted in samples at 8 kHz.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from voicegw.audio.resample import Resampler
from voicegw.inference.asr.faster_whisper_agreement import StablePrefix
from voicegw.inference.asr.faster_whisper_config import WhisperConfig
from voicegw.inference.asr.faster_whisper_loudness import Loudness, quietest
from voicegw.inference.asr.faster_whisper_text import Reading, whisper_language

CALL_HZ, MODEL_HZ = 8000, 16000
_UP = MODEL_HZ // CALL_HZ
_LONGEST_S, _CUT_FROM_S = 29.0, 22.0
"""Whisper reads 30 s at a time: longer speech is cut at the quietest moment of the last seconds before that."""


class Wish(Enum):
    """What an utterance wants to be done with it."""

    NOTHING = "nothing"
    PARTIAL = "partial"
    """Read all there is once more."""
    PIECE = "piece"
    """Read the beginning of a long utterance for good."""
    FINAL = "final"
    """Read it all for good: somebody waits."""
    ANSWER = "answer"
    """Nothing is left to read: the final text is known."""


@dataclass(frozen=True, slots=True)
class Task:
    """Audio to read."""

    wish: Wish
    samples: NDArray[np.int16]
    """At 16 kHz."""
    language: str
    """Whisper's code; empty to find out."""
    known: str
    """What this caller spoke before, empty if unknown."""


class Utterance:
    """The audio and the readings of one stream."""

    def __init__(self, config: WhisperConfig, language: str, known: str, rate_hz: int = CALL_HZ) -> None:
        self.language = whisper_language(language)
        self.decode_ms = 0.0
        self._config = config
        self._known = known
        self._heard = ""
        self._settled = bool(self.language)
        self._finished = False
        self._loudness = Loudness()
        self._resampler = Resampler(rate_hz, MODEL_HZ) if rate_hz != MODEL_HZ else None
        self._audio: list[NDArray[np.int16]] = []
        self._received = 0
        self._base = 0
        self._read_until = 0
        self._reading = ""
        self._confidence = 0.0
        self._before = ""
        self._confidence_before = 1.0
        self._reported = ""
        self._stable = StablePrefix()
        self._under_way: tuple[Wish, int] | None = None

    @property
    def audio_ms(self) -> float:
        """How much has been pushed."""
        return self._received / CALL_HZ * 1000.0

    @property
    def text(self) -> str:
        """The text of everything that was read."""
        return f"{self._before} {self._reading}".strip()

    @property
    def confidence(self) -> float:
        """That of its least certain piece, 0 to 1; 0 without a text."""
        if not self.text:
            return 0.0
        return min(self._confidence_before, self._confidence) if self._reading else self._confidence_before

    @property
    def heard_language(self) -> str:
        """Whisper's code of the language that was said or found; empty if neither."""
        return self.language or self._heard

    def push(self, pcm: bytes) -> None:
        """Take 16-bit PCM at the rate of the utterance."""
        samples = np.frombuffer(pcm, "<i2")
        if self._resampler is None:
            self._audio.append(samples)
            samples = samples[::_UP]  # for loudness and position; what folds down is as loud as it was
        else:
            self._audio.append(self._resampler.process(samples))
        self._received += len(samples)
        self._loudness.push(samples)

    def finish(self) -> None:
        """No more will come."""
        self._finished = True

    def wish(self) -> Wish:
        """What to do now; nothing while a task of this utterance is under way."""
        if self._under_way is not None:
            return Wish.NOTHING
        if self._received - self._base > _LONGEST_S * CALL_HZ:
            return Wish.PIECE
        unread = self._loudness.loud_until > self._read_until
        if self._finished:
            return Wish.FINAL if unread else Wish.ANSWER
        every = self._config.partial_every_s
        if not unread or every <= 0.0:
            return Wish.NOTHING
        due = self._received - self._read_until >= every * CALL_HZ
        paused = self._received - self._loudness.loud_until >= self._config.pause_s * CALL_HZ
        return Wish.PARTIAL if due or paused else Wish.NOTHING

    def begin(self) -> Task:
        """Take the task that :meth:`wish` names; its reading must be brought to :meth:`take`."""
        wish = self.wish()
        audio = np.concatenate([np.empty(0, np.int16), *self._audio])
        end = self._received
        if wish is Wish.PIECE:
            end = self._base + quietest(audio[::_UP], round(_CUT_FROM_S * CALL_HZ), round(_LONGEST_S * CALL_HZ))
        self._under_way = (wish, end)
        self._audio = [audio]
        return Task(wish, audio[: (end - self._base) * _UP], self.language, self._known)

    def take(self, reading: Reading, decode_ms: float) -> str | None:
        """The reading of the task under way; returns the stable text if it has grown."""
        if self._under_way is None:
            return None
        wish, self._read_until = self._under_way
        self._under_way = None
        self.decode_ms += decode_ms
        self._settle(reading)
        self._reading, self._confidence = reading.text, reading.confidence
        if wish is Wish.PIECE:
            self._cut(self._read_until)
        elif wish is Wish.PARTIAL:
            self._stable.add(reading.text)
        else:
            return None
        stable = f"{self._before} {self._stable.text}".strip()
        if stable == self._reported:
            return None
        self._reported = stable
        return stable

    def _settle(self, reading: Reading) -> None:
        self._heard = reading.language
        if reading.certain and not self._settled:
            self.language, self._settled = reading.language, True

    def _cut(self, at: int) -> None:
        """What is before ``at`` is settled; the rest is a new window."""
        if self._reading:
            self._confidence_before = min(self._confidence_before, self._confidence)
        self._before, self._reading = self.text, ""
        self._stable = StablePrefix()
        self._audio = [np.concatenate(self._audio)[(at - self._base) * _UP :]]
        self._base = at
