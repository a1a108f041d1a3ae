"""The trace of a call: a fold of its facts, and of the work that others did for it, once it is over.

::

    call                          INVITE to BYE; why it ended, by cause, side, Q.850 and SIP status
    ├── leg caller                and leg callee, leg supervisor, leg stream
    │   ├── set-up                all INVITEs up to the answered one, with their provisional responses
    │   │   └── INVITE            a transaction: SERVER where the peer asked, CLIENT where we did
    │   └── BYE, INFO, REFER …
    ├── agent speech              before the first turn
    ├── turn                      from the caller's first sound to the end of the answer
    │   ├── caller speech
    │   ├── endpointing, asr, agent, tts, playout     the latency, stage by stage; work of the agent is in its stage
    │   ├── recognise, speak      what engines did; as the agent's work, in the turn alone where it was ahead
    │   └── agent speech
    ├── recording, hold, transfer, supervision, webhook, approval
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from voicegw.base.personal import PersonalView
from voicegw.base.trace_context import TraceContext
from voicegw.call import facts as f
from voicegw.call.facts import AnyFact, Entry
from voicegw.telemetry.sip_spans import SipSpans
from voicegw.telemetry.span import Draft, Span, SpanKind, ours
from voicegw.telemetry.stretches import Lasting, Stretches
from voicegw.telemetry.turn_spans import TurnSpans
from voicegw.telemetry.work import WorkDone

MOST_EVENTS: Final = 128
"""Of one call, besides its spans: that of a call on a bad line all day stays readable."""


@dataclass(frozen=True, slots=True)
class TracedCall:
    """Everything of a call that is over. ``entries`` are its facts in their order; ``dropped`` were too many.

    ``context`` is that of its own span, ``parent_id`` the span of somebody else that it is a part of, or "".
    """

    context: TraceContext
    parent_id: str
    entries: tuple[Entry, ...]
    works: tuple[WorkDone, ...] = ()
    dropped: int = 0


def spans_of(call: TracedCall, view: PersonalView) -> tuple[Span, ...]:
    """The spans of a call, the whole of it first. ``view``: what of people may be seen."""
    return _CallSpans(view).spans(call)


class _CallSpans:
    """One call on its way to becoming spans."""

    def __init__(self, view: PersonalView) -> None:
        self._view = view
        self._root = Draft("call", 0.0, kind=SpanKind.SERVER)
        self._sip = SipSpans()
        self._turns = TurnSpans()
        self._stretches = Stretches(view)
        self._answered_ms: float | None = None

    def spans(self, call: TracedCall) -> tuple[Span, ...]:
        for entry in call.entries:
            self._take(entry.data, entry.at_ms)
        last_ms = call.entries[-1].at_ms if call.entries else 0.0
        root = self._root
        legs = self._sip.drafts(self._answered_ms, last_ms)
        self._place(call.works)
        root.children += [*legs, *self._turns.unasked, *self._turns.turns, *self._stretches.drafts]
        root.start_ms = min([0.0, *(leg.start_ms for leg in legs)])
        root.end_ms = max([last_ms, *(leg.end_ms or 0.0 for leg in legs)])
        self._end_of(legs)
        if call.dropped:
            root.attributes |= ours({"trace.dropped": call.dropped})
        root.span_id = call.context.span_id
        return tuple(root.finished(call.context.trace_id, call.parent_id, root.end_ms))

    # ------------------------------------------------------------ facts

    def _take(self, fact: AnyFact, at_ms: float) -> None:
        match fact:
            case f.SipWasTraced() | f.MediaWasMeasured() | f.TrunkHasFailed():
                self._sip.take(fact, at_ms)
            case f.CallerSpoke() | f.TurnWasTimed() | f.AgentSpoke():
                self._turns.take(fact)
            case f.CallWasOffered() | f.CallWasIntroduced() | f.CallWasRouted() | f.CallHasEnded():
                self._frame(fact)
            case f.CallWasAnswered():
                self._answered(fact, at_ms)
            case _ if isinstance(fact, Lasting):
                self._stretches.take(fact, at_ms)
            case _ if len(self._root.events) < MOST_EVENTS:
                self._moment(fact, at_ms)
            case _:
                pass

    def _frame(self, fact: f.CallWasOffered | f.CallWasIntroduced | f.CallWasRouted | f.CallHasEnded) -> None:
        """What is true of the whole call."""
        show = self._view.show
        told: dict[str, str | int | float | bool]
        match fact:
            case f.CallWasOffered():
                if fact.direction == "out":
                    self._root.kind = SpanKind.CLIENT
                told = {"call.id": fact.call_id, "sip.call_id": fact.sip_call_id, "call.direction": fact.direction}
                people = {"called": fact.called, "calling": fact.calling, "display_name": fact.display_name}
                told |= {f"call.{name}": show(value) for name, value in people.items()}
            case f.CallWasIntroduced():
                told = {"call.trunk": fact.trunk, "call.withheld": fact.withheld, "call.verified": fact.verified}
                told |= {"call.attestation": fact.attestation, "call.diversion_reason": fact.diversion_reason}
                told |= {"call.original_called": show(fact.original_called)}
            case f.CallWasRouted():
                told = {"call.route": fact.route, "call.agent": fact.agent}
                told |= {"call.language": fact.languages[0] if fact.languages else ""}
            case f.CallHasEnded():
                told = {"end.cause": fact.cause, "end.side": fact.side, "end.q850": fact.q850}
                self._root.failure = fact.cause if fact.failure else None
        self._root.attributes |= ours(told)

    def _answered(self, fact: f.CallWasAnswered, at_ms: float) -> None:
        """It is told again when the codec changes."""
        again = self._answered_ms is not None
        if not again:
            self._answered_ms = at_ms
            self._root.attributes |= ours({"media.codec": fact.codec})
        self._root.note("codec changed" if again else "answered", at_ms, {"media.codec": fact.codec})

    def _moment(self, fact: AnyFact, at_ms: float) -> None:
        note = self._root.note
        match fact:
            case f.CallWasHeardEarly():
                note("heard early", at_ms, {"media.codec": fact.codec})
            case f.CallerBargedIn():
                note("barge-in", at_ms, {"barge_in.by": fact.by, "barge_in.stop_ms": fact.stop_ms})
            case f.CallerWasBackground():
                note("background sound", at_ms, {"paused_ms": fact.paused_ms})
            case f.CallerWasSilent():
                note("silence", at_ms)
            case f.ServiceHasMoved():
                note("service moved", at_ms, {"service": fact.to})
            case f.SpeechHasFailed():
                note("speech failed", at_ms, {"speech.engine": fact.engine, "speech.consequence": fact.consequence})
            case f.ToolHasFailed():
                note("tool failed", at_ms, {"tool.name": fact.tool, "tool.status": fact.status})
            case f.LanguageHasChanged():
                note("language changed", at_ms, {"call.language": fact.language})
            case _:
                self._moment_of_line(fact, at_ms)

    def _moment_of_line(self, fact: AnyFact, at_ms: float) -> None:
        note = self._root.note
        match fact:
            case f.MediaHasMoved():
                note("media moved", at_ms)
            case f.ToneWasHeard():
                note("tone", at_ms, {"leg.role": fact.party, "tone": fact.tone})
            case f.AudioWasMissing():
                told = {"media.direction": fact.direction, "media.reason": fact.reason}
                note("audio missing", at_ms, {"leg.role": fact.leg} | told)
            case f.MediaQualityHasChanged():
                quality = {"media.mos": fact.mos, "media.loss_percent": fact.loss_percent}
                note("quality", at_ms, {"leg.role": fact.leg, **quality})
            case f.FarEndWasReplaced():
                note("far end replaced", at_ms, {"leg.role": fact.leg})
            case f.CallWasOrdered():
                note("ordered", at_ms, {"order": fact.what})
            case _:
                pass

    # ------------------------------------------------------------ the end

    def _place(self, works: Iterable[WorkDone]) -> None:
        """Work belongs to the work that it was begun in, else to what went on when it began."""
        drafts = {work.span_id: work.draft() for work in works}
        for work in works:
            parent = drafts.get(work.parent_id) or self._stretches.host(work.start_ms)
            parent = parent or self._turns.host(work.start_ms) or self._root
            parent.children.append(drafts[work.span_id])

    def _end_of(self, legs: list[Draft]) -> None:
        """What SIP said to the caller's INVITE in the end is true of the whole call, too."""
        caller = next((leg for leg in legs if leg.name == "leg caller"), None)
        set_up = next((one for one in caller.children if one.name == "set-up"), None) if caller else None
        status = set_up.attributes.get("voicegw.sip.status_code") if set_up else None
        if status is not None:
            self._root.attributes |= ours({"sip.status_code": status})
