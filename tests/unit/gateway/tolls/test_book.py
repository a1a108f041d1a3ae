"""The toll rules at work: what may begin, what is counted, and what may not go on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from voicegw.base.causes import HangupCause
from voicegw.base.errors import ConfigError
from voicegw.base.ids import LegId
from voicegw.gateway.tolls.book import Overrun, TollBook
from voicegw.gateway.tolls.calls import Moment, Payer, TollCall
from voicegw.gateway.tolls.config import TollConfig, TollRule
from voicegw.gateway.tolls.hours import read_hours
from voicegw.gateway.tolls.ledger import Account

MONDAY = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
BERLIN, VIENNA, KINGSTON = "+4930123456", "+431555123", "+18765551234"
A, B, C = LegId("a"), LegId("b"), LegId("c")


def at(seconds: float = 0.0) -> Moment:
    return Moment(1000.0 + seconds, MONDAY + timedelta(seconds=seconds))


def house(*rules: TollRule, **settings: Any) -> TollBook:
    return TollBook(TollConfig(rules=rules, **settings))


def call(number: str = BERLIN, trunk: str = "main", **payer: str) -> TollCall:
    return TollCall(trunk, number, Payer(**payer))


def limit_of(book: TollBook, wanted: TollCall, seconds: float = 0.0) -> str:
    barred = book.judge(wanted, at(seconds))
    return barred.limit if barred is not None else ""


# -------------------------------------------------------------------- what may be called


def test_without_a_rule_only_what_nobody_calls_by_intention_is_refused() -> None:
    book = house()
    assert limit_of(book, call()) == limit_of(book, call(KINGSTON)) == limit_of(book, call("100")) == ""
    for number in ("+881612345678", "00881612345678", "+499001234567", "+88351001234567"):
        assert limit_of(book, call(number)) == "denied_kinds"
    assert limit_of(house(denied_kinds=()), call("+881612345678")) == ""


@pytest.mark.parametrize("number", ["+00881612345678", "++881612345678", "+881612345678;x=1", "+8816_12345678"])
def test_no_spelling_that_carriers_read_the_same_way_hides_a_number(number: str) -> None:
    assert limit_of(house(), call(number)) == "denied_kinds"
    assert limit_of(house(TollRule("r", denied=("+881*",)), denied_kinds=()), call(number)) == "denied"


def test_a_number_that_is_dialled_as_at_home_is_the_same_number() -> None:
    rule = TollRule("r", denied=("+4930*",))
    assert limit_of(house(rule, home="DE"), call("030123456")) == "denied"
    purse = house(TollRule("r", spend_per_day=1.0), home="DE", prices={"+4930*": 2.0})
    assert limit_of(purse, call("030123456")) == "spend_per_day"
    local = house(TollRule("r", spend_per_day=1.0), home="DE", prices={"030*": 2.0})
    assert limit_of(local, call("030123456")) == "spend_per_day", "a price may name it as it is dialled"


@pytest.mark.parametrize(
    ("rule", "number", "limit"),
    [
        (TollRule("r", allowed=("+49*", "100")), BERLIN, ""),
        (TollRule("r", allowed=("+49*", "100")), "100", ""),
        (TollRule("r", allowed=("+49*",)), VIENNA, "allowed"),
        (TollRule("r", denied=("+4930*",)), BERLIN, "denied"),
        (TollRule("r", denied=("+4930*",)), "004930123456", "denied"),
        (TollRule("r", countries=("DE", "AT")), VIENNA, ""),
        (TollRule("r", countries=("US",)), KINGSTON, "countries"),
        (TollRule("r", countries=("DE",)), "sales", "countries"),
        (TollRule("r", denied_countries=("JM",)), KINGSTON, "denied_countries"),
        (TollRule("r", denied_kinds=("fixed_line",)), BERLIN, "denied_kinds"),
        (TollRule("r", hours=("mon-fri 08:00-18:00",)), BERLIN, ""),
        (TollRule("r", hours=("sat,sun 08:00-18:00", "mon 11:00-12:00")), BERLIN, "hours"),
    ],
)
def test_a_rule_says_what_may_be_called(rule: TollRule, number: str, limit: str) -> None:
    assert limit_of(house(rule), call(number)) == limit


def test_hours_are_those_of_the_place() -> None:
    rule = TollRule("r", hours=("mon 18:00-19:00",))
    assert limit_of(house(rule), call()) == "hours"
    assert limit_of(house(rule, time_zone="Asia/Shanghai"), call()) == ""
    night = read_hours("fri-sun 22:00-06:00", "UTC")
    assert night.open_at(MONDAY.replace(hour=5))
    assert not night.open_at(MONDAY.replace(hour=22))


@pytest.mark.parametrize(
    ("rule", "wanted", "fits"),
    [
        (TollRule("r", ("main",), denied=("*",)), call(), True),
        (TollRule("r", ("other",), denied=("*",)), call(), False),
        (TollRule("r", agents=("demo",), denied=("*",)), call(agent="demo"), True),
        (TollRule("r", agents=("demo",), denied=("*",)), call(), False),
        (TollRule("r", users=("ada",), denied=("*",)), call(user="ada"), True),
        (TollRule("r", keys=("k1",), denied=("*",)), call(key="k2"), False),
        (TollRule("r", numbers=("+43*",), denied=("*",)), call(VIENNA), True),
        (TollRule("r", numbers=("+43*",), denied=("*",)), call("00431555123"), True),
        (TollRule("r", numbers=("+43*",), denied=("*",)), call(), False),
    ],
)
def test_a_rule_is_for_those_that_it_names(rule: TollRule, wanted: TollCall, fits: bool) -> None:
    barred = house(rule).judge(wanted, at())
    assert (barred is not None) is fits
    if barred is not None:
        assert (barred.rule, barred.cause) == ("r", HangupCause.TOLL_BARRED)
        assert "tolls.rules" in barred.fix


# -------------------------------------------------------------------- how many


def test_calls_are_counted_within_any_minute_and_any_hour() -> None:
    book = house(TollRule("r", calls_per_minute=2, calls_per_hour=3))
    assert book.begin(A, call(), at(0)) is None
    assert book.begin(B, call(), at(50)) is None
    refused = book.begin(C, call(), at(59))
    assert refused is not None
    assert (refused.limit, refused.cause) == ("calls_per_minute", HangupCause.TOLL_LIMIT)
    assert book.begin(C, call(), at(60)) is None
    assert limit_of(book, call(), 200) == "calls_per_hour"
    assert limit_of(book, call(), 3600) == ""


def test_another_way_for_the_same_call_is_no_other_call() -> None:
    book = house(TollRule("r", calls_per_minute=1, calls_at_once=1))
    assert book.begin(A, call(), at(0)) is None
    assert book.begin(A, call(trunk="second"), at(1)) is None
    assert limit_of(book, call(), 2) == "calls_per_minute"
    assert limit_of(book, call(), 61) == "calls_at_once"
    book.ended(A, at(61))
    assert limit_of(book, call(), 61) == ""


def test_another_way_is_counted_by_the_rules_that_have_not_counted_the_call() -> None:
    book = house(
        TollRule("all", calls_per_minute=9, new_numbers_per_hour=2),
        TollRule("second", trunks=("second",), calls_per_minute=1),
    )
    assert book.begin(A, call(), at(0)) is None
    assert book.begin(A, call(trunk="second"), at(1)) is None
    assert book.begin(B, call(), at(2)) is None
    barred = book.begin(B, call(trunk="second"), at(3))
    assert barred is not None
    assert (barred.rule, barred.limit) == ("second", "calls_per_minute")
    assert book.begin(B, call(VIENNA), at(4)) is None
    barred = book.begin(B, call(KINGSTON), at(5))
    assert barred is not None
    assert (barred.rule, barred.limit) == ("all", "new_numbers_per_hour")


def test_whose_calls_are_counted_apart() -> None:
    book = house(TollRule("r", each="agent", calls_at_once=1), TollRule("c", each="country", calls_at_once=2))
    assert book.begin(A, call(agent="one"), at()) is None
    assert limit_of(book, call(agent="one")) == "calls_at_once"
    assert book.begin(B, call(agent="two"), at()) is None
    assert limit_of(book, call(agent="three")) == "calls_at_once"
    assert limit_of(book, call(VIENNA, agent="three")) == ""
    assert [line.name for line in book.lines(B)] == ["toll/r/two", "toll/c/DE"]
    book.rename(A, C)
    book.ended(A, at())
    assert limit_of(book, call(agent="one")) == "calls_at_once"
    book.ended(C, at())
    assert limit_of(book, call(agent="one")) == ""


def test_what_a_caller_writes_is_an_account_that_every_store_takes() -> None:
    """PostgreSQL takes no NUL, and no key of thousands of characters."""
    book = house(TollRule("r", each="caller", spend_per_day=9.0), prices={"+49*": 1.0})
    for leg_id, caller in ((A, "+49\x00\n30"), (B, "7" * 9000)):
        assert book.begin(leg_id, call(caller=caller), at()) is None
        book.answered(leg_id, at())
    whose = [account.key for account in book.ledger.take_changes()]
    assert whose and all(one.isprintable() and len(one) <= 64 for one in whose)


def test_a_burst_of_new_numbers_is_not_put_through_and_known_ones_are() -> None:
    book = house(TollRule("r", new_numbers_per_hour=2))
    for leg, number in ((A, BERLIN), (B, VIENNA)):
        assert book.begin(leg, call(number), at()) is None
    assert limit_of(book, call(KINGSTON)) == "new_numbers_per_hour"
    assert limit_of(book, call(VIENNA)) == ""
    assert limit_of(book, call(KINGSTON), 3600) == ""


def test_a_rule_that_is_as_it_was_goes_on_counting() -> None:
    rule = TollRule("r", calls_per_hour=1)
    book = house(rule)
    assert book.begin(A, call(), at()) is None
    book.use(TollConfig(rules=(TollRule("other"), rule)))
    assert limit_of(book, call()) == "calls_per_hour"
    book.use(TollConfig(rules=(TollRule("r", calls_per_hour=2),)))
    assert limit_of(book, call()) == ""


# -------------------------------------------------------------------- money

PRICES = {"+49*": 0.5, "+4930*": 1.0}


def test_money_is_counted_in_whole_increments_from_the_answer_on() -> None:
    book = house(TollRule("r", spend_per_day=10, spend_per_month=100), prices=PRICES)
    assert book.begin(A, call(), at()) is None
    assert book.look(at(300)) == []
    book.answered(A, at(300))
    book.look(at(361))
    book.ended(A, at(430))
    spent = {account.period: book.ledger.spent(account) for account in book.ledger.take_changes()}
    assert spent == {"2026-11-23": 3_000_000, "2026-11": 3_000_000}
    assert book.spending(MONDAY) == {"r/day": (3.0, 10), "r/month": (3.0, 100)}


def test_a_call_that_was_not_answered_costs_nothing() -> None:
    book = house(TollRule("r", spend_per_day=10), prices=PRICES)
    book.begin(A, call(), at())
    book.ended(A, at(100))
    assert book.ledger.take_changes() == {}


def test_when_the_money_is_spent_nobody_calls_and_who_calls_is_told_in_time() -> None:
    book = house(TollRule("r", spend_per_day=2), prices=PRICES)
    book.begin(A, call(), at())
    book.answered(A, at())
    assert book.look(at(109)) == []
    (overrun,) = book.look(at(110))
    assert (overrun.leg_id, overrun.ends, overrun.cut) == (A, True, False)
    assert (overrun.barred.limit, overrun.barred.cause) == ("spend_per_day", HangupCause.BUDGET_SPENT)
    assert book.look(at(111)) == []
    refused = book.judge(call(), at(111))
    assert refused is not None
    assert refused.limit == "spend_per_day"
    assert limit_of(book, call(VIENNA), 111) == ""
    assert [one.cut for one in book.look(at(141))] == [True]
    assert limit_of(book, call(), 24 * 3600) == ""


def test_a_rule_may_let_running_calls_finish() -> None:
    book = house(TollRule("r", spend_per_day=1, when_spent="finish"), prices=PRICES)
    book.begin(A, call(), at())
    book.answered(A, at())
    assert [(one.ends, one.cut) for one in book.look(at(59))] == [(False, False)]
    assert book.look(at(3600)) == []


def test_what_other_nodes_spent_counts_and_a_restart_forgives_nothing() -> None:
    today = Account("r", "", "2026-11-23")
    book = house(TollRule("r", spend_per_day=2), prices=PRICES)
    book.ledger.hear({today: 1_000_000})
    assert limit_of(book, call()) == ""
    book.ledger.restore({today: 500_000})
    assert limit_of(book, call()) == "spend_per_day"
    assert book.ledger.take_changes() == {}


def test_a_call_may_last_so_long() -> None:
    book = house(TollRule("r", max_call_s=60))
    book.begin(A, call(), at())
    book.answered(A, at(30))
    assert book.look(at(89)) == []
    (overrun,) = book.look(at(90))
    assert overrun == Overrun(A, overrun.barred, ends=True)
    assert overrun.barred.cause is HangupCause.CALL_TOO_LONG


# -------------------------------------------------------------------- configuration


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"denied_kinds": ("premium",)}, "kind of numbers 'premium'"),
        ({"home": "Germany"}, "no country 'Germany'"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"prices": {"49-30": 0.1}}, "'49-30'"),
        ({"prices": {"+49*": -0.1}}, "less than 0"),
        ({"other_price": -1.0}, "less than 0"),
        ({"increment_s": 0}, "increment_s"),
        ({"rules": (TollRule("a"), TollRule("a"))}, "two rules 'a'"),
        ({"rules": (TollRule("a", spend_per_day=1),)}, "nothing has a price"),
    ],
)
def test_what_cannot_be_is_told(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as told:
        TollConfig(**settings)
    assert told.value.fix


@pytest.mark.parametrize(
    "settings",
    [
        {"name": "two words"},
        {"name": "r", "allowed": ("sip:a@b",)},
        {"name": "r", "countries": ("de",)},
        {"name": "r", "each": "phone"},
        {"name": "r", "when_spent": "warn"},
        {"name": "r", "calls_per_hour": -1},
        {"name": "r", "calls_per_minute": 10_001},
        {"name": "r", "spend_per_day": -1.0},
        {"name": "r", "hours": ("monday 8-18",)},
        {"name": "r", "hours": ("mon 25:00-26:00",)},
        {"name": "r", "hours": ("abc 08:00-09:00",)},
    ],
)
def test_a_rule_that_cannot_be_is_told(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as told:
        TollRule(**settings)
    assert told.value.fix
