"""Kamailio as a load balancer that pings its nodes: who drains gets no calls, and the calls that it has go on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.interop.kamailio_peer import Kamailio
from tests.interop.rtp import RtpPeer
from tests.interop.sip_node import SipNode, hears, run, until
from tests.interop.sipp_peer import Sipp
from tests.interop.sound import tone
from voicegw.gateway.events import LegConfirmed, LegEnded, LegInvited
from voicegw.sip.counters import SipCounter, refused

pytestmark = [pytest.mark.interop, pytest.mark.realtime]


async def takes(node: SipNode, near: RtpPeer) -> None:
    """The node's next call is answered from ``near``, which speaks."""
    invited = await node.expect(LegInvited)
    session = node.gateway.accept(invited.leg_id, "127.0.0.1", near.port)
    assert session is not None
    await node.expect(LegConfirmed)
    near.start((session.remote_ip, session.remote_port), tone(1700, 15))


def test_a_draining_node_gets_no_calls_and_keeps_those_it_has(tmp_path: Path) -> None:
    async def scenario(nodes: tuple[SipNode, SipNode]) -> None:
        listing = tmp_path / "nodes.list"
        listing.write_text("".join(f"1 sip:{node.address}\n" for node in nodes))
        with (
            Kamailio(tmp_path, "balancer", list=str(listing)) as balancer,
            RtpPeer() as far,
            RtpPeer() as near,
            RtpPeer() as far_too,
            RtpPeer() as near_too,
        ):

            def call(media: RtpPeer, hold_ms: int) -> Sipp:
                values = {"rtp_port": str(media.port), "hold_ms": str(hold_ms)}
                return Sipp(tmp_path, "uac", target=balancer.address, values=values)

            with call(far, 7000) as first:
                await until(lambda: any(node.counters.get(SipCounter.CALLS_IN) for node in nodes))
                one, two = sorted(nodes, key=lambda node: -node.counters.get(SipCounter.CALLS_IN))
                await takes(one, near)
                far.start(("127.0.0.1", near.port), tone(1000, 15))
                await hears(near, 1000)
                one.gateway.drain()
                await until(lambda: one.counters.get(refused(503)) >= 2)  # pings; both processes know by now
                with call(far_too, 1500) as second:
                    await takes(two, near_too)
                    await hears(far_too, 1700)
                    await asyncio.to_thread(second.passed)
                await hears(far, 1700, 2.0)
                await asyncio.to_thread(first.passed)
            await one.expect(LegEnded)
        assert (one.counters.get(SipCounter.CALLS_IN), two.counters.get(SipCounter.CALLS_IN)) == (1, 1)

    async def whole() -> None:
        with SipNode() as one, SipNode() as two:
            await scenario((one, two))

    run(whole())
