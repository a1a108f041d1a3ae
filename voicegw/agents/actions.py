"""What an agent wants done: the closed list of actions of a reply.

A reply is a sequence of actions and always ends with one that says what the call waits for: a :class:`Gather`
(listen for this), a :class:`Transfer`, a :class:`Hangup`, or, in a call that is not answered, :class:`AnswerCall`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from voicegw.agents.entities.slot import Value
from voicegw.base.causes import HangupCause


class Grammar(Protocol):
    """What the current question expects, as far as the endpointer needs to know it."""

    def is_complete(self, partial_text: str, /) -> bool:
        """Whether nothing more is to be expected after ``partial_text``: the turn may end early."""
        ...


@dataclass(frozen=True, slots=True)
class DtmfPolicy:
    """When keys make an answer.

    The answer is complete after ``max_digits`` keys, at ``terminator`` (not part of the answer; empty for
    none), or ``inter_digit_ms`` after the last key. ``max_digits`` 0: keys are ignored.
    """

    max_digits: int = 1
    terminator: str = "#"
    inter_digit_ms: int = 3000


NO_DTMF = DtmfPolicy(max_digits=0)


@dataclass(frozen=True, slots=True)
class Say:
    """Speak. ``voice`` and ``language`` are empty for the agent's own. A caller may cut it if interruptible."""

    text: str
    interruptible: bool = True
    voice: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Gather:
    """Listen, and end the reply.

    ``phrases`` and ``boost`` go to the recogniser (:class:`voicegw.ports.asr.AsrOptions`): all that would
    be understood here, and what this question expects. ``grammar`` tells when a partial text is a whole answer.
    ``no_input_ms`` of silence after the last word of the agent make a NO_INPUT turn. ``patient``: the caller
    dictates (a number, an address), so pauses inside the answer are normal and the endpointer must wait longer.
    """

    phrases: tuple[str, ...] = ()
    boost: tuple[str, ...] = ()
    grammar: Grammar | None = None
    dtmf: DtmfPolicy = NO_DTMF
    no_input_ms: int = 7000
    patient: bool = False
    sensitive: bool = False
    """Until the next question nothing is recorded, and the answer is not written down."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """Hand the caller over to ``target`` (a SIP URI or a name the runtime knows), and end the reply.

    ``apology`` is said, and the call ended, where the runtime knows no such target. ``kind`` is bridged, attended
    or blind, empty for the target's own; ``summary`` is what the target is told, empty for what the agent
    collected. Where the transfer does not come about, a turn of kind TRANSFER_FAILED follows.
    """

    target: str
    apology: str
    kind: str = ""
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Hangup:
    """End the call once everything said before has been heard, and end the reply."""

    cause: HangupCause = HangupCause.AGENT_HANGUP


@dataclass(frozen=True, slots=True)
class AnswerCall:
    """Answer the call once everything said before has been heard, and end the reply; a turn ANSWERED follows.

    For an agent that begins before the answer; in a call that is answered only the turn comes.
    """


@dataclass(frozen=True, slots=True)
class SendDtmf:
    """Send keys to the caller's side, by the way that is set for it: digits, ``*``, ``#``, A to D."""

    digits: str


@dataclass(frozen=True, slots=True)
class CallWebhook:
    """Told for the event log: the agent is calling a web service now. Nothing to carry out."""

    step: str
    method: str
    url: str


@dataclass(frozen=True, slots=True)
class WebhookReturned:
    """Told for the event log: the answer to the last :class:`CallWebhook`; ``status`` 0 and ``error`` if none."""

    step: str
    status: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class ServiceMoved:
    """Told for the event log: from now on ``to`` serves the call (``model:NAME`` or a rung of the ladder)."""

    to: str
    reason: str


@dataclass(frozen=True, slots=True)
class SwitchLanguage:
    """Hear and speak this one of the agent's languages from here on: recogniser, voice and back-channels."""

    language: str


@dataclass(frozen=True, slots=True)
class StepFinished:
    """A model that a script had handed a step to gives it back: ``outcome`` and what it found out, not checked yet
    by anyone else. For the script; nothing to carry out."""

    outcome: str
    values: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToolWaits:
    """Told for the event log: a tool waits ``within_s`` for a person to approve it, by its idempotency key."""

    key: str
    tool: str
    arguments: str
    within_s: float


@dataclass(frozen=True, slots=True)
class ToolJudged:
    """Told for the event log: what became of the last :class:`ToolWaits`; ``by`` is empty where nobody answered."""

    key: str
    tool: str
    approved: bool
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ToolFailed:
    """Told for the event log: a tool had no success; ``status`` is failed or unknown."""

    tool: str
    status: str


@dataclass(frozen=True, slots=True)
class SlotFilled:
    """Told for the event log: the agent understood ``value`` (plain text) for the variable ``name``."""

    name: str
    value: str
    confirmed: bool = False
    sensitive: bool = False


@dataclass(frozen=True, slots=True)
class Disclosing:
    """Told for the event log: ``text``, which is said next, is a disclosure; how much of it is heard is a fact."""

    text: str


@dataclass(frozen=True, slots=True)
class Concealing:
    """Told for the event log: ``text``, which is said next, repeats something sensitive and is not written down."""

    text: str


@dataclass(frozen=True, slots=True)
class ConsentAnswered:
    """The caller said yes or no to being recorded, in these words: the recorder and the transcript follow."""

    question: str
    answer: str
    given: bool


@dataclass(frozen=True, slots=True)
class PauseRecording:
    """From here on silence is recorded in place of what is heard, until another one says ``paused`` False."""

    paused: bool


AgentAction: TypeAlias = (
    Say
    | Gather
    | Transfer
    | Hangup
    | AnswerCall
    | SendDtmf
    | CallWebhook
    | WebhookReturned
    | ServiceMoved
    | SwitchLanguage
    | StepFinished
    | SlotFilled
    | ToolWaits
    | ToolJudged
    | ToolFailed
    | Disclosing
    | Concealing
    | ConsentAnswered
    | PauseRecording
)
Ending: TypeAlias = Gather | Transfer | Hangup | AnswerCall
