"""What callers hear before their call is answered, or in place of an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from tests.scenarios.house import LEG, House
from tests.unit.agents.talk import FakeHttp
from voicegw.agents.actions import AgentAction, AnswerCall, Gather, Hangup, Say
from voicegw.agents.agent import Agent, TurnKind
from voicegw.agents.announcing import AnnouncedAgent, RefusalAnnouncer
from voicegw.agents.flow_agent import FlowAgent
from voicegw.agents.load import parse_flow
from voicegw.base.causes import HangupCause
from voicegw.call import events as e
from voicegw.call import facts as f
from voicegw.media import messages as m
from voicegw.runtime.mail import EarlyMediaOffered

CHARGED = "This call is charged."
ASK = Gather(no_input_ms=5000)


def play(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)


async def offer(house: House, announced: Agent | None = None, refused: HangupCause | None = None) -> None:
    """An INVITE for an agent that begins before the answer, or for nobody."""
    house.call.note_route("route", "scripted", announced=announced)
    house.call.post(e.CallOffered(LEG))
    chosen = e.RouteChosen("scripted", early=True)
    house.call.post(chosen if refused is None else e.RouteRefused(refused, announced=True))
    await house.settle()


async def confirm(house: House) -> None:
    """The caller's ACK."""
    house.call.post(e.LegConfirmed(LEG))
    await house.settle()


def listens(house: House) -> list[bool]:
    """Of every session that the worker was told of: whether the caller is listened to."""
    return [command.vad for command in house.worker.commands if isinstance(command, m.ConfigureLeg)]


def spoken(house: House) -> list[str]:
    return [fact.heard for fact in house.facts.of(f.AgentSpoke)]  # type: ignore[attr-defined]


def scripted(text: str) -> FlowAgent:
    return FlowAgent(parse_flow(text), FakeHttp())


def test_an_agent_speaks_then_answers_then_goes_on() -> None:
    async def story() -> None:
        replies: list[list[AgentAction]] = [[Say(CHARGED), AnswerCall()], [Say("Hello."), ASK]]
        house = House(replies)
        await offer(house)
        assert house.signalling.said == ["early"]
        await house.run(1.0)
        assert house.signalling.said == ["early"], "not while the caller is being told so"
        await house.run(1.0)
        assert house.signalling.said == ["early", "accept"]
        assert len(house.agent.turns) == 1, "the caller's side has not taken notice yet"
        await confirm(house)
        await house.run(1.0)
        assert [turn.kind for turn in house.agent.turns] == [TurnKind.CALL_STARTED, TurnKind.ANSWERED]
        assert listens(house) == [False, True]
        assert spoken(house) == [CHARGED, "Hello."]
        kinds = [type(entry.data) for entry in house.facts.entries]
        assert kinds.index(f.CallWasHeardEarly) < kinds.index(f.AgentSpoke) < kinds.index(f.CallWasAnswered)
        await house.caller_says("thank you")
        assert house.agent.turns[-1].text == "thank you"

    play(story())


def test_a_call_is_recorded_from_its_answer_on(tmp_path: Path) -> None:
    async def story() -> None:
        house = House([[Say(CHARGED), AnswerCall()], [ASK]], recordings=tmp_path)
        await offer(house)
        await house.run(1.0)
        assert not [c for c in house.worker.commands if isinstance(c, m.StartRecording)]
        await house.run(1.0)
        assert len([c for c in house.worker.commands if isinstance(c, m.StartRecording)]) == 1

    play(story())


def test_an_agent_that_hangs_up_before_the_answer_refuses() -> None:
    async def story() -> None:
        house = House([[Say("Every line is taken."), Hangup(HangupCause.BUSY)]])
        await offer(house)
        await house.run(3.0)
        assert house.signalling.said == ["early", "reject busy"]
        assert spoken(house) == ["Every line is taken."]
        assert not house.facts.of(f.CallWasAnswered)

    play(story())


def test_a_route_is_announced_and_then_its_agent_answers() -> None:
    async def story() -> None:
        house = House([[Say("Hello."), ASK]])
        await offer(house, AnnouncedAgent(CHARGED, house.agent))
        await house.run(3.0)
        assert house.signalling.said == ["early", "accept"]
        assert house.agent.turns == []
        await confirm(house)
        await house.run(1.0)
        assert [turn.kind for turn in house.agent.turns] == [TurnKind.CALL_STARTED]
        assert spoken(house) == [CHARGED, "Hello."]

    play(story())


def test_a_refusal_is_announced() -> None:
    async def story() -> None:
        house = House([])
        refusal = RefusalAnnouncer("We are closed.", HangupCause.ROUTE_REJECTED)
        await offer(house, refusal, HangupCause.ROUTE_REJECTED)
        await house.run(3.0)
        assert house.signalling.said == ["early", "reject route_rejected"]
        assert spoken(house) == ["We are closed."]

    play(story())


def test_who_can_hear_nothing_early_hears_it_after_the_answer_or_not_at_all() -> None:
    async def story() -> None:
        house = House([[Say("Hello."), ASK]])
        house.signalling.hears_early = False
        await offer(house, AnnouncedAgent(CHARGED, house.agent))
        assert house.signalling.said == ["accept"]
        await confirm(house)
        await house.run(3.0)
        assert spoken(house) == [CHARGED, "Hello."]
        refused = House([])
        refused.signalling.hears_early = False
        await offer(refused, RefusalAnnouncer("No.", HangupCause.BUSY), HangupCause.BUSY)
        assert refused.signalling.said == ["reject busy"]

    play(story())


def test_an_offer_in_a_183_is_answered_before_anything_is_said() -> None:
    async def story() -> None:
        house = House([[Say(CHARGED), AnswerCall()], [ASK]])
        session, house.signalling.session = house.signalling.session, None
        await offer(house)
        await house.run(1.0)
        assert house.speaker.asked == []
        assert session is not None
        house.call.post(EarlyMediaOffered(LEG, session))
        house.call.post(EarlyMediaOffered(LEG, session))
        await house.run(3.0)
        assert house.speaker.asked == [CHARGED]
        assert len(house.facts.of(f.CallWasHeardEarly)) == 1

    play(story())


SCRIPT = """
name: scripted
greeting: This call is charged.
steps:
  - set: {known: true}
  - branch:
      - if: known == true
        goto: take
      - else: leave
  - id: take
    answer:
  - say: Hello.
  - ask: {save: yes_no, type: yes_no, prompt: "Are you well?"}
  - id: leave
    refuse: {cause: busy, say: Sorry.}
"""


def test_a_script_says_when_to_answer() -> None:
    async def story() -> None:
        agent = scripted(SCRIPT)
        assert agent.early
        house = House([], agent)
        await offer(house)
        await house.run(3.0)
        await confirm(house)
        await house.run(1.0)
        assert house.signalling.said == ["early", "accept"]
        assert spoken(house)[:2] == [CHARGED, "Hello."]

    play(story())


def test_a_script_that_asks_before_its_answer_is_answered_first() -> None:
    async def story() -> None:
        text = "name: scripted\nsteps:\n  - say: One.\n  - ask: {save: a, type: yes_no, prompt: Two}\n  - refuse:\n"
        house = House([], scripted(text))
        await offer(house)
        await house.run(2.0)
        assert house.signalling.said == ["early", "accept"]
        assert house.speaker.asked == ["One."]
        await confirm(house)
        await house.run(1.0)
        assert spoken(house) == ["One.", "Two"]
        await house.caller_says("yes")
        await house.run(1.0)
        assert house.signalling.said[-1] == "hangup route_rejected", "it is answered: it can only be ended"

    play(story())


def test_a_hold_between_answer_and_ack_changes_nothing() -> None:
    async def story() -> None:
        house = House([[Say(CHARGED), AnswerCall()], [Say("Hello."), ASK]])
        await offer(house)
        await house.run(2.5)
        house.call.post(e.SessionAgreed(LEG, held=True))
        house.call.post(e.SessionAgreed(LEG, held=False))
        await confirm(house)
        await house.run(1.0)
        assert [turn.kind for turn in house.agent.turns] == [TurnKind.CALL_STARTED, TurnKind.ANSWERED]

    play(story())
