"""Kamailio as a carrier: a registrar and proxy that challenges, behind an edge proxy with Path and Record-Route."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.interop.kamailio_peer import Kamailio
from tests.interop.ports import free_udp_port
from tests.interop.rtp import RtpPeer
from tests.interop.sip_node import OUT, SipNode, hears, run, speaks_and_hears_echo
from tests.interop.sipp_peer import Sipp
from tests.interop.sound import tone
from voicegw.base.causes import HangupCause
from voicegw.gateway.events import LegConfirmed, LegEnded, LegInvited
from voicegw.gateway.registrations import Enrolment, Registrations
from voicegw.gateway.way import Way, loose_route
from voicegw.sip.address import Address
from voicegw.sip.digest import Credentials
from voicegw.sip.registration import RegistrationPlan

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

ACCOUNT = "carrier"
AOR = "sip:us@carrier.test"


@dataclass(frozen=True, slots=True)
class Carrier:
    """Both proxies, and where calls to "echo" end."""

    edge: Kamailio
    core: Kamailio
    echo_port: int

    @property
    def registrar(self) -> str:
        """The Request-URI of our REGISTER."""
        return f"sip:{self.core.address}"


@contextmanager
def carrier(work: Path, expires_s: int = 60) -> Iterator[Carrier]:
    echo_port = free_udp_port()
    with (
        Kamailio(work, "core", echo=f"127.0.0.1:{echo_port}", expires=str(expires_s)) as core,
        Kamailio(work, "edge") as edge,
    ):
        yield Carrier(edge, core, echo_port)


def knows(account: str, realm: str, destination: Address) -> Credentials | None:
    ours = (account, realm) == (ACCOUNT, "carrier.test") and destination.host == "127.0.0.1"
    return Credentials("us", "secret") if ours else None


class Account:
    """A node that registers at a carrier."""

    def __init__(self, at: Carrier, way: Way, expires_s: float = 3600) -> None:
        self.node = SipNode(credentials=knows)
        self.changes: asyncio.Queue[tuple[str, bool, str]] = asyncio.Queue()
        gateway = self.node.gateway
        self.registrations = Registrations(
            gateway._driver,
            self.node.requests,
            os.urandom,
            self.node.counters,
            lambda name, holds, why: self.changes.put_nowait((name, holds, why)),
        )
        plan = RegistrationPlan(AOR, at.registrar, "us", expires_s=expires_s)
        self.registrations.put_in_force({ACCOUNT: Enrolment(plan, ACCOUNT, way)})

    async def registered(self) -> None:
        assert await self.changes.get() == (ACCOUNT, True, "")

    async def close(self) -> None:
        await self.registrations.close()
        self.node.close()


async def call_in(account: Account, caller: Sipp, far: RtpPeer) -> None:
    """A call that a proxy brings us: both sides hear one another, the caller hangs up."""
    node = account.node
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
        await asyncio.to_thread(caller.passed)
    assert (await node.expect(LegEnded)).cause is HangupCause.CALLER_HANGUP


def routes_of(header: str) -> list[str]:
    return re.findall(r":(\d+);", header)


def test_registered_called_and_gone(tmp_path: Path) -> None:
    async def scenario(at: Carrier) -> None:
        account = Account(at, Way())
        await account.registered()
        (seen,) = account.registrations.snapshot()
        assert 55 < seen.expires_in_s <= 60, "the registrar's word counts"
        assert seen.service_route == (f"<sip:{at.core.address};lr>",)
        values = {"rtp_port": "", "hold_ms": "3000"}
        with RtpPeer() as far:
            values["rtp_port"] = str(far.port)
            with Sipp(tmp_path, "uac", target=at.core.address, service="us", values=values) as caller:
                await call_in(account, caller, far)
        await account.close()
        refusal = {"status": "404", "headers": "", "body": "", "max_forwards": "70", "content_type": "text/plain"}
        with Sipp(tmp_path, "refused_invite", target=at.core.address, service="us", values=refusal) as caller:
            await asyncio.to_thread(caller.passed)

    with carrier(tmp_path) as at:
        run(scenario(at))


def test_an_edge_proxy_is_on_every_way(tmp_path: Path) -> None:
    async def scenario(at: Carrier) -> None:
        account = Account(at, Way(routes=(loose_route(f"sip:{at.edge.address}"),)))
        node = account.node
        await account.registered()
        with RtpPeer() as far:
            values = {"rtp_port": str(far.port), "hold_ms": "3000"}
            with Sipp(tmp_path, "uac", target=at.core.address, service="us", values=values) as caller:
                await call_in(account, caller, far)
                record_route = caller.wait_for("SIP/2.0 200", "INVITE").header("Record-Route")
        assert routes_of(record_route)[:1] == [str(at.edge.port)], "the call came by the Path"

        routes = account.registrations.routes(ACCOUNT)
        assert [routes_of(route) for route in routes] == [[str(at.edge.port)], [str(at.core.port)]]
        with (
            Sipp(tmp_path, "uas_routed", port=at.echo_port, extra=("-rtp_echo",)) as answering,
            RtpPeer() as media,
        ):
            await asyncio.sleep(0.5)  # sipp says nothing when it listens
            node.dial("sip:echo@carrier.test", media, Way(routes=routes), ACCOUNT)
            session = await node.answered()
            await speaks_and_hears_echo(media, session)
            node.gateway.hangup(OUT, HangupCause.AGENT_HANGUP)
            await node.expect(LegEnded)
            await asyncio.to_thread(answering.passed)
            invite, bye = answering.wait_for("INVITE"), answering.wait_for("BYE")
        assert invite.header("Proxy-Authorization") == "", "credentials stay with the proxy that asked"
        assert bye.text.count("Via:") == 3, "BYE passed both proxies"
        await account.close()

    with carrier(tmp_path) as at:
        run(scenario(at))


def test_a_binding_is_refreshed_before_it_ends(tmp_path: Path) -> None:
    async def scenario(at: Carrier) -> None:
        account = Account(at, Way())
        await account.registered()
        first = account.registrations.snapshot()[0].expires_in_s
        await asyncio.sleep(4.5)
        (seen,) = account.registrations.snapshot()
        assert seen.registered and seen.failures == 0
        assert first <= 5 and account.changes.empty()
        await account.close()

    with carrier(tmp_path, expires_s=5) as at:
        run(scenario(at))
