"""Folds of a call's facts: the transcript and the record of the call. Nothing here is stored twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from voicegw.call.facts import (
    AgentSpoke,
    AnyFact,
    CalleeSpoke,
    CallerBargedIn,
    CallerSpoke,
    CallHasEnded,
    CallWasOffered,
    CallWasRouted,
    ConsentWasRefused,
    Entry,
    LanguageHasChanged,
    MediaWasMeasured,
    RecordingHasEnded,
    SlotWasFilled,
    SupervisorSpoke,
    TransferHasBegun,
    TurnWasTimed,
)
from voicegw.call.recording_facts import ParticipantSpoke, RecordingWasDescribed


@dataclass(frozen=True, slots=True)
class TranscriptLine:
    """One line as it was heard: of caller, agent, callee or supervisor (``whisper``: the caller did not hear it).

    In a recording session ``speaker`` is the name of whoever spoke, or the stream where nobody knows their name.

    ``timing`` is set on the agent's first utterance of an answer.
    """

    at_ms: float
    speaker: str
    text: str
    interrupted: bool = False
    timing: TurnWasTimed | None = None


@dataclass(slots=True)
class CallRecord:
    """Everything there is to know about one call, from its facts."""

    offered: CallWasOffered | None = None
    routed: CallWasRouted | None = None
    ended: CallHasEnded | None = None
    recording: RecordingHasEnded | None = None
    media: MediaWasMeasured | None = None
    transcript: list[TranscriptLine] = field(default_factory=list)
    caller_turns: list[CallerSpoke] = field(default_factory=list)
    barge_ins: list[CallerBargedIn] = field(default_factory=list)
    timings: list[TurnWasTimed] = field(default_factory=list)
    slots: dict[str, str] = field(default_factory=dict)
    transfers: list[str] = field(default_factory=list)
    """The targets that were tried, in order."""
    languages: list[str] = field(default_factory=list)
    """What the call changed to, in order; empty where it stayed in the agent's own."""
    described: RecordingWasDescribed | None = None
    """Who was recorded, as it was known last; None but in recording sessions whose metadata could be read."""
    _timing: TurnWasTimed | None = None

    def add(self, fact: AnyFact) -> None:
        """Take in the next fact."""
        match fact:
            case CallWasOffered():
                self.offered = fact
            case CallWasRouted():
                self.routed = fact
            case CallerSpoke():
                self.caller_turns.append(fact)
                text = fact.text or f"[keys {fact.digits}]"
                self.transcript.append(TranscriptLine(fact.started_ms, "caller", text))
            case ConsentWasRefused():
                self.transcript.clear()
                self.caller_turns.clear()
                self.slots.clear()
            case AgentSpoke() if fact.heard:
                line = TranscriptLine(fact.started_ms, "agent", fact.heard, fact.interrupted, self._timing)
                self._timing = None
                self.transcript.append(line)
            case SupervisorSpoke():
                speaker = "whisper" if fact.to == "agent" else "supervisor"
                self.transcript.append(TranscriptLine(fact.started_ms, speaker, fact.text))
            case CalleeSpoke():
                self.transcript.append(TranscriptLine(fact.started_ms, "callee", fact.text))
            case ParticipantSpoke():
                self.transcript.append(TranscriptLine(fact.started_ms, fact.name or fact.label, fact.text))
            case RecordingWasDescribed() if fact.readable:
                self.described = fact
            case TransferHasBegun():
                self.transfers.append(fact.target)
            case LanguageHasChanged():
                self.languages.append(fact.language)
            case TurnWasTimed():
                self.timings.append(fact)
                self._timing = fact
            case CallerBargedIn():
                self.barge_ins.append(fact)
            case SlotWasFilled():
                self.slots[fact.name] = fact.value
            case RecordingHasEnded():
                self.recording = fact
            case MediaWasMeasured() if fact.leg == "caller":
                self.media = fact
            case CallHasEnded():
                self.ended = fact
            case _:
                pass


def fold(entries: Iterable[Entry]) -> CallRecord:
    """The record of a call from its log; the transcript in the order in which things were said."""
    record = CallRecord()
    for entry in entries:
        record.add(entry.data)
    record.transcript.sort(key=lambda line: line.at_ms)
    return record
