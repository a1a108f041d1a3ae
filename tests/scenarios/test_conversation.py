"""Whole conversations on a manual clock: what the caller hears, and what the record says of it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from tests.scenarios.house import LEG, House
from voicegw.agents.actions import DtmfPolicy, Gather, Hangup, Say
from voicegw.agents.agent import TurnKind
from voicegw.base.causes import HangupCause
from voicegw.call import facts as f
from voicegw.call.events import MediaLost, ShutdownRequested
from voicegw.media import messages as m
from voicegw.ports.asr import AsrFailed
from voicegw.runtime.mail import MediaChanged
from voicegw.sdp.negotiate import MediaSession

ASK = Gather(no_input_ms=5000)
KEYS = Gather(no_input_ms=5000, dtmf=DtmfPolicy(max_digits=3))


def play(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)


def spoken(house: House) -> list[tuple[str, bool]]:
    return [(fact.heard, fact.interrupted) for fact in house.facts.of(f.AgentSpoke)]  # type: ignore[attr-defined]


def test_a_greeting_a_turn_an_answer_and_a_goodbye() -> None:
    async def story() -> None:
        house = House([[Say("Hello."), ASK], [Say("Goodbye."), Hangup()]])
        await house.answer()
        await house.run(1.0)
        await house.caller_says("that is all")
        assert house.agent.turns[-1].text == "that is all"
        await house.run(2.0)
        assert house.signalling.said == ["ring", "accept", "hangup agent_hangup"]
        assert spoken(house) == [("Hello.", False), ("Goodbye.", False)]
        timing = house.facts.of(f.TurnWasTimed)[0]
        assert isinstance(timing, f.TurnWasTimed)
        assert timing.total_ms >= timing.endpointing_ms >= timing.waited_ms == 650

    play(story())


def test_an_interruption_stops_the_agent_and_the_record_holds_only_what_was_heard() -> None:
    async def story() -> None:
        house = House([[Say("one two three four five six seven eight nine ten."), ASK], [Say("Yes?"), ASK]])
        await house.answer()
        await house.run(1.0)
        await house.caller_says("stop that please")
        await house.run(1.0)
        (heard, interrupted), (answer, _) = spoken(house)
        assert interrupted
        assert "one two three four five six seven eight nine ten.".startswith(heard)
        assert len(heard) < 30
        assert answer == "Yes?"
        assert house.agent.heard_texts[0] == heard
        assert house.facts.of(f.CallerBargedIn)

    play(story())


def test_a_cough_costs_a_short_gap_and_every_word_is_heard() -> None:
    async def story() -> None:
        house = House([[Say("one two three four five six seven eight nine ten."), ASK]])
        await house.answer()
        await house.run(0.5)
        await house.caller_starts()
        await house.run(0.2)
        await house.caller_stops()
        await house.run(4.0)
        assert spoken(house) == [("one two three four five six seven eight nine ten.", False)]
        assert house.facts.of(f.CallerWasBackground)
        assert len(house.agent.turns) == 1

    play(story())


def test_words_after_the_turn_join_it_when_nothing_was_audible_yet() -> None:
    async def story() -> None:
        house = House([[Say("Which day?"), ASK], [Say("Fine."), ASK]])
        await house.answer()
        await house.run(1.5)
        house.speaker.dead = False
        await house.caller_starts()
        await house.run(0.5)
        await house.hears("tuesday")
        await house.caller_stops()
        # The turn ends at the very moment at which the caller goes on.
        house.worker.paused = True
        await house.run(0.52)
        assert [turn.text for turn in house.agent.turns[1:]] == ["tuesday"]
        house.worker.paused = False
        await house.caller_starts()
        await house.run(0.3)
        await house.hears("in the morning")
        await house.caller_stops()
        await house.run(1.0)
        assert [turn.text for turn in house.agent.turns[1:]] == ["tuesday in the morning"]

    play(story())


def test_silence_is_prompted() -> None:
    async def story() -> None:
        house = House([[Say("Hello."), ASK], [Say("Are you there?"), ASK]])
        await house.answer()
        await house.run(6.0)
        assert house.agent.turns[-1].kind is TurnKind.NO_INPUT
        assert house.facts.of(f.CallerWasSilent)

    play(story())


def test_keys_cut_the_prompt_and_make_the_answer() -> None:
    async def story() -> None:
        house = House([[Say("Please key in your long number now."), KEYS], [Say("Thank you."), ASK]])
        await house.answer()
        await house.run(0.4)
        for digit in "123":
            house.call.post(m.DtmfReceived(LEG, digit, 100))
            await house.run(0.2)
        assert house.agent.turns[-1].dtmf == "123"
        await house.run(1.0)
        assert spoken(house)[0][1]
        assert spoken(house)[1] == ("Thank you.", False)

    play(story())


def test_a_dead_recogniser_is_admitted_once_and_works_again_later() -> None:
    async def story() -> None:
        house = House([[Say("Hello."), ASK], [Say("Please use the keypad."), KEYS], [Say("Good."), ASK]])
        await house.answer()
        await house.run(1.0)
        house.asr.dead = True
        await house.caller_starts()
        await house.run(0.5)
        assert house.agent.turns[-1].kind is TurnKind.ASR_DOWN
        await house.caller_stops()
        await house.run(1.5)
        await house.caller_starts()
        await house.run(0.5)
        await house.caller_stops()
        await house.run(1.0)
        assert len(house.agent.turns) == 2
        house.asr.dead = False
        await house.caller_says("hello again")
        assert house.agent.turns[-1].text == "hello again"

    play(story())


def test_a_recogniser_that_dies_in_mid_utterance_is_admitted() -> None:
    async def story() -> None:
        house = House([[Say("Hello."), ASK], [Say("Please use the keypad."), KEYS]])
        await house.answer()
        await house.run(1.0)
        await house.caller_starts()
        await house.run(0.3)
        assert house.asr.stream is not None
        house.asr.stream.give(AsrFailed("killed", retryable=True))
        await house.run(0.3)
        await house.caller_stops()
        await house.run(3.0)
        assert house.agent.turns[-1].kind is TurnKind.ASR_DOWN
        assert spoken(house)[-1] == ("Please use the keypad.", False)

    play(story())


def test_a_voice_that_fails_ends_the_call_instead_of_dead_air() -> None:
    async def story() -> None:
        house = House([[Say("Hello."), ASK]])
        house.speaker.dead = True
        await house.answer()
        await house.run(0.5)
        assert house.signalling.said[-1] == "hangup internal_error"

    play(story())


def test_an_agent_that_fails_apologises_and_ends_the_call() -> None:
    async def story() -> None:
        house = House([])
        await house.answer()
        await house.run(8.0)
        assert "something went wrong" in spoken(house)[0][0]
        assert house.signalling.said[-1] == "hangup internal_error"

    play(story())


def test_the_caller_hangs_up_in_mid_sentence() -> None:
    async def story() -> None:
        house = House([[Say("one two three four five six seven eight nine ten."), ASK]])
        await house.answer()
        await house.run(1.0)
        await house.hang_up()
        assert spoken(house)[0][1]
        assert any(isinstance(command, m.CloseLeg) for command in house.worker.commands)
        assert house.call.closed

    play(story())


def test_a_shutdown_says_goodbye() -> None:
    async def story() -> None:
        house = House([[Say("Hello."), ASK]])
        await house.answer()
        await house.run(1.0)
        house.call.post(ShutdownRequested())
        await house.run(8.0)
        assert "call again" in spoken(house)[-1][0]
        assert house.signalling.said[-1] == "hangup draining"

    play(story())


def test_a_lost_media_worker_ends_the_call_with_its_cause() -> None:
    async def story() -> None:
        house = House([[Say("Hello."), ASK]])
        await house.answer()
        house.call.post(MediaLost())
        await house.settle()
        assert house.signalling.said[-1] == "hangup media_lost"

    play(story())


def test_hold_silences_the_agent_and_resume_asks_again() -> None:
    async def story() -> None:
        house = House([[Say("Hello. How can I help you today?"), ASK], [Say("How can I help?"), ASK]])
        await house.answer()
        await house.run(0.5)
        held = MediaSession("192.0.2.1", 4000, "PCMU", 0, 0, send=False, receive=False)
        house.call.post(MediaChanged(LEG, held))
        await house.run(10.0)
        assert len(house.agent.turns) == 1
        house.call.post(MediaChanged(LEG, MediaSession("192.0.2.1", 4000, "PCMU", 0, 0)))
        await house.run(2.0)
        assert spoken(house)[-1] == ("How can I help?", False)
        assert house.facts.of(f.CallWasHeld) == [f.CallWasHeld(True), f.CallWasHeld(False)]

    play(story())


def test_no_port_means_503_and_not_silence() -> None:
    async def story() -> None:
        house = House([])
        house.worker.ports = False
        await house.answer()
        assert house.signalling.said == ["ring", "reject overloaded"]
        assert HangupCause.OVERLOADED.value.sip_status == 503

    play(story())
