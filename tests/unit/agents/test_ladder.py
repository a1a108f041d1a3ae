"""Every way down, and the one way back up."""

from __future__ import annotations

import asyncio

import pytest
from pydantic import ValidationError

from tests.unit.agents.talk import ASR_DOWN, NO_INPUT, STARTED, FakeHttp, keys, speech
from tests.unit.agents.test_llm_session import CONTEXT, FACTS, said
from voicegw.agents.actions import AgentAction, Gather, Hangup, Say, ServiceMoved, Transfer
from voicegw.agents.agent import AgentSession, CallerTurn, TurnKind
from voicegw.agents.flow_session import FlowSession
from voicegw.agents.ladder import MAX_DEAF_TURNS, Ladder, LadderTexts, Place, Rung
from voicegw.agents.ladder_model import LadderModel, MenuChoice
from voicegw.agents.load import parse_flow
from voicegw.base.causes import HangupCause

MENU = {
    "prompt": "Press one for our address, two for the desk, or three to leave.",
    "keys": {
        "1": {"say": "We are at the river."},
        "2": {"transfer": "sip:desk@pbx"},
        "3": {"message": "Thank you. Goodbye."},
    },
    "max_misses": 1,
}
LAST = LadderModel().message
SCRIPT = """
name: script
greeting: The script.
steps:
  - ask: {save: sure, type: yes_no, prompt: "Well?"}
"""
TEXTS = LadderTexts("I cannot help you.", "I cannot hear you.")


def script() -> AgentSession:
    return FlowSession(parse_flow(SCRIPT), FakeHttp(), FACTS)


def ladder(*, menu: bool = True, human: str = "sip:boss@pbx", fallback: AgentSession | None = None) -> Ladder:
    model = LadderModel.model_validate({"menu": MENU if menu else None, "human": human})
    return Ladder(model, TEXTS, 5000, fallback)


def down(one: Ladder, reason: str = "dead") -> list[AgentAction]:
    async def run() -> list[AgentAction]:
        return [action async for action in one.step_down(reason, CONTEXT)]

    return asyncio.run(run())


def take(one: Ladder, turn: CallerTurn) -> list[AgentAction]:
    async def run() -> list[AgentAction]:
        moved: list[AgentAction] = list(one.hear(turn))
        return moved + [action async for action in one.reply(turn, CONTEXT)]

    return asyncio.run(run())


def test_the_whole_way_down_speaks_at_every_rung() -> None:
    one = ladder(fallback=script())
    first = down(one)
    assert first[0] == ServiceMoved("script", "dead")
    assert said(first) == ["I cannot help you.", "The script.", "Well?"]
    second = down(one)
    assert (second[0], said(second)[-1]) == (ServiceMoved("menu", "dead"), MENU["prompt"])
    third = down(one)
    assert third[-1] == Transfer("sip:boss@pbx", LAST)
    fourth = take(one, NO_INPUT)
    assert fourth == [
        ServiceMoved("message", "nobody took the call"),
        Say(LAST, interruptible=False),
        Hangup(HangupCause.PROVIDERS_DOWN),
    ]


def test_with_nothing_configured_the_last_words_are_said_at_once() -> None:
    actions = down(ladder(menu=False, human=""))
    assert said(actions) == [LAST]
    assert isinstance(actions[-1], Hangup)


def test_the_script_goes_on_answering() -> None:
    one = ladder(fallback=script())
    down(one)
    assert isinstance(take(one, speech("yes"))[-1], Hangup)


def test_the_keys_of_the_menu() -> None:
    one = ladder()
    assert isinstance(down(one)[-1], Gather)
    assert said(take(one, keys("1"))) == ["We are at the river.", MENU["prompt"]]
    assert take(one, keys("2"))[-1] == Transfer("sip:desk@pbx", LAST)
    assert take(one, keys("3")) == [Say("Thank you. Goodbye.", interruptible=False), Hangup()]


def test_silence_wrong_keys_and_speech_are_forgiven_up_to_a_point_and_then_a_person_is_asked() -> None:
    one = ladder()
    down(one)
    assert said(take(one, keys("9"))) == [MENU["prompt"]]
    assert take(one, speech("hello?"))[-1] == Transfer("sip:boss@pbx", LAST)


def test_a_good_key_forgives_what_was_before() -> None:
    one = ladder()
    down(one)
    for turn in (NO_INPUT, keys("1"), NO_INPUT):
        assert isinstance(take(one, turn)[-1], Gather)


def test_a_caller_who_cannot_be_heard_gets_the_menu_and_leaves_it_when_they_can() -> None:
    one = ladder(fallback=script())
    actions = take(one, ASR_DOWN)
    assert actions[0] == ServiceMoved("menu", "the caller cannot be heard")
    assert said(actions) == ["I cannot hear you.", MENU["prompt"]]
    assert one.serves
    assert said(take(one, keys("1"))) == ["We are at the river.", MENU["prompt"]]
    assert one.hear(speech("hello")) == (ServiceMoved("model", "the caller can be heard again"),)
    assert not one.serves


def test_a_script_that_cannot_hear_gets_the_menu_too_and_goes_on_afterwards() -> None:
    one = ladder(fallback=script())
    down(one)
    assert one.scripted is not None
    assert said(take(one, ASR_DOWN))[-1] == MENU["prompt"]
    assert one.scripted is None
    assert isinstance(take(one, speech("yes"))[-1], Hangup)


def test_a_caller_who_is_never_heard_and_presses_nothing_is_given_to_a_person() -> None:
    one = ladder()
    turns = [take(one, ASR_DOWN) for _ in range(3)]
    assert [isinstance(actions[-1], Gather) for actions in turns] == [True, True, False]
    assert turns[2][0] == ServiceMoved("human", "no key of the menu was pressed")


def test_without_a_menu_the_model_keeps_the_call_until_it_was_deaf_too_often() -> None:
    one = ladder(menu=False)
    for _ in range(MAX_DEAF_TURNS):
        assert not one.given_up_hearing
        assert one.hear(ASR_DOWN) == ()
        assert not one.serves
    assert one.given_up_hearing
    one.hear(speech("there you are"))
    assert not one.given_up_hearing


def test_a_transfer_that_failed_goes_on_downwards() -> None:
    failed = CallerTurn(TurnKind.TRANSFER_FAILED, "busy")
    one = ladder()
    down(one)
    take(one, keys("2"))
    assert take(one, failed)[-1] == Transfer("sip:boss@pbx", LAST)
    assert take(one, failed)[-1] == Hangup(HangupCause.PROVIDERS_DOWN)


def test_the_models_are_asked_again_when_a_person_gives_the_call_back() -> None:
    one = ladder(menu=False)
    down(one)
    assert one.hear(CallerTurn(TurnKind.HANDED_BACK)) == (ServiceMoved("model", "a person gave the call back"),)
    assert not one.serves


def test_a_place_can_be_put_back() -> None:
    one = ladder()
    before = one.place
    down(one)
    one.place = before
    assert (one.place, one.serves) == (Place(Rung.MODEL), False)


def test_a_turn_that_starts_the_call_is_the_models() -> None:
    one = ladder()
    assert (one.hear(STARTED), one.serves) == ((), False)


@pytest.mark.parametrize("choice", [{}, {"say": "a", "message": "b"}])
def test_a_key_does_exactly_one_thing(choice: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="exactly one thing"):
        MenuChoice.model_validate(choice)
