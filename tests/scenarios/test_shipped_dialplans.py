"""The dialplans that ship, as callers meet them (by text)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.unit.agents.talk import ASR_DOWN, NO_INPUT, FakeHttp, Talk, keys
from voicegw.agents.actions import Gather, Hangup
from voicegw.agents.flow import Flow
from voicegw.agents.load import load_agents, load_flows, parse_flow
from voicegw.dialplan import Reject, RouteRequest, ToAgent, load_dialplan, parse_dialplan
from voicegw.ports.http import HttpResponse

SHIPPED = Path(__file__).resolve().parents[2] / "dialplans"


@pytest.fixture(scope="module")
def flows() -> dict[str, Flow]:
    return load_flows(SHIPPED / "agents")


@pytest.mark.parametrize(
    ("called", "agent"),
    [
        ("demo", "reception"),
        ("100", "reception"),
        ("appointment", "appointment"),
        ("101", "appointment"),
        ("orders", "orders"),
        ("survey", "survey"),
    ],
)
def test_routes_lead_to_agents_that_exist(called: str, agent: str) -> None:
    agents = load_agents(SHIPPED / "agents", FakeHttp())
    plan = load_dialplan(SHIPPED / "dialplan.yaml", agents.keys())
    assert plan.agents == agents.keys()
    decision = plan.route(RouteRequest(called, "alice", datetime(2026, 3, 3, 10, tzinfo=UTC)))
    assert isinstance(decision, ToAgent)
    assert decision.agent == agent


def test_anything_else_is_not_found() -> None:
    plan = load_dialplan(SHIPPED / "dialplan.yaml")
    decision = plan.route(RouteRequest("+15551234", "alice", datetime(2026, 3, 3, 10, tzinfo=UTC)))
    assert isinstance(decision, Reject)
    assert decision.sip_status == 404


@pytest.mark.parametrize(
    ("day", "time", "account", "agreed"),
    [
        ("tuesday", "half past three", "four two seven one nine six", "yes"),
        ("next friday please", "three thirty in the afternoon", "it's four two seven one nine six", "that's right"),
        ("the third of march", "ten a.m.", "my number is four two seven one nine six", "yes that's correct"),
        ("how about march third", "quarter to nine", "four twenty seven one nine six", "correct"),
        ("tomorrow", "noon", "for to seven won nine sicks", "yep"),
        ("um on wednesday", "at four", "four two seven um one nine six please", "sounds good"),
        ("in two weeks", "two o'clock", "four two seven nineteen six", "yeah"),
        ("the day after tomorrow", "eleven fifteen", "four two, seven one, nine six", "right"),
    ],
)
def test_an_appointment_is_made(flows: dict[str, Flow], day: str, time: str, account: str, agreed: str) -> None:
    talk = Talk(flows["appointment"])
    assert talk.said.endswith("Which day would you like to come?")
    assert talk.say(day) == "At what time?"
    assert talk.say(time) == "What is your six digit account number?"
    assert talk.gather.patient
    assert "four two seven, one nine six. Is that right?" in talk.say(account)
    assert "You are booked for" in talk.say(agreed)
    assert talk.ended == Hangup()
    assert talk.collected["account"] == "427196"


def test_an_appointment_is_corrected_in_every_part(flows: dict[str, Flow]) -> None:
    talk = Talk(flows["appointment"])
    talk.say("tuesday", "half past three", "four two seven one nine six")
    assert "Wednesday the fourth of March, at half past three" in talk.say("no wednesday")
    assert "Wednesday the fourth of March, at four o'clock" in talk.say("no at four")
    assert "four two eight, one nine six" in talk.say("no the number is four two eight one nine six")
    assert talk.say("the day is wrong") == "Which day would you like to come?"
    assert "Friday the sixth of March, at four o'clock" in talk.say("friday")
    assert talk.say("no") == "What should I change, the day, the time, or the number?"
    assert talk.say("the time") == "Which time is right?"
    assert "five o'clock" in talk.say("five")
    assert talk.say("no", "the number is wrong") == "What is the right account number?"
    assert "one two three, four five six" in talk.say("one two three four five six")
    assert "You are booked for Friday" in talk.say("yes")


def test_an_appointment_by_keys_when_the_recogniser_is_down(flows: dict[str, Flow]) -> None:
    talk = Talk(flows["appointment"])
    assert "key in the day and the month" in talk.take(ASR_DOWN)
    for digits in ("0603", "1530", "427196"):
        talk.take(keys(digits))
    assert "Friday the sixth of March, at half past three in the afternoon" in talk.said
    assert "You are booked" in talk.take(keys("1"))


def test_a_silent_caller_is_let_go(flows: dict[str, Flow]) -> None:
    talk = Talk(flows["appointment"])
    assert talk.take(NO_INPUT).startswith("Sorry, which day was that?")
    assert talk.take(NO_INPUT).startswith("Please say the day")
    assert talk.take(NO_INPUT).endswith("Goodbye.")
    assert talk.ended is not None


def test_the_demo_conversation(flows: dict[str, Flow]) -> None:
    """Greets, understands an intent, asks back, answers, ends politely."""
    talk = Talk(flows["reception"])
    assert talk.said.startswith("Hello, you have reached Riverside Clinic.")
    assert "from eight in the morning" in talk.say("what are your opening hours")
    assert talk.say("i would like to book an appointment") == "Certainly. Which day would you like to come?"
    assert talk.say("next tuesday") == "Tuesday the tenth of March. At what time?"
    assert talk.say("half past three").endswith("Is that right?")
    assert talk.say("no at four").startswith("All right. So that is Tuesday the tenth of March, at four")
    assert talk.say("yes").startswith("Good, you are booked for Tuesday")
    assert talk.say("no thank you") == "Thank you for calling. Goodbye."
    assert talk.ended == Hangup()


@pytest.mark.parametrize("wish", ["yes", "yes please", "where are you", "book an appointment please"])
def test_the_reception_goes_on(flows: dict[str, Flow], wish: str) -> None:
    talk = Talk(flows["reception"])
    talk.say("when are you open", wish)
    assert isinstance(talk.last[-1], Gather)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("shipped", "Order one two three four is on its way. It should arrive on Thursday the fifth of March."),
        ("delivered", "Order one two three four was delivered on Thursday the fifth of March."),
        ("open", "Order one two three four is being prepared. The total is twenty four dollars and fifty cents."),
    ],
)
def test_an_order_is_looked_up(flows: dict[str, Flow], status: str, expected: str) -> None:
    body = f'{{"status": "{status}", "delivery": "2026-03-05", "total": "24.50"}}'
    talk = Talk(flows["orders"], FakeHttp({"http://127.0.0.1:8085/orders/1234": HttpResponse(200, {}, body)}))
    assert talk.say("one two three four") == f"One moment please. {expected} Would you like to check another order?"
    assert talk.say("no") == "Thank you for calling. Goodbye."


def test_an_unknown_order_and_a_dead_service(flows: dict[str, Flow]) -> None:
    talk = Talk(flows["orders"], FakeHttp({"http://127.0.0.1:8085/orders/9999": HttpResponse(404)}))
    assert "I can't find an order with the number nine nine nine nine." in talk.say("nine nine nine nine")
    assert "does not answer at the moment" in talk.say("yes", "one one one one")


def test_the_order_service_comes_from_the_environment() -> None:
    flows = load_flows(SHIPPED / "agents", {"VOICEGW_ORDERS_URL": "https://shop.test"})
    talk = Talk(flows["orders"])
    talk.say("one two three four")
    assert talk.http.requests[0][1] == "https://shop.test/orders/1234"


def test_the_survey(flows: dict[str, Flow]) -> None:
    talk = Talk(flows["survey"])
    assert talk.say("two") == "I'm sorry to hear that. Would you recommend us to a friend?"
    assert talk.say("not really") == "What could we do better?"
    assert talk.say("the waiting time") == "Thank you, that helps us. Goodbye."
    assert talk.collected == {"rating": "2", "recommend": "false", "comment": "the waiting time"}


def _first_example(document: str) -> str:
    text = (SHIPPED.parent / "docs" / document).read_text(encoding="utf-8")
    return text.partition("```yaml\n")[2].partition("```")[0]


def test_the_examples_in_the_documents_work() -> None:
    assert parse_dialplan(_first_example("dialplan.md")).agents == {"reception", "orders"}
    talk = Talk(parse_flow(_first_example("flows.md")))
    assert talk.say("friday", "four") == "A table for four on Friday the sixth of March. Is that right?"
    assert talk.say("no, saturday").endswith("on Saturday the seventh of March. Is that right?")
    assert talk.say("yes") == "We look forward to seeing you. Goodbye."
