"""One TCP connection of an Asterisk: frames in, frames out, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from typing import Final, Protocol
from uuid import UUID

from voicegw.base.errors import RemoteProtocolError
from voicegw.base.metrics import Counters
from voicegw.gateway.audiosocket.frames import WIDER_AUDIO, Frame, FrameReader, Kind

log = logging.getLogger(__name__)

_MOST_UNSENT_BYTES: Final = 16_000
"""A second of audio: a peer that reads no more is sent no more, rather than late speech."""
_KEEP_ALIVE: Final = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 2, "TCP_USER_TIMEOUT": 15_000}
"""A peer that has vanished is known after 20 s at most, as with RTP; the last one is in milliseconds."""
LAST_WORDS_S: Final = 2.0
"""For what a peer was sent before its connection was closed; one that reads nothing does not keep the call."""
DROPPED: Final = "audiosocket_frames_dropped"
FAULTS: Final = "audiosocket_faults"


class Owner(Protocol):
    """Who is told what happens on a connection, always from the event loop."""

    def came(self, connection: Connection) -> None:
        """It is open, and its ``peer`` is known; once, before anything else."""
        ...

    def named(self, connection: Connection, uuid: UUID) -> None:
        """The peer said which call it is; once, before all that it says else."""
        ...

    def heard(self, connection: Connection, pcm: bytes) -> None:
        """Audio of the caller: 16-bit samples at 8 kHz."""
        ...

    def pressed(self, connection: Connection, key: str) -> None:
        """The caller pressed a key."""
        ...

    def ended(self, connection: Connection, fault: str) -> None:
        """The connection is over; ``fault`` is "" where the peer hung up. Told once, also after :meth:`close`."""
        ...


class Connection(asyncio.Protocol):
    """Nothing that a peer sends ends more than its own connection."""

    def __init__(self, owner: Owner, counters: Counters, id_s: float) -> None:
        self._owner = owner
        self._counters = counters
        self._id_s = id_s
        self._reader = FrameReader()
        self._transport: asyncio.Transport | None = None
        self._fault = ""
        self._deadline: asyncio.TimerHandle | None = None
        self.uuid: UUID | None = None
        self.peer = ""
        """HOST:PORT, for people."""

    # ------------------------------------------------------------ to the peer

    def send_audio(self, pcm: bytes) -> None:
        """20 ms for the caller; dropped and counted where the peer does not read."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() > _MOST_UNSENT_BYTES:
            self._counters.add(DROPPED)
            return
        transport.write(Frame(Kind.AUDIO, pcm).to_bytes())

    def close(self) -> None:
        """Hang up: the dialplan at the peer goes on behind its AudioSocket."""
        if self._transport is not None and not self._transport.is_closing():
            self._part(self._transport, Frame(Kind.TERMINATE).to_bytes())

    # ------------------------------------------------------------ asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See :class:`asyncio.Protocol`."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        name = transport.get_extra_info("peername")
        if name is None:  # it left in the very moment it came
            transport.abort()
            return
        host, port = name[:2]
        self.peer = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEP_ALIVE.items():
            with contextlib.suppress(AttributeError):  # not every system has all of them
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(self._id_s, self._give_up, f"no UUID within {self._id_s:g} s")
        self._owner.came(self)

    def data_received(self, data: bytes) -> None:
        """See :class:`asyncio.Protocol`."""
        try:
            for frame in self._reader.feed(data):
                if self._fault or self._transport is None or self._transport.is_closing():
                    return
                self._take(frame)
        except RemoteProtocolError as error:
            self._give_up(str(error))

    def connection_lost(self, exc: Exception | None) -> None:
        """See :class:`asyncio.Protocol`."""
        self._transport = None
        if self._deadline is not None:
            self._deadline.cancel()
        # A channel of Asterisk's hangs up by closing, with audio of ours unread: TCP tells us so by a reset.
        has_closed = exc is None or isinstance(exc, ConnectionResetError | BrokenPipeError)
        self._owner.ended(self, self._fault or ("" if has_closed else f"connection lost: {exc}"))

    # ------------------------------------------------------------ frames

    def _take(self, frame: Frame) -> None:
        if self.uuid is None:
            self._take_name(frame)
            return
        match frame.kind:
            case Kind.AUDIO:
                if len(frame.payload) % 2:
                    raise RemoteProtocolError(f"{len(frame.payload)} bytes of 16-bit audio")
                self._owner.heard(self, frame.payload)
            case Kind.KEY:
                self._owner.pressed(self, frame.key())
            case Kind.TERMINATE:
                self._hung_up()
            case Kind.ERROR:
                self._give_up(f"the peer reports error {frame.payload.hex() or 'without a number'}")
            case kind if kind in WIDER_AUDIO:
                raise RemoteProtocolError("audio that is not at 8 kHz: let the channel use slin, as c(slin) does")
            case _:
                self._counters.add("audiosocket_frames_unknown")

    def _take_name(self, frame: Frame) -> None:
        if frame.kind != Kind.ID:
            raise RemoteProtocolError(f"a frame of kind 0x{frame.kind:02x} before the UUID")
        self.uuid = frame.uuid()
        if self._deadline is not None:
            self._deadline.cancel()
        self._owner.named(self, self.uuid)

    def _hung_up(self) -> None:
        if self._transport is not None:
            self._part(self._transport, b"")

    def _part(self, transport: asyncio.Transport, last_words: bytes) -> None:
        transport.write(last_words)
        transport.close()
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = asyncio.get_running_loop().call_later(LAST_WORDS_S, transport.abort)

    def _give_up(self, fault: str) -> None:
        """The peer breaks the protocol: it is told so, and the connection is over."""
        if self._fault:
            return
        self._fault = fault
        self._counters.add(FAULTS)
        log.warning("audiosocket: %s", fault, extra={"peer": self.peer, "uuid": str(self.uuid or "")})
        if self._transport is not None and not self._transport.is_closing():
            self._part(self._transport, Frame(Kind.ERROR, b"\x04").to_bytes())
