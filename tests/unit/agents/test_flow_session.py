"""Whole conversations with a small flow that has every kind of step, by text."""

from __future__ import annotations

import asyncio

import pytest

from tests.unit.agents.talk import ASR_DOWN, FACTS, NO_INPUT, STARTED, FakeHttp, Talk, keys, speech
from voicegw.agents.actions import CallWebhook, Gather, Hangup, Say, SlotFilled, Transfer, WebhookReturned
from voicegw.agents.agent import CallerTurn
from voicegw.agents.flow import Flow
from voicegw.agents.flow_session import FlowSession
from voicegw.agents.load import parse_flow
from voicegw.base.causes import HangupCause
from voicegw.ports.http import HttpResponse

FLOW = """
name: everything
greeting: Hello.
variables: {base: "http://api.test", vip: false}
intents:
  book: [i want to book a table, book a table]
  order: [where is my order, order status]
texts: {goodbye: Bye now.}
steps:
  - id: top
    intent:
      prompt: How can I help?
      on: {book: day, order: number}
      again: ["Book a table or ask for an order?"]
  - id: day
    ask: {save: day, type: date, prompt: "Which day?", confirm: always}
  - ask: {save: time, type: time, prompt: "What time?", confirm: never}
  - id: guests
    ask: {save: guests, type: number, minimum: 1, maximum: 20, prompt: "How many guests?"}
  - id: check
    ask:
      save: ok
      type: yes_no
      corrects: [day, time, guests]
      prompt: "{{ day }}, {{ time }}, {{ guests | number }}. Right?"
  - branch:
      - {if: ok == true and guests > 8, goto: big}
      - {if: ok == true, goto: done}
      - {else: top}
  - id: big
    say: {text: That is a large party., interruptible: false}
  - id: done
    set: {vip: true, note: "table for {{ guests }}"}
  - menu:
      prompt: For the menu press one. To end press two.
      keys:
        1: {phrases: [the menu, food], goto: menu}
        2: {phrases: [end, finish], goto: finish}
  - id: menu
    webhook:
      method: POST
      url: "{{ base }}/menus/{{ day }}"
      headers: {X-Call: "{{ call_id }}"}
      body: {guests: "{{ guests }}", vip: "{{ vip }}", note: "{{ note }}", when: ["{{ day }} {{ time }}"]}
      save: {dish: dishes.0.name, price: dishes.0.price}
      on_error: sorry
  - say: Today we have {{ dish }} at {{ price | money:EUR }}.
    next: finish
  - id: sorry
    say: I can't find the menu.
  - id: finish
    hangup: See you soon.
  - id: number
    ask: {save: order, type: digits, length: 4, prompt: "Your order number?", confirm: never}
  - webhook:
      url: "{{ base }}/orders/{{ order }}"
      say: One moment.
      save: {state: state}
      on_error: person
  - branch: [{if: "state in ['sent', 'lost']", goto: person}]
  - say: It is {{ state }}.
    next: top
  - id: person
    transfer: {target: "sip:desk@test", say: Nobody is here.}
"""


@pytest.fixture(scope="module")
def flow() -> Flow:
    return parse_flow(FLOW)


@pytest.fixture
def talk(flow: Flow) -> Talk:
    return Talk(flow)


def at_check(talk: Talk) -> Talk:
    talk.say("i want to book a table", "friday", "yes", "half past seven", "four")
    return talk


def test_it_greets_and_asks(talk: Talk) -> None:
    assert talk.said == "Hello. How can I help?"
    assert talk.gather.boost
    assert set(talk.gather.boost) <= set(talk.gather.phrases)
    assert talk.gather.dtmf.max_digits == 1
    assert not talk.gather.patient


def test_the_happy_path(talk: Talk) -> None:
    assert talk.say("i want to book a table") == "Which day?"
    assert talk.say("friday") == "I heard Friday the sixth of March. Is that right?"
    assert talk.say("yes") == "What time?"
    assert SlotFilled("day", "2026-03-06", confirmed=True) in talk.last
    assert talk.say("half past seven") == "How many guests?"
    assert talk.say("four") == ("Friday the sixth of March, half past seven in the morning, four. Right?")
    assert talk.say("yes") == "For the menu press one. To end press two."
    assert talk.say("finish") == "See you soon."
    assert talk.ended == Hangup()
    assert talk.collected == {"day": "2026-03-06", "time": "07:30", "guests": "4", "ok": "true"}


def test_after_the_end_it_only_hangs_up(talk: Talk) -> None:
    talk.say("goodbye")
    for turn in (speech("hello"), NO_INPUT, keys("1"), STARTED):
        talk.take(turn)
        assert talk.last == [Hangup()]


def test_a_confirmation_takes_a_correction(talk: Talk) -> None:
    talk.say("book a table", "friday")
    assert talk.say("no, saturday") == "All right. I heard Saturday the seventh of March. Is that right?"
    assert talk.say("sunday") == "All right. I heard Sunday the eighth of March. Is that right?"
    assert talk.say("no") == "Sorry about that. Which day?"
    assert talk.say("monday") == "I heard Monday the ninth of March. Is that right?"
    assert talk.say("monday") == "What time?"


def test_no_three_times_is_enough(talk: Talk) -> None:
    talk.say("book a table", "friday", "no", "saturday", "no", "sunday", "no")
    assert talk.ended == Hangup(HangupCause.AGENT_HANGUP)


def test_the_last_check_takes_corrections(talk: Talk) -> None:
    at_check(talk)
    assert talk.say("no, at six") == (
        "All right. Friday the sixth of March, six o'clock in the evening, four. Right?"
    )
    assert "Saturday the seventh" in talk.say("no saturday")
    assert talk.say("the day is wrong") == "Which day?"
    assert talk.say("tuesday", "yes").startswith("Tuesday the third of March, six o'clock")
    assert talk.say("no") == "How can I help?"


def test_low_confidence_is_read_back(talk: Talk) -> None:
    talk.say("book a table", "friday", "yes", "nine")
    talk.take(speech("four", confidence=0.2))
    assert talk.said == "I heard four. Is that right?"
    assert talk.take(keys("1")).startswith("Friday")


def test_keys_work_everywhere(talk: Talk) -> None:
    assert talk.take(keys("1")) == "Which day?"
    assert talk.take(keys("0603")) == "I heard Friday the sixth of March. Is that right?"
    assert talk.take(keys("1")) == "What time?"
    assert talk.take(keys("1930")) == "How many guests?"
    assert "four. Right?" in talk.take(keys("4"))
    assert talk.take(keys("1")) == "For the menu press one. To end press two."
    assert talk.take(keys("2")) == "See you soon."


def test_wrong_keys_are_no_match_and_zero_is_a_person(talk: Talk) -> None:
    assert talk.take(keys("9")) == "Book a table or ask for an order?"
    talk.take(keys("0"))
    assert isinstance(talk.ended, Transfer)


def test_silence_is_asked_about_and_then_ended(talk: Talk) -> None:
    talk.say("book a table")
    assert talk.take(NO_INPUT) == "Sorry, I didn't hear you. Which day?"
    assert talk.take(NO_INPUT) == "Sorry, I didn't hear you. Which day?"
    assert talk.take(NO_INPUT) == "I'm sorry, we don't seem to understand each other. Bye now."
    assert talk.ended == Hangup(HangupCause.NO_INPUT)


def test_speech_between_silences_starts_the_count_again(talk: Talk) -> None:
    talk.say("book a table")
    for turn in (NO_INPUT, NO_INPUT, speech("what do you mean"), NO_INPUT, NO_INPUT):
        talk.take(turn)
    assert talk.ended is None


def test_the_wording_of_the_author_is_used_when_nothing_matches(talk: Talk) -> None:
    assert talk.say("the weather is nice") == "Book a table or ask for an order?"
    assert talk.say("really nice") == "Book a table or ask for an order?"
    talk.say("sunny")
    assert talk.ended == Hangup(HangupCause.AGENT_HANGUP)


def test_giving_up_can_mean_a_person(flow: Flow) -> None:
    script = FLOW.split("steps:")[0] + "limits: {give_up: human, max_no_input: 1}\nsteps:\n  - id: a\n"
    script += "    intent: {prompt: Yes, on: {book: a, order: a}}\n"
    other = parse_flow(script.replace('variables: {base: "http://api.test", vip: false}', ""))
    talk = Talk(other)
    talk.take(NO_INPUT)
    assert isinstance(talk.ended, Transfer)


def test_repeat_says_the_last_question_again(talk: Talk) -> None:
    talk.session.heard("Hello. How can I help?")
    assert talk.say("can you repeat that") == "How can I help?"
    talk.say("book a table")
    assert talk.say("pardon") == "Which day?"
    assert talk.say("say that again please") == "Which day?"
    assert talk.say("friday", "repeat") == "I heard Friday the sixth of March. Is that right?"


def test_repeat_brings_back_what_was_cut_off(talk: Talk) -> None:
    talk.session.heard("Hel")
    assert talk.say("what did you say") == "Hello. How can I help?"


def test_repeat_leaves_apologies_out(talk: Talk) -> None:
    talk.say("book a table", "mumble")
    assert talk.said.startswith("Sorry")
    assert talk.say("repeat") == "Which day?"


def test_human_and_goodbye_work_at_every_question(talk: Talk, flow: Flow) -> None:
    talk.say("book a table", "i want to speak to a human")
    assert talk.ended == Transfer(
        "human", "I'm sorry, nobody is free to take your call right now. Please call again later. Goodbye."
    )
    talk = at_check(Talk(flow))
    assert talk.say("goodbye") == "Bye now."
    assert talk.ended == Hangup()


def test_the_recogniser_fails_and_comes_back(talk: Talk) -> None:
    talk.say("book a table")
    down = talk.take(ASR_DOWN)
    assert down == (
        "I'm sorry, I can't hear you properly at the moment. Please key in the day and the month as four digits."
    )
    assert talk.gather.dtmf.max_digits == 4
    assert talk.take(keys("0603")).endswith("Is that right? Please press one for yes, or two for no.")
    assert talk.take(NO_INPUT) == "Sorry, I didn't hear you. Please press one for yes, or two for no."
    assert talk.say("yes") == "What time?"


def test_a_recogniser_that_stays_down_ends_the_call(talk: Talk) -> None:
    for _ in range(3):
        talk.take(ASR_DOWN)
    assert isinstance(talk.ended, Hangup)


def test_branches_and_uninterruptible_speech(talk: Talk) -> None:
    talk.say("book a table", "friday", "yes", "nine", "twelve", "yes")
    assert talk.last[1] == Say("That is a large party.", interruptible=False)


def test_a_webhook_sends_and_saves(talk: Talk) -> None:
    url = "http://api.test/menus/2026-03-06"
    talk.http.answers[url] = HttpResponse(200, {}, '{"dishes": [{"name": "soup", "price": 3.5}]}')
    at_check(talk).say("yes")
    assert talk.say("the menu") == ("Today we have soup at three euros and fifty cents. See you soon.")
    body = {"guests": 4, "vip": True, "note": "table for 4", "when": ["2026-03-06 07:30"]}
    assert talk.http.requests == [("POST", url, {"X-Call": "call-1"}, body)]
    assert talk.last[0] == CallWebhook("menu", "POST", url)
    assert talk.last[1] == WebhookReturned("menu", 200)


def test_half_an_emoji_in_an_answer_can_be_spoken_and_written(talk: Talk) -> None:
    """What a system leaves that cuts texts by UTF-16: valid JSON, and no text that an engine or a log can take."""
    url = "http://api.test/menus/2026-03-06"
    talk.http.answers[url] = HttpResponse(200, {}, '{"dishes": [{"name": "soup \\ud83d", "price": 3.5}]}')
    said = at_check(talk).say("yes") and talk.say("the menu")
    assert said is not None and said.encode().startswith(b"Today we have soup")


@pytest.mark.parametrize(
    ("answer", "status", "error"),
    [
        (None, 0, "webhook: connection refused"),
        (HttpResponse(500), 500, "HTTP status 500"),
        (HttpResponse(200, {}, "<html>"), 200, "the answer is not JSON"),
    ],
)
def test_a_webhook_that_fails(talk: Talk, answer: HttpResponse | None, status: int, error: str) -> None:
    if answer:
        talk.http.answers["http://api.test/menus/2026-03-06"] = answer
    at_check(talk).say("yes")
    assert talk.say("the menu") == "I can't find the menu. See you soon."
    assert WebhookReturned("menu", status, error) in talk.last


def test_a_missing_field_is_just_empty(talk: Talk) -> None:
    talk.http.answers["http://api.test/orders/1234"] = HttpResponse(200, {}, '{"other": [1]}')
    assert talk.say("where is my order", "one two three four") == "One moment. It is. How can I help?"


def test_transfer_with_its_own_apology(talk: Talk) -> None:
    talk.http.answers["http://api.test/orders/1234"] = HttpResponse(200, {}, '{"state": "Sent"}')
    talk.say("where is my order", "one two three four")
    assert talk.ended == Transfer("sip:desk@test", "Nobody is here.")


def run_until(session: FlowSession, turn: CallerTurn, talk: Talk, count: int) -> None:
    """Take ``count`` actions of a reply and close it, as a caller who barges in does."""

    async def some() -> None:
        reply = session.reply(turn, talk.context)
        for _ in range(count):
            await anext(reply)
        await reply.aclose()  # type: ignore[attr-defined]

    asyncio.run(some())


def test_a_reply_closed_half_way_leaves_a_definite_place(flow: Flow, talk: Talk) -> None:
    session = FlowSession(flow, FakeHttp(), FACTS)
    run_until(session, STARTED, talk, 1)
    talk.session = session
    assert talk.say("book a table") == "Which day?"


def test_an_undone_reply_is_made_again(flow: Flow, talk: Talk) -> None:
    talk.say("book a table")
    before = talk.session.checkpoint()
    talk.say("friday")
    talk.session.restore(before)
    assert talk.collected == {}
    assert talk.say("friday the thirteenth of march") == "I heard Friday the thirteenth of March. Is that right?"


def test_an_undone_reply_does_not_post_twice(talk: Talk) -> None:
    url = "http://api.test/menus/2026-03-06"
    talk.http.answers[url] = HttpResponse(200, {}, '{"dishes": [{"name": "soup", "price": 1}]}')
    at_check(talk).say("yes")
    before = talk.session.checkpoint()
    first = talk.say("the menu")
    talk.session.restore(before)
    assert talk.say("the menu please") == first
    assert len(talk.http.requests) == 1


def test_a_post_that_was_interrupted_is_not_sent_again(flow: Flow, talk: Talk) -> None:
    http = FakeHttp()
    talk.http, talk.session = http, FlowSession(flow, http, FACTS)
    talk.take(STARTED)
    at_check(talk).say("yes")

    async def cancelled() -> None:
        async def consume() -> None:
            async for _ in talk.session.reply(speech("the menu"), talk.context):
                pass

        task = asyncio.ensure_future(consume())
        await http.asked.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(cancelled())
    assert talk.say("hello") == "I can't find the menu. See you soon."
    assert len(http.requests) == 1


def test_a_circle_that_no_check_can_see_is_ended() -> None:
    flow = parse_flow("name: x\nvariables: {a: 1}\nsteps:\n  - id: s\n    branch: [{if: a == 1, goto: s}]\n")
    talk = Talk(flow)
    assert talk.said.startswith("I'm sorry, something went wrong")
    assert talk.ended == Hangup(HangupCause.INTERNAL_ERROR)


def test_the_end_of_the_steps_is_a_goodbye() -> None:
    talk = Talk(parse_flow("name: x\nsteps: [{say: Hello.}]"))
    assert talk.said == "Hello. Thank you for calling. Goodbye."
    assert isinstance(talk.last[-1], Hangup)
    assert not any(isinstance(action, Gather) for action in talk.last)
