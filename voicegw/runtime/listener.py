"""One voice of a call put down in writing: a recognition stream for each stretch of speech, without any turns.

For voices that nobody has to answer: a supervisor, and a caller whom a supervisor has taken over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from voicegw.base.clock import Clock
from voicegw.base.ids import RandomBytes
from voicegw.media import messages as m
from voicegw.ports.asr import AsrFinal, AsrOptions, AsrPartial, AsrProvider
from voicegw.runtime.ear import Ear
from voicegw.runtime.mail import AsrReported
from voicegw.runtime.tasks import ChildTasks

PAUSE_S = 0.6
"""A silence this long ends what is recognised in one piece."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What was said in one piece, on the monotonic clock."""

    text: str
    confidence: float
    began_at: float
    ended_at: float


class Listener:
    """Told of one leg's speech and audio; ``heard`` gets each piece that has words."""

    def __init__(
        self,
        provider: AsrProvider,
        options: AsrOptions,
        tasks: ChildTasks,
        post: Callable[[AsrReported], None],
        clock: Clock,
        random: RandomBytes,
        heard: Callable[[Heard], None],
    ) -> None:
        self._ear = Ear(provider, tasks, post, clock, random)
        self._options = options
        self._clock = clock
        self._heard = heard
        self._began_at: float | None = None
        self._ended_at = 0.0
        self._ends_at: float | None = None

    def hear(self, pcm: bytes, rate_hz: int = 8000) -> None:
        """The next audio of the voice."""
        self._ear.hear(pcm, rate_hz)

    def on_speech(self, event: m.SpeechStarted | m.SpeechPaused | m.SpeechStopped) -> None:
        """The voice began, or fell silent."""
        match event:
            case m.SpeechStarted():
                self._ends_at = None
                if self._ear.begin(self._options, event.onset_at):
                    self._began_at = event.onset_at
            case m.SpeechStopped():
                self._ended_at = event.offset_at
                self._ends_at = event.offset_at + PAUSE_S
            case m.SpeechPaused():
                pass

    def get_timer(self) -> float | None:
        """When :meth:`handle_timer` is due, or None."""
        return self._ends_at

    def handle_timer(self, now: float) -> None:
        """Ask for the text of a piece that is over."""
        if self._ends_at is not None and now >= self._ends_at:
            self._ends_at = None
            self._ear.finish()

    def on_asr(self, report: AsrReported) -> bool:
        """A report of a recognition stream; False if it is not one of ours."""
        if not self._ear.accepts(report.stream_id):
            return False
        if not isinstance(report.event, AsrPartial):
            self._ear.forget()
        if isinstance(report.event, AsrFinal) and report.event.text and self._began_at is not None:
            event = report.event
            self._heard(Heard(event.text, event.confidence, self._began_at, self._ended_at))
        return True

    @property
    def pending(self) -> bool:
        """Whether a piece is being heard or recognised."""
        return self._ear.is_open

    def finish(self) -> None:
        """Nobody listens any more: what is being said now is the last piece."""
        if self._ends_at is None and self._ear.is_open:
            self._ended_at = self._clock.monotonic()
        self._ends_at = None
        self._ear.finish()

    def drop(self) -> None:
        """Forget it all."""
        self._ends_at = None
        self._ear.drop()
