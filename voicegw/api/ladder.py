"""The SIP ladder of a call: every message of its legs, or, where none were kept, what its facts tell of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from voicegw.base.causes import HangupCause
from voicegw.call.facts import (
    CallHasEnded,
    CallWasAnswered,
    CallWasHeld,
    CallWasOffered,
    CallWasRouted,
    Entry,
    MediaHasMoved,
    SipStep,
    SipWasTraced,
)

CALLER = "caller"
SERVER = "voicegw"


@dataclass(frozen=True, slots=True)
class Step:
    """One message. ``at_ms`` counts from the offer; ``again``: a retransmission; ``text``: all of it, where kept.

    What stands after ``note`` is empty in a ladder that was folded from other facts.
    """

    at_ms: float
    sender: str
    receiver: str
    message: str
    note: str = ""
    cseq: str = ""
    transport: str = ""
    sender_address: str = ""
    receiver_address: str = ""
    again: bool = False
    text: str = ""


@dataclass(frozen=True, slots=True)
class Ladder:
    """``complete``: these are the messages themselves; else what other facts tell of them.

    ``dropped``: so many were too many to be kept, from the middle of a leg.
    """

    steps: tuple[Step, ...]
    complete: bool
    dropped: int = 0


def ladder(entries: Iterable[Entry]) -> Ladder:
    """The steps in order."""
    entries = tuple(entries)
    traced = [entry.data for entry in entries if isinstance(entry.data, SipWasTraced)]
    if not traced:
        return Ladder(tuple(_folded(entries)), complete=False)
    steps = [_step(trace, step) for trace in traced for step in trace.steps]
    steps.sort(key=lambda step: step.at_ms)
    return Ladder(tuple(steps), complete=True, dropped=sum(one.dropped for one in traced))


def _step(trace: SipWasTraced, step: SipStep) -> Step:
    near, far = (SERVER, step.here), (f"{trace.leg} {trace.party}".strip(), step.peer)
    sender, receiver = (near, far) if step.sent else (far, near)
    return Step(
        step.at_ms,
        sender[0],
        receiver[0],
        step.start_line,
        step.reason,
        step.cseq,
        step.transport,
        sender[1],
        receiver[1],
        step.again,
        step.text,
    )


def _folded(entries: Iterable[Entry]) -> list[Step]:
    steps: list[Step] = []
    answered = False
    for entry in entries:
        fact = entry.data
        match fact:
            case CallWasOffered():
                note = f"{fact.calling} calls {fact.called}, Call-ID {fact.sip_call_id}"
                steps.append(Step(entry.at_ms, CALLER, SERVER, "INVITE", note))
            case CallWasRouted() if fact.agent:
                steps.append(Step(entry.at_ms, SERVER, CALLER, "180 Ringing", f"route {fact.route}"))
            case CallWasAnswered():
                answered = True
                steps.append(Step(entry.at_ms, SERVER, CALLER, "200 OK", f"{fact.codec} with {fact.remote}"))
            case CallWasHeld():
                steps.append(Step(entry.at_ms, CALLER, SERVER, "INVITE", "hold" if fact.held else "resume"))
            case MediaHasMoved() if fact.party == CALLER:
                steps.append(Step(entry.at_ms, SERVER, CALLER, "INVITE", "our media are elsewhere"))
            case CallHasEnded():
                steps.append(_last(entry.at_ms, fact, answered))
            case _:
                pass
    return steps


def _last(at_ms: float, fact: CallHasEnded, answered: bool) -> Step:
    by_caller = fact.side == "caller"
    sender, receiver = (CALLER, SERVER) if by_caller else (SERVER, CALLER)
    if answered:
        return Step(at_ms, sender, receiver, "BYE", fact.text)
    if by_caller:
        return Step(at_ms, sender, receiver, "CANCEL", fact.text)
    status = next((c.value.sip_status for c in HangupCause if c.value.name == fact.cause), 500)
    return Step(at_ms, sender, receiver, str(status), fact.text)
