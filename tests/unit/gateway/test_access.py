"""Who may send to a listener at all."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.gateway.nodes import Node, RawSocket, run, until
from voicegw.base.errors import ConfigError
from voicegw.gateway.access import AccessList
from voicegw.gateway.config import SipConfig
from voicegw.gateway.listener_config import ListenerConfig


@pytest.mark.parametrize(
    ("allow", "deny", "denied"),
    [
        ((), (), set()),
        ((), ("192.0.2.0/24",), {"192.0.2.1", "192.0.2.9"}),
        (("192.0.2.0/24",), (), {"198.51.100.1", "2001:db8::1"}),
        (("192.0.2.0/24", "2001:db8::/32"), ("192.0.2.9",), {"192.0.2.9", "198.51.100.1"}),
        (("192.0.2.9",), ("192.0.2.0/24",), {"192.0.2.1", "198.51.100.1", "2001:db8::1"}),
        (("192.0.2.9",), ("192.0.2.9",), {"192.0.2.1", "192.0.2.9", "198.51.100.1", "2001:db8::1"}),
        ((), ("2001:db8::/32",), {"2001:db8::1"}),
    ],
)
def test_the_most_exact_network_decides(allow: tuple[str, ...], deny: tuple[str, ...], denied: set[str]) -> None:
    access = AccessList(allow, deny)
    hosts = {"192.0.2.1", "192.0.2.9", "198.51.100.1", "2001:db8::1"}
    assert {host for host in hosts if access.denies(host)} == denied
    assert access.denies("::ffff:192.0.2.9") is access.denies("192.0.2.9")


@settings(max_examples=60)
@given(st.ip_addresses(v=4), st.integers(0, 32))
def test_a_network_holds_its_addresses_and_an_exception_its_own(address: ipaddress.IPv4Address, bits: int) -> None:
    network = str(ipaddress.ip_network(f"{address}/{bits}", strict=False))
    assert AccessList((), (network,)).denies(str(address))
    assert not AccessList((network,), ()).denies(str(address))
    assert AccessList((str(address),), (network,)).denies(str(address)) is (bits == 32)


def test_what_is_no_network_is_told() -> None:
    with pytest.raises(ConfigError, match="allow has no network in 'everybody'"):
        ListenerConfig("udp", 5060, allow=("everybody",))


def test_who_is_denied_gets_silence_and_its_connection_is_closed() -> None:
    async def story() -> None:
        listeners = tuple(ListenerConfig(kind, 0, "127.0.0.1", deny=("127.0.0.0/8",)) for kind in ("udp", "tcp"))
        node = Node(config=SipConfig(listeners=listeners))
        peer = RawSocket()
        try:
            await peer.send(peer.request("OPTIONS"), node.address)
            await until(lambda: node.counters.get("sip_guard_dropped_denied") == 1)
            with socket.create_connection(("127.0.0.1", node.wire.bound[1].port)) as stream:
                stream.setblocking(False)
                await until(lambda: node.counters.get("sip_guard_dropped_denied") == 2)
            assert node.counters.get("sip_datagrams_received") == 0
        finally:
            node.gateway.close()
            peer.close()

    run(story())
