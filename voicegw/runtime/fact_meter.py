"""Facts of calls as metrics: a fold like transcripts and records, in the path of the facts and never in that of
audio."""

from __future__ import annotations

from dataclasses import dataclass

from voicegw.base.clock import Clock
from voicegw.base.ids import CallId
from voicegw.base.metrics import Counters
from voicegw.call import facts as f
from voicegw.call.facts import AnyFact, Entry
from voicegw.runtime.services import FactListener


@dataclass(slots=True)
class _Course:
    """What a running call has done so far."""

    offered_at: float
    direction: str
    is_answered: bool = False
    is_heard: bool = False
    is_spoken_to: bool = False


class FactMeter:
    """A :data:`~voicegw.runtime.services.FactListener` before another one. ``clock`` is that of the calls."""

    def __init__(self, counters: Counters, clock: Clock, then: FactListener) -> None:
        self._counters = counters
        self._clock = clock
        self._then = then
        self._courses: dict[CallId, _Course] = {}

    def __call__(self, call_id: CallId, entry: Entry) -> None:
        """A new fact."""
        self._take(call_id, entry.data, entry.at_ms)
        self._then(call_id, entry)

    def media_heard(self, call_id: CallId, at: float) -> None:
        """The first good packets of the caller arrived at ``at``, monotonic seconds; later ones do not count."""
        course = self._courses.get(call_id)
        if course is not None and not course.is_heard:
            course.is_heard = True
            self._counters.observe("first_media_seconds", max(0.0, at - course.offered_at))

    def _take(self, call_id: CallId, fact: AnyFact, at_ms: float) -> None:
        match fact:
            case f.CallWasOffered():
                offered_at = self._clock.monotonic() - at_ms / 1000
                self._courses[call_id] = _Course(offered_at, "out" if fact.direction == "out" else "in")
            case f.CallWasAnswered():
                self._answered(call_id)
            case f.CallHasEnded():
                self._ended(call_id, fact)
            case f.AgentSpoke():
                self._spoke(call_id, fact.started_ms)
            case f.TurnWasTimed():
                self._timed(fact)
            case f.CallerBargedIn():
                self._counters.add(f"barge_ins_{fact.by}")
                if fact.by == "speech":  # for keys there is no onset to count from
                    self._counters.observe("barge_in_stop_seconds", max(0.0, fact.stop_ms / 1000))
            case f.CallerWasBackground():
                self._counters.add("background_sounds")
            case _:
                pass

    def _answered(self, call_id: CallId) -> None:
        course = self._courses.get(call_id)
        if course is not None and not course.is_answered:  # it is told again when the codec changes
            course.is_answered = True
            self._counters.add(f"call_setups_{course.direction}_answered")

    def _ended(self, call_id: CallId, fact: f.CallHasEnded) -> None:
        self._counters.add(f"calls_ended_{fact.cause}")
        course = self._courses.pop(call_id, None)
        if course is None:
            return
        self._counters.observe(f"call_duration_seconds_{course.direction}", fact.duration_ms / 1000)
        if not course.is_answered:
            self._counters.add(f"call_setups_{course.direction}_{_outcome(fact)}")

    def _spoke(self, call_id: CallId, started_ms: float) -> None:
        course = self._courses.get(call_id)
        if course is not None and not course.is_spoken_to:
            course.is_spoken_to = True
            self._counters.observe("first_speech_seconds", started_ms / 1000)

    def _timed(self, fact: f.TurnWasTimed) -> None:
        stages = (
            ("endpointing", fact.endpointing_ms),
            ("asr", fact.asr_ms),
            ("agent", fact.agent_ms),
            ("tts", fact.tts_ms),
            ("playout", fact.playout_ms),
        )
        for stage, took_ms in stages:
            # Where a reply was prepared ahead, a stage may have ended before the one before it did.
            self._counters.observe(f"turn_stage_seconds_{stage}", max(0.0, took_ms / 1000))
        self._counters.observe("turn_latency_seconds", max(0.0, fact.total_ms / 1000))


def _outcome(ended: f.CallHasEnded) -> str:
    """What became of a call that was never answered."""
    if ended.cause in _UNWANTED:
        return "refused"
    if ended.failure:
        return "failed"
    return "abandoned" if ended.side == "caller" else "refused"


_UNWANTED = frozenset(
    {"no_route", "unknown_source", "caller_unproven", "not_allowed", "toll_barred", "toll_limit", "budget_spent"}
)
"""Failures for who calls, but just what the configuration wants: no alarm of ours may ring for a wrong number."""
