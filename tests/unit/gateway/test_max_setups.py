"""Calls that wait for our answer: so many at once, and one more is told 503 at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.gateway.nodes import Node, RawSocket, run, sdp
from tests.unit.gateway.test_door import CONFIG
from voicegw.base.causes import HangupCause
from voicegw.base.errors import ConfigError
from voicegw.gateway.config import SipConfig
from voicegw.gateway.events import LegEnded, LegInvited, LegRefused
from voicegw.sip.message import Response


class House:
    """Two calls may wait at once."""

    def __init__(self) -> None:
        self.node, self.peer = Node(config=replace(CONFIG, max_setups=2)), RawSocket()
        self._calls = 0

    async def call(self, status: int) -> None:
        """One more INVITE, and its first answer."""
        self._calls += 1
        call_id = f"call-{self._calls}"
        data = self.peer.request("INVITE", body=sdp(40_000), call_id=f"Call-ID: {call_id}")
        await self.peer.send(data, self.node.address)
        response = await self.peer.receive()
        while response.headers.get("Call-ID") != call_id:  # a 200 that we do not acknowledge
            response = await self.peer.receive()
        assert isinstance(response, Response) and response.status == status
        assert (response.headers.get("Retry-After") is not None) is (status == 503)

    async def waiting(self) -> LegInvited:
        """One that is told of."""
        await self.call(100)
        return await self.node.expect(LegInvited)

    async def one_too_many(self) -> None:
        """One that is not, but by a record."""
        await self.call(503)
        assert (await self.node.expect(LegRefused)).cause is HangupCause.OVERLOADED

    def close(self) -> None:
        self.node.gateway.close()
        self.peer.socket.close()


def test_one_more_is_refused_until_one_is_answered() -> None:
    async def scenario() -> None:
        house = House()
        first, _ = await house.waiting(), await house.waiting()
        await house.one_too_many()
        house.node.gateway.accept(first.leg_id, "127.0.0.1", 40_002)
        await house.waiting()
        await house.one_too_many()
        house.close()

    run(scenario())


def test_a_refused_call_waits_no_longer() -> None:
    async def scenario() -> None:
        house = House()
        first, _ = await house.waiting(), await house.waiting()
        house.node.gateway.reject(first.leg_id, HangupCause.BUSY)
        await house.node.expect(LegEnded)
        await house.peer.response(486)
        await house.waiting()
        house.close()

    run(scenario())


def test_who_hears_an_announcement_waits_no_longer() -> None:
    async def scenario() -> None:
        house = House()
        for _ in range(4):
            leg = await house.waiting()
            house.node.gateway.early(leg.leg_id, "127.0.0.1", 40_002)
            await house.peer.response(183)
        house.close()

    run(scenario())


def test_none_at_all_is_no_limit_to_be_had() -> None:
    with pytest.raises(ConfigError, match="max_setups"):
        SipConfig(max_setups=0)
