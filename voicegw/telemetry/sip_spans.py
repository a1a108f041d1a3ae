"""What SIP said on each leg, as spans: a leg, its set-up, and every transaction in it (RFC 3261 §17)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from voicegw.call.line_facts import MediaWasMeasured, SipStep, SipWasTraced, TrunkHasFailed
from voicegw.telemetry.span import Draft, SpanKind, ours

_CHALLENGES: Final = (401, 407)
_NO_FAILURE: Final = (*_CHALLENGES, 487)
"""With credentials it goes on (§22); and who cancels an INVITE wants just this (§9.1)."""


@dataclass(slots=True)
class _Transaction:
    """``number`` and ``method`` are its CSeq; ``status`` that of the final response, 0 while there is none."""

    number: str
    method: str
    sent: bool
    draft: Draft
    status: int = 0


@dataclass(slots=True)
class _Leg:
    role: str
    party: str
    steps: list[SipStep] = field(default_factory=list)
    dropped: int = 0
    measured: MediaWasMeasured | None = None
    failed_trunks: list[tuple[TrunkHasFailed, float]] = field(default_factory=list)


class SipSpans:
    """Gathers what is known of legs; :meth:`drafts` makes spans of it when the call is over."""

    def __init__(self) -> None:
        self._legs: dict[tuple[str, str], _Leg] = {}

    def take(self, fact: SipWasTraced | MediaWasMeasured | TrunkHasFailed, at_ms: float) -> None:
        """The next fact of a leg, which became known at ``at_ms``."""
        match fact:
            case SipWasTraced():
                leg = self._leg(fact.leg, fact.party)
                leg.steps += fact.steps
                leg.dropped += fact.dropped
            case MediaWasMeasured():
                self._leg(fact.leg, fact.party).measured = fact
            case TrunkHasFailed():
                self._leg(fact.leg, "").failed_trunks.append((fact, at_ms))

    def drafts(self, answered_ms: float | None, end_ms: float) -> list[Draft]:
        """A span a leg. Where no message is kept, the set-up is what the call itself knows of it."""
        return [_draft_of(leg, answered_ms, end_ms) for leg in self._legs.values()]

    def _leg(self, role: str, party: str) -> _Leg:
        return self._legs.setdefault((role, party), _Leg(role, party))


def _draft_of(leg: _Leg, answered_ms: float | None, end_ms: float) -> Draft:
    steps = sorted(leg.steps, key=lambda step: step.at_ms)
    draft = Draft(f"leg {leg.role}", steps[0].at_ms if steps else 0.0)
    draft.end_ms = steps[-1].at_ms if steps else end_ms
    draft.attributes |= ours({"leg.role": leg.role})
    if leg.dropped:
        draft.attributes |= ours({"sip.messages_dropped": leg.dropped})
    if leg.measured is not None:
        draft.attributes |= _sound(leg.measured)
    for failed, at_ms in leg.failed_trunks:
        told = {"trunk": failed.trunk, "next_trunk": failed.next_trunk, "end.cause": failed.cause}
        draft.note("trunk failed", at_ms, {**told, "sip.status_code": failed.status})
    if steps:
        draft.children += _with_set_up(_transactions(steps))
    elif leg.role == "caller":
        draft.children.append(Draft("set-up", 0.0, end_ms if answered_ms is None else answered_ms))
    return draft


def _sound(measured: MediaWasMeasured) -> dict[str, str | int | float | bool]:
    told: dict[str, str | int | float | bool] = {
        "media.packets_sent": measured.packets_sent,
        "media.packets_received": measured.packets_received,
        "media.packets_lost": measured.packets_lost,
        "media.jitter_ms": measured.jitter_ms,
        "media.srtp": measured.srtp,
    }
    if measured.mos:
        told["media.mos"] = measured.mos
    if measured.round_trip_ms >= 0:
        told["media.round_trip_ms"] = measured.round_trip_ms
    if measured.peer_mos:
        told |= {
            "media.peer_lost": measured.peer_lost,
            "media.peer_jitter_ms": measured.peer_jitter_ms,
            "media.peer_mos": measured.peer_mos,
        }
    return ours(told)


# ---------------------------------------------------------------- transactions


def _transactions(steps: list[SipStep]) -> list[_Transaction]:
    found: list[_Transaction] = []
    for step in steps:
        number, _, method = step.cseq.partition(" ")
        if step.start_line.startswith("SIP/2.0 "):
            _take_response(found, step, number, method)
        else:
            _take_request(found, step, number, method)
    return found


def _take_request(found: list[_Transaction], step: SipStep, number: str, method: str) -> None:
    if method == "ACK":
        # Of an error it is part of the INVITE's transaction, of a success one of its own (§17.1.1.3, §13.2.2.4);
        # to who reads a trace it is the end of the INVITE in either case.
        invite = _open(found, number, "INVITE", sent=step.sent)
        if invite is not None:
            _note(invite, "ACK", step)
        return
    known = _open(found, number, method, sent=step.sent)
    if known is not None and step.again:
        _note(known, "retransmission", step)
        return
    kind = SpanKind.CLIENT if step.sent else SpanKind.SERVER
    draft = Draft(method, step.at_ms, step.at_ms, kind, _of_request(step, method))
    found.append(_Transaction(number, method, step.sent, draft))


def _take_response(found: list[_Transaction], step: SipStep, number: str, method: str) -> None:
    transaction = _open(found, number, method, sent=not step.sent)
    status = int(step.start_line[8:11]) if step.start_line[8:11].isdigit() else 0
    if transaction is None or not status:
        return
    if step.again:
        _note(transaction, "retransmission", step)
        return
    _note(transaction, "authentication challenge" if status in _CHALLENGES else f"SIP {status}", step)
    if status < 200:
        return
    transaction.status = status
    transaction.draft.attributes |= ours({"sip.status_code": status, "sip.reason": step.reason})
    if status >= 400 and status not in _NO_FAILURE:
        transaction.draft.failure = str(status)


def _open(found: list[_Transaction], number: str, method: str, *, sent: bool) -> _Transaction | None:
    """The last one with this CSeq: another attempt on the same leg may count from the same number."""
    for transaction in reversed(found):
        if (transaction.number, transaction.method, transaction.sent) == (number, method, sent):
            return transaction
    return None


def _note(transaction: _Transaction, name: str, step: SipStep) -> None:
    transaction.draft.note(name, step.at_ms)
    transaction.draft.end_ms = step.at_ms


def _of_request(step: SipStep, method: str) -> dict[str, str | int | float | bool]:
    transport = step.transport.lower()
    attributes: dict[str, str | int | float | bool] = {
        "network.protocol.name": "sip",
        "network.transport": "udp" if transport == "udp" else "tcp",
        **ours({"sip.method": method, "sip.transport": transport, "sip.reason": step.reason}),
    }
    for side, place in (("local", step.here), ("peer", step.peer)):
        host, _, port = place.rpartition(":")
        attributes[f"network.{side}.address"] = host.strip("[]")
        if port.isdigit():
            attributes[f"network.{side}.port"] = int(port)
    return attributes


def _with_set_up(transactions: list[_Transaction]) -> list[Draft]:
    """Every transaction, with those of the set-up within a span of that name."""
    part = _of_set_up(transactions)
    if not part:
        return [one.draft for one in transactions]
    first, last = part[0].draft, part[-1]
    ends = [one.draft.end_ms or one.draft.start_ms for one in part]
    set_up = Draft("set-up", first.start_ms, max(ends), children=[one.draft for one in part])
    set_up.attributes |= ours({"sip.attempts": sum(one.method == "INVITE" for one in part)})
    final = next((one for one in reversed(part) if one.method == "INVITE" and one.status), last)
    if final.status:
        set_up.attributes |= ours({"sip.status_code": final.status})
        set_up.failure = final.draft.failure
    return [set_up, *(one.draft for one in transactions if one not in part)]


def _of_set_up(transactions: list[_Transaction]) -> list[_Transaction]:
    """From the first INVITE to the answered one: challenges, redirections and other trunks are on the way."""
    part: list[_Transaction] = []
    for one in transactions:
        if not part and one.method != "INVITE":
            continue
        if one.method in ("INVITE", "CANCEL", "PRACK", "UPDATE"):
            part.append(one)
        if one.method == "INVITE" and 200 <= one.status < 300:
            break
    return part
