"""From the facts of a call to its spans."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.telemetry.story import CALLER, CONTEXT, FACTS, PERSONAL, TRACE, traced, tree
from voicegw.base.personal import Disclosure, PersonalView
from voicegw.call import facts as f
from voicegw.ports.tracing import WorkKind
from voicegw.telemetry.call_spans import MOST_EVENTS, spans_of
from voicegw.telemetry.span import Span, SpanKind
from voicegw.telemetry.work import WorkDone

DROP = PersonalView(Disclosure.DROP)
KEEP = PersonalView(Disclosure.KEEP)


def named(spans: tuple[Span, ...], name: str) -> Span:
    (found,) = [span for span in spans if span.name == name]
    return found


def work(name: str, start_ms: float, end_ms: float, span_id: str = "aa", parent_id: str = "") -> WorkDone:
    return WorkDone(name, WorkKind.ELSEWHERE, span_id, parent_id, start_ms, end_ms, {}, (), None)


def test_a_call_from_invite_to_bye() -> None:
    assert tree(spans_of(traced(), DROP)) == [
        "call -2-9003",
        "  leg caller -2-9001",
        "    set-up -2-110",
        "      INVITE -2-3",
        "      INVITE 10-110",
        "    INVITE 5000-5002",
        "    BYE 9000-9001",
        "  recording 130-9001",
        "  agent speech 150-1400",
        "  turn 2000-4400",
        "    caller speech 2000-2300",
        "    endpointing 2300-2600",
        "    asr 2600-2700",
        "    agent 2700-3100",
        "    tts 3100-3250",
        "    playout 3250-3300",
        "    agent speech 3300-4400",
        "  turn 4600-4600",
        "  webhook 4610-4700",
        "  hold 5001-5500",
        "  transfer 5990-6010",
        "  leg callee 6000-6011",
        "    set-up 6000-6011",
        "      INVITE 6000-6011",
        "  supervision 7000-8000",
        "    listen 7000-7500",
        "    whisper 7500-8000",
    ]


def test_what_a_transaction_tells() -> None:
    spans = spans_of(traced(), DROP)
    challenged, invited = [one for one in spans if one.name == "INVITE" and one.start_ms < 50]
    assert [event.name for event in challenged.events] == ["authentication challenge", "ACK"]
    assert challenged.attributes["voicegw.sip.status_code"] == 401 and challenged.failure is None
    assert [event.name for event in invited.events] == ["SIP 100", "retransmission", "SIP 180", "SIP 200", "ACK"]
    assert invited.kind is SpanKind.SERVER
    assert invited.attributes["network.peer.address"] == "192.0.2.1"
    assert invited.attributes["network.peer.port"] == 5070
    assert invited.attributes["network.transport"] == "udp"
    called = next(one for one in spans if one.name == "INVITE" and one.start_ms == 6000)
    assert called.kind is SpanKind.CLIENT and called.failure == "486"
    assert named(spans, "BYE").attributes["voicegw.sip.status_code"] == 200


def test_the_whole_call_says_how_it_came_and_why_it_ended() -> None:
    spans = spans_of(traced(), DROP)
    root = spans[0]
    assert root.span_id == CONTEXT.span_id and root.parent_id == "" and root.kind is SpanKind.SERVER
    told = {name.removeprefix("voicegw."): value for name, value in root.attributes.items()}
    assert told["end.cause"] == "caller_hangup" and told["end.q850"] == 16 and told["sip.status_code"] == 200
    assert told["call.trunk"] == "carrier" and told["call.agent"] == "clerk" and told["media.codec"] == "PCMA"
    assert root.failure is None
    assert [event.name for event in root.events] == ["answered", "barge-in"]
    assert named(spans, "leg caller").attributes["voicegw.media.mos"] == 4.2
    assert named(spans, "transfer").failure == "busy"
    assert named(spans, "webhook").failure == "503"


def test_a_call_that_failed_is_an_error() -> None:
    facts = (*FACTS[:-1], (9003.0, f.CallHasEnded("media_lost", "ours", True, 41, "", 9003.0)))
    assert spans_of(traced(facts=facts), DROP)[0].failure == "media_lost"


def test_nothing_of_a_person_is_seen_unless_it_is_wished() -> None:
    dropped, kept = repr(spans_of(traced(), DROP)), repr(spans_of(traced(), KEEP))
    for one in PERSONAL:
        assert one not in dropped
    assert CALLER in kept
    pseudonym = PersonalView(Disclosure.HASH, b"key").show(CALLER)
    hashed = repr(spans_of(traced(), PersonalView(Disclosure.HASH, b"key")))
    assert pseudonym in hashed and CALLER not in hashed


def test_words_and_keys_are_in_no_trace_at_all() -> None:
    kept = repr(spans_of(traced(), KEEP))
    assert "account" not in kept and "4711" not in kept and "Hello" not in kept


def test_work_belongs_to_what_went_on_when_it_began() -> None:
    thinking = work("chat m", 2750.0, 3050.0, "aaaaaaaaaaaaaaaa")
    inside = work("POST", 2800.0, 2900.0, "bbbbbbbbbbbbbbbb", "aaaaaaaaaaaaaaaa")
    asked = work("GET", 4620.0, 4690.0, "cccccccccccccccc")
    early = work("warm", 1.0, 2.0, "dddddddddddddddd")
    spans = spans_of(traced(thinking, inside, asked, early), DROP)
    ids = {span.span_id: span for span in spans}
    assert ids[ids["aaaaaaaaaaaaaaaa"].parent_id].name == "agent"
    assert ids["bbbbbbbbbbbbbbbb"].parent_id == "aaaaaaaaaaaaaaaa"
    assert ids[ids["cccccccccccccccc"].parent_id].name == "webhook"
    assert ids[ids["dddddddddddddddd"].parent_id].name == "call"


def test_without_messages_the_set_up_is_what_the_call_knows() -> None:
    facts = tuple((at_ms, fact) for at_ms, fact in FACTS if not isinstance(fact, f.SipWasTraced))
    lines = tree(spans_of(traced(facts=facts), DROP))
    assert lines[:3] == ["call 0-9003", "  leg caller 0-9003", "    set-up 0-100"]


def test_what_was_prepared_ahead_has_no_length() -> None:
    facts: tuple[tuple[float, f.AnyFact], ...] = (
        (900.0, f.TurnWasTimed(500.0, -100.0, -150.0, 50.0, 100.0, 400.0, speculated=True)),
        (900.0, f.CallerSpoke("x", 1.0, "", 0.0, 500.0)),
    )
    spans = spans_of(traced(facts=facts), DROP)
    turn = named(spans, "turn")
    assert turn.attributes["voicegw.turn.speculated"] is True and turn.end_ms == 900.0
    assert named(spans, "asr").start_ms == named(spans, "asr").end_ms == 900.0
    assert named(spans, "tts").start_ms == 750.0


def test_a_bad_line_all_day_stays_readable() -> None:
    bad = [(float(n), f.MediaQualityHasChanged("caller", 2.0, 0.0, 9.0, 30.0)) for n in range(MOST_EVENTS * 3)]
    assert len(spans_of(traced(facts=tuple(bad)), DROP)[0].events) == MOST_EVENTS


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(FACTS), max_size=40))
def test_any_facts_in_any_order_make_one_tree(facts: list[tuple[float, f.AnyFact]]) -> None:
    spans = spans_of(traced(facts=tuple(facts)), DROP)
    ids = {span.span_id for span in spans}
    assert len(ids) == len(spans)
    assert [span for span in spans if span.parent_id not in ids] == [spans[0]]
    assert all(span.end_ms >= span.start_ms for span in spans)


def test_ids_are_those_of_the_trace_context() -> None:
    for span in spans_of(traced(), DROP):
        assert len(bytes.fromhex(span.span_id)) == 8
    assert len(bytes.fromhex(TRACE)) == 16
