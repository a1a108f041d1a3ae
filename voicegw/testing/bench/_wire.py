"""A telephone that measures at the wire: its own RTP socket, its own clock, no part of the product in between.

Each call sends one packet of G.711 every 20 ms from a thread and notes when it left; what comes in is dated by the
kernel (SO_TIMESTAMPNS). Sample ``n`` of what is said counts as spoken ``n % 160`` samples after its packet left,
and what is heard as heard when its packet came: one scale for both directions.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from voicegw.audio.g711 import Law, decode, encode
from voicegw.base.causes import HangupCause
from voicegw.base.clock import SystemClock
from voicegw.base.errors import LocalError
from voicegw.base.ids import LegId, token
from voicegw.base.metrics import Counters
from voicegw.gateway.config import SipConfig
from voicegw.gateway.events import LegAnswered, LegEnded, LegEvent
from voicegw.gateway.sip_leg import SipGateway

FRAME: Final = 160
FRAME_S: Final = 0.02
AUDIBLE: Final = 300
"""Of 32768, -41 dBov: what a listener on a telephone notices."""
_SO_TIMESTAMPNS: Final = 35
_HEADER: Final = struct.Struct("!BBHII")
_TIMESPEC: Final = struct.Struct("qq")
_POLL_S: Final = 0.01
_ANSWER_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Heard:
    """One packet that came in. ``peak`` is its loudest sample; 0 is digital silence, which only a machine sends."""

    at: float
    peak: int


@dataclass(slots=True)
class Said:
    """Something on its way out: when each of its packets left."""

    packets: int
    left_at: list[float] = field(default_factory=list)

    @property
    def done(self) -> bool:
        """Whether all of it has left."""
        return len(self.left_at) == self.packets

    def time_of(self, sample: int) -> float:
        """When this sample was on the wire, in monotonic seconds."""
        return self.left_at[sample // FRAME] + sample % FRAME / 8000


def speech_bounds(pcm: NDArray[np.int16]) -> tuple[int, int]:
    """The first sample of speech, at most 20 ms too early, and the last audible one; ValueError for silence.

    A word may end in a soft consonant: whatever can be heard is its end. It does not begin with the breath that
    a diphone voice draws before "where", though: speech begins where it comes within 15.9 dB of its own active
    level, as ITU-T P.56 has it.
    """
    blocks = pcm[: len(pcm) // FRAME * FRAME].astype(np.float64).reshape(-1, FRAME)
    power = np.mean(blocks**2, axis=1)
    audible = np.flatnonzero(np.abs(pcm.astype(np.int32)) >= AUDIBLE)
    if not len(power) or not len(audible):
        raise ValueError("there is no speech in this audio")
    active = float(np.mean(power[power >= power.max() * 10**-2.5]))
    return int(np.argmax(power >= active * 10**-1.59)) * FRAME, int(audible[-1])


class WireMedia:
    """The RTP stream of one call, both ways."""

    def __init__(self, ip: str) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((ip, 0))
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self.port = int(self._socket.getsockname()[1])
        self.heard: list[Heard] = []
        self._waiting: deque[tuple[Said, bytes]] = deque()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="wire telephone", daemon=True)
        self._remote = ("", 0)

    def start(self, ip: str, port: int) -> None:
        """Send silence to the far end from now on."""
        self._remote = (ip, port)
        self._thread.start()

    def close(self) -> None:
        """Stop."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._socket.close()

    def say(self, pcm: NDArray[np.int16]) -> Said:
        """Speak; the padded last packet included."""
        padded = np.concatenate([pcm, np.zeros(-len(pcm) % FRAME, np.int16)])
        codes = encode(padded, Law.ULAW).tobytes()
        said = Said(len(codes) // FRAME)
        self._waiting.extend((said, codes[at : at + FRAME]) for at in range(0, len(codes), FRAME))
        return said

    def _run(self) -> None:
        """One packet every 20 ms on absolute deadlines."""
        ssrc = int.from_bytes(os.urandom(4), "big")
        silence = bytes([0xFF]) * FRAME
        due = time.monotonic()
        number = 0
        while not self._stop.is_set():
            said, payload = self._waiting.popleft() if self._waiting else (None, silence)
            header = _HEADER.pack(0x80, 0, number & 0xFFFF, number * FRAME & 0xFFFFFFFF, ssrc)
            at = time.monotonic()
            self._socket.sendto(header + payload, self._remote)
            if said is not None:
                said.left_at.append(at)
            self._receive()
            number += 1
            due += FRAME_S
            time.sleep(max(0.0, due - time.monotonic()))

    def _receive(self) -> None:
        offset = time.time() - time.monotonic()
        while True:
            try:
                data, control, _flags, _source = self._socket.recvmsg(2048, 64)
            except BlockingIOError:
                return
            if len(data) != _HEADER.size + FRAME or data[1] & 0x7F:
                continue
            seconds, nanoseconds = _TIMESPEC.unpack(control[0][2][: _TIMESPEC.size])
            pcm = decode(np.frombuffer(data, np.uint8, offset=_HEADER.size), Law.ULAW)
            peak = int(np.abs(pcm.astype(np.int32)).max())
            self.heard.append(Heard(seconds + nanoseconds / 1e9 - offset, peak))


class WireCall:
    """One call as its caller sees it."""

    def __init__(self, phone: WirePhone, leg_id: LegId, media: WireMedia) -> None:
        self.media = media
        self._ended = asyncio.Event()
        self.answered = False
        self._phone = phone
        self._leg_id = leg_id

    @property
    def over(self) -> bool:
        """Whether the call has ended."""
        return self._ended.is_set()

    def take(self, event: LegEvent) -> None:
        """An event of the gateway."""
        if isinstance(event, LegAnswered):
            self.answered = True
            self.media.start(event.session.remote_ip, event.session.remote_port)
        elif isinstance(event, LegEnded):
            self._ended.set()

    async def until(self, condition: Callable[[], bool], timeout_s: float, what: str) -> None:
        """Look every 10 ms; LocalError naming ``what`` if it does not come true or the call ends."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            if self.over or time.monotonic() > deadline:
                raise LocalError(f"{what}: {'the call ended' if self.over else f'not within {timeout_s} s'}")
            await asyncio.sleep(_POLL_S)

    def audible_since(self, moment: float) -> list[Heard]:
        """The packets with something to hear that came after ``moment``."""
        return [packet for packet in self.media.heard if packet.at > moment and packet.peak >= AUDIBLE]

    async def hang_up(self) -> None:
        """BYE, and wait for its end."""
        self._phone.gateway.hangup(self._leg_id, HangupCause.CALLER_HANGUP)
        try:
            async with asyncio.timeout(_ANSWER_S):
                await self._ended.wait()
        finally:
            self.media.close()


class WirePhone:
    """The signalling of the calls: the product's own, for nothing is measured here."""

    def __init__(self) -> None:
        self.gateway = SipGateway(
            SipConfig("127.0.0.1", 0), self._take, random=os.urandom, clock=SystemClock(), counters=Counters()
        )
        self._calls: dict[LegId, WireCall] = {}

    async def __aenter__(self) -> Self:
        self.gateway.start()
        return self

    async def __aexit__(self, *_details: object) -> None:
        self.gateway.close()

    async def dial(self, uri: str, from_uri: str) -> WireCall:
        """Call and wait for the answer."""
        media = WireMedia("127.0.0.1")
        leg_id = LegId(token(os.urandom))
        call = self._calls[leg_id] = WireCall(self, leg_id, media)
        self.gateway.dial(leg_id, uri, "127.0.0.1", media.port, from_uri)
        await call.until(lambda: call.answered, _ANSWER_S, "the node answers")
        return call

    def _take(self, event: LegEvent) -> None:
        if call := self._calls.get(event.leg_id):
            call.take(event)
