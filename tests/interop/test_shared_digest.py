"""Two nodes with one key behind Kamailio: sipp is asked by one of them, and its answer reaches the other."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.rtp import RtpPeer
from tests.interop.sip_node import SipNode, goes_on, hears, until
from tests.interop.sipp_peer import TOLD, Sipp
from tests.interop.sound import tone
from tests.interop.test_kamailio_balancer import started, takes, whole
from voicegw.api.key_file import derive, load_key
from voicegw.base.clock import SystemClock
from voicegw.gateway.config import SipConfig
from voicegw.gateway.guard_config import GuardConfig
from voicegw.gateway.phone_config import PhoneEntry, PhonesConfig
from voicegw.sip.counters import SipCounter
from voicegw.sip.digest import Algorithm, make_ha1
from voicegw.sip.nonces import SharedNonces
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

ANNA = PhoneEntry("anna", md5=make_ha1(Algorithm.MD5, "anna", "voice.test", "rose"))
PHONES = PhonesConfig("voice.test", accounts=(ANNA,), algorithms=("MD5",))


def node(key_file: Path) -> SipNode:
    """It makes its nonces of its ``api.key_file``, as a server does."""
    clock = SystemClock()
    key = derive(load_key(key_file), "digest nonces")
    guard = GuardConfig(balancers=("127.0.0.1/32",))
    config = SipConfig(listen_ip="127.0.0.1", listen_port=free_port(), guard=guard)
    return SipNode(config=config, phones=PHONES, nonces=SharedNonces(key, lambda: clock.wall() - clock.monotonic()))


def test_one_node_asks_a_phone_and_the_other_one_takes_its_answer(tmp_path: Path) -> None:
    """sipp's scenario takes one challenge for REGISTER and one for INVITE, and fails at a second."""

    async def scenario(stack: ExitStack) -> None:
        nodes = [stack.enter_context(node(tmp_path / "secrets.key")) for _ in range(2)]
        balancer = await started(stack, tmp_path, nodes)
        far, near = stack.enter_context(RtpPeer()), stack.enter_context(RtpPeer())
        values, extra = {"rtp_port": str(far.port), "hold_ms": TOLD}, ("-au", "anna", "-ap", "rose")
        with Sipp(tmp_path, "phone", target=balancer.address, values=values, extra=extra) as sipp:
            await until(lambda: any(node.gateway.phones.registrar.users() for node in nodes))
            asks, takes_it = sorted(nodes, key=lambda node: bool(node.gateway.phones.registrar.users()))
            await takes(takes_it, near)
            far.start(("127.0.0.1", near.port), tone(1000, 15))
            await hears(near, 1000)
            await hears(far, 1700)
            await goes_on(sipp)
        # By turns: each challenge came from one node, each answer went to the other.
        assert asks.counters.get(SipCounter.CALLS_IN) == 0 and takes_it.counters.get(SipCounter.CALLS_IN) == 1

    whole(scenario)
