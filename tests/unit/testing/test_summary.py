from __future__ import annotations

from voicegw.base.ids import CallId, UtteranceId
from voicegw.call import facts as f
from voicegw.call.facts import AnyFact, Entry
from voicegw.call.record import CallRecord, fold
from voicegw.testing.summary import clock, summary_page, timing_text, transcript_text

TIMING = f.TurnWasTimed(700.0, 60.0, 5.0, 90.0, 15.0, 870.0)
FACTS: tuple[AnyFact, ...] = (
    f.CallWasOffered(CallId("c"), "sip", "demo", "alice", "", "2026-03-01T09:30:00.000+00:00"),
    f.CallWasRouted("desk", "reception"),
    f.AgentSpoke(UtteranceId("1"), "Hello.", "Hello.", True, False, 100.0, 900.0),
    f.CallerSpoke("opening hours", 0.9, "", 1500.0, 2600.0),
    TIMING,
    f.AgentSpoke(UtteranceId("2"), "We open at nine.", "We open", False, True, 3470.0, 4000.0),
    f.CallerBargedIn(UtteranceId("2"), 83.0, "speech"),
    f.CallerSpoke("", 1.0, "42", 4000.0, 4500.0),
    f.SlotWasFilled("room", "42", True),
    f.RecordingHasEnded("/calls/c.wav", 48000, 0),
    f.MediaWasMeasured(300, 290, 4, 2, 0, 1.25),
    f.CallHasEnded("agent_hangup", "agent", False, 16, "the agent ended the call", 65_432.0),
)


def record() -> CallRecord:
    return fold(Entry(number, 0.0, fact) for number, fact in enumerate(FACTS))


def test_times_are_written_for_people() -> None:
    assert [clock(ms) for ms in (0, 940, 61_200, 3_600_000)] == ["0:00.0", "0:00.9", "1:01.2", "60:00.0"]


def test_a_turn_is_timed_stage_by_stage() -> None:
    assert timing_text(TIMING) == (
        "answered 870 ms after their last sound: 700 end of turn, "
        "60 recognition, 5 agent, 90 first audio, 15 playout"
    )


def test_the_transcript_shows_keys_and_interruptions() -> None:
    lines = [transcript_text(line) for line in record().transcript]
    assert lines == [
        " 0:00.1  agent  Hello.",
        " 0:01.5  caller opening hours",
        " 0:03.5  agent  We open — (interrupted)",
        " 0:04.0  caller [keys 42]",
    ]


def test_the_page_of_a_good_call_holds_all_there_is_to_know() -> None:
    page = summary_page(record(), [("opening hours", "opening hours")], [])
    for part in (
        "from alice to demo, 2026-03-01T09:30:00.000+00:00, 1:05.4 long",
        "desk, reception",
        "ended by the agent: the agent ended the call",
        "/calls/c.wav",
        "answered 870 ms",
        "| opening hours | opening hours |",
        "room = 42",
        "Interrupted by speech: the agent's last packet left 83 ms after it.",
        "Packets received 290, lost 4, late 2, jitter 1.2 ms.",
        "The conversation took place.",
    ):
        assert part in page


def test_problems_take_the_place_of_the_verdict() -> None:
    page = summary_page(record(), [], ["the caller is not audible"])
    assert "- the caller is not audible" in page
    assert "The conversation took place." not in page


def test_a_call_without_facts_still_has_a_page() -> None:
    page = summary_page(fold(()), [], ["no call"])
    assert page.startswith("# Summary of a call")
    assert "Understood in the end: nothing." in page


def test_a_timing_belongs_to_the_first_utterance_after_it() -> None:
    heard = [line for line in record().transcript if line.timing]
    assert [line.text for line in heard] == ["We open"]
