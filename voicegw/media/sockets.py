"""UDP sockets and the RTP port pool.

A pair is an even RTP port and the RTCP port above it (RFC 3550 §11). A closed pair stays bound for a while and is
read by nobody: late packets of the old peer must not reach the next call, and no other program may take the port.
"""

from __future__ import annotations

import fcntl
import select
import socket
import struct
from collections import Counter, deque
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Protocol

from voicegw.base.errors import LocalError
from voicegw.base.ids import RandomBytes

Address = tuple[str, int]
_CLASS_OF_IPV4 = (socket.IPPROTO_IP, socket.IP_TOS)
_CLASS_OF_IPV6 = (socket.IPPROTO_IPV6, socket.IPV6_TCLASS)
_EXPEDITED = 0xB8
"""DSCP EF (RFC 3246): routers that know it forward voice first."""
_SIOCGSTAMPNS = 0x8907
"""The request that asks for it (ioctl_list(2)); a system call of its own, so only of legs that are captured."""
_TIMESPEC = struct.Struct("@ll")
_RECEIVE_BUFFER_BYTES = 64 * 1024
"""About 6 s of one stream: enough for any stall of ours, little enough for a flood."""


class DatagramSocket(Protocol):
    """The part of a non-blocking ``socket.socket`` that is used."""

    def fileno(self) -> int: ...

    def recvfrom_into(self, buffer: memoryview, nbytes: int = 0, /) -> tuple[int, Address]: ...

    def sendto(self, data: memoryview | bytes, address: Address, /) -> int: ...

    def close(self) -> None: ...


class Poller(Protocol):
    """Which sockets have something to read, without waiting."""

    def register(self, fd: int, /) -> None: ...

    def unregister(self, fd: int, /) -> None: ...

    def ready(self) -> list[tuple[int, int]]:
        """(file descriptor, event mask) pairs."""
        ...

    def close(self) -> None: ...


class Network(Protocol):
    """Where sockets come from: the kernel, or a test."""

    def bind(self, ip: str, port: int) -> DatagramSocket:
        """A non-blocking socket; raises OSError when the port is taken or the address is not ours."""
        ...

    def poller(self) -> Poller: ...

    def arrived_us(self, fd: int) -> int:
        """When the packet that was read last from this socket came, Unix time in µs; 0 where that is not known."""
        ...


class EpollPoller:
    """Level-triggered epoll: a socket that still has packets is named again in the next round."""

    def __init__(self) -> None:
        self._epoll = select.epoll()

    def register(self, fd: int, /) -> None:
        self._epoll.register(fd, select.EPOLLIN)

    def unregister(self, fd: int, /) -> None:
        self._epoll.unregister(fd)

    def ready(self) -> list[tuple[int, int]]:
        """See :meth:`Poller.ready`."""
        return self._epoll.poll(0)

    def close(self) -> None:
        self._epoll.close()


class Udp6Socket:
    """A UDP socket of IPv6 whose addresses are pairs as those of IPv4: a link-local scope is of no use to media."""

    def __init__(self, udp: socket.socket) -> None:
        self._udp = udp
        self.sendto = udp.sendto
        self.fileno = udp.fileno
        self.close = udp.close

    def recvfrom_into(self, buffer: memoryview, nbytes: int = 0, /) -> tuple[int, Address]:
        """See :class:`DatagramSocket`."""
        size, address = self._udp.recvfrom_into(buffer, nbytes)
        return size, (address[0], address[1])


class UdpNetwork:
    """The kernel's UDP, over IPv4 or IPv6 as the address says."""

    def bind(self, ip: str, port: int) -> DatagramSocket:
        """See :meth:`Network.bind`."""
        is_v6 = ":" in ip
        family = socket.AF_INET6 if is_v6 else socket.AF_INET
        udp = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
            udp.setsockopt(*(_CLASS_OF_IPV6 if is_v6 else _CLASS_OF_IPV4), _EXPEDITED)
            udp.bind((ip, port))
        except OSError:
            udp.close()
            raise
        return Udp6Socket(udp) if is_v6 else udp

    def poller(self) -> Poller:
        """See :meth:`Network.poller`."""
        return EpollPoller()

    def arrived_us(self, fd: int) -> int:
        """See :meth:`Network.arrived_us`; the kernel notes it from the first question on."""
        try:
            stamp = fcntl.ioctl(fd, _SIOCGSTAMPNS, bytes(_TIMESPEC.size))
        except OSError:  # nothing came yet, or this kernel does not tell
            return 0
        seconds, nanoseconds = _TIMESPEC.unpack(stamp)
        return int(seconds * 1_000_000 + nanoseconds // 1000)


@dataclass(frozen=True, slots=True)
class PortPair:
    """Two bound sockets; ``port`` is the RTP one."""

    ip: str
    port: int
    rtp: DatagramSocket
    rtcp: DatagramSocket

    def close(self) -> None:
        self.rtp.close()
        self.rtcp.close()


class PortPool:
    """Hands out pairs of a range, beginning at a random one so that a port cannot be guessed from the last."""

    def __init__(self, network: Network, low: int, high: int, draining_s: float, random: RandomBytes) -> None:
        self._network = network
        self._low = low
        self._pairs = (high - low + 1) // 2
        self.draining_s = draining_s
        """After the end of a leg; may be changed."""
        self._next = int.from_bytes(random(4), "big") % self._pairs
        self._used: set[tuple[str, int]] = set()
        self._draining: deque[tuple[float, PortPair]] = deque()

    def acquire(self, ip: str) -> PortPair:
        """Bind the next free pair on ``ip``; raises LocalError with what is wrong."""
        _check_ip(ip)
        error: OSError | None = None
        for _ in range(self._pairs):
            port = self._low + 2 * self._next
            self._next = (self._next + 1) % self._pairs
            if (ip, port) in self._used:
                continue
            try:
                pair = self._bind(ip, port)
            except OSError as taken:
                error = taken
                continue
            self._used.add((ip, port))
            return pair
        why = f"; last error: {error}" if error else ""
        raise LocalError(
            f"no free RTP port pair in {self._low}-{self._low + 2 * self._pairs - 1} on {ip}: "
            f"{len(self._used) - len(self._draining)} in use, {len(self._draining)} draining{why}"
        )

    def _bind(self, ip: str, port: int) -> PortPair:
        rtp = self._network.bind(ip, port)
        try:
            return PortPair(ip, port, rtp, self._network.bind(ip, port + 1))
        except OSError:
            rtp.close()
            raise

    def release(self, pair: PortPair, now: float) -> None:
        """The leg is over: close the sockets after the draining time."""
        self._draining.append((now, pair))

    def reap(self, now: float) -> None:
        """Close what has drained."""
        while self._draining and self._draining[0][0] + self.draining_s <= now:
            _, pair = self._draining.popleft()
            self._free(pair)

    def close(self) -> None:
        """Close what still drains; pairs in use are their owners'."""
        while self._draining:
            self._free(self._draining.popleft()[1])

    def _free(self, pair: PortPair) -> None:
        pair.close()
        self._used.discard((pair.ip, pair.port))

    @property
    def free(self) -> int:
        """Pairs that nobody has, on the address with the fewest."""
        used = Counter(ip for ip, _ in self._used)
        return self._pairs - max(used.values(), default=0)

    @property
    def draining(self) -> int:
        """Pairs that are still bound after their leg ended."""
        return len(self._draining)


def _check_ip(ip: str) -> None:
    if _literal(ip) is None:
        raise LocalError(f"{ip!r} is not an IP address to bind RTP on")


def _literal(ip: str) -> IPv4Address | IPv6Address | None:
    """The address; None for a name, and for an IPv6 address with a scope."""
    try:
        return None if "%" in ip else ip_address(ip)
    except ValueError:
        return None


def is_sendable(address: Address) -> bool:
    """Whether ``sendto`` can take it: a literal address of one host and a port that exists.

    A port of 99999 in SDP must be refused here: ``sendto`` raises OverflowError for it, not OSError.
    """
    ip = _literal(address[0])
    if ip is None:
        return False
    return 1 <= address[1] <= 65535 and not ip.is_unspecified and not ip.is_multicast
