"""Calls that come faster to a number, or from one, than they may."""

from __future__ import annotations

from tests.unit.gateway.nodes import Node, RawSocket, run, sdp
from voicegw.base.causes import HangupCause
from voicegw.base.ids import LegId
from voicegw.gateway.events import LegInvited, LegRefused
from voicegw.gateway.number_rates import NumberRates
from voicegw.sip.message import Response


def invited(called: str, calling: str) -> LegInvited:
    return LegInvited(LegId("a"), called, calling, "", {}, "c@peer", True)


def test_numbers_are_counted_apart_and_only_calls_that_are_taken() -> None:
    rates = NumberRates(2, 3)
    assert [rates.judge(invited("100", str(one)), 0.0) is None for one in range(3)] == [True, True, False]
    assert rates.judge(invited("200", "0"), 1.0) is None
    assert rates.judge(invited("300", "0"), 2.0) is None
    refused = rates.judge(invited("400", "0"), 3.0)
    assert refused is not None
    assert refused.cause is HangupCause.NUMBER_RATE
    assert "from '0'" in str(refused)
    assert rates.judge(invited("100", "9"), 60.0) is None
    assert all(rates.judge(invited("500", ""), 61.0) is None for _ in range(2)), "who is not shown is nobody"


def test_no_more_of_a_number_is_kept_than_a_number_has() -> None:
    rates, long = NumberRates(0, 1), "9" * 60_000
    assert rates.judge(invited("100", f"{long}1"), 0.0) is None
    assert rates.judge(invited("100", f"{long}2"), 0.0) is not None, "they are one: their ends are forgotten"


def test_without_limits_nobody_is_counted() -> None:
    assert all(NumberRates().judge(invited("100", "1"), 0.0) is None for _ in range(100))


def test_other_limits_hold_for_the_calls_of_the_last_minute() -> None:
    rates = NumberRates(3)
    assert [rates.judge(invited("100", "1"), at) is None for at in (0.0, 1.0, 2.0, 3.0)] == [
        True,
        True,
        True,
        False,
    ]
    rates.change(3, 5)
    assert rates.judge(invited("100", "1"), 3.0) is not None, "another value has changed"
    rates.change(4, 5)
    assert [rates.judge(invited("100", "1"), 3.0) is None for _ in range(2)] == [True, False]
    rates.change(1, 0)
    assert rates.judge(invited("100", "1"), 62.0) is not None, "the newest of them counts"
    assert rates.judge(invited("100", "1"), 63.0) is None
    rates.change(0, 0)
    assert all(rates.judge(invited("100", "1"), 63.0) is None for _ in range(9))


def test_one_too_many_is_told_when_to_come_again() -> None:
    async def story() -> None:
        node, peer = Node(), RawSocket()
        node.gateway.limit_numbers(1, 0)
        try:
            for number, call_id in enumerate(("one", "two")):
                invite = peer.request("INVITE", body=sdp(40_000), call_id=f"Call-ID: {call_id}")
                await peer.send(invite, node.address)
                if number == 0:
                    await node.expect(LegInvited)
            answer = await peer.receive()
            while not (isinstance(answer, Response) and answer.status == 480):
                answer = await peer.receive()
            assert answer.headers.get("Retry-After") == "60"
            assert (await node.expect(LegRefused)).cause is HangupCause.NUMBER_RATE
        finally:
            node.gateway.close()
            peer.close()

    run(story())
