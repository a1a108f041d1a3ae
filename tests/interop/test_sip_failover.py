"""Calls by name: servers of sipp that are silent, full or there, and a name server on loopback that knows them."""

from __future__ import annotations

import asyncio
import re
import select
import socket
from pathlib import Path

import pytest

from tests.dns_stub import DnsStub
from tests.interop.rtp import RtpPeer
from tests.interop.sip_node import OUT, SipNode, run, speaks_and_hears_echo
from tests.interop.sipp_peer import Sipp
from voicegw.base.causes import HangupCause
from voicegw.gateway.events import LegEnded
from voicegw.gateway.locating_config import LocatingConfig
from voicegw.gateway.sip_counters import LocatingCounter
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

TARGET = "sip:echo@carrier.test"


def carrier(*ports: int) -> DnsStub:
    """A name server that knows the servers of ``carrier.test`` in this order."""
    servers = [f"{place} 1 {port} node{place}.carrier.test." for place, port in enumerate(ports)]
    hosts = {(f"node{place}.carrier.test", "A"): ["127.0.0.1"] for place in range(len(ports))}
    naptr = ['10 1 "s" "SIP+D2U" "" _sip._udp.carrier.test.']
    return DnsStub({("carrier.test", "NAPTR"): naptr, ("_sip._udp.carrier.test", "SRV"): servers} | hosts)


def test_a_call_passes_a_silent_and_a_full_server(tmp_path: Path) -> None:
    silent, full, good = free_port(), free_port(), free_port()

    async def scenario(dns: DnsStub) -> None:
        with SipNode(LocatingConfig(dns_servers=(dns.address,), attempt_s=4.0)) as node:
            with (
                Sipp(tmp_path, "unavailable", port=full, values={"status": "503 Service Unavailable"}) as refusing,
                Sipp(tmp_path, "uas_echo", port=good, extra=("-rtp_echo",)) as answering,
                RtpPeer() as media,
            ):
                refusing.listening()
                answering.listening()
                node.dial(TARGET, media)
                session = await node.answered()
                await speaks_and_hears_echo(media, session)
                node.gateway.hangup(OUT, HangupCause.AGENT_HANGUP)
                assert (await node.expect(LegEnded)).cause is HangupCause.AGENT_HANGUP
                await asyncio.to_thread(refusing.passed)
                await asyncio.to_thread(answering.passed)
                (refused,), (taken,) = refusing.distinct("INVITE"), answering.distinct("INVITE")
            assert [refused.header(name) for name in ("Call-ID", "From", "CSeq")] == [
                taken.header(name) for name in ("Call-ID", "From", "CSeq")
            ]
            assert refused.header("Via") != taken.header("Via")
            assert taken.start_line == f"INVITE {TARGET} SIP/2.0"
            assert node.counters.get(LocatingCounter.FAILED_OVER) == 2
            assert [address.port for address in node.gateway.servers.listed] == [silent]

    with carrier(silent, full, good) as dns:
        run(scenario(dns))


def test_the_second_call_does_not_wait_again(tmp_path: Path) -> None:
    deaf, good = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), free_port()
    deaf.bind(("127.0.0.1", 0))
    silent = deaf.getsockname()[1]

    async def scenario(dns: DnsStub) -> None:
        with SipNode(LocatingConfig(dns_servers=(dns.address,), attempt_s=4.0)) as node:
            with Sipp(tmp_path, "uas_echo", port=good, calls=2, extra=("-rtp_echo",)) as answering:
                answering.listening()
                for _ in range(2):
                    with RtpPeer() as media:
                        node.dial(TARGET, media)
                        session = await node.answered()
                        await speaks_and_hears_echo(media, session)
                        node.gateway.hangup(OUT, HangupCause.AGENT_HANGUP)
                        await node.expect(LegEnded)
                await asyncio.to_thread(answering.passed)
            assert node.counters.get(LocatingCounter.FAILED_OVER) == 1
            assert len(set(re.findall(rb"(?mi)^Call-ID: (.*)$", asked_in(deaf)))) == 1, "of the first call alone"
            assert dns.asked("_sip._udp.carrier.test", "SRV") == 1

    with carrier(silent, good) as dns, deaf:
        run(scenario(dns))


def asked_in(deaf: socket.socket) -> bytes:
    """All that came and was never read."""
    deaf.setblocking(False)
    came = b""
    while select.select([deaf], [], [], 0)[0]:
        came += deaf.recv(65_535)
    return came


def test_a_domain_prefers_tcp_and_its_second_server_takes_the_call(tmp_path: Path) -> None:
    closed, good = free_port(), free_port()

    async def scenario(dns: DnsStub) -> None:
        with (
            SipNode(LocatingConfig(dns_servers=(dns.address,))) as node,
            Sipp(tmp_path, "uas_echo", port=good, extra=("-t", "t1", "-rtp_echo")) as answering,
            RtpPeer() as media,
        ):
            answering.listening()
            node.dial(TARGET, media)
            session = await node.answered()
            await speaks_and_hears_echo(media, session)
            node.gateway.hangup(OUT, HangupCause.AGENT_HANGUP)
            await node.expect(LegEnded)
            await asyncio.to_thread(answering.passed)
            (invite,) = answering.distinct("INVITE")
            assert invite.header("Via").startswith("SIP/2.0/TCP ")
            assert ";transport=tcp" in invite.header("Contact")
            assert [(address.port, address.transport.value) for address in node.gateway.servers.listed] == [
                (closed, "TCP")
            ]

    naptr = ['10 1 "s" "SIP+D2T" "" _sip._tcp.carrier.test.', '10 2 "s" "SIP+D2U" "" _sip._udp.carrier.test.']
    servers = [f"1 1 {closed} node.carrier.test.", f"2 1 {good} node.carrier.test."]
    zone = {("carrier.test", "NAPTR"): naptr, ("_sip._tcp.carrier.test", "SRV"): servers}
    with DnsStub(zone | {("node.carrier.test", "A"): ["127.0.0.1"]}) as dns:
        run(scenario(dns))
