"""The telephone network's end of a media stream as Twilio documents it: JSON messages over a WebSocket.

It sends one message of 20 ms every 20 ms, plays what comes in the order of its arrival, and forgets what it has not
played when it is told to clear. A thread of its own, so that nothing else delays a packet or its date.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import select
import socket
import threading
import time
from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voicegw.audio.g711 import Law, encode
from voicegw.base.errors import RemoteError
from voicegw.testing.bench._wire import FRAME, FRAME_S, Heard, Said
from voicegw.testing.bench.rivals.playout import Playout
from voicegw.testing.bench.rivals.websocket import Message, Opcode, Receiver, request
from voicegw.testing.bench.rivals.websocket import encode as encode_frame

_SILENCE: Final = bytes([0xFF]) * FRAME
_CONNECT_S: Final = 10.0


class TwilioLine:
    """A call. Made by :meth:`dial`; see :class:`voicegw.testing.bench.rivals.line.Line`."""

    def __init__(self, connection: socket.socket, receiver: Receiver, stream_sid: str) -> None:
        self._socket = connection
        self._receiver = receiver
        self._stream_sid = stream_sid
        self._playout = Playout()
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Said, bytes]] = deque()
        self._stop = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="media stream", daemon=True)

    @classmethod
    async def dial(cls, host: str, port: int, path: str, number: int) -> TwilioLine:
        """Connect and announce the stream; raises RemoteError or OSError."""
        return await asyncio.to_thread(cls._dial, host, port, path, number)

    @classmethod
    def _dial(cls, host: str, port: int, path: str, number: int) -> TwilioLine:
        connection = socket.create_connection((host, port), _CONNECT_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        nonce = os.urandom(16)
        receiver = Receiver(nonce)
        connection.sendall(request(f"{host}:{port}", path, nonce))
        while not receiver.open:
            data = connection.recv(4096)
            if not data:
                raise RemoteError("the server closed the connection")
            receiver.feed(data)
        line = cls(connection, receiver, f"MZ{number:032x}")
        line._announce(number)
        line._thread.start()
        return line

    @property
    def over(self) -> bool:
        """Whether the server has closed the stream."""
        return self._ended

    def say(self, pcm: NDArray[np.int16]) -> Said:
        """Speak; the padded last packet included."""
        padded = np.concatenate([pcm, np.zeros(-len(pcm) % FRAME, np.int16)])
        codes = encode(padded, Law.ULAW).tobytes()
        said = Said(len(codes) // FRAME)
        self._waiting.extend((said, codes[at : at + FRAME]) for at in range(0, len(codes), FRAME))
        return said

    def heard(self) -> list[Heard]:
        """What has been played by now."""
        with self._lock:
            return self._playout.heard(time.monotonic())

    async def hang_up(self) -> None:
        """Stop and close the stream."""
        self._stop.set()
        await asyncio.to_thread(self._thread.join)
        if not self._ended:
            self._send({"event": "stop", "streamSid": self._stream_sid})
            self._socket.sendall(encode_frame(Opcode.CLOSE, b"\x03\xe8", os.urandom(4)))
        self._socket.close()

    def _announce(self, number: int) -> None:
        self._send({"event": "connected", "protocol": "Call", "version": "1.0.0"})
        start = {
            "streamSid": self._stream_sid,
            "callSid": f"CA{number:032x}",
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        }
        self._send({"event": "start", "streamSid": self._stream_sid, "start": start})

    def _run(self) -> None:
        """One message every 20 ms on absolute deadlines; between them, what comes in."""
        due = time.monotonic()
        number = 0
        try:
            while not self._stop.is_set():
                self._send_media(number)
                number += 1
                due += FRAME_S
                self._receive(due)
        except OSError:  # the server has gone: the call is over
            self._ended = True

    def _send_media(self, number: int) -> None:
        said, codes = self._waiting.popleft() if self._waiting else (None, _SILENCE)
        media = {
            "track": "inbound",
            "chunk": str(number + 1),
            "timestamp": str(number * 20),
            "payload": base64.b64encode(codes).decode(),
        }
        at = time.monotonic()
        self._send({"event": "media", "streamSid": self._stream_sid, "media": media})
        if said is not None:
            said.left_at.append(at)

    def _receive(self, due: float) -> None:
        while (left := due - time.monotonic()) > 0:
            ready, _, _ = select.select([self._socket], [], [], left)
            if not ready:
                return
            data = self._socket.recv(65536)
            at = time.monotonic()
            if not data:
                raise OSError("closed")
            with self._lock:
                for message in self._receiver.feed(data):
                    self._take(at, message)

    def _take(self, at: float, message: Message) -> None:
        if message.opcode is Opcode.PING:
            self._socket.sendall(encode_frame(Opcode.PONG, message.payload, os.urandom(4)))
        elif message.opcode is Opcode.CLOSE:
            raise OSError("closed")
        elif message.opcode is Opcode.TEXT:
            event = json.loads(message.payload)
            if event["event"] == "media":
                self._playout.arrive(at, base64.b64decode(event["media"]["payload"]))
            elif event["event"] == "clear":
                self._playout.clear(at)

    def _send(self, event: dict[str, object]) -> None:
        self._socket.sendall(encode_frame(Opcode.TEXT, json.dumps(event).encode(), os.urandom(4)))
