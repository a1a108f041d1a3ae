"""Kamailio as a carrier: a registrar and proxy that challenges, behind an edge proxy with Path and Record-Route."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.interop.kamailio_peer import Kamailio
from tests.interop.rtp import RtpPeer
from tests.interop.sip_node import OUT, SipNode, goes_on, hears, run, speaks_and_hears_echo, until
from tests.interop.sipp_peer import TOLD, Sipp
from tests.interop.sound import tone
from voicegw.base.causes import HangupCause
from voicegw.gateway.events import LegConfirmed, LegEnded, LegInvited
from voicegw.gateway.locating_config import LocatingConfig
from voicegw.gateway.registrations import RegistrationSnapshot
from voicegw.gateway.sip_counters import LocatingCounter
from voicegw.gateway.trunk_config import Trunk
from voicegw.gateway.trunk_health import Health
from voicegw.gateway.trunk_settings import TrunkSettings
from voicegw.gateway.trunk_table import RouteRefused
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

TRUNK = "carrier"


@dataclass(frozen=True, slots=True)
class Carrier:
    """Both proxies, and where calls to "echo" end."""

    edge: Kamailio
    core: Kamailio
    echo_port: int


@contextmanager
def carrier(work: Path, expires_s: int = 60) -> Iterator[Carrier]:
    echo_port = free_port()
    with (
        Kamailio(work, "core", echo=f"127.0.0.1:{echo_port}", expires=str(expires_s)) as core,
        Kamailio(work, "edge") as edge,
    ):
        yield Carrier(edge, core, echo_port)


def account(at: Carrier, **settings: object) -> Trunk:
    """A trunk that registers at this carrier."""
    given = {
        "hosts": ["127.0.0.1"],
        "port": at.core.port,
        "domain": "carrier.test",
        "realm": "carrier.test",
        "username": "us",
        "register_there": True,
        "registration": {"registrar": f"sip:{at.core.address}"},
        "carries": ["*"],
        "health": {"options_s": 1},
    }
    return Trunk(TRUNK, TrunkSettings.model_validate(given | settings), "secret")


async def registered(node: SipNode) -> RegistrationSnapshot:
    """Wait until the trunk registers us, and answers."""

    def done() -> bool:
        seen = node.gateway.watch.snapshot()
        return seen.registrations[0].registered and seen.health[0].health is Health.UP

    await until(done)
    return node.gateway.watch.snapshot().registrations[0]


async def call_in(node: SipNode, caller: Sipp, far: RtpPeer) -> None:
    """A call that a proxy brings us: both sides hear one another, the caller hangs up."""
    invited = await node.expect(LegInvited)
    assert invited.called == "us"
    with RtpPeer() as near:
        session = node.gateway.accept(invited.leg_id, "127.0.0.1", near.port)
        assert session is not None and session.remote_port == far.port
        await node.expect(LegConfirmed)
        near.start((session.remote_ip, session.remote_port), tone(1700, 10))
        far.start(("127.0.0.1", near.port), tone(1000, 10))
        await hears(near, 1000)
        await hears(far, 1700)
        await goes_on(caller)
    assert (await node.expect(LegEnded)).cause is HangupCause.CALLER_HANGUP


def routes_of(header: str) -> list[str]:
    return re.findall(r":(\d+);", header)


def test_registered_called_and_gone(tmp_path: Path) -> None:
    async def scenario(at: Carrier) -> None:
        with SipNode(trunks=[account(at)]) as node:
            seen = await registered(node)
            assert 50 < seen.expires_in_s <= 60, "the registrar's word counts"
            assert seen.service_route == (f"<sip:{at.core.address};lr>",)
            with RtpPeer() as far:
                values = {"rtp_port": str(far.port), "hold_ms": TOLD}
                with Sipp(tmp_path, "uac", target=at.core.address, service="us", values=values) as caller:
                    await call_in(node, caller, far)
            assert [trunk.up for trunk in node.gateway.trunks.snapshot()] == [True]
            await node.gateway.leave()
            refusal = {
                "status": "404",
                "headers": "",
                "body": "",
                "max_forwards": "70",
                "content_type": "text/plain",
            }
            with Sipp(tmp_path, "refused_invite", target=at.core.address, service="us", values=refusal) as caller:
                await asyncio.to_thread(caller.passed)

    with carrier(tmp_path) as at:
        run(scenario(at))


def test_an_edge_proxy_is_on_every_way(tmp_path: Path) -> None:
    async def scenario(at: Carrier) -> None:
        with SipNode(trunks=[account(at, outbound_proxies=[f"sip:{at.edge.address}"])]) as node:
            await registered(node)
            with RtpPeer() as far:
                values = {"rtp_port": str(far.port), "hold_ms": TOLD}
                with Sipp(tmp_path, "uac", target=at.core.address, service="us", values=values) as caller:
                    await call_in(node, caller, far)
                    record_route = caller.wait_for("SIP/2.0 200", "INVITE").header("Record-Route")
            assert routes_of(record_route)[:1] == [str(at.edge.port)], "the call came by the Path"

            with (
                Sipp(tmp_path, "uas_routed", port=at.echo_port, extra=("-rtp_echo",)) as answering,
                RtpPeer() as media,
            ):
                answering.listening()
                node.dial("sip:echo@carrier.test", media)
                session = await node.answered()
                await speaks_and_hears_echo(media, session)
                node.gateway.hangup(OUT, HangupCause.AGENT_HANGUP)
                await node.expect(LegEnded)
                await asyncio.to_thread(answering.passed)
                invite, bye = answering.wait_for("INVITE"), answering.wait_for("BYE")
            assert invite.header("Proxy-Authorization") == "", "credentials stay with the proxy that asked"
            for request in (invite, bye):
                assert request.text.count("Via:") == 3, (
                    "both proxies were passed: by Service-Route, by Record-Route"
                )
            await node.gateway.leave()

    with carrier(tmp_path) as at:
        run(scenario(at))


def test_a_binding_is_refreshed_before_it_ends(tmp_path: Path) -> None:
    async def scenario(at: Carrier) -> None:
        with SipNode(trunks=[account(at)]) as node:
            assert (await registered(node)).expires_in_s <= 10
            while node.counters.get(LocatingCounter.REGISTERED) < 2:
                await asyncio.sleep(0.1)
                (seen,) = node.gateway.watch.snapshot().registrations
                assert (seen.registered, seen.failures) == (True, 0)
            await node.gateway.leave()

    with carrier(tmp_path, expires_s=10) as at:
        run(scenario(at))


def test_a_dead_registrar_is_passed_over(tmp_path: Path) -> None:
    async def scenario(at: Carrier) -> None:
        trunk = account(at, hosts=["127.0.0.2", "127.0.0.1"], registration={}, health={"options_s": 0})
        with SipNode(LocatingConfig(attempt_s=4.0), trunks=[trunk]) as node:
            await until(lambda: node.gateway.watch.snapshot().registrations[0].registered)
            (seen,) = node.gateway.watch.snapshot().registrations
            assert seen.server == f"UDP 127.0.0.1:{at.core.port}"
            assert node.counters.get(LocatingCounter.FAILED_OVER) == 1
            assert [address.host for address in node.gateway.servers.listed] == ["127.0.0.2"]
            assert node.gateway.trunks.table.of_host("127.0.0.1") == (trunk,)
            await node.gateway.leave()

    with carrier(tmp_path) as at:
        run(scenario(at))


def test_a_wrong_password_takes_the_trunk_down(tmp_path: Path) -> None:
    async def scenario(at: Carrier) -> None:
        with SipNode(trunks=[replace(account(at), password="guess")]) as node:
            await until(lambda: not node.gateway.trunks.snapshot()[0].up)
            (trunk,) = node.gateway.trunks.snapshot()
            assert trunk.why == "not registered: 401 Unauthorized"
            with RtpPeer() as media, pytest.raises(RouteRefused, match="is down: not registered"):
                node.dial("sip:echo@carrier.test", media)

    with carrier(tmp_path) as at:
        run(scenario(at))


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_flow_is_kept_open_and_missed_when_it_is_gone(tmp_path: Path, transport: str) -> None:
    async def scenario(at: Carrier) -> None:
        registration = {"registrar": f"sip:{at.core.address};transport={transport}", "outbound": True}
        quiet = {"options_s": 0}
        with SipNode(trunks=[account(at, transport=transport, registration=registration, health=quiet)]) as node:
            counters = node.counters
            await until(lambda: counters.get(LocatingCounter.KEEPALIVES) >= 2)
            assert counters.get(LocatingCounter.REGISTERED) == 1
            assert counters.get(LocatingCounter.FLOWS_LOST) == 0
            with at.core.frozen():
                node.gateway._driver.wire.connections.close()
                await until(lambda: counters.get(LocatingCounter.FLOWS_LOST) == 1)
            await until(lambda: counters.get(LocatingCounter.REGISTERED) == 2)
            await node.gateway.leave()

    with carrier(tmp_path) as at:
        run(scenario(at))
