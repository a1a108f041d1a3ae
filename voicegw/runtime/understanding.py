"""From what the recogniser says to what the caller wants answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias, assert_never

from voicegw.agents.agent import CallerTurn, TurnKind
from voicegw.call import facts as f
from voicegw.ports.asr import AsrFailed, AsrFinal, AsrPartial
from voicegw.runtime import mail as mail_types
from voicegw.runtime.expected import Expected
from voicegw.runtime.log_book import LogBook
from voicegw.runtime.replies import Replies, Report
from voicegw.runtime.services import CallServices
from voicegw.runtime.tongue import Tongue
from voicegw.runtime.turn_book import TurnBook
from voicegw.runtime.turn_ear import TurnEar
from voicegw.turn import events as e
from voicegw.turn.history import Speaker

NO_MATCH_SPEECH_MS = 600
"""Speech this long with no recognised word is a turn that was not understood; shorter is noise."""
ASR_DOWN_QUIET_S = 12.0
"""The agent says at most this often that it cannot hear."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """The reply was made while the turn was ending: this is what it wants done."""

    reports: list[Report]


Outcome: TypeAlias = e.TurnEvent | CallerTurn | Prepared
"""News for the turn machine, a turn that the agent is to answer, or the answer itself."""


class Understanding:
    """The caller's side of a conversation, one turn after the other. What follows of it is returned, in order."""

    def __init__(
        self,
        hearing: TurnEar,
        notes: TurnBook,
        replies: Replies,
        expected: Expected,
        tongue: Tongue,
        services: CallServices,
        book: LogBook,
    ) -> None:
        self._hearing = hearing
        self._notes = notes
        self._replies = replies
        self._expected = expected
        self._tongue = tongue
        self._services = services
        self._book = book
        self._asr_down_at = float("-inf")

    # ------------------------------------------------------------ what the turn machine wants

    def begin(self, onset_at: float) -> None:
        """The caller speaks since ``onset_at``."""
        self._hearing.begin(self._expected.asr_options(self._tongue.recognised_as), onset_at)

    def ask_whether_over(self) -> None:
        """The turn is probably over."""
        asked = self._notes.history.last(Speaker.AGENT)
        said = asked.text if asked is not None else ""
        self._hearing.ask_whether_over(self._notes.carried, said, self._tongue.language)

    def finish(self) -> tuple[Outcome, ...]:
        """The turn is over: what was said in it is wanted."""
        match result := self._hearing.finish():
            case AsrFinal() | AsrFailed():
                return self._recognised(result)
            case False:
                self._replies.forget_speculation()
                return (e.ReplyEmpty(),)
            case _:
                return ()  # it is on its way

    def speculate(self, now: datetime) -> bool:
        """Have a reply prepared to what was heard so far; True if that is a new one."""
        if not self._hearing.text:
            return False
        turn = CallerTurn(TurnKind.SPEECH, _joined(self._notes.carried, self._hearing.text))
        return self._replies.speculate(turn, self._notes.history, now)

    def take_back_channel(self, text: str, offset_at: float) -> tuple[Outcome, ...]:
        """A "yes" over the last word of a question is its answer."""
        if self._replies.pending or not self._expected.takes_any_word:
            return ()
        self._notes.murmured(text, offset_at)
        return (CallerTurn(TurnKind.SPEECH, text),)

    # ------------------------------------------------------------ what the recogniser says

    def on_asr(self, report: mail_types.AsrReported) -> tuple[Outcome, ...]:
        """A report of a recognition stream; one that is closed is refused."""
        match heard := self._hearing.take(report):
            case AsrPartial(text):
                complete = self._expected.is_complete(_joined(self._notes.carried, text))
                return (e.PartialHeard(text, complete, final=self._hearing.has_final),)
            case AsrFinal() | AsrFailed():
                return self._recognised(heard)
            case None:
                return ()
            case _:
                assert_never(heard)

    def _recognised(self, result: AsrFinal | AsrFailed) -> tuple[Outcome, ...]:
        """The turn is over, and this is what was said in it."""
        return self._final_text(result) if isinstance(result, AsrFinal) else self._asr_failed(result.reason)

    def _final_text(self, final: AsrFinal) -> tuple[Outcome, ...]:
        self._notes.watch.text_final = self._now()
        self._services.counters.add("asr_audio_ms", round(final.audio_ms))
        self._services.counters.add("asr_decode_ms", round(final.decode_ms))
        text = _joined(self._notes.carried, final.text)
        if not text and self._notes.speech_ms < NO_MATCH_SPEECH_MS:
            self._replies.forget_speculation()
            return (e.ReplyEmpty(),)
        self._notes.take(text, final.confidence)
        if language := self._tongue.changed_by(final):
            self._replies.forget_speculation()  # it would have been in the old one
        prepared = self._replies.commit(text, self._notes.history)
        if prepared is not None:
            return (Prepared(prepared),)
        return (CallerTurn(TurnKind.SPEECH, text, final.confidence, language=language),)

    def _asr_failed(self, reason: str) -> tuple[Outcome, ...]:
        self._services.counters.add("asr_failed")
        now = self._now()
        quiet = now - self._asr_down_at < ASR_DOWN_QUIET_S
        consequence = "already told the caller" if quiet else "the agent says so and offers the keypad"
        self._book.note(f.SpeechHasFailed(self._services.asr.name, reason, consequence))
        if quiet:
            return (e.ReplyEmpty(),)
        self._asr_down_at = now
        return e.TurnSettled(), CallerTurn(TurnKind.ASR_DOWN)

    def _now(self) -> float:
        return self._services.clock.monotonic()


def _joined(first: str, second: str) -> str:
    return f"{first} {second}".strip()
