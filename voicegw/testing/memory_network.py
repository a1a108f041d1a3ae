"""UDP in memory for the media engine: packets that no kernel sees, so that hours of a call pass in seconds."""

from __future__ import annotations

from collections import defaultdict, deque

from voicegw.media.sockets import Address


class MemorySocket:
    """One bound socket of a :class:`MemoryNetwork`."""

    def __init__(self, network: MemoryNetwork, address: Address, fd: int) -> None:
        self._network = network
        self.address = address
        self._fd = fd
        self.inbox: deque[tuple[bytes, Address]] = deque()
        self.closed = False

    def fileno(self) -> int:
        return self._fd

    def recvfrom_into(self, buffer: memoryview, _nbytes: int = 0, /) -> tuple[int, Address]:
        if not self.inbox:
            raise BlockingIOError
        data, source = self.inbox.popleft()
        size = min(len(data), len(buffer))
        buffer[:size] = data[:size]
        return size, source

    def sendto(self, data: memoryview | bytes, address: Address, /) -> int:
        if self._network.broken:
            raise OSError("network is unreachable")
        self._network.deliver(bytes(data), self.address, address)
        return len(data)

    def close(self) -> None:
        self.closed = True
        self._network.sockets.pop(self.address, None)


class MemoryPoller:
    """Readiness of memory sockets."""

    def __init__(self, network: MemoryNetwork) -> None:
        self._network = network
        self._fds: set[int] = set()

    def register(self, fd: int, /) -> None:
        self._fds.add(fd)

    def unregister(self, fd: int, /) -> None:
        self._fds.remove(fd)

    def ready(self) -> list[tuple[int, int]]:
        return [(s.fileno(), 1) for s in self._network.sockets.values() if s.fileno() in self._fds and s.inbox]

    def close(self) -> None:
        self._fds.clear()


class MemoryNetwork:
    """UDP without a kernel: what is sent to an address that nobody bound is kept in ``outbox``."""

    def __init__(self) -> None:
        self.sockets: dict[Address, MemorySocket] = {}
        self.outbox: defaultdict[Address, list[bytes]] = defaultdict(list)
        self.broken = False
        self.taken: set[Address] = set()
        self._next_fd = 100

    def bind(self, ip: str, port: int) -> MemorySocket:
        if (ip, port) in self.sockets or (ip, port) in self.taken:
            raise OSError("address already in use")
        self._next_fd += 1
        bound = self.sockets[(ip, port)] = MemorySocket(self, (ip, port), self._next_fd)
        return bound

    def poller(self) -> MemoryPoller:
        return MemoryPoller(self)

    def arrived_us(self, _fd: int) -> int:
        """Nobody notes that here."""
        return 0

    def deliver(self, data: bytes, source: Address, target: Address) -> None:
        if target in self.sockets:
            self.sockets[target].inbox.append((data, source))
        else:
            self.outbox[target].append(data)
