"""Calls that are refused before they are calls, and which of them are told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.gateway.nodes import Node, RawSocket, run, sdp
from tests.unit.gateway.test_phones import DOMAIN, close, house, phone
from voicegw.base.causes import HangupCause
from voicegw.base.ids import LegId
from voicegw.gateway.config import SipConfig
from voicegw.gateway.door import KNOWN, STRANGERS
from voicegw.gateway.events import LegEnded, LegInvited, LegRefused
from voicegw.gateway.guard_config import GuardConfig
from voicegw.gateway.trunk_config import Trunk
from voicegw.gateway.trunk_settings import TrunkSettings

LEG = LegId("out")
CONFIG = SipConfig(listen_ip="127.0.0.1", listen_port=0, t1_ms=50)
NOBODY_TRUSTED = GuardConfig(trusted=(), stranger_burst=1e6, strangers_per_s=1e6, refusals=100_000)


def trunk(**settings: object) -> Trunk:
    given = {"hosts": ["127.0.0.1"], "health": {"options_s": 0}}
    return Trunk("carrier", TrunkSettings.model_validate(given | settings), "secret")


def invite(peer: RawSocket, number: int) -> bytes:
    return peer.request("INVITE", body=sdp(40_000), call_id=f"Call-ID: call-{number}")


async def refused(peer: RawSocket, node: Node, number: int, status: int) -> None:
    await peer.send(invite(peer, number), node.address)
    await peer.response(status)


def test_a_stranger_is_told_with_the_address_and_the_reason() -> None:
    async def scenario() -> None:
        node, peer = Node(config=replace(CONFIG, strangers="refuse")), RawSocket()
        await refused(peer, node, 1, 403)
        event = await node.expect(LegRefused)
        assert (event.cause, event.source) == (HangupCause.UNKNOWN_SOURCE, "127.0.0.1")
        assert (event.invited.called, event.invited.calling) == ("demo", "+4930123")
        assert event.invited.sip_call_id == "call-1"
        node.gateway.close()
        peer.socket.close()

    run(scenario())


def test_a_flood_of_strangers_is_counted_and_not_told() -> None:
    async def scenario() -> None:
        config = replace(CONFIG, strangers="refuse", guard=NOBODY_TRUSTED)
        node, peer = Node(config=config), RawSocket()
        for number in range(60):
            await refused(peer, node, number, 403)
        told = node.events.qsize()
        assert told == STRANGERS.burst
        assert node.counters.get("calls_refused_at_door") == 60
        assert node.counters.get("calls_refused_unrecorded") == 60 - told
        node.gateway.close()
        peer.socket.close()

    run(scenario())


def test_known_addresses_are_told_more_often_but_not_without_end() -> None:
    assert STRANGERS.per_s * 86_400 <= 3000
    assert KNOWN.burst > STRANGERS.burst


@pytest.mark.parametrize("copies", [1, 3])
def test_a_server_without_room_tells_of_each_call_once(copies: int) -> None:
    async def scenario() -> None:
        node, peer = Node(config=replace(CONFIG, max_calls=1)), RawSocket()
        node.gateway.trunks.put_in_force([trunk()])
        await peer.send(invite(peer, 1), node.address)
        first = await node.expect(LegInvited)
        for _ in range(copies):
            await refused(peer, node, 2, 503)
        event = await node.expect(LegRefused)
        assert (event.cause, event.invited.trunk) == (HangupCause.OVERLOADED, "carrier")
        node.gateway.drain()
        await refused(peer, node, 3, 503)
        assert (await node.expect(LegRefused)).cause is HangupCause.DRAINING
        node.gateway.reject(first.leg_id, HangupCause.BUSY)
        await node.expect(LegEnded)
        node.gateway.close()
        peer.socket.close()

    run(scenario())


def test_a_trunk_without_a_line() -> None:
    async def scenario() -> None:
        node, peer = Node(config=CONFIG), RawSocket()
        node.gateway.trunks.put_in_force([trunk(max_calls=1)])
        await peer.send(invite(peer, 1), node.address)
        await node.expect(LegInvited)
        await refused(peer, node, 2, 503)
        event = await node.expect(LegRefused)
        assert event.cause is HangupCause.TRUNK_FULL
        node.gateway.close()
        peer.socket.close()

    run(scenario())


def test_who_has_shown_a_wrong_password_is_told_and_who_was_only_asked_is_not() -> None:
    async def scenario() -> None:
        server, thief = house(), phone(password="wrong")
        uri = f"sip:bert@{server.address}"
        thief.gateway.dial(LEG, uri, "127.0.0.1", 30_000, f"sip:anna@{DOMAIN}", account="anna")
        assert (await thief.expect(LegEnded)).sip_status == 401
        event = await server.expect(LegRefused)
        assert (event.cause, event.invited.calling) == (HangupCause.CALLER_UNPROVEN, "anna")
        assert server.events.empty()
        close((server, thief))

    run(scenario())
