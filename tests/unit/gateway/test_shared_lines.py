"""Calls that need a line which other nodes take as well: admitted, refused, given up, and what they give back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from tests.unit.gateway.nodes import Node, RawSocket, run, sdp, until
from voicegw.base.causes import HangupCause
from voicegw.base.ids import LegId
from voicegw.gateway.events import LegEnded, LegInvited, LegRefused
from voicegw.gateway.shared_lines import SharedLines
from voicegw.gateway.tolls.config import TollConfig, TollRule
from voicegw.gateway.trunk_config import Trunk
from voicegw.gateway.trunk_settings import TrunkSettings
from voicegw.ports.cluster import Line

OUT = LegId("out")


class Pool:
    """Says what the test tells it to say, when the test lets it."""

    def __init__(self) -> None:
        self.full = ""
        self.asked: list[Sequence[Line]] = []
        self.freed: list[str] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def take(self, holder: str, lines: Sequence[Line]) -> str:
        self.asked.append(lines)
        await self.may_answer.wait()
        return self.full

    def free(self, holder: str) -> None:
        self.freed.append(holder)


class House:
    """A gateway with a trunk to a peer, and the pool."""

    def __init__(self, **settings: object) -> None:
        self.node, self.peer, self.pool = Node(), RawSocket(), Pool()
        self.desk = self.node.gateway.trunks
        self.desk.shared = SharedLines(self.pool, per_number=5)
        given = {"hosts": ["127.0.0.1"], "port": self.peer.port, "carries": ["*"], "max_calls": 7}
        given["health"] = {"options_s": 0}
        self.desk.put_in_force([Trunk("carrier", TrunkSettings.model_validate(given | settings), "")])

    async def invite(self) -> bytes:
        request = self.peer.request("INVITE", body=sdp(40_000))
        await self.peer.send(request, self.node.address)
        return request

    def close(self) -> None:
        self.node.gateway.close()
        self.peer.socket.close()


def test_a_call_waits_for_its_lines_and_gives_them_back() -> None:
    async def scenario() -> None:
        house = House()
        house.pool.may_answer.clear()
        await house.invite()
        await until(lambda: bool(house.pool.asked))
        assert house.pool.asked == [(Line("trunk/carrier", 7), Line("number/demo", 5))]
        assert house.node.events.empty()
        house.pool.may_answer.set()
        invited = await house.node.expect(LegInvited)
        house.node.gateway.reject(invited.leg_id, HangupCause.ROUTE_REJECTED)
        await house.peer.response(403)
        await house.peer.send(house.peer.request("ACK"), house.node.address)
        house.close()
        assert house.pool.freed == [invited.leg_id]

    run(scenario())


def test_a_number_that_has_all_its_calls_is_busy() -> None:
    async def scenario() -> None:
        house = House()
        house.pool.full = "number/demo"
        await house.invite()
        await house.peer.response(486)
        refused = await house.node.expect(LegRefused)
        assert refused.cause is HangupCause.NUMBER_FULL
        assert house.desk.snapshot()[0].calls == 0
        house.close()
        assert house.pool.freed == []

    run(scenario())


def test_a_trunk_that_is_full_elsewhere_is_full() -> None:
    async def scenario() -> None:
        house = House()
        house.pool.full = "trunk/carrier"
        await house.invite()
        await house.peer.response(503)
        assert (await house.node.expect(LegRefused)).cause is HangupCause.TRUNK_FULL
        house.close()

    run(scenario())


def test_a_fault_of_ours_at_the_door_is_500_and_no_silence(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Pool):
        async def take(self, holder: str, lines: Sequence[Line]) -> str:
            raise ZeroDivisionError("ours")

    async def scenario() -> None:
        house = House()
        house.desk.shared = SharedLines(Broken(), per_number=5)
        await house.invite()
        await house.peer.response(500)
        assert (await house.node.expect(LegRefused)).cause is HangupCause.INTERNAL_ERROR
        await house.peer.send(house.peer.request("ACK"), house.node.address)
        house.close()
        assert house.desk.snapshot()[0].calls == 0

    run(scenario())
    assert [record.exc_info is not None for record in caplog.records if record.levelname == "ERROR"] == [True]


def test_a_fault_of_ours_in_taking_a_call_is_500_too(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        house = House(max_calls=0)
        house.desk.shared = SharedLines(house.pool)
        legs = house.node.gateway._incoming
        tell, legs._tell = legs._tell, lambda _event: 1 / 0
        await house.invite()
        await house.peer.response(500)
        await house.peer.send(house.peer.request("ACK"), house.node.address)
        legs._tell = tell
        await until(lambda: house.node.gateway.active_legs == 0)
        while not house.node.events.empty():
            house.node.events.get_nowait()
        house.peer._serial += 100
        await house.invite()
        await house.node.expect(LegInvited)
        house.close()

    run(scenario())
    assert [record.exc_info is not None for record in caplog.records if record.levelname == "ERROR"] == [True]


def test_who_gives_up_meanwhile_was_nobodys_call() -> None:
    async def scenario() -> None:
        house = House()
        house.pool.may_answer.clear()
        request = await house.invite()
        await until(lambda: bool(house.pool.asked))
        via = next(line for line in request.decode().split("\r\n") if line.startswith("Via"))
        cseq = next(line for line in request.decode().split("\r\n") if line.startswith("CSeq"))
        cancel = house.peer.request("CANCEL", via=via, cseq=cseq.replace("INVITE", "CANCEL"))
        await house.peer.send(cancel, house.node.address)
        await until(lambda: bool(house.pool.freed))
        house.pool.may_answer.set()
        await asyncio.sleep(0)
        house.close()
        assert house.node.events.empty()

    run(scenario())


def test_a_call_out_by_a_trunk_that_is_full_elsewhere_fails() -> None:
    async def scenario() -> None:
        house = House()
        house.pool.full = "trunk/carrier"
        house.node.gateway.dial(
            OUT, f"sip:100@127.0.0.1:{house.peer.port}", "127.0.0.1", 40_000, "sip:us@here.test"
        )
        ended = await house.node.expect(LegEnded)
        assert (ended.cause, house.pool.asked) == (HangupCause.TRUNK_FULL, [(Line("trunk/carrier", 7),)])
        house.close()

    run(scenario())


def test_a_toll_rule_that_has_all_its_calls_at_other_nodes_allows_none_here() -> None:
    async def scenario() -> None:
        house = House(max_calls=0)
        house.desk.tolls.use(TollConfig(rules=(TollRule("few", calls_at_once=3),)))
        house.pool.full = "toll/few/"
        house.node.gateway.dial(
            OUT, f"sip:100@127.0.0.1:{house.peer.port}", "127.0.0.1", 40_000, "sip:us@here.test"
        )
        ended = await house.node.expect(LegEnded)
        assert (ended.cause, house.pool.asked) == (HangupCause.TOLL_LIMIT, [(Line("toll/few/", 3),)])
        assert house.node.counters.get("toll_calls_refused_calls_at_once") == 1
        house.close()

    run(scenario())


def test_nothing_is_asked_where_nothing_is_limited() -> None:
    async def scenario() -> None:
        house = House(max_calls=0)
        house.desk.shared = SharedLines(house.pool)
        await house.invite()
        await house.node.expect(LegInvited)
        assert house.pool.asked == []
        house.close()

    run(scenario())


def test_a_line_goes_along_with_the_name_of_its_leg() -> None:
    async def scenario() -> None:
        pool = Pool()
        lines = SharedLines(pool)
        await lines.take(OUT, [Line("trunk/carrier", 1)])
        lines.rename(OUT, LegId("renamed"))
        lines.release(OUT)
        assert pool.freed == []
        lines.release(LegId("renamed"))
        assert pool.freed == [OUT]

    run(scenario())


def test_no_caller_makes_two_lines_of_one() -> None:
    """Redis keeps the names of a leg's lines a line of text each."""
    shared = SharedLines(Pool(), per_number=5)
    tolls = [Line("toll/each/49\n50", 3)]
    for one in shared.wanted(None, "123\nnumber/456\x00" + "7" * 60_000, tolls):
        assert one.name.isprintable() and len(one.name) < 300
    assert shared.wanted(None, "+4930123", [Line("toll/each/+4940", 3)]) == (
        Line("toll/each/+4940", 3),
        Line("number/+4930123", 5),
    )
