"""What is to be written down about turns: who said what, how long each stage took, what was heard of the agent."""

from __future__ import annotations

from voicegw.base.clock import Clock
from voicegw.base.ids import UtteranceId
from voicegw.call import facts as f
from voicegw.runtime.log_book import LogBook
from voicegw.runtime.mouth import Utterance
from voicegw.runtime.stopwatch import Stopwatch
from voicegw.turn.commands import CutReason
from voicegw.turn.history import History, Speaker
from voicegw.turn.playout import Playout


class TurnBook:
    """The running turn of one call on its way to becoming facts and history.

    A turn becomes a fact when its answer is audible: until then the caller may go on and make it longer.
    """

    def __init__(self, book: LogBook, clock: Clock) -> None:
        self.history = History()
        self.watch = Stopwatch()
        self._book = book
        self._clock = clock
        self._unanswered: f.CallerSpoke | None = None
        self._places: dict[UtteranceId, int] = {}
        """Where in the history an utterance belongs that is audible now: a key may be pressed before it ends."""
        self._onset_at = 0.0
        self._paused_at = 0.0

    # ------------------------------------------------------------ the caller

    def speech_began(self, onset_at: float) -> None:
        """The caller makes a sound since ``onset_at``."""
        self._onset_at = onset_at

    def turn_ended(self, offset_at: float, waited_ms: float) -> None:
        """The caller's turn is over; their last sound was at ``offset_at``, and ``waited_ms`` were to follow."""
        self.watch.restart(speech_ended=offset_at, turn_ended=self._clock.monotonic(), waited_ms=waited_ms)

    def murmured(self, text: str, offset_at: float) -> None:
        """What passed for a back-channel up to ``offset_at`` is the turn."""
        self.turn_ended(offset_at, 0.0)
        self.watch.text_final = self._clock.monotonic()
        self.take(text, 1.0)

    @property
    def speech_ms(self) -> float:
        """How long the last stretch of the turn that ended was."""
        return (self.watch.speech_ended - self._onset_at) * 1000

    @property
    def carried(self) -> str:
        """What the caller said before, as long as no answer to it was audible."""
        return self._unanswered.text if self._unanswered else ""

    def take(self, text: str, confidence: float) -> None:
        """The recognised text of the whole turn so far."""
        onset = self._book.position_ms(self._onset_at)
        started = self._unanswered.started_ms if self._unanswered else onset
        ended = self._book.position_ms(self.watch.speech_ended)
        asked = self._book.censor.sensitive
        sensitive = asked or (self._unanswered is not None and self._unanswered.sensitive)
        self._unanswered = f.CallerSpoke(text, confidence, "", started, ended, sensitive)

    def take_typed(self, text: str, digits: str) -> None:
        """An answer in writing or by keypad, in place of whatever was heard."""
        at = self._book.position_ms(self._clock.monotonic())
        self._unanswered = f.CallerSpoke(text, 1.0, digits, at, at, self._book.censor.sensitive)
        self.commit()

    def commit(self) -> None:
        """The answer is audible, or will never be: the turn is a fact."""
        turn, self._unanswered = self._unanswered, None
        if turn is not None:
            self.history = self.history.add(Speaker.CALLER, turn.text or " ".join(turn.digits))
            self._book.note(turn)

    # ------------------------------------------------------------ the agent

    def audible(self, utterance: Utterance, at: float) -> None:
        """The first sample of an utterance left."""
        utterance.started_at = at
        if timing := self.watch.stop(at):
            self._book.note(timing)
        self.commit()
        self._places[utterance.id] = len(self.history.entries)

    def paused(self, at: float) -> None:
        """The playout was held; its last packet left at ``at``."""
        self._paused_at = at

    def resumed(self) -> None:
        """It was no interruption."""
        paused_ms = round((self._clock.monotonic() - self._paused_at) * 1000, 1) if self._paused_at else 0.0
        self._paused_at = 0.0
        self._book.note(f.CallerWasBackground(paused_ms))

    def interrupted(self, utterance: Utterance | None, reason: CutReason) -> None:
        """The caller took the floor from a playing utterance."""
        now, by_speech = self._clock.monotonic(), reason is CutReason.SPEECH
        stopped = self._paused_at if by_speech and self._paused_at else now
        onset = self._onset_at if by_speech else now
        if utterance is not None and utterance.started_at is not None:
            # A caller who spoke already when the utterance began interrupted it then, not before.
            onset = max(onset, utterance.started_at)
        self._paused_at = 0.0
        if utterance is not None and reason is not CutReason.SUSPENDED:
            self._book.note(f.CallerBargedIn(utterance.id, round((stopped - onset) * 1000, 1), reason.value))

    def spoken(self, utterance: Utterance, playout: Playout, at: float, *, cut: bool) -> None:
        """An utterance is over: this much of it was heard. One that never began was not said."""
        if cut and utterance.started_at is None:
            return
        place = self._place_of(utterance.id, moves_others=bool(playout.heard_text))
        self.history = self.history.add(Speaker.AGENT, playout.heard_text, interrupted=cut, place=place)
        started = utterance.started_at if utterance.started_at is not None else at
        self._book.note(
            f.AgentSpoke(
                utterance.id,
                utterance.request.text,
                playout.heard_text,
                playout.exact,
                cut,
                self._book.position_ms(started),
                self._book.position_ms(at),
            )
        )

    def _place_of(self, utterance_id: UtteranceId, *, moves_others: bool) -> int | None:
        """Where its line goes; those that began after it and are not over yet belong behind that line."""
        began = list(self._places)
        place = self._places.pop(utterance_id, None)
        if place is not None and moves_others:
            for later in began[began.index(utterance_id) + 1 :]:
                self._places[later] += 1
        return place
