"""TLS with programs that know it better: openssl for the handshake, Kamailio and baresip for calls with sound."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Authority
from tests.interop.baresip_peer import Baresip, dial, hang_up, hang_up_by_peer
from tests.interop.front import Front
from tests.interop.namespace import Namespace
from tests.interop.openssl_client import OpensslClient
from tests.interop.rtp import RtpPeer
from tests.interop.server import Server
from tests.interop.sip_node import OUT, US, SipNode, goes_on, hears, run, speaks_and_hears_echo
from tests.interop.sipp_peer import TOLD, Sipp
from tests.interop.sound import seconds_with, speech_seconds, tone
from voicegw.base.causes import HangupCause
from voicegw.gateway.config import SipConfig
from voicegw.gateway.events import LegConfirmed, LegEnded, LegInvited
from voicegw.gateway.listener_config import ListenerConfig
from voicegw.gateway.tls_config import ClientCertificates, TlsClientSettings
from voicegw.gateway.way import Way, loose_route
from voicegw.sip.counters import SipCounter
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


class SecureServer(Server):
    """UDP and TCP as always, and TLS on ``tls_port``."""

    def __init__(self, work: Path, authority: Authority, *, agent: str = "echo_keys", **options: Any) -> None:
        port, self.tls_port = free_port(), free_port()
        namespace = options.pop("namespace", None)
        host = namespace.address if namespace else "127.0.0.1"
        certificate, key = authority.issue("server", host, "sip.test")
        tls = {"transport": "tls", "ip": host, "port": self.tls_port, "certificate": certificate, "key": key}
        plain = [{"transport": kind, "ip": host, "port": port} for kind in ("udp", "tcp")]
        settings = {"sip": {"listeners": [*plain, tls | options], "tls_client": {"ca": authority.ca}}}
        super().__init__(work, agent=agent, namespace=namespace, settings=settings, port=port)


def test_versions_and_names(tmp_path: Path, authority: Authority) -> None:
    with SecureServer(tmp_path, authority) as server:
        for version in ("-tls1_2", "-tls1_3"):
            with OpensslClient(server.tls_port, authority.ca, "sip.test", version) as client:
                assert client.is_answered(), client.output
                assert client.is_answered()
        old = ("-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0")
        with OpensslClient(server.tls_port, authority.ca, "sip.test", *old) as client:
            assert not client.is_answered()
            assert "alert" in client.output
        with OpensslClient(server.tls_port, authority.ca, "other.test") as client:
            assert not client.is_answered()


def test_a_certificate_is_renewed_by_a_signal_while_connections_go_on(tmp_path: Path, authority: Authority) -> None:
    with (
        SecureServer(tmp_path, authority) as server,
        OpensslClient(server.tls_port, authority.ca, "sip.test") as before,
    ):
        assert before.is_answered(), before.output
        authority.issue("server", "renewed.test")
        os.kill(server.process.pid, signal.SIGHUP)
        deadline = time.monotonic() + 30
        while "certificate read anew" not in server.process.output:
            assert time.monotonic() < deadline, server.process.output
            time.sleep(0.05)
        with OpensslClient(server.tls_port, authority.ca, "renewed.test") as after:
            assert after.is_answered(), after.output
        assert before.is_answered()


def test_mutual_tls(tmp_path: Path, authority: Authority) -> None:
    certificate, key = authority.issue("client", "trunk.test")
    stranger = Authority(tmp_path / "stranger", "Somebody Else").issue("client", "trunk.test")
    demands = {"client_certificates": "required", "client_ca": authority.ca}
    with SecureServer(tmp_path, authority, **demands) as server:
        for shown, welcome in (((certificate, key), True), (stranger, False), ((), False)):
            options = [f"-{kind}={path}" for kind, path in zip(("cert", "key"), shown, strict=False)]
            split = [part for option in options for part in option.split("=", 1)]
            with OpensslClient(server.tls_port, authority.ca, "sip.test", *split) as client:
                assert client.is_answered() is welcome, client.output


def node_config(authority: Authority, port: int) -> SipConfig:
    """Mutual TLS, besides UDP."""
    certificate, key = authority.issue("node", "127.0.0.1", "node.test")
    secure = ListenerConfig(
        "tls",
        port,
        "127.0.0.1",
        certificate=certificate,
        key=key,
        client_ca=authority.ca,
        client_certificates=ClientCertificates.REQUIRED,
    )
    client = TlsClientSettings(ca=authority.ca, certificate=certificate, key=key)
    return SipConfig(listeners=(secure, ListenerConfig("udp", free_port(), "127.0.0.1")), tls_client=client)


def test_kamailio_brings_a_call_over_mutual_tls(tmp_path: Path, authority: Authority) -> None:
    """sipp speaks UDP to it, and both directions of the dialog come by one connection."""

    async def scenario() -> None:
        port = free_port()
        with (
            SipNode(config=node_config(authority, port)) as node,
            Front(tmp_path, authority, f"sip:us@127.0.0.1:{port};transport=tls") as front,
            RtpPeer() as far,
            RtpPeer() as near,
        ):
            values = {"rtp_port": str(far.port), "hold_ms": TOLD}
            with Sipp(tmp_path, "uac", target=front.address, service="us", values=values) as caller:
                invited = await node.expect(LegInvited)
                session = node.gateway.accept(invited.leg_id, "127.0.0.1", near.port)
                assert session is not None
                await node.expect(LegConfirmed)
                near.start((session.remote_ip, session.remote_port), tone(1700, 10))
                far.start(("127.0.0.1", near.port), tone(1000, 10))
                await hears(near, 1000)
                await hears(far, 1700)
                await goes_on(caller)
            assert (await node.expect(LegEnded)).cause is HangupCause.CALLER_HANGUP
        assert node.counters.get(SipCounter.CONNECTIONS_IN) == 1
        assert node.counters.get(SipCounter.CONNECTIONS_OUT) == 0

    run(scenario())


@pytest.mark.parametrize("transport", ["tls", "tcp"])
def test_a_call_through_kamailio(tmp_path: Path, authority: Authority, transport: str) -> None:
    async def scenario() -> None:
        port = free_port()
        with (
            SipNode(config=node_config(authority, free_port())) as node,
            Front(tmp_path, authority, f"sip:echo@127.0.0.1:{port}") as front,
            Sipp(tmp_path, "uas_routed", port=port, extra=("-rtp_echo",)) as answering,
            RtpPeer() as media,
        ):
            answering.listening()
            place = front.tls_port if transport == "tls" else front.port
            route = loose_route(f"sip:127.0.0.1:{place};transport={transport}")
            target = f"sip:echo@127.0.0.1:{port}"
            node.gateway.dial(OUT, target, "127.0.0.1", media.port, US, way=Way(routes=(route,)))
            await speaks_and_hears_echo(media, await node.answered())
            node.gateway.hangup(OUT, HangupCause.AGENT_HANGUP)
            await node.expect(LegEnded)
            await asyncio.to_thread(answering.passed)
        assert node.counters.get(SipCounter.CONNECTIONS_OUT) == 1
        assert node.counters.get(SipCounter.CONNECTIONS_IN) == 0

    run(scenario())


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_baresip_calls_and_hangs_up(
    tmp_path: Path, namespace: Namespace, authority: Authority, transport: str
) -> None:
    with (
        SecureServer(tmp_path, authority, namespace=namespace) as server,
        Baresip(tmp_path, namespace, tone(1000, 60), settings=f"sip_cafile {authority.ca}") as phone,
    ):
        port = server.tls_port if transport == "tls" else server.port
        uri = f"sip:demo@{server.host}:{port};transport={transport}"
        phone.do(dial(uri))
        server.wait_recorded(lambda caller, agent: seconds_with(caller, 1000) >= 2.7 and speech_seconds(agent) >= 2)
        phone.do(hang_up())
        log = server.call()
        caller, agent = server.recording(log)
    assert log.cause == "caller_hangup"
    assert speech_seconds(phone.heard()) >= 1.5
    assert speech_seconds(agent) >= 1.5
    assert seconds_with(caller, 1000) >= 2.5


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_the_agent_hangs_up_on_baresip(
    tmp_path: Path, namespace: Namespace, authority: Authority, transport: str
) -> None:
    with (
        SecureServer(tmp_path, authority, agent="goodbye", namespace=namespace) as server,
        Baresip(tmp_path, namespace, tone(0, 20)) as phone,
    ):
        port = server.tls_port if transport == "tls" else server.port
        phone.do([*dial(f"sip:demo@{server.host}:{port};transport={transport}"), *hang_up_by_peer()])
        log = server.call()
    assert log.cause == "agent_hangup"
    assert speech_seconds(phone.heard()) >= 1
