"""SIP over TLS through real sockets: versions, names, mutual certificates, renewal while calls go on."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.unit.gateway.nodes import Node, run, until
from tests.unit.gateway.stream_peer import StreamPeer, request
from voicegw.base.causes import HangupCause
from voicegw.base.errors import ConfigError, LocalError
from voicegw.base.ids import LegId
from voicegw.gateway.config import SipConfig
from voicegw.gateway.events import LegAnswered, LegConfirmed, LegEnded, LegInvited
from voicegw.gateway.listener_config import ListenerConfig
from voicegw.gateway.tls_config import ClientCertificates, TlsClientSettings
from voicegw.sip.address import Address, Transport
from voicegw.sip.counters import SipCounter
from voicegw.testing.manual_clock import ManualClock


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def config(
    authority: Authority,
    *names: str,
    client: TlsClientSettings | None = None,
    file: str = "server",
    min_version: str = "1.2",
    client_certificates: ClientCertificates = ClientCertificates.NONE,
) -> SipConfig:
    certificate, key = authority.issue(file, *(names or ("127.0.0.1", "sip.example.com")))
    mutual = client_certificates is not ClientCertificates.NONE
    listener = ListenerConfig(
        "tls",
        0,
        "127.0.0.1",
        certificate=certificate,
        key=key,
        min_version=min_version,
        client_ca=authority.ca if mutual else "",
        client_certificates=client_certificates,
    )
    return SipConfig(listeners=(listener,), tls_client=client or TlsClientSettings(ca=authority.ca))


def trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority.ca)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_requests_over_tls(authority: Authority, version: ssl.TLSVersion) -> None:
    async def scenario() -> None:
        node = Node(config=config(authority))
        tls = trusting(authority)
        tls.minimum_version = tls.maximum_version = version
        async with StreamPeer(node.address, tls, "sip.example.com") as peer:
            data = b"".join(request(transport="TLS", branch=str(number)) for number in range(30))
            for start in range(0, len(data), 333):
                peer.send(data[start : start + 333])
            for number in range(30):
                assert (await peer.response()).headers.get("Call-ID") == str(number)
        await until(lambda: not len(node.wire.connections))
        node.gateway.close()

    run(scenario())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda tls: setattr(tls, "maximum_version", ssl.TLSVersion.TLSv1_2),
        lambda tls: tls.set_alpn_protocols(["x"]),
        lambda tls: None,
    ],
)
def test_a_floor_for_versions(authority: Authority, spoil: object) -> None:
    async def scenario() -> None:
        node = Node(config=config(authority, min_version="1.3"))
        tls = trusting(authority)
        spoil(tls)  # type: ignore[operator]
        too_old = tls.maximum_version is ssl.TLSVersion.TLSv1_2
        try:
            async with StreamPeer(node.address, tls, "sip.example.com") as peer:
                peer.send(request(transport="TLS"))
                assert (await peer.response()).status == 200
                assert not too_old
        except ssl.SSLError:
            assert too_old
            assert node.counters.get(SipCounter.HANDSHAKE_FAILED) == 1
        node.gateway.close()

    run(scenario())


def test_plain_text_at_a_tls_port_is_counted_and_closed(authority: Authority) -> None:
    async def scenario() -> None:
        node = Node(config=config(authority))
        async with StreamPeer(node.address) as peer:
            peer.send(request())
            await peer.ended()
        assert node.counters.get(SipCounter.HANDSHAKE_FAILED) == 1
        node.gateway.close()

    run(scenario())


def test_a_handshake_that_never_ends_is_ended(authority: Authority) -> None:
    async def scenario() -> None:
        clock = ManualClock()
        node = Node(config=config(authority), clock=clock)
        async with StreamPeer(node.address) as peer:
            peer.send(b"\x16\x03\x01\x02\x00")
            await until(lambda: len(node.wire.connections) == 1)
            clock.advance(5.1)
            node.wire.connections._sweep()
            assert await peer.ended() == b""
        assert node.counters.get(SipCounter.STREAM_SLOW) == 1
        node.gateway.close()

    run(scenario())


def test_a_required_client_certificate(authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path / "stranger", "Somebody Else")

    async def scenario() -> None:
        node = Node(config=config(authority, client_certificates=ClientCertificates.REQUIRED))
        for signer, welcome in ((None, False), (stranger, False), (authority, True)):
            tls = trusting(authority)
            if signer is not None:
                tls.load_cert_chain(*signer.issue("client", "sip:trunk.example.com", "trunk-1.example.com"))
            try:
                async with StreamPeer(node.address, tls, "sip.example.com") as peer:
                    peer.send(request(transport="TLS"))
                    assert (await peer.response()).status == 200
                    flow = max(node.wire.connections._by_flow)
                    proven = node.wire.identities(Address("127.0.0.1", 1, Transport.TLS, flow))
                    assert proven == {"trunk.example.com", "trunk-1.example.com"}
                    assert welcome
            except (ssl.SSLError, AssertionError, ConnectionError):
                assert not welcome
        assert node.counters.get(SipCounter.HANDSHAKE_FAILED) == 2
        node.gateway.close()

    run(scenario())


def test_new_certificates_count_from_the_next_handshake_on(authority: Authority) -> None:
    async def scenario() -> None:
        clock = ManualClock()
        node = Node(config=config(authority, "old.example.com", file="renewed"), clock=clock)
        async with StreamPeer(node.address, trusting(authority), "old.example.com") as running:
            certificate, _key = authority.issue("renewed", "new.example.com")
            clock.advance(6)
            async with StreamPeer(node.address, trusting(authority), "new.example.com") as peer:
                peer.send(request(transport="TLS"))
                assert (await peer.response()).status == 200
            running.send(request(transport="TLS", branch="2"))
            assert (await running.response()).status == 200
            authority.spoil(certificate)
            node.wire.reload_certificates()
            async with StreamPeer(node.address, trusting(authority), "new.example.com") as peer:
                peer.send(request(transport="TLS", branch="3"))
                assert (await peer.response()).status == 200
            authority.issue("renewed", "newest.example.com")
            node.wire.reload_certificates()
            async with StreamPeer(node.address, trusting(authority), "newest.example.com"):
                pass
        assert node.counters.get(SipCounter.CERTIFICATES_RELOADED) == 2
        assert node.counters.get(SipCounter.CERTIFICATES_REFUSED) == 1
        node.gateway.close()

    run(scenario())


async def dial(caller: Node, called: Node, name: str = "") -> None:
    """Dial by name as the resolver would, without one."""
    agent, driver = caller.gateway._agent, caller.gateway._driver
    there = Address("127.0.0.1", called.address.port, Transport.TLS, name=name)
    uri = f"sips:demo@{name or '127.0.0.1'}:{called.address.port}"
    agent.invite(uri, "sips:a@127.0.0.1", there, b"", driver.now)
    driver.pump()


@pytest.mark.parametrize(
    ("names", "dialled", "good"),
    [
        (("sip.example.com",), "sip.example.com", True),
        (("*.example.com",), "sip.example.com", True),
        (("*.example.com",), "a.sip.example.com", False),
        (("other.example.com",), "sip.example.com", False),
        (("sip:example.com", "edge-7.example.net"), "example.com", True),
        (("sip:somebody@example.com",), "example.com", False),
        (("127.0.0.1",), "", True),
        (("sip.example.com",), "", False),
    ],
)
def test_a_server_has_to_prove_the_name_that_was_dialled(
    authority: Authority, names: tuple[str, ...], dialled: str, good: bool
) -> None:
    async def scenario() -> None:
        caller, called = Node(config=config(authority)), Node(config=config(authority, *names, file="called"))
        await dial(caller, called, dialled)
        if good:
            await called.expect(LegInvited)
        else:
            await until(lambda: caller.counters.get(SipCounter.HANDSHAKE_FAILED) == 1)
            await until(lambda: caller.counters.get(SipCounter.NO_RESPONSE) == 1)
            assert called.events.empty()
        for node in (caller, called):
            node.gateway.close()

    run(scenario())


def test_a_server_of_an_unknown_authority_is_not_believed_unless_nobody_needs_to_be(
    authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path / "stranger", "Somebody Else")

    async def scenario() -> None:
        caller, called = Node(config=config(authority)), Node(config=config(stranger, "sip.example.com"))
        await dial(caller, called, "sip.example.com")
        await until(lambda: caller.counters.get(SipCounter.HANDSHAKE_FAILED) == 1)
        caller.wire.tls_clients.set("sip.example.com", TlsClientSettings(verify=False))
        await dial(caller, called, "sip.example.com")
        await called.expect(LegInvited)
        for node in (caller, called):
            node.gateway.close()

    run(scenario())


def test_a_trunk_shows_its_own_certificate(authority: Authority) -> None:
    async def scenario() -> None:
        caller = Node(config=config(authority))
        called = Node(config=config(authority, file="called", client_certificates=ClientCertificates.REQUIRED))
        await dial(caller, called, "sip.example.com")
        # The certificate is asked for after the client has finished (TLS 1.3): the refusal comes as an alert.
        await until(lambda: caller.counters.get(SipCounter.NO_RESPONSE) == 1)
        certificate, key = authority.issue("trunk", "trunk.example.com")
        settings = TlsClientSettings(ca=authority.ca, certificate=certificate, key=key)
        caller.wire.tls_clients.set("SIP.example.com", settings)
        await dial(caller, called, "sip.example.com")
        await called.expect(LegInvited)
        for node in (caller, called):
            node.gateway.close()

    run(scenario())


def test_a_call_over_tls_is_hung_up_by_the_called_side_on_its_connection(authority: Authority) -> None:
    async def scenario() -> None:
        caller, called = Node(config=config(authority)), Node(config=config(authority, file="called"))
        target = f"sips:demo@127.0.0.1:{called.address.port}"
        caller.gateway.dial(LegId("out"), target, "127.0.0.1", 4000, "sips:a@127.0.0.1")
        invited = await called.expect(LegInvited)
        called.gateway.accept(invited.leg_id, "127.0.0.1", 4002)
        await caller.expect(LegAnswered)
        await called.expect(LegConfirmed)
        called.gateway.hangup(invited.leg_id, HangupCause.CALLER_HANGUP)
        await caller.expect(LegEnded)
        assert called.counters.get(SipCounter.CONNECTIONS_OUT) == 0
        for node in (caller, called):
            node.gateway.close()

    run(scenario())


def test_files_that_are_not_there_are_named(authority: Authority) -> None:
    async def scenario() -> None:
        listener = ListenerConfig("tls", 0, "127.0.0.1", certificate="/nowhere/cert.pem")
        with pytest.raises(LocalError, match=r"/nowhere/cert\.pem"):
            Node(config=SipConfig(listeners=(listener,)))
        await asyncio.sleep(0)

    run(scenario())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"transport": "sctp"}, "no transport 'sctp'"),
        ({"transport": "tls"}, "needs a certificate"),
        ({"transport": "tcp", "certificate": "x"}, "has no certificate"),
        ({"transport": "udp", "port": 70000}, "no port: 70000"),
        ({"transport": "udp", "ip": "localhost"}, "ip is no IP address"),
        ({"transport": "udp", "advertised_name": "a b"}, "no host name"),
        ({"transport": "tls", "certificate": "x", "min_version": "1.1"}, "min_version is '1.1'"),
        (
            {"transport": "tls", "certificate": "x", "client_certificates": ClientCertificates.REQUIRED},
            "nobody is trusted",
        ),
        ({"transport": "tcp", "origins": ("https://x",)}, "origins mean nothing"),
    ],
)
def test_listeners_that_cannot_work_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ListenerConfig(**({"port": 5061} | values))  # type: ignore[arg-type]
