"""Behind 1:1 NAT: peers are told the public address, sockets are bound to the machine's own."""

from __future__ import annotations

import asyncio
import os

from tests.unit.gateway.nodes import Node, run
from voicegw.base.clock import SystemClock
from voicegw.base.ids import LegId
from voicegw.base.metrics import Counters
from voicegw.gateway.config import SipConfig
from voicegw.gateway.events import LegInvited
from voicegw.gateway.sip_leg import SipGateway
from voicegw.sip.address import Address


def test_media_is_announced_at_the_public_address_and_bound_to_our_own() -> None:
    async def story() -> None:
        invited: asyncio.Queue[LegInvited] = asyncio.Queue()
        config = SipConfig(listen_ip="127.0.0.1", listen_port=0, advertised_ip="203.0.113.9")
        behind = SipGateway(
            config,
            lambda event: invited.put_nowait(event) if isinstance(event, LegInvited) else None,
            random=os.urandom,
            clock=SystemClock(),
            counters=Counters(),
        )
        address = behind.start()
        assert isinstance(address, Address)
        phone = Node()
        phone.gateway.dial(LegId("out"), f"sip:demo@127.0.0.1:{address.port}", "127.0.0.1", 4000, "sip:a@127.0.0.1")
        leg = (await invited.get()).leg_id
        assert behind.media_address(leg) == "203.0.113.9"
        assert behind.media_bind_address(leg) == "127.0.0.1"
        behind.close()
        phone.gateway.close()

    run(story())
