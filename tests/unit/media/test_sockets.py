from __future__ import annotations

import socket

import pytest

from tests.unit.media.rig import MemoryNetwork
from voicegw.base.errors import LocalError
from voicegw.media.sockets import PortPool, UdpNetwork, is_sendable

IP = "10.0.0.1"


def pool(network: MemoryNetwork, low: int = 20000, high: int = 20007, start: int = 0) -> PortPool:
    return PortPool(network, low, high, draining_s=5.0, random=lambda n: start.to_bytes(n, "big"))


def test_pairs_are_even_and_begin_anywhere() -> None:
    assert pool(MemoryNetwork()).acquire(IP).port == 20000
    made = pool(MemoryNetwork(), start=3)
    assert [made.acquire(IP).port for _ in range(2)] == [20006, 20000]


def test_taken_ports_are_passed_over_and_leave_nothing_bound() -> None:
    network = MemoryNetwork()
    network.taken = {(IP, 20001), (IP, 20002)}
    assert pool(network).acquire(IP).port == 20004
    assert (IP, 20000) not in network.sockets


def test_exhaustion_says_what_is_wrong() -> None:
    made = pool(MemoryNetwork())
    pairs = [made.acquire(IP) for _ in range(4)]
    made.release(pairs[0], now=10.0)
    with pytest.raises(LocalError, match=r"20000-20007 on 10\.0\.0\.1: 3 in use, 1 draining"):
        made.acquire(IP)


def test_a_closed_pair_stays_bound_until_it_has_drained() -> None:
    network = MemoryNetwork()
    made = pool(network, high=20001)
    made.release(made.acquire(IP), now=10.0)
    made.reap(14.9)
    assert made.draining == 1
    assert (IP, 20000) in network.sockets
    with pytest.raises(LocalError):
        made.acquire(IP)
    made.reap(15.0)
    assert not network.sockets
    assert made.acquire(IP).port == 20000


def test_names_and_rubbish_are_no_addresses_to_bind() -> None:
    with pytest.raises(LocalError, match="not an IP address"):
        pool(MemoryNetwork()).acquire("localhost")


@pytest.mark.parametrize(
    ("address", "good"),
    [
        (("192.0.2.1", 4000), True),
        (("192.0.2.1", 0), False),
        (("192.0.2.1", 99999), False),
        (("0.0.0.0", 4000), False),
        (("224.0.0.1", 4000), False),
        (("example.org", 4000), False),
        (("2001:db8::1", 4000), True),
        (("::", 4000), False),
        (("ff02::1", 4000), False),
        (("fe80::1%eth0", 4000), False),
        (("", 4000), False),
    ],
)
def test_where_rtp_can_be_sent(address: tuple[str, int], good: bool) -> None:
    assert is_sendable(address) is good


def test_real_sockets_are_polled_and_do_not_block() -> None:
    network = UdpNetwork()
    bound = network.bind("127.0.0.1", 0)
    poller = network.poller()
    poller.register(bound.fileno())
    assert poller.ready() == []
    buffer = memoryview(bytearray(100))
    with pytest.raises(BlockingIOError):
        bound.recvfrom_into(buffer)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.sendto(b"hello", bound.getsockname())  # type: ignore[attr-defined]
        assert [fd for fd, _ in poller.ready()] == [bound.fileno()]
        assert bound.recvfrom_into(buffer)[0] == 5
    poller.unregister(bound.fileno())
    poller.close()
    bound.close()


def test_a_port_that_another_program_has_is_an_os_error() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        with pytest.raises(OSError):
            UdpNetwork().bind("127.0.0.1", other.getsockname()[1])
