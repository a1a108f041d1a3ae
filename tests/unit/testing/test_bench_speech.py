from __future__ import annotations

from datetime import date, timedelta

import pytest

from voicegw.base.ids import UtteranceId
from voicegw.call.facts import AgentSpoke, AnyFact, CallerSpoke, CallHasEnded, Entry, SlotWasFilled
from voicegw.testing.bench._clinic import VOICES, callers
from voicegw.testing.bench.speech import Run, figures, plain, verdicts

SUNDAY = date(2026, 3, 1)


@pytest.mark.parametrize("today", [SUNDAY + timedelta(days=ahead) for ahead in range(7)])
def test_callers_are_many_and_want_what_is_possible(today: date) -> None:
    made = callers(20, today)
    assert made == callers(20, today)
    assert len({caller.account.value for caller in made}) == 20
    assert len({caller.day.words for caller in made}) >= 12
    assert {caller.voice for caller in made} == set(VOICES) and len({caller.rate for caller in made}) == 3
    for caller in made:
        assert today < date.fromisoformat(caller.day.value) < today + timedelta(days=300)
        assert "08:00" <= caller.time.value <= "17:59"
        assert len(caller.account.value) == 6 and caller.account.value.isdigit()


def test_next_monday_is_the_same_day_to_everybody() -> None:
    for ahead in range(7):
        today = SUNDAY + timedelta(days=ahead)
        for caller in callers(40, today):
            if caller.day.words.startswith("next "):
                day = date.fromisoformat(caller.day.value)
                assert 1 <= (day - today).days <= 7
                assert day.isocalendar().week != today.isocalendar().week


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Which day would you like to come?", "day"),
        ("Sorry, at what time? For example, half past three.", "time"),
        ("What is your six digit account number?", "account"),
        ("Please say your account number digit by digit, or key it in.", "account"),
    ],
)
def test_callers_answer_what_they_are_asked(question: str, answer: str) -> None:
    caller = callers(1, SUNDAY)[0]
    assert caller.reply_to(question, {}, []) == getattr(caller, answer).words


def test_callers_agree_only_to_what_is_right() -> None:
    caller = callers(1, SUNDAY)[0]
    check = "Tuesday, at ten, for account number 1 2 3 4 5 6. Is that right?"
    assert caller.reply_to(check, caller.wanted, []) == caller.yes
    assert caller.reply_to(check, caller.wanted | {"time": "10:01"}, []) == caller.no
    change = "What should I change, the day, the time, or the number?"
    assert caller.reply_to(change, caller.wanted | {"time": "10:01"}, []) == "the time"


def test_a_goodbye_is_no_question_and_a_repeated_one_is_answered_plainly() -> None:
    caller = callers(20, SUNDAY)[9]
    assert caller.reply_to("Thank you. You are booked for Tuesday the third of March.", {}, []) == ""
    again = caller.reply_to("Sorry, please say the six digits one by one.", {}, [caller.account.words])
    assert again == caller.account.again != caller.account.words


def a_run(time: str, *, correct: str = "true", extra_line: bool = False) -> Run:
    caller = callers(1, SUNDAY)[0]
    run = Run(caller, said=[caller.day.words, caller.time.words, caller.account.words, caller.yes])
    run.said += ["yes"] if extra_line else []
    slots = caller.wanted | {"time": time, "correct": correct}
    facts = [SlotWasFilled(name, value, confirmed=False) for name, value in slots.items()]
    heard = [CallerSpoke(plain(words), 1.0, "", 0.0, 0.0) for words in run.said]
    spoken = AgentSpoke(UtteranceId("u"), "Goodbye.", "Goodbye.", True, False, 0.0, 0.0)
    ended = CallHasEnded("agent_hangup", "agent", False, 16, "", 0.0)
    everything: list[AnyFact] = [*facts, *heard, spoken, ended]
    for fact in everything:
        run.take(Entry(0, 0.0, fact))
    return run


def test_success_is_what_the_caller_wanted() -> None:
    right = a_run(callers(1, SUNDAY)[0].time.value)
    assert right.succeeded and right.at_first_try and right.errors == 0
    assert not a_run("09:59").succeeded
    assert not a_run(right.caller.time.value, correct="false").succeeded
    assert not a_run(right.caller.time.value, extra_line=True).at_first_try


def test_figures_and_verdict() -> None:
    right, wrong = a_run(callers(1, SUNDAY)[0].time.value), a_run("09:59")
    found = figures([right] * 19 + [wrong], asr_audio_ms=10_000, asr_decode_ms=2_000)
    assert (found["task_success"], found["word_error_rate"], found["real_time_factor"]) == (0.95, 0.0, 0.2)
    assert all(verdicts([right] * 19 + [wrong]).values())
    assert not any(verdicts([right] * 18 + [wrong] * 2).values())


def test_words_are_compared_as_the_recogniser_writes_them() -> None:
    assert plain("four oh five, at ten a m please") == "four oh five at ten a.m. please"
