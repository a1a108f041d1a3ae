"""A call as its facts tell it: challenged, answered, a turn, held, transferred in vain, watched, recorded, over."""

from __future__ import annotations

from voicegw.base.ids import CallId, UtteranceId
from voicegw.base.trace_context import TraceContext, span_id_of, trace_id_of
from voicegw.call import facts as f
from voicegw.call.facts import AnyFact, Entry
from voicegw.telemetry.call_spans import TracedCall
from voicegw.telemetry.span import Span
from voicegw.telemetry.work import WorkDone

CALL = CallId("call0000000000")
TRACE = trace_id_of(CALL)
CONTEXT = TraceContext(TRACE, span_id_of(TRACE, "call"), True)
CALLER, CALLED, NAME, DESK = "+4930123456", "+4989654321", "Erika Mustermann", "sip:+4940777888@desk.example"
WORDS, KEYS = "my account is nine eight seven", "4711"
PERSONAL = (CALLER, CALLED, NAME, "+4940777888", WORDS, "Boss", KEYS)


def step(at_ms: float, line: str, cseq: str, *, sent: bool, again: bool = False, reason: str = "") -> f.SipStep:
    return f.SipStep(at_ms, sent, line, cseq, "192.0.2.2:5060", "192.0.2.1:5070", "udp", reason, again)


STEPS = (
    step(-2.0, f"INVITE sip:{CALLED}@x SIP/2.0", "1 INVITE", sent=False),
    step(-1.0, "SIP/2.0 401 Unauthorized", "1 INVITE", sent=True),
    step(3.0, "ACK sip:x SIP/2.0", "1 ACK", sent=False),
    step(10.0, f"INVITE sip:{CALLED}@x SIP/2.0", "2 INVITE", sent=False),
    step(11.0, "SIP/2.0 100 Trying", "2 INVITE", sent=True),
    step(12.0, f"INVITE sip:{CALLED}@x SIP/2.0", "2 INVITE", sent=False, again=True),
    step(20.0, "SIP/2.0 180 Ringing", "2 INVITE", sent=True),
    step(100.0, "SIP/2.0 200 OK", "2 INVITE", sent=True),
    step(110.0, "ACK sip:x SIP/2.0", "2 ACK", sent=False),
    step(5000.0, "INVITE sip:x SIP/2.0", "3 INVITE", sent=False),
    step(5001.0, "SIP/2.0 200 OK", "3 INVITE", sent=True),
    step(5002.0, "ACK sip:x SIP/2.0", "3 ACK", sent=False),
    step(9000.0, "BYE sip:x SIP/2.0", "4 BYE", sent=False, reason="Q.850;cause=16"),
    step(9001.0, "SIP/2.0 200 OK", "4 BYE", sent=True),
)
CALLEE = (
    step(6000.0, f"INVITE {DESK} SIP/2.0", "7 INVITE", sent=True),
    step(6010.0, "SIP/2.0 486 Busy Here", "7 INVITE", sent=False),
    step(6011.0, f"ACK {DESK} SIP/2.0", "7 ACK", sent=True),
)

FACTS: tuple[tuple[float, AnyFact], ...] = (
    (0.0, f.CallWasOffered(CALL, "sip-id@x", CALLED, CALLER, NAME, "2026-11-23T10:00:00.000+00:00")),
    (0.0, f.CallWasIntroduced(trunk="carrier")),
    (0.0, f.CallWasRouted("main", "clerk", ("de-DE",))),
    (100.0, f.CallWasAnswered("PCMA", "192.0.2.1:4000")),
    (130.0, f.RecordingHasStarted("/data/x.wav")),
    (1500.0, f.AgentSpoke(UtteranceId("u1"), "Hello", "Hello", True, False, 150.0, 1400.0)),
    (3300.0, f.TurnWasTimed(300.0, 100.0, 400.0, 150.0, 50.0, 1000.0)),
    (3300.0, f.CallerSpoke(WORDS, 0.9, "", 2000.0, 2300.0)),
    (3400.0, f.CallerBargedIn(UtteranceId("u2"), 80.0, "speech")),
    (4500.0, f.AgentSpoke(UtteranceId("u2"), "Yes", "Yes", True, True, 3300.0, 4400.0)),
    (4600.0, f.CallerSpoke("", 1.0, KEYS, 4600.0, 4600.0)),
    (4610.0, f.WebhookWasCalled("lookup", "GET", f"http://x/?caller={CALLER}")),
    (4700.0, f.WebhookHasReturned("lookup", 503, "HTTP status 503")),
    (5001.0, f.CallWasHeld(True)),
    (5500.0, f.CallWasHeld(False)),
    (5990.0, f.TransferHasBegun("bridged", "desk", DESK, WORDS)),
    (6010.0, f.TransferHasFailed("busy", 486)),
    (7000.0, f.SupervisorHasJoined("Boss")),
    (7500.0, f.SupervisorModeHasChanged("Boss", "whisper", 12.0)),
    (7600.0, f.SupervisorSpoke("Boss", "agent", WORDS, 7500.0, 7600.0)),
    (8000.0, f.SupervisorHasLeft("Boss", "hangup", False)),
    (9001.0, f.RecordingHasEnded("/data/x.wav", 70000, 0)),
    (9002.0, f.MediaWasMeasured(400, 410, 2, 0, 0, 1.5, "caller", 4.2, 20.0)),
    (9003.0, f.SipWasTraced("caller", "", STEPS)),
    (9003.0, f.SipWasTraced("callee", "desk", CALLEE)),
    (9003.0, f.CallHasEnded("caller_hangup", "caller", False, 16, "the caller hung up", 9003.0)),
)


def entries(facts: tuple[tuple[float, AnyFact], ...] = FACTS) -> tuple[Entry, ...]:
    return tuple(Entry(seq, at_ms, fact) for seq, (at_ms, fact) in enumerate(facts))


def traced(*works: WorkDone, facts: tuple[tuple[float, AnyFact], ...] = FACTS) -> TracedCall:
    return TracedCall(CONTEXT, "", entries(facts), works)


def tree(spans: tuple[Span, ...]) -> list[str]:
    """One line a span, indented under its parent, in the order of their begin."""
    children: dict[str, list[Span]] = {}
    for span in spans:
        children.setdefault(span.parent_id, []).append(span)
    lines: list[str] = []

    def write(parent_id: str, depth: int) -> None:
        for span in sorted(children.get(parent_id, []), key=lambda one: one.start_ms):
            lines.append(f"{'  ' * depth}{span.name} {span.start_ms:g}-{span.end_ms:g}")
            write(span.span_id, depth + 1)

    write("", 0)
    return lines
