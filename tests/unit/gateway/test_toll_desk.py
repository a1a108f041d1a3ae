"""Toll rules where calls are placed: by trunks written by hand, on loopback, with the clock in the test's hand."""

from __future__ import annotations

import pytest

from tests.unit.gateway.nodes import RawSocket
from tests.unit.gateway.test_next_trunk import IP, NUMBER, OUT, House, in_house, trunk
from voicegw.base.catalogue.sip import TOLL_LIMITS
from voicegw.base.causes import HangupCause
from voicegw.base.ids import LegId
from voicegw.base.metrics import Counters
from voicegw.gateway.events import LegAnswered, LegBarred, LegEnded, LegReferAnswered, LegReferred, LegTrunkFailed
from voicegw.gateway.target_policy import TargetPolicy
from voicegw.gateway.toll_desk import TollDesk
from voicegw.gateway.tolls.calls import NOBODY, Payer
from voicegw.gateway.tolls.config import TollConfig, TollRule
from voicegw.gateway.trunk_table import RouteRefused
from voicegw.testing.manual_clock import ManualClock

PREMIUM = "tel:+499001234567"


def rules(house: House, *given: TollRule, **settings: object) -> TollDesk:
    desk = house.node.gateway.trunks.tolls
    desk.use(TollConfig(rules=given, **settings))  # type: ignore[arg-type]
    return desk


def dial(house: House, uri: str = NUMBER, payer: Payer = NOBODY, leg_id: LegId = OUT) -> None:
    house.node.gateway.dial(leg_id, uri, IP, 30_000, "sip:us@127.0.0.1", payer=payer)


def test_what_the_rules_do_not_allow_is_not_dialled_and_takes_no_line() -> None:
    async def scenario(house: House) -> None:
        rules(house, TollRule("own", agents=("demo",), denied=("+4930*",)))
        for uri, payer, limit in ((PREMIUM, NOBODY, "denied_kinds"), (NUMBER, Payer("demo"), "denied")):
            with pytest.raises(RouteRefused) as refused:
                dial(house, uri, payer)
            assert refused.value.cause is HangupCause.TOLL_BARRED
            assert refused.value.barred is not None
            assert refused.value.barred.limit == limit
            assert house.node.counters.get(f"toll_calls_refused_{limit}") == 1
        assert house.lines() == {"first": 0, "second": 0}
        dial(house)
        await house.invite(house.first)

    in_house(scenario)


def test_a_trunk_that_may_not_leaves_it_to_one_that_may() -> None:
    async def scenario(house: House) -> None:
        rules(house, TollRule("dear", trunks=("first",), denied=("*", "+*")))
        dial(house)
        await house.invite(house.second)
        assert house.lines() == {"first": 0, "second": 1}

    in_house(scenario)


def test_a_call_counts_once_by_whatever_trunks_it_goes_and_its_place_is_free_at_its_end() -> None:
    async def scenario(house: House) -> None:
        rules(house, TollRule("few", calls_per_minute=2, calls_at_once=1))
        dial(house)
        await house.answer(house.first, await house.invite(house.first), 500)
        second = await house.invite(house.second)
        await house.node.expect(LegTrunkFailed)
        with pytest.raises(RouteRefused, match="at once"):
            dial(house, leg_id=LegId("other"))
        await house.answer(house.second, second, 486)
        await house.node.expect(LegEnded)
        dial(house, leg_id=LegId("other"))
        await house.invite(house.first)

    in_house(scenario)


def test_whoever_is_called_sends_the_call_on_to_nobody_whom_it_may_not_reach() -> None:
    async def scenario(house: House) -> None:
        alone = trunk("first", house.first.port, forward_to=[f"sip:*@127.0.0.1:{house.second.port}"])
        house.node.gateway.trunks.put_in_force([alone])
        dial(house)
        invite = await house.invite(house.first)
        elsewhere = f"Contact: <sip:+881612345678@127.0.0.1:{house.second.port}>"
        await house.answer(house.first, invite, 302, elsewhere)
        ended = await house.node.expect(LegEnded)
        assert ended.cause is HangupCause.TOLL_BARRED
        assert house.lines() == {"first": 0}

    in_house(scenario)


@pytest.mark.parametrize("behind", ["%3bx=1", ";x=1", "~"])
def test_nothing_behind_a_number_hides_where_it_leads(behind: str) -> None:
    async def scenario(house: House) -> None:
        house.node.gateway.trunks.put_in_force([trunk("first", house.first.port, carries=["+*"])])
        with pytest.raises(RouteRefused, match="satellite"):
            dial(house, f"sip:+881612345678{behind}@{IP}")

    in_house(scenario)


def test_no_name_of_somebody_elses_leads_to_a_trunk_past_its_rules() -> None:
    async def scenario(house: House) -> None:
        house.dns.records["elsewhere.test", "A"] = [IP]
        dial(house, f"sip:+881612345678@elsewhere.test:{house.first.port}")
        ended = await house.node.expect(LegEnded)
        assert (ended.cause, ended.reason_text) == (HangupCause.NOT_ALLOWED, "by trunk first only")

    in_house(scenario)


def test_a_call_of_no_trunk_is_sent_on_to_none() -> None:
    async def scenario(house: House) -> None:
        phone = RawSocket()
        sent_to = trunk("first", house.first.port, hosts=["127.0.0.2"])
        house.node.gateway.trunks.put_in_force([sent_to])
        house.node.gateway._outgoing.policy = TargetPolicy(("sip:*@127.0.0.2:*",))
        dial(house, f"sip:bob@{IP}:{phone.port}")
        contact = f"Contact: <sip:+881612345678@127.0.0.2:{house.first.port}>"
        await house.answer(phone, await house.invite(phone), 302, contact)
        assert (await house.node.expect(LegEnded)).cause is HangupCause.NOT_ALLOWED
        phone.close()

    in_house(scenario)


def test_who_pays_for_a_call_that_somebody_else_is_asked_to_place_is_asked_as_well() -> None:
    async def scenario(house: House) -> None:
        rules(house, TollRule("own", agents=("demo",), denied=("+4930*",)))
        house.node.gateway.refer(OUT, NUMBER, payer=Payer("demo"))
        assert (await house.node.expect(LegReferAnswered)).status == 403
        assert house.node.counters.get("toll_calls_refused_denied") == 1

    in_house(scenario)


def test_whom_the_called_side_sends_us_on_to_is_called_on_behalf_of_who_called() -> None:
    async def scenario(house: House) -> None:
        alone = trunk("first", house.first.port, forward_to=[f"sip:*@{IP}"])
        house.node.gateway.trunks.put_in_force([alone])
        rules(house, TollRule("own", keys=("k",), denied=("+4940*",)))
        dial(house, payer=Payer(key="k"))
        invite = await house.invite(house.first)
        await house.answer(house.first, invite, 200)
        await house.node.expect(LegAnswered)
        refer = house.first.request(
            "REFER",
            f"Refer-To: <sip:+4940123@{IP}>",
            from_=f"From: {invite.headers.get('To')};tag=t{house.first.port}",
            to=f"To: {invite.headers.get('From')}",
            call_id=f"Call-ID: {invite.headers.get('Call-ID')}",
        )
        await house.first.send(refer, house.node.address)
        await house.node.expect(LegReferred)
        assert (await house.node.expect(LegBarred)).barred.rule == "own"

    in_house(scenario)


def test_nobody_is_asked_by_refer_to_call_whom_we_may_not_call() -> None:
    async def scenario(house: House) -> None:
        rules(house)
        house.node.gateway.refer(OUT, PREMIUM)
        assert (await house.node.expect(LegReferAnswered)).status == 403
        assert house.node.counters.get("toll_calls_refused_denied_kinds") == 1

    in_house(scenario)


def test_a_running_call_that_nobody_pays_for_is_told_of_and_then_cut_off() -> None:
    async def scenario(house: House) -> None:
        clock = ManualClock()
        desk = rules(house, TollRule("purse", spend_per_day=1.0), prices={"+49*": 1.0})
        desk._clock = clock
        dial(house)
        await house.answer(house.first, await house.invite(house.first), 200)
        await house.node.expect(LegAnswered)
        assert desk.gauges() == {"toll_budget_spent_ratio_purse/day": 1.0}
        clock.advance(55.0)
        desk.look()
        told = await house.node.expect(LegBarred)
        assert (told.leg_id, told.running, told.ends) == (OUT, True, True)
        assert told.barred.cause is HangupCause.BUDGET_SPENT
        clock.advance(31.0)
        desk.look()
        assert (await house.invite(house.first, "BYE")).method == "BYE"
        assert house.node.counters.get("toll_calls_overrun_spend_per_day") == 2

    in_house(scenario)


def test_a_call_may_be_asked_about_before_it_is_placed() -> None:
    async def scenario(house: House) -> None:
        rules(house, TollRule("one", calls_per_minute=1))
        trunks = house.node.gateway.trunks
        for _ in range(3):
            trunks.check(NUMBER)
        trunks.check("sip:+499001234567@192.0.2.9")
        with pytest.raises(RouteRefused, match="premium_rate"):
            trunks.check(PREMIUM)
        assert house.node.counters.get("toll_calls_refused_denied_kinds") == 0

    in_house(scenario)


def test_every_reason_is_in_the_catalogue_of_metrics() -> None:
    fields = set(TollRule.__dataclass_fields__)
    assert set(TOLL_LIMITS) <= fields
    described = {"name", "trunks", "agents", "users", "keys", "numbers", "each", "when_spent"}
    assert fields - described == set(TOLL_LIMITS)
    assert TollDesk(counters=Counters()).gauges() == {}
