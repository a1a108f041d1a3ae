"""Connections that carry requests both ways, that are kept alive, and that are not taken (RFC 5923, RFC 5626)."""

from __future__ import annotations

import pytest

from tests.certificates import Authority
from tests.unit.gateway.nodes import Node, run, until
from tests.unit.gateway.stream_peer import StreamPeer, request
from tests.unit.gateway.test_tls import config, dial
from voicegw.gateway.config import SipConfig
from voicegw.gateway.connection_reuse import alias_of
from voicegw.gateway.events import LegInvited
from voicegw.gateway.guard_config import GuardConfig
from voicegw.gateway.tls_config import ClientCertificates, TlsClientSettings
from voicegw.sip.address import Address, Transport
from voicegw.sip.counters import SipCounter
from voicegw.testing.manual_clock import ManualClock

PEER = Address("192.0.2.9", 41000, Transport.TLS, 7)


@pytest.mark.parametrize(
    ("via", "port"),
    [
        ("Via: SIP/2.0/TLS proxy.example.com:5081;alias;branch=z9hG4bK1", 5081),
        ("v:SIP/2.0/TLS proxy.example.com;branch=z9hG4bK1;alias", 5061),
        ("Via: SIP/2.0/TLS a.example.com;alias;branch=z9hG4bK1, SIP/2.0/TLS b.example.com:1;branch=z9", 5061),
        ("Via: SIP/2.0/TLS proxy.example.com:5081;branch=z9hG4bK1", None),
        ("Via: nonsense;alias", None),
        ("Subject: alias", None),
    ],
)
def test_what_a_request_offers(via: str, port: int | None) -> None:
    place = alias_of(f"OPTIONS sip:x SIP/2.0\r\n{via}\r\nMax-Forwards: 70\r\n\r\n".encode(), PEER)
    assert place == (None if port is None else Address("192.0.2.9", port, Transport.TLS))


def test_a_response_offers_nothing() -> None:
    assert alias_of(b"SIP/2.0 200 OK\r\nVia: SIP/2.0/TLS a;alias;branch=z9hG4bK1\r\n\r\n", PEER) is None


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def test_a_proven_peer_is_called_by_the_connection_that_it_opened(authority: Authority) -> None:
    async def scenario() -> None:
        certificate, key = authority.issue("trunk", "trunk.example.com")
        ours = TlsClientSettings(ca=authority.ca, certificate=certificate, key=key)
        trunk = Node(config=config(authority, "trunk.example.com", file="trunk-server", client=ours))
        node = Node(config=config(authority, client_certificates=ClientCertificates.OPTIONAL))
        await dial(trunk, node, "sip.example.com")
        await node.expect(LegInvited)
        await dial(node, trunk, "trunk.example.com")
        await trunk.expect(LegInvited)
        assert node.counters.get(SipCounter.CONNECTIONS_OUT) == 0, "by the trunk's own connection"
        await dial(node, trunk, "other.example.com")
        assert node.counters.get(SipCounter.CONNECTIONS_OUT) == 1, "the certificate does not name that one"
        for one in (trunk, node):
            one.gateway.close()

    run(scenario())


def test_who_has_shown_no_certificate_is_called_by_a_connection_of_ours(authority: Authority) -> None:
    async def scenario() -> None:
        stranger = Node(config=config(authority, "trunk.example.com", file="stranger"))
        node = Node(config=config(authority, client_certificates=ClientCertificates.OPTIONAL))
        await dial(stranger, node, "sip.example.com")
        await node.expect(LegInvited)
        await dial(node, stranger, "trunk.example.com")
        await stranger.expect(LegInvited)
        assert node.counters.get(SipCounter.CONNECTIONS_OUT) == 1
        for one in (stranger, node):
            one.gateway.close()

    run(scenario())


def test_a_banned_address_gets_no_connection_and_loses_those_it_has() -> None:
    async def scenario() -> None:
        guard = GuardConfig(trusted=(), scanners=("friendly-scanner",))
        node = Node(config=SipConfig(listen_ip="127.0.0.1", listen_port=0, guard=guard))
        async with StreamPeer(node.address) as quiet, StreamPeer(node.address) as loud:
            await until(lambda: len(node.wire.connections) == 2)
            loud.send(request("OPTIONS", "User-Agent: friendly-scanner"))
            assert await quiet.ended() == await loud.ended() == b""
        before = node.counters.get(SipCounter.CONNECTIONS_IN)
        async with StreamPeer(node.address) as again:
            assert await again.ended() == b""
        assert node.counters.get(SipCounter.CONNECTIONS_IN) == before
        node.gateway._driver.guard.pardon("127.0.0.1")
        async with StreamPeer(node.address) as pardoned:
            pardoned.send(request())
            assert (await pardoned.response()).status == 200
        node.gateway.close()

    run(scenario())


def test_connections_of_ours_are_kept_alive_where_that_is_wanted() -> None:
    async def scenario() -> None:
        clock = ManualClock()
        near, far = Node(clock=clock), Node()
        there = far.address._replace(transport=Transport.TCP)
        near.wire.send(request(), there)
        await until(lambda: near.counters.get(SipCounter.SENT) == 1)
        (connection,) = near.wire.connections._by_flow.values()
        await until(lambda: connection.is_up)
        sent: list[bytes] = []
        connection._put = sent.append  # type: ignore[method-assign]
        clock.advance(60)
        near.wire.connections._sweep()
        assert sent == [], "nobody wants it"
        near.wire.connections.keep_alives = {"127.0.0.1": 90.0}
        near.wire.connections._sweep()
        assert sent == []
        clock.advance(30)
        near.wire.connections._sweep()
        assert sent == [b"\r\n\r\n"]
        for one in (near, far):
            one.gateway.close()

    run(scenario())
