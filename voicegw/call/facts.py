"""The facts of a call: an append-only list, from which transcript, summary, CDR and views are folds.

A fact is what happened, in the past tense, with everything needed to tell the story again. Facts are written as
JSON lines, each in an :class:`Entry` with its number and its time. ``*_ms`` positions count from the call's offer.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from voicegw.base.ids import CallId, UtteranceId
from voicegw.base.texts import encoded
from voicegw.call.capture_facts import CaptureHasEnded, CaptureHasStarted
from voicegw.call.fact import Fact
from voicegw.call.line_facts import (
    AudioWasMissing,
    CallWasBarred,
    MediaHasMoved,
    MediaQualityHasChanged,
    MediaWasMeasured,
    SipStep,
    SipWasTraced,
    ToneWasHeard,
    TrunkHasFailed,
)
from voicegw.call.people_facts import (
    AnnouncementWasMade,
    CalleeSpoke,
    CallerWasConnected,
    CallerWasMoved,
    CallWasOrdered,
    FarEndWasReferred,
    FarEndWasReplaced,
    KeysWereSent,
    MessageWasReceived,
    ReferralHasFailed,
    SupervisorHasJoined,
    SupervisorHasLeft,
    SupervisorModeHasChanged,
    SupervisorSpoke,
    TransferHasBegun,
    TransferHasFailed,
    TransferHasProgressed,
)
from voicegw.call.recording_facts import (
    ParticipantSpoke,
    RecordingWasDescribed,
    StreamHasEnded,
    StreamWasAgreed,
    StreamWasPaused,
)

__all__ = [
    "AnnouncementWasMade",
    "AudioWasMissing",
    "CallWasBarred",
    "CallWasOrdered",
    "CalleeSpoke",
    "CallerWasConnected",
    "CallerWasMoved",
    "CaptureHasEnded",
    "CaptureHasStarted",
    "FarEndWasReferred",
    "FarEndWasReplaced",
    "KeysWereSent",
    "MediaHasMoved",
    "MediaQualityHasChanged",
    "MediaWasMeasured",
    "MessageWasReceived",
    "ReferralHasFailed",
    "SipStep",
    "SipWasTraced",
    "SupervisorHasJoined",
    "SupervisorHasLeft",
    "SupervisorModeHasChanged",
    "SupervisorSpoke",
    "ToneWasHeard",
    "TransferHasBegun",
    "TransferHasFailed",
    "TransferHasProgressed",
    "TrunkHasFailed",
]
"""What is defined elsewhere and read from here: this module is the catalogue."""


class CallWasOffered(Fact, frozen=True):
    """The INVITE. ``started_at`` is UTC in ISO 8601. ``direction``: in, or out where we called the ``called``."""

    call_id: CallId
    sip_call_id: str
    called: str
    calling: str
    display_name: str
    started_at: str
    direction: str = "in"


class CallWasIntroduced(Fact, frozen=True):
    """What the signalling says besides who calls whom; "" and False where it says nothing.

    ``trunk``: by which the call came. ``withheld``: the caller does not want to be shown. ``asserted``: the number
    is the network's word, not the caller's. ``verified``: ``passed``, ``failed`` or ``none`` for a signed number.
    ``attestation``: what its signature claims, proven where it has passed; ``origination_id`` is of the same one,
    ``signer`` whose certificate it is, ``identity_fault`` why it is not believed. ``diversion_reason`` in the words
    of RFC 5806. ``source``: the address of a call that was refused at the door.
    """

    trunk: str = ""
    withheld: bool = False
    asserted: bool = False
    original_called: str = ""
    diverted_by: str = ""
    diversion_reason: str = ""
    subaddress: str = ""
    verified: str = ""
    attestation: str = ""
    user_to_user: str = ""
    source: str = ""
    origination_id: str = ""
    signer: str = ""
    identity_fault: str = ""


class CallWasRouted(Fact, frozen=True):
    """The dialplan's decision. ``languages``: those of the agent, BCP 47 tags, its own first."""

    route: str
    agent: str
    languages: tuple[str, ...] = ()


class CallWasHeardEarly(Fact, frozen=True):
    """The caller hears us, and the call is not answered: nobody is charged for it yet (183, RFC 3960)."""

    codec: str
    remote: str


class CallWasAnswered(Fact, frozen=True):
    """Audio is agreed."""

    codec: str
    remote: str


class CallWasHeld(Fact, frozen=True):
    """The peer put the call on hold, or took it back."""

    held: bool


class AgentSpoke(Fact, frozen=True):
    """One utterance, when it was over. ``heard`` is what was played of ``text``; ``exact`` as in Playout."""

    utterance_id: UtteranceId
    text: str
    heard: str
    exact: bool
    interrupted: bool
    started_ms: float
    ended_ms: float


class CallerSpoke(Fact, frozen=True):
    """One turn of the caller, by voice or keypad."""

    text: str
    confidence: float
    digits: str
    started_ms: float
    ended_ms: float
    sensitive: bool = False
    """Asked for as sensitive: what was said is not in here."""


class CallerWasSilent(Fact, frozen=True):
    """No input for as long as the agent waited."""


class TurnWasTimed(Fact, frozen=True):
    """From the end of the caller's speech to the first audio of the answer, stage by stage, in milliseconds."""

    endpointing_ms: float
    asr_ms: float
    agent_ms: float
    tts_ms: float
    playout_ms: float
    total_ms: float
    waited_ms: float = 0.0
    """Of ``endpointing_ms``, the silence that the policy asked for."""
    speculated: bool = False
    """Whether the answer was prepared before the turn was over."""


class CallerBargedIn(Fact, frozen=True):
    """The caller interrupted. ``stop_ms``: from the onset of their speech to the agent's last packet."""

    utterance_id: UtteranceId
    stop_ms: float
    by: str


class CallerWasBackground(Fact, frozen=True):
    """A sound paused the agent and was judged to be no interruption; it went on after ``paused_ms``."""

    paused_ms: float


class KeyWasPressed(Fact, frozen=True):
    """One DTMF digit."""

    digit: str


class SlotWasFilled(Fact, frozen=True):
    """The agent understood a value."""

    name: str
    value: str
    confirmed: bool
    sensitive: bool = False
    """Declared as sensitive: the value is not in here."""


class WebhookWasCalled(Fact, frozen=True):
    """The agent asked a web service."""

    step: str
    method: str
    url: str


class WebhookHasReturned(Fact, frozen=True):
    """And this came back; ``status`` 0 and ``error`` when nothing did."""

    step: str
    status: int
    error: str


class ToolWaitsForApproval(Fact, frozen=True):
    """A tool runs only if somebody approves it within ``within_s`` seconds; ``key`` is its idempotency key."""

    key: str
    tool: str
    arguments: str
    within_s: float


class ToolWasApproved(Fact, frozen=True):
    """``by`` let it run."""

    key: str
    tool: str
    by: str


class ToolWasRefused(Fact, frozen=True):
    """It is not run: ``by`` says so, or nobody said anything in time (empty)."""

    key: str
    tool: str
    by: str
    reason: str


class ToolWasWithdrawn(Fact, frozen=True):
    """Nobody is asked any more: the reply that wanted it was dropped. It may be wanted again, with the same key."""

    key: str
    tool: str


class ToolHasFailed(Fact, frozen=True):
    """A tool of a language model had no success. ``status``: failed, or unknown where it may have taken effect."""

    tool: str
    status: str


class ServiceHasMoved(Fact, frozen=True):
    """What serves the call from now on: ``model:NAME``, ``script``, ``menu``, ``human`` or ``message``."""

    to: str
    reason: str


class LanguageHasChanged(Fact, frozen=True):
    """From now on the call is heard and spoken in ``language``, a BCP 47 tag.

    Also when a reply that had changed it is taken back, and the language with it.
    """

    language: str


class SpeechHasFailed(Fact, frozen=True):
    """A speech engine failed; the call went on as ``consequence`` says."""

    engine: str
    reason: str
    consequence: str


class RecordingHasStarted(Fact, frozen=True):
    """The file is open; what is recorded begins with this moment."""

    path: str


class RecordingWasPaused(Fact, frozen=True):
    """From now on silence is recorded. ``by``: agent, or the name of a supervisor."""

    by: str


class RecordingWasResumed(Fact, frozen=True):
    """From now on what is heard is recorded again."""

    by: str


class RecordingHasEnded(Fact, frozen=True):
    """Where the audio is."""

    path: str
    samples: int
    dropped_samples: int


class RecordingHasFailed(Fact, frozen=True):
    """The recorder stopped; the call went on."""

    path: str
    reason: str


class RecordingWasDiscarded(Fact, frozen=True):
    """The audio that there was is removed; nothing of it is left."""

    path: str


class DisclosureWasMade(Fact, frozen=True):
    """The caller was told ``text``, for example that no person speaks; ``heard`` is what was played of it."""

    text: str
    heard: str
    interrupted: bool


class ConsentWasGiven(Fact, frozen=True):
    """The caller said yes to ``question``; ``answer`` in their own words or keys."""

    question: str
    answer: str


class ConsentWasRefused(Fact, frozen=True):
    """The caller said no to ``question``, or nothing that could be taken for a yes (an empty ``answer``)."""

    question: str
    answer: str


class CallHasEnded(Fact, frozen=True):
    """The last fact of every call."""

    cause: str
    side: str
    failure: bool
    q850: int
    text: str
    duration_ms: float


AnyFact: TypeAlias = (
    CallWasOffered
    | CallWasIntroduced
    | CallWasRouted
    | CallWasHeardEarly
    | CallWasAnswered
    | CallWasHeld
    | MediaHasMoved
    | ToneWasHeard
    | AgentSpoke
    | CallerSpoke
    | CallerWasSilent
    | TurnWasTimed
    | CallerBargedIn
    | CallerWasBackground
    | KeyWasPressed
    | KeysWereSent
    | SlotWasFilled
    | WebhookWasCalled
    | WebhookHasReturned
    | ToolWaitsForApproval
    | ToolWasApproved
    | ToolWasRefused
    | ToolWasWithdrawn
    | ToolHasFailed
    | ServiceHasMoved
    | LanguageHasChanged
    | SpeechHasFailed
    | RecordingHasStarted
    | RecordingWasPaused
    | RecordingWasResumed
    | RecordingHasEnded
    | RecordingHasFailed
    | RecordingWasDiscarded
    | CaptureHasStarted
    | CaptureHasEnded
    | DisclosureWasMade
    | ConsentWasGiven
    | ConsentWasRefused
    | MediaWasMeasured
    | AudioWasMissing
    | MediaQualityHasChanged
    | TransferHasBegun
    | TransferHasProgressed
    | TransferHasFailed
    | CallerWasConnected
    | CallerWasMoved
    | FarEndWasReferred
    | ReferralHasFailed
    | FarEndWasReplaced
    | MessageWasReceived
    | AnnouncementWasMade
    | SupervisorHasJoined
    | SupervisorModeHasChanged
    | SupervisorHasLeft
    | SupervisorSpoke
    | CalleeSpoke
    | CallWasOrdered
    | RecordingWasDescribed
    | StreamWasAgreed
    | StreamWasPaused
    | StreamHasEnded
    | ParticipantSpoke
    | SipWasTraced
    | TrunkHasFailed
    | CallWasBarred
    | CallHasEnded
)


class Entry(msgspec.Struct, frozen=True):
    """One line of the log: the fact, its number in the call, and when it became known."""

    seq: int
    at_ms: float
    data: AnyFact


_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Entry] = msgspec.json.Decoder(Entry)


def encode_entry(entry: Entry) -> bytes:
    """One JSON line, with its newline."""
    return encoded(_encoder, entry) + b"\n"


def decode_entry(line: bytes) -> Entry:
    """Parse one line; raises ``msgspec.DecodeError``."""
    return _decoder.decode(line)
