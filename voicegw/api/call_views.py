"""Calls as the API shows them."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import asdict
from pydantic import BaseModel

from voicegw.api.answers import iso, moment
from voicegw.api.ladder import Ladder
from voicegw.call.recording_facts import RecordingWasDescribed
from voicegw.storage.call_records import CallDetail, CallSummary, StoredEvent


class CallView(BaseModel):
    """One call. Texts are empty and times null where nothing is known (yet, or any more: ``erased``)."""

    id: str
    state: str
    called: str
    calling: str
    display_name: str
    started_at: str
    answered_at: str | None
    ended_at: str | None
    duration_ms: int | None
    route: str
    agent: str
    cause: str
    side: str
    failure: bool
    q850: int
    caller_turns: int
    barge_ins: int
    response_p50_ms: float | None
    has_recording: bool
    tags: list[str]
    node: str
    sip_call_id: str
    sealed_at: str | None
    erased: bool


class LegView(BaseModel):
    """One leg and what was counted at its end. ``mos``: 1 to 4.5, of what was received (ITU-T G.107).

    ``peer_lost``, ``peer_jitter_ms`` and ``peer_mos`` are of what the other side heard of us, by its RTCP; null
    where it has sent none, as is ``round_trip_ms``.
    """

    leg_no: int
    role: str
    party: str
    codec: str
    remote: str
    packets_sent: int | None
    packets_received: int | None
    packets_lost: int | None
    packets_late: int | None
    jitter_ms: float | None
    mos: float | None
    round_trip_ms: float | None
    peer_lost: int | None
    peer_jitter_ms: float | None
    peer_mos: float | None


class TurnView(BaseModel):
    """From the end of the caller's speech to the first audio of the answer, in milliseconds."""

    at_ms: float
    endpointing_ms: float
    asr_ms: float
    agent_ms: float
    tts_ms: float
    playout_ms: float
    total_ms: float


class RecordedSessionView(BaseModel):
    """A communication session that was recorded (RFC 7865), in the words of the recording client."""

    id: str
    sip_session_ids: list[str]
    started: str
    stopped: str
    reason: str
    group: str


class RecordedParticipantView(BaseModel):
    """Somebody in it, and the labels of the streams that carry what they say and hear."""

    id: str
    aor: str
    name: str
    speaks_in: list[str]
    hears: list[str]
    gone: bool


class RecordedView(BaseModel):
    """Who was recorded in a recording session (SIPREC), as it was known last."""

    sessions: list[RecordedSessionView]
    participants: list[RecordedParticipantView]


class CallDetailView(BaseModel):
    """A call with its legs and turns. ``recording_ms``: length of the audio, null where there is none.

    ``recorded`` is null but for recording sessions whose metadata could be read.
    """

    call: CallView
    legs: list[LegView]
    turns: list[TurnView]
    recording_ms: float | None
    recorded: RecordedView | None = None


class LineView(BaseModel):
    """One line as it was heard; ``at_ms`` counts from the offer."""

    at_ms: float
    speaker: str
    text: str
    interrupted: bool


class TranscriptView(BaseModel):
    """What was said."""

    call_id: str
    lines: list[LineView]


class EventView(BaseModel):
    """One fact. ``data`` is null where it was erased. ``hash`` chains it to the ones before."""

    seq: int
    kind: str
    at_ms: float | None
    data: Any
    hash: str
    erased: bool


class StepView(BaseModel):
    """One SIP message. ``message`` is its start line; ``text`` all of it, where that is kept."""

    at_ms: float
    sender: str
    receiver: str
    message: str
    note: str
    cseq: str
    transport: str
    sender_address: str
    receiver_address: str
    again: bool
    text: str


class LadderView(BaseModel):
    """SIP messages in order. ``complete``: as they were on the wire, retransmissions and all; else put together.

    ``dropped``: so many in between were not kept.
    """

    steps: list[StepView]
    complete: bool
    dropped: int

    @classmethod
    def of(cls, found: Ladder) -> LadderView:
        """From the facts."""
        steps = [StepView(**{name: getattr(step, name) for name in StepView.model_fields}) for step in found.steps]
        return cls(steps=steps, complete=found.complete, dropped=found.dropped)


def call_view(call: CallSummary) -> CallView:
    """One line of the list."""
    return CallView(
        id=call.id,
        state=call.state.value,
        called=call.called,
        calling=call.calling,
        display_name=call.display_name,
        started_at=moment(call.started_wall_ms),
        answered_at=iso(call.answered_wall_ms),
        ended_at=iso(call.ended_wall_ms),
        duration_ms=call.duration_ms,
        route=call.route,
        agent=call.agent,
        cause=call.cause,
        side=call.side,
        failure=call.failure,
        q850=call.q850,
        caller_turns=call.caller_turns,
        barge_ins=call.barge_ins,
        response_p50_ms=call.response_p50_ms,
        has_recording=call.has_recording,
        tags=list(call.tags),
        node=call.node,
        sip_call_id=call.sip_call_id,
        sealed_at=iso(call.sealed_wall_ms),
        erased=call.erasure_id is not None,
    )


def detail_view(detail: CallDetail) -> CallDetailView:
    """One call."""
    recording = detail.recording
    alive = recording is not None and recording.deleted_wall_ms is None
    return CallDetailView(
        call=call_view(detail.call),
        legs=[LegView(**_fields(leg, LegView)) for leg in detail.legs],
        turns=[TurnView(**_fields(turn, TurnView)) for turn in detail.turns],
        recording_ms=recording.samples / 8 if recording is not None and alive else None,
        recorded=_recorded(detail.described),
    )


def _recorded(described: RecordingWasDescribed | None) -> RecordedView | None:
    if described is None:
        return None
    return RecordedView(
        sessions=[RecordedSessionView(**_whole(one)) for one in described.sessions],
        participants=[RecordedParticipantView(**_whole(one)) for one in described.participants],
    )


def _whole(one: msgspec.Struct) -> dict[str, Any]:
    """All fields; encoding would leave out those that are empty."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(one).items()}


def transcript_view(detail: CallDetail) -> TranscriptView:
    """What was said in one call."""
    lines = [LineView(**_fields(line, LineView)) for line in detail.transcript]
    return TranscriptView(call_id=detail.call.id, lines=lines)


def event_view(event: StoredEvent) -> EventView:
    """One fact."""
    entry = event.entry
    return EventView(
        seq=event.seq,
        kind=event.kind,
        at_ms=entry.at_ms if entry else None,
        data=msgspec.to_builtins(entry.data) if entry else None,
        hash=event.hash.hex(),
        erased=event.erasure_id is not None,
    )


def _fields(record: object, view: type[BaseModel]) -> dict[str, Any]:
    """Of a record, what the view has too."""
    return {name: getattr(record, name) for name in view.model_fields}
