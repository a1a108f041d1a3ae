"""Calls that go to the next trunk, with trunks written by hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.dns_stub import DnsStub
from tests.unit.gateway.nodes import Node, RawSocket, run, sdp
from voicegw.base.causes import HangupCause
from voicegw.base.ids import LegId
from voicegw.gateway.events import LegAnswered, LegBarred, LegEnded, LegRinging, LegTrunkFailed
from voicegw.gateway.locating_config import LocatingConfig
from voicegw.gateway.next_trunk import is_trunk_side
from voicegw.gateway.sip_counters import LocatingCounter
from voicegw.gateway.tolls.config import TollConfig, TollRule
from voicegw.gateway.trunk_config import Trunk
from voicegw.gateway.trunk_settings import TrunkSettings
from voicegw.gateway.trunk_table import RouteRefused
from voicegw.sip.message import Request

OUT = LegId("out")
IP = "127.0.0.1"
NUMBER = "tel:+4930123"


def trunk(name: str, port: int, **settings: Any) -> Trunk:
    given = {"hosts": [IP], "port": port, "carries": ["+49*"], "health": {"options_s": 0}}
    return Trunk(name, TrunkSettings.model_validate(given | settings), "secret")


class House:
    """A node with two trunks, tried in this order."""

    def __init__(self, *, first_host: str = IP, attempt_s: float = 5.0, **second: Any) -> None:
        self.dns = DnsStub({})
        self.node = Node(locating=LocatingConfig(dns_servers=(self.dns.address,), attempt_s=attempt_s))
        self.first, self.second = RawSocket(), RawSocket()
        first = trunk("first", self.first.port, priority=1, hosts=[first_host], numbering={"prefix": "9"})
        own = {"priority": 2, "codecs": ["PCMA"], "caller_id": {"number": "+49301", "identity": "pai"}}
        self.node.gateway.trunks.put_in_force([first, trunk("second", self.second.port, **(own | second))])

    def dial(self) -> None:
        self.node.gateway.dial(OUT, NUMBER, IP, 30_000, "sip:us@127.0.0.1")

    async def invite(self, server: RawSocket, method: str = "INVITE") -> Request:
        """The next INVITE, or another request; what is repeated or acknowledged before it is passed over."""
        while True:
            message = await server.receive()
            if isinstance(message, Request) and message.method == method:
                return message

    async def answer(self, server: RawSocket, request: Request, status: int, *extra: str) -> None:
        copied = [f"{name}: {request.headers.get(name)}" for name in ("Via", "From", "Call-ID", "CSeq")]
        to = f"To: {request.headers.get('To')};tag=t{server.port}"
        body = sdp(40_000) if status == 200 else b""
        kind = ["Content-Type: application/sdp"] if body else []
        lines = [f"SIP/2.0 {status} X", *copied, to, f"Contact: <sip:b@127.0.0.1:{server.port}>", *extra, *kind]
        data = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body
        await server.send(data, self.node.address)

    async def talk_by_the_second(self) -> None:
        """The first trunk fails, and somebody answers by the second."""
        self.dial()
        await self.answer(self.first, await self.invite(self.first), 500)
        await self.answer(self.second, await self.invite(self.second), 200)
        await self.node.expect(LegTrunkFailed)
        await self.node.expect(LegAnswered)

    def lines(self) -> dict[str, int]:
        """The lines that are taken, by trunk."""
        return {one.name: one.calls for one in self.node.gateway.trunks.snapshot()}

    def close(self) -> None:
        self.node.gateway.close()
        self.first.close()
        self.second.close()
        self.dns.close()


def in_house(scenario: Callable[[House], Awaitable[None]], **settings: Any) -> None:
    async def whole() -> None:
        house = House(**settings)
        try:
            await scenario(house)
        finally:
            house.close()

    run(whole())


def test_the_next_trunk_says_it_in_its_own_way() -> None:
    async def scenario(house: House) -> None:
        house.dial()
        first = await house.invite(house.first)
        assert first.uri.startswith("sip:9+4930123@")
        await house.answer(house.first, first, 500)
        second = await house.invite(house.second)
        assert second.uri.startswith("sip:+4930123@")
        assert second.headers.get("P-Asserted-Identity") is not None
        assert second.headers.get("Call-ID") != first.headers.get("Call-ID"), "another request, not the same one"
        assert b"RTP/AVP 8 " in second.body
        assert house.lines() == {"first": 0, "second": 1}
        failed = await house.node.expect(LegTrunkFailed)
        assert (failed.trunk, failed.next_trunk, failed.sip_status) == ("first", "second", 500)
        assert failed.cause is HangupCause.PEER_FAILED
        await house.answer(house.second, second, 200)
        assert (await house.node.expect(LegAnswered)).leg_id == OUT
        assert house.node.counters.get(LocatingCounter.TRUNK_FAILED_OVER) == 1
        house.node.gateway.hangup(OUT, HangupCause.AGENT_HANGUP)
        assert house.node.gateway.active_legs == 1

    in_house(scenario)


def test_the_next_trunk_carries_the_one_call_that_the_toll_rules_allow() -> None:
    async def scenario(house: House) -> None:
        rule = TollRule("one", calls_per_minute=1, calls_at_once=1)
        house.node.gateway.trunks.tolls.use(TollConfig(rules=(rule,)))
        house.dial()
        await house.answer(house.first, await house.invite(house.first), 503)
        await house.answer(house.second, await house.invite(house.second), 486)
        await house.node.expect(LegTrunkFailed)
        assert (await house.node.expect(LegEnded)).sip_status == 486
        with pytest.raises(RouteRefused, match="within a minute"):
            house.node.gateway.dial(LegId("next"), NUMBER, IP, 30_002, "sip:us@127.0.0.1")

    in_house(scenario)


@pytest.mark.parametrize("status", [403, 404, 480, 486, 487, 488, 603, 600])
def test_what_the_called_party_says_is_the_last_word(status: int) -> None:
    async def scenario(house: House) -> None:
        house.dial()
        await house.answer(house.first, await house.invite(house.first), status)
        assert (await house.node.expect(LegEnded)).sip_status == status
        assert house.lines() == {"first": 0, "second": 0}
        assert house.node.counters.get(LocatingCounter.TRUNK_FAILED_OVER) == 0

    in_house(scenario)


@pytest.mark.parametrize("status", [401, 407, 408, 482, 500, 502, 503, 504])
def test_what_a_trunk_fails_at(status: int) -> None:
    async def scenario(house: House) -> None:
        house.dial()
        challenge = 'Digest realm="other", nonce="n"'
        extra = {401: (f"WWW-Authenticate: {challenge}",), 407: (f"Proxy-Authenticate: {challenge}",)}
        await house.answer(house.first, await house.invite(house.first), status, *extra.get(status, ()))
        await house.answer(house.second, await house.invite(house.second), 486)
        await house.node.expect(LegTrunkFailed)
        ended = await house.node.expect(LegEnded)
        assert (ended.cause, ended.sip_status) == (HangupCause.PEER_BUSY, 486)
        assert house.node.gateway.active_legs == 0

    in_house(scenario)


def test_a_timeout_after_ringing_is_nobody_at_home() -> None:
    async def scenario(house: House) -> None:
        house.dial()
        invite = await house.invite(house.first)
        await house.answer(house.first, invite, 180)
        await house.node.expect(LegRinging)
        await house.answer(house.first, invite, 408)
        assert (await house.node.expect(LegEnded)).cause is HangupCause.NO_ANSWER

    in_house(scenario)


def test_a_silent_trunk_is_not_waited_for_long() -> None:
    async def scenario(house: House) -> None:
        house.dial()
        await house.invite(house.first)
        second = await house.invite(house.second)
        await house.answer(house.second, second, 200)
        assert (await house.node.expect(LegTrunkFailed)).cause is HangupCause.UNREACHABLE
        await house.node.expect(LegAnswered)
        assert house.node.gateway.servers.listed[0].port == house.first.port

    in_house(scenario, attempt_s=0.3)


def test_a_trunk_whose_name_is_unknown() -> None:
    async def scenario(house: House) -> None:
        house.dial()
        await house.answer(house.second, await house.invite(house.second), 200)
        failed = await house.node.expect(LegTrunkFailed)
        assert failed.cause is HangupCause.NAME_NOT_FOUND
        await house.node.expect(LegAnswered)

    in_house(scenario, first_host="nowhere.test")


def test_when_all_have_failed_the_last_one_tells() -> None:
    async def scenario(house: House) -> None:
        house.dial()
        await house.answer(house.first, await house.invite(house.first), 500)
        await house.answer(house.second, await house.invite(house.second), 503)
        await house.node.expect(LegTrunkFailed)
        ended = await house.node.expect(LegEnded)
        assert (ended.cause, ended.sip_status) == (HangupCause.PEER_OVERLOADED, 503)
        assert house.lines() == {"first": 0, "second": 0}

    in_house(scenario)


def test_a_full_or_downed_trunk_is_no_way_out() -> None:
    async def scenario(house: House) -> None:
        house.node.gateway.trunks.set_down("second", "silent")
        house.dial()
        await house.answer(house.first, await house.invite(house.first), 500)
        assert (await house.node.expect(LegEnded)).sip_status == 500

    in_house(scenario)


def test_a_trunk_that_is_named_is_the_only_one() -> None:
    async def scenario(house: House) -> None:
        house.node.gateway.dial(OUT, f"{NUMBER};tgrp=first", IP, 30_000, "sip:us@127.0.0.1")
        await house.answer(house.first, await house.invite(house.first), 500)
        assert (await house.node.expect(LegEnded)).sip_status == 500

    in_house(scenario)


def test_keys_go_as_the_next_trunk_has_it() -> None:
    async def scenario(house: House) -> None:
        house.dial()
        first = await house.invite(house.first)
        assert b"telephone-event" in first.body
        await house.answer(house.first, first, 500)
        second = await house.invite(house.second)
        assert b"telephone-event" not in second.body
        await house.node.expect(LegTrunkFailed)
        await house.answer(house.second, second, 200)
        session = (await house.node.expect(LegAnswered)).session
        assert (session.dtmf_payload_type, session.key_tones) == (-1, False)
        assert house.node.gateway.send_keys(OUT, "1")
        assert (await house.invite(house.second, "INFO")).body.startswith(b"Signal=1")

    in_house(scenario, dtmf="info", codecs=["PCMU"])


def test_who_has_hung_up_meanwhile_is_not_called_again() -> None:
    async def scenario(house: House) -> None:
        house.dial()
        invite = await house.invite(house.first)
        await house.answer(house.first, invite, 180)
        await house.node.expect(LegRinging)
        house.node.gateway.hangup(OUT, HangupCause.CALLER_HANGUP)
        await house.answer(house.first, invite, 500)
        ended = await house.node.expect(LegEnded)
        assert ended.leg_id == OUT
        assert house.node.counters.get(LocatingCounter.TRUNK_FAILED_OVER) == 0

    in_house(scenario)


def test_the_longest_call_is_that_of_the_trunk_that_carries_it() -> None:
    async def scenario(house: House) -> None:
        await house.talk_by_the_second()
        assert house.node.gateway._legs.by_id[OUT].deadline is not None

    in_house(scenario, max_call_s=60)


def test_a_call_that_its_trunk_ends_is_told_of_before_it_is_cut_off() -> None:
    async def scenario(house: House) -> None:
        await house.talk_by_the_second()
        told = await house.node.expect(LegBarred)
        assert (told.running, told.ends, told.barred.cause) == (True, True, HangupCause.CALL_TOO_LONG)
        leg = house.node.gateway._legs.by_id[OUT]
        assert leg.deadline is not None and not leg.deadline.cancelled(), "when its time to part is over"
        leg.deadline._run()
        assert (await house.invite(house.second, "BYE")).method == "BYE"

    in_house(scenario, max_call_s=1)


def test_a_call_that_nobody_answers_in_its_trunks_time_is_let_go() -> None:
    async def scenario(house: House) -> None:
        house.dial()
        await house.answer(house.first, await house.invite(house.first), 500)
        await house.answer(house.second, await house.invite(house.second), 180)
        assert (await house.invite(house.second, "CANCEL")).method == "CANCEL"

    in_house(scenario, max_call_s=1)


@pytest.mark.parametrize("cause", list(HangupCause))
def test_every_cause_is_judged_by_the_side_at_fault(cause: HangupCause) -> None:
    blamed = is_trunk_side(LegEnded(OUT, cause), has_rung=False)
    names = {"network"} | (
        {"operator"} if cause.value.name in ("credentials_refused", "name_not_found", "trunk_full") else set()
    )
    assert blamed is (cause.value.side.value in names)
    assert not is_trunk_side(LegEnded(OUT, cause, 603), has_rung=False)
