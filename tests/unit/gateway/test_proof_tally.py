"""Counts of challenges: what is too much, what is forgotten, for whom there is patience. Time is a number here."""

from __future__ import annotations

from dataclasses import replace

import pytest

from voicegw.base.errors import ConfigError
from voicegw.gateway.guard_config import GuardConfig
from voicegw.gateway.proof_tally import ProofTally
from voicegw.sip.digest_server import Trial

HOST, OTHER = "198.51.100.4", "198.51.100.5"
CONFIG = GuardConfig(
    wrong_answers=5, unanswered=8, answer_forgotten_s=30.0, proven_patience=10.0, acquainted_s=3600.0
)


def name(number: int) -> tuple[str, str]:
    return (f"call {number}", f"<sip:{number}@voice.test>")


def wrong(tally: ProofTally, times: int, now: float, host: str = HOST) -> list[bool]:
    """So many wrong answers at once, each to a challenge of its own."""
    verdicts = []
    for number in range(times):
        assert not tally.note(Trial.ASKED, host, name(number), now)
        verdicts.append(tally.note(Trial.WRONG, host, name(number), now))
    return verdicts


def test_guesses_add_up_and_those_of_another_do_not() -> None:
    tally = ProofTally(CONFIG)
    assert wrong(tally, 5, 0.0) == [False] * 5
    assert wrong(tally, 5, 0.0, OTHER) == [False] * 5
    assert wrong(tally, 1, 0.0) == [True]


@pytest.mark.parametrize("every_s", [30.0, 60.0, 600.0])
def test_a_phone_with_an_old_password_may_try_for_days(every_s: float) -> None:
    tally = ProofTally(CONFIG)
    assert not any(any(wrong(tally, 1, number * every_s)) for number in range(5000))


def test_who_guesses_faster_than_is_forgotten_is_found_out() -> None:
    tally = ProofTally(CONFIG)
    verdicts = [wrong(tally, 1, number * 10.0)[0] for number in range(12)]
    assert verdicts.index(True) == 7, "three in 30 s, and one of them is forgotten"


def test_who_walks_through_names_and_never_says_who_it_is() -> None:
    tally = ProofTally(CONFIG)
    assert [tally.note(Trial.ASKED, HOST, name(number), 0.0) for number in range(9)] == [False] * 8 + [True]


def test_one_call_id_for_all_names_is_no_way_around() -> None:
    tally = ProofTally(CONFIG)
    asked = [tally.note(Trial.ASKED, HOST, ("same", f"<sip:{number}@voice.test>"), 0.0) for number in range(9)]
    assert asked[-1]


def test_a_challenge_that_is_answered_is_no_walk_whatever_the_answer() -> None:
    tally = ProofTally(replace(CONFIG, wrong_answers=1000))
    for number in range(300):
        assert not tally.note(Trial.ASKED, HOST, name(number), 0.0)
        trial = (Trial.WRONG, Trial.STALE)[number % 2]
        assert not tally.note(trial, HOST, name(number), 0.0)


def test_an_answer_that_nobody_was_asked_for_takes_nothing_back() -> None:
    tally = ProofTally(CONFIG)
    for number in range(8):
        assert not tally.note(Trial.ASKED, HOST, name(number), 0.0)
        assert not tally.note(Trial.STALE, HOST, name(100 + number), 0.0)
    assert tally.note(Trial.ASKED, HOST, name(8), 0.0)


def test_copies_of_a_request_are_one_challenge() -> None:
    """A phone that never gets our answers sends each REGISTER eleven times, and begins anew after a minute."""
    tally = ProofTally(CONFIG)
    for minute in range(600):
        for copy in range(11):
            assert not tally.note(Trial.ASKED, HOST, name(minute), minute * 60.0 + 3 * copy)


def test_all_phones_of_a_house_may_be_asked_before_the_first_one_answers() -> None:
    """As many as a stranger's burst lets through, after a power cut; the first that is right gives room to more."""
    config = GuardConfig()
    tally = ProofTally(config)
    burst = int(config.stranger_burst)
    assert not any(tally.note(Trial.ASKED, HOST, name(number), 0.0) for number in range(burst))
    assert not tally.note(Trial.RIGHT, HOST, name(0), 0.1)
    assert not any(tally.note(Trial.ASKED, HOST, name(number), 0.2) for number in range(burst, 900))
    assert not any(tally.note(Trial.RIGHT, HOST, name(number), 0.3) for number in range(900))
    assert not any(tally.note(Trial.ASKED, HOST, name(number), 0.4) for number in range(1000, 2000)), "none is owed"


def test_there_is_patience_with_an_address_that_somebody_proved_for_as_long_as_that_is_lately() -> None:
    tally = ProofTally(CONFIG)
    assert not tally.note(Trial.RIGHT, HOST, name(0), 0.0)
    assert wrong(tally, 51, 10.0) == [False] * 50 + [True]
    assert wrong(tally, 6, 10.0 + 150.0) == [False] * 6, "50 were forgotten, one in three seconds"
    assert not any(any(wrong(tally, 1, 200.0 + 3 * number)) for number in range(1000))
    assert wrong(tally, 6, 3601.0 + 300.0) == [False] * 5 + [True]


def test_being_right_does_not_wipe_out_what_was_wrong() -> None:
    """Or whoever has one account guesses those of others for ever."""
    tally = ProofTally(CONFIG)
    verdicts = []
    for _ in range(51):
        tally.note(Trial.RIGHT, HOST, name(0), 0.0)
        verdicts += wrong(tally, 1, 0.0)
    assert verdicts == [False] * 50 + [True]


def test_a_subscriber_with_many_addresses_is_one() -> None:
    tally = ProofTally(CONFIG)
    hosts = [f"2001:db8::{number:x}" for number in range(6)]
    assert [wrong(tally, 1, 0.0, host)[0] for host in hosts] == [False] * 5 + [True]
    assert wrong(tally, 1, 0.0, "2001:db8:0:1::1") == [False]


def test_a_pardon_begins_anew() -> None:
    tally = ProofTally(CONFIG)
    wrong(tally, 6, 0.0)
    tally.forget(HOST)
    tally.forget(OTHER)
    assert wrong(tally, 6, 0.0) == [False] * 5 + [True]


def test_other_limits_hold_at_once() -> None:
    tally = ProofTally(CONFIG)
    wrong(tally, 4, 0.0)
    tally.use(replace(CONFIG, wrong_answers=3))
    assert wrong(tally, 1, 0.0) == [True]


def test_memory_is_bounded_and_who_was_right_is_not_pushed_out() -> None:
    tally = ProofTally(CONFIG)
    tally.note(Trial.RIGHT, HOST, name(0), 0.0)
    for number in range(25_000):
        tally.note(Trial.ASKED, f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", name(number), number / 200)
    assert len(tally) <= 10_000
    assert wrong(tally, 50, 130.0) == [False] * 50


@pytest.mark.parametrize("setting", ["wrong_answers", "unanswered", "answer_forgotten_s", "proven_patience"])
def test_settings_that_would_ban_everybody_are_refused(setting: str) -> None:
    with pytest.raises(ConfigError, match=setting):
        replace(CONFIG, **{setting: 0})


def test_what_a_burst_of_strangers_sends_is_fewer_than_is_too_much() -> None:
    assert GuardConfig().unanswered > GuardConfig().stranger_burst
