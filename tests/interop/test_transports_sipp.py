"""sipp over TCP: one connection for all calls (``-t t1``) and one for each (``-t tn``), both ways, with sound."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.interop.rtp import RtpPeer
from tests.interop.server import Server
from tests.interop.sip_node import OUT, SipNode, run, speaks_and_hears_echo
from tests.interop.sipp_peer import Sipp
from tests.interop.sound import seconds_with, silence, speech_seconds, tone
from voicegw.base.causes import HangupCause
from voicegw.gateway.events import LegEnded
from voicegw.sip.counters import SipCounter
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

ONE, EACH = ("-t", "t1"), ("-t", "tn", "-max_socket", "20")


@pytest.mark.parametrize("sockets", [ONE, EACH], ids=["t1", "tn"])
def test_five_calls_at_once(server: Server, tmp_path: Path, sockets: tuple[str, ...]) -> None:
    with Sipp(tmp_path, "-sn uac", target=server.address, calls=5, extra=sockets) as sipp:
        sipp.passed()
    assert [log.cause for log in server.calls(5)] == ["caller_hangup"] * 5
    answer = sipp.wait_for("SIP/2.0 200", "INVITE") if sipp.process.running else sipp.received("SIP/2.0 200")[0]
    assert "transport=tcp" in answer.header("Contact")


def test_each_side_hears_the_other(server: Server, tmp_path: Path) -> None:
    with RtpPeer() as media:
        values = {"rtp_port": str(media.port), "hold_ms": "7000"}
        with Sipp(tmp_path, "uac", target=server.address, values=values, extra=ONE) as sipp:
            media.start(("127.0.0.1", sipp.answered_port()), tone(1000, 6))
            sipp.passed()
    caller, agent = server.recording(server.call())
    assert speech_seconds(media.heard()) >= 1.5
    assert speech_seconds(agent) >= 1.5
    assert seconds_with(caller, 1000) >= 3


def test_the_agent_hangs_up_by_the_connection_of_the_caller(tmp_path: Path) -> None:
    with Server(tmp_path, agent="goodbye") as server, RtpPeer() as media:
        values = {"rtp_port": str(media.port), "hold_ms": "50000"}
        with Sipp(tmp_path, "uac_hung_up", target=server.address, values=values, extra=ONE) as sipp:
            media.start(("127.0.0.1", sipp.answered_port()), silence(15))
            sipp.passed()
        log = server.call()
    assert log.cause == "agent_hangup"
    assert speech_seconds(media.heard()) >= 1
    assert sipp.wait_for("BYE").header("Via").startswith("SIP/2.0/TCP")


@pytest.mark.parametrize("sockets", [ONE, EACH], ids=["t1", "tn"])
def test_we_call(tmp_path: Path, sockets: tuple[str, ...]) -> None:
    async def scenario() -> None:
        port = free_port()
        with (
            SipNode() as node,
            Sipp(tmp_path, "uas_echo", port=port, extra=("-rtp_echo", *sockets)) as answering,
            RtpPeer() as media,
        ):
            answering.listening()
            node.dial(f"sip:echo@127.0.0.1:{port};transport=tcp", media)
            await speaks_and_hears_echo(media, await node.answered())
            node.gateway.hangup(OUT, HangupCause.AGENT_HANGUP)
            await node.expect(LegEnded)
            await asyncio.to_thread(answering.passed)
            assert answering.received("INVITE")[0].header("Via").startswith("SIP/2.0/TCP")
        assert node.counters.get(SipCounter.CONNECTIONS_OUT) == 1

    run(scenario())


def test_a_large_request_goes_by_tcp_and_by_udp_where_nobody_listens_for_tcp(tmp_path: Path) -> None:
    """An INVITE with 1,500 bytes of identity (RFC 3261 §18.1.1), to a peer that has TCP and to one that has not."""

    async def scenario(transport: str) -> None:
        port = free_port()
        sockets = ONE if transport == "TCP" else ()
        with (
            SipNode() as node,
            Sipp(tmp_path / transport, "uas_echo", port=port, extra=("-rtp_echo", *sockets)) as answering,
            RtpPeer() as media,
        ):
            answering.listening()
            uri = f"sip:echo@127.0.0.1:{port}"
            headers = (("X-Identity", "i" * 1500),)
            node.gateway.dial(OUT, uri, "127.0.0.1", media.port, "sip:us@carrier.test", headers=headers)
            await speaks_and_hears_echo(media, await node.answered())
            node.gateway.hangup(OUT, HangupCause.AGENT_HANGUP)
            await node.expect(LegEnded)
            await asyncio.to_thread(answering.passed)
            assert answering.received("INVITE")[0].header("Via").startswith(f"SIP/2.0/{transport}")
        assert node.counters.get(SipCounter.DATAGRAM_AFTER_ALL) == (transport == "UDP")

    run(scenario("TCP"))
    run(scenario("UDP"))


@pytest.mark.parametrize("sockets", [(), ONE], ids=["udp", "tcp"])
def test_a_call_by_ipv6_with_its_sound(tmp_path: Path, sockets: tuple[str, ...]) -> None:
    """Two listeners for each family: the ping that waits for the server goes by IPv4, the call by IPv6."""
    port = free_port()
    listeners = [
        {"transport": kind, "ip": ip, "port": port} for ip in ("127.0.0.1", "::1") for kind in ("udp", "tcp")
    ]
    settings = {"sip": {"listeners": listeners}}
    with Server(tmp_path, settings=settings, port=port) as server, RtpPeer("::1") as media:
        values = {"rtp_port": str(media.port), "hold_ms": "7000"}
        target = f"[::1]:{port}"
        with Sipp(tmp_path, "uac", target=target, values=values, host="::1", extra=sockets) as sipp:
            media.start(("::1", sipp.answered_port()), tone(1000, 6))
            sipp.passed()
        caller, agent = server.recording(server.call())
    assert speech_seconds(media.heard()) >= 1.5
    assert speech_seconds(agent) >= 1.5
    assert seconds_with(caller, 1000) >= 3
