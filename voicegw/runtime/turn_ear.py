"""What is heard of the turn that is going on: recognition stream, words so far, and an end-of-turn model."""

from __future__ import annotations

from collections.abc import Callable

from voicegw.ports.asr import AsrFailed, AsrFinal, AsrOptions, AsrPartial
from voicegw.ports.eot import EotQuestion
from voicegw.runtime.ear import Ear
from voicegw.runtime.end_guesser import EndGuesser
from voicegw.runtime.mail import AsrReported, EndOfTurnEstimated
from voicegw.runtime.services import CallServices
from voicegw.runtime.tasks import ChildTasks


class TurnEar:
    """One turn after another. ``text`` are the words of the running stream so far."""

    def __init__(
        self, services: CallServices, tasks: ChildTasks, post: Callable[[AsrReported | EndOfTurnEstimated], None]
    ) -> None:
        self.text = ""
        self._ear = Ear(services.asr, tasks, post, services.clock, services.random)
        self._guesser = EndGuesser(services.eot, tasks, post, services.random, services.counters)
        self._early: AsrFinal | AsrFailed | None = None

    def hear(self, pcm: bytes, rate_hz: int = 8000) -> None:
        """The next of the caller's audio."""
        self._ear.hear(pcm, rate_hz)

    def begin(self, options: AsrOptions, onset_at: float) -> None:
        """The caller speaks since ``onset_at``; a stream that is open goes on."""
        self._early = None
        self._guesser.forget()
        if self._ear.begin(options, onset_at):
            self.text = ""

    def drop(self) -> None:
        """What was heard was no turn."""
        self._early = None
        self._ear.drop()

    # ------------------------------------------------------------ the end of a turn

    @property
    def has_final(self) -> bool:
        """Whether ``text`` is what the recogniser has to say of the sound that ended."""
        return self._early is not None

    def ask_whether_over(self, carried: str, asked: str, language: str) -> None:
        """The turn is probably over: a slow recogniser is asked for its text, an end-of-turn model for its word.

        ``carried`` is what the caller said in this turn before, ``asked`` what the agent said last.
        """
        self._ear.ask_for_final()
        pcm = self._ear.recent(self._guesser.audio_ms)
        self._guesser.ask(EotQuestion(f"{carried} {self.text}".strip(), asked, language, pcm, self._ear.rate_hz))

    def accepts(self, estimate: EndOfTurnEstimated) -> bool:
        """Whether the word of an end-of-turn model is about the silence that is going on."""
        return self._guesser.accepts(estimate.guess_id)

    def finish(self) -> AsrFinal | AsrFailed | bool:
        """The turn is over: its result if it came early, True if it is on its way, False if nothing was heard."""
        early, self._early = self._early, None
        coming = self._ear.finish()
        return coming if early is None else early

    # ------------------------------------------------------------ the recogniser's reports

    def take(self, report: AsrReported) -> AsrPartial | AsrFinal | AsrFailed | None:
        """What a report means now: new words, or the result of the turn that is over. None: it is of a stream that
        is closed, or says nothing that matters before the turn is over."""
        if not self._ear.accepts(report.stream_id):
            return None
        event = report.event
        if isinstance(event, AsrPartial):
            self.text = event.text
            return event
        self._ear.forget()
        if not self._ear.asked_early:
            return event
        self._early = event
        if isinstance(event, AsrFailed):
            return None
        self.text = event.text
        return AsrPartial(event.text)
