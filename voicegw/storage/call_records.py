"""What the store tells about calls: frozen records, and what a list of calls can be filtered by."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from voicegw.call.facts import Entry
from voicegw.call.recording_facts import RecordingWasDescribed


class StoredState(Enum):
    """OPEN while facts arrive; ENDED with a seal; LOST with a seal when the node died in the middle of the call."""

    OPEN = "open"
    ENDED = "ended"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class CallSummary:
    """One line of a list of calls. Texts are empty and times None where nothing is known (yet, or any more)."""

    id: str
    node: str
    state: StoredState
    sip_call_id: str
    called: str
    calling: str
    display_name: str
    started_wall_ms: int
    answered_wall_ms: int | None
    ended_wall_ms: int | None
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
    events: int
    sealed_wall_ms: int | None
    erasure_id: str | None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CallLimits:
    """What a role is limited to: calls from or to these numbers (``*`` as in CallFilter), or of these agents."""

    numbers: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CallFilter:
    """All of what is set must hold.

    ``number`` is either party; it, ``called`` and ``calling`` are exact, or with ``*`` at their end a beginning.
    ``text``: words that were all spoken in the call, in any order, or are among its numbers and names.
    ``numbers`` limits to calls of these called numbers (a role's limits); empty means no limit.
    """

    number: str | None = None
    called: str | None = None
    calling: str | None = None
    agent: str | None = None
    route: str | None = None
    cause: str | None = None
    state: StoredState | None = None
    failure: bool | None = None
    tag: str | None = None
    text: str | None = None
    from_wall_ms: int | None = None
    until_wall_ms: int | None = None
    numbers: tuple[str, ...] = ()
    within: CallLimits | None = None


@dataclass(frozen=True, slots=True)
class CallCursor:
    """Where a page ended: the next begins behind it."""

    started_wall_ms: int
    id: str


@dataclass(frozen=True, slots=True)
class CallPage:
    """Calls, the newest first, and where the next page begins; None after the last."""

    calls: tuple[CallSummary, ...]
    next: CallCursor | None


@dataclass(frozen=True, slots=True)
class StoredLeg:
    """One leg and what was counted at its end. ``peer_...``: of what the other side heard of us, by its RTCP."""

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


@dataclass(frozen=True, slots=True)
class StoredLine:
    """One line of the transcript; ``at_ms`` counts from the offer."""

    line_no: int
    at_ms: float
    speaker: str
    text: str
    interrupted: bool


@dataclass(frozen=True, slots=True)
class StoredTurn:
    """From the end of the caller's speech to the first audio of the answer, in milliseconds."""

    turn_no: int
    at_ms: float
    endpointing_ms: float
    asr_ms: float
    agent_ms: float
    tts_ms: float
    playout_ms: float
    total_ms: float


@dataclass(frozen=True, slots=True)
class StoredRecording:
    """Where the audio is; ``deleted_wall_ms`` when it is gone."""

    call_id: str
    path: str
    samples: int
    dropped_samples: int
    made_wall_ms: int
    deleted_wall_ms: int | None


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One event of the chain. ``entry`` is None where it was erased, or is of a kind that is unknown here."""

    seq: int
    kind: str
    entry: Entry | None
    content: bytes | None
    hash: bytes
    erasure_id: str | None


@dataclass(frozen=True, slots=True)
class CallDetail:
    """Everything that is folded from the facts of one call."""

    call: CallSummary
    legs: tuple[StoredLeg, ...]
    transcript: tuple[StoredLine, ...]
    turns: tuple[StoredTurn, ...]
    recording: StoredRecording | None
    described: RecordingWasDescribed | None = None
    """Who was recorded in a recording session, as it was known last."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a chain is whole. ``missing`` facts were lost before they were stored, not removed after."""

    flaws: tuple[str, ...]
    events: int
    missing: int
    sealed: bool

    @property
    def whole(self) -> bool:
        """Nothing was edited, removed, exchanged or inserted."""
        return not self.flaws
