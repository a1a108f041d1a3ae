"""The SIP ladder of a call, folded from its facts: what went over the wire as far as the facts tell it.

Retransmissions, ACKs and provisional answers that change nothing are no facts and so no steps.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from voicegw.base.causes import HangupCause
from voicegw.call.facts import CallHasEnded, CallWasAnswered, CallWasHeld, CallWasOffered, CallWasRouted, Entry

CALLER = "caller"
SERVER = "voicegw"


@dataclass(frozen=True, slots=True)
class Step:
    """One message. ``at_ms`` counts from the offer."""

    at_ms: float
    sender: str
    receiver: str
    message: str
    note: str = ""


def ladder(entries: Iterable[Entry]) -> list[Step]:
    """The steps in order."""
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
