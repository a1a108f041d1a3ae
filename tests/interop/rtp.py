"""A small RTP endpoint of the tests' own: plays one sound, keeps all it hears, and can press keys.

For peers whose signalling is proven but whose media cannot be recorded (sipp). µ-law only.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, pairwise
from types import TracebackType
from typing import Self

import numpy as np

from tests.interop.sound import FRAME, RATE_HZ, Samples, ulaw_decode, ulaw_encode

PCMU = 0
TELEPHONE_EVENT = 101
DIGITS = "0123456789*#ABCD"
_SO_TIMESTAMPNS = 35
"""socket(7); Python has no name for it. Its message has the type of the option, and a timespec."""
_TIMESPEC = struct.Struct("@ll")
_DIGIT_FRAMES = 6
_GAP_FRAMES = 5
_STOPPED_S = 0.1
_LOOK_S = 0.1


def stamp_arrivals(endpoint: socket.socket) -> None:
    """Have the kernel note when each datagram comes."""
    endpoint.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)


def receive_stamped(endpoint: socket.socket) -> tuple[bytes, tuple[str, int], float]:
    """A datagram, where it is from, and when it came, by the kernel's clock in seconds since 1970."""
    data, notes, _flags, source = endpoint.recvmsg(2048, socket.CMSG_SPACE(_TIMESPEC.size))
    seconds, nanoseconds = _TIMESPEC.unpack(notes[0][2])
    return data, source, seconds + nanoseconds / 1e9


def longest_pause_s(arrivals: Sequence[float]) -> float:
    """The longest time between two of them."""
    return max((later - earlier for earlier, later in pairwise(arrivals)), default=float("inf"))


def packet(payload_type: int, sequence: int, timestamp: int, payload: bytes, *, marker: bool = False) -> bytes:
    """RFC 3550 §5.1, without extension, padding or contributing sources."""
    second = payload_type | (0x80 if marker else 0)
    return struct.pack("!BBHII", 0x80, second, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, 0x5EED) + payload


def digit_packets(digit: str, sequence: int, timestamp: int) -> list[bytes]:
    """One key press of 120 ms: RFC 4733 §2.5, updates every 20 ms and the end sent three times."""
    event = DIGITS.index(digit)
    packets = []
    for index in range(_DIGIT_FRAMES + 2):
        ended = index >= _DIGIT_FRAMES - 1
        duration = min(index + 1, _DIGIT_FRAMES) * FRAME
        payload = struct.pack("!BBH", event, 0x8A if ended else 0x0A, duration)
        packets.append(packet(TELEPHONE_EVENT, sequence + index, timestamp, payload, marker=index == 0))
    return packets


class Pace:
    """When packets are due. Who was stopped does not send at once what is too late to be heard, but goes on with
    the next packet, as a telephone after a pause in the talk, where its packets can be dated so (``leaps``)."""

    def __init__(self, stopping: threading.Event, *, leaps: bool = True) -> None:
        self._stopping = stopping
        self._leaps = leaps
        self._due = time.monotonic()
        self.missed = 0
        """Samples for whose time nothing was sent: timestamps are later by so much."""

    def wait(self, samples: int) -> bool:
        """Until the packet after one of so many samples is due; False when it is not to be sent any more."""
        self._due += samples / RATE_HZ
        ends = self._stopping.wait(max(0.0, self._due - time.monotonic()))
        late_s = time.monotonic() - self._due
        if self._leaps and late_s > _STOPPED_S:
            frames = int(late_s * RATE_HZ / FRAME)
            self._due += frames * FRAME / RATE_HZ
            self.missed += frames * FRAME
        return not ends


class RtpPeer:
    """Bound from construction; ``start`` begins to send towards ``remote`` at absolute 20 ms deadlines."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))
        self._socket.settimeout(0.1)
        stamp_arrivals(self._socket)
        self.port = int(self._socket.getsockname()[1])
        self.packets: list[bytes] = []
        self._arrivals: list[float] = []
        self._sent = 0
        self._more: deque[bytes] = deque()
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._receive)]
        self._threads[0].start()

    def start(
        self, remote: tuple[str, int], sound: Samples, digits: str = "", lengths_ms: Sequence[int] = (20,)
    ) -> None:
        """Send ``digits``, then ``sound`` once, then silence until closed; packets have ``lengths_ms`` in turn."""
        pace = Pace(self._stopping)
        self._begin(remote, _script(sound, digits, lengths_ms, pace, self._more), pace)

    def say(self, sound: Samples) -> None:
        """Send this, too, when what it was started with is over."""
        self._more.append(ulaw_encode(sound))

    def play(self, remote: tuple[str, int], packets: Iterator[tuple[bytes, int]]) -> None:
        """Send these, each with its length in samples at 8 kHz, after which the next one is due."""
        self._begin(remote, packets, Pace(self._stopping, leaps=False))

    def _begin(self, remote: tuple[str, int], packets: Iterator[tuple[bytes, int]], pace: Pace) -> None:
        sender = threading.Thread(target=self._send, args=(remote, packets, pace))
        self._threads.append(sender)
        sender.start()

    def wait_sent(self, seconds: float, within_s: float = 30.0) -> None:
        """Until it has sent so much, keys included."""
        self._wait(lambda: self._sent >= seconds * RATE_HZ, within_s, f"{seconds} s were not sent")

    def wait_heard(self, enough: Callable[[Samples], bool], within_s: float = 30.0) -> None:
        """Until what was heard is enough."""
        self._wait(lambda: enough(self.heard()), within_s, "not heard")

    def _wait(self, done: Callable[[], bool], within_s: float, what: str) -> None:
        deadline = time.monotonic() + within_s
        while not done():
            assert time.monotonic() < deadline, f"{what} within {within_s} s"
            time.sleep(_LOOK_S)

    def heard(self) -> Samples:
        """What arrived, in order of the RTP timestamps, with gaps as silence."""
        audio = {_timestamp(data): data[12:] for data in self.packets if data[1] & 0x7F == PCMU}
        if not audio:
            return np.zeros(0, dtype=np.int16)
        first = min(audio)
        heard = np.zeros(max(audio) - first + FRAME, dtype=np.int16)
        for timestamp, payload in audio.items():
            heard[timestamp - first : timestamp - first + len(payload)] = ulaw_decode(payload)[
                : len(heard) - timestamp + first
            ]
        return heard

    def longest_pause_s(self) -> float:
        """The longest time between two packets, by the kernel's clock: we may have waited for a processor."""
        return longest_pause_s(self._arrivals)

    def arrived_between(self, since: float, until: float) -> int:
        """How many packets came then, by the kernel's clock in seconds since 1970."""
        return sum(since < arrived < until for arrived in self._arrivals)

    def close(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _receive(self) -> None:
        while not self._stopping.is_set():
            try:
                data, _source, arrived = receive_stamped(self._socket)
            except TimeoutError:
                continue
            if len(data) >= 12 and data[0] >> 6 == 2:
                self.packets.append(data)
                self._arrivals.append(arrived)

    def _send(self, remote: tuple[str, int], packets: Iterator[tuple[bytes, int]], pace: Pace) -> None:
        for data, length in packets:
            self._socket.sendto(data, remote)
            self._sent += length
            if not pace.wait(length):
                return


def _script(
    sound: Samples, digits: str, lengths_ms: Sequence[int], pace: Pace, more: deque[bytes]
) -> Iterator[tuple[bytes, int]]:
    """The packets to send, without end, each with its length in samples."""
    sequence = timestamp = 1000
    quiet = ulaw_encode(np.zeros(FRAME, dtype=np.int16))
    for digit in digits:
        presses = digit_packets(digit, sequence, timestamp + pace.missed)
        yield from ((data, FRAME) for data in presses)
        sequence, timestamp = sequence + len(presses), timestamp + len(presses) * FRAME
        for _ in range(_GAP_FRAMES):
            yield packet(PCMU, sequence, timestamp + pace.missed, quiet), FRAME
            sequence, timestamp = sequence + 1, timestamp + FRAME
    rest = memoryview(ulaw_encode(sound))
    for length_ms in cycle(lengths_ms):
        if not rest and more:
            rest = memoryview(more.popleft())
        length = length_ms * RATE_HZ // 1000
        payload, rest = bytes(rest[:length]).ljust(length, quiet[:1]), rest[length:]
        yield packet(PCMU, sequence, timestamp + pace.missed, payload), length
        sequence, timestamp = sequence + 1, timestamp + length


def _timestamp(data: bytes) -> int:
    return int(struct.unpack_from("!I", data, 4)[0])
