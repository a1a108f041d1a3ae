"""What lies between the bytes of a connection and whole SIP messages, when nothing but SIP is on it (TCP, TLS)."""

from __future__ import annotations

from typing import Protocol

from voicegw.sip.framing import PONG, Fault, StreamFramer


class MessageLayer(Protocol):
    """Turns bytes into messages and back; :class:`SipStream` or :class:`voicegw.gateway.web_socket.WebSocket`."""

    @property
    def is_open(self) -> bool:
        """Whether messages may be sent: a handshake of its own is over."""
        ...

    @property
    def is_torn(self) -> bool:
        """Whether a part of a message waits for the rest."""
        ...

    @property
    def fault(self) -> Fault | None:
        """Why nothing more can be read."""
        ...

    @property
    def ended(self) -> bool:
        """Whether the connection is to be closed as soon as what is left has been sent."""
        ...

    def start(self) -> None:
        """The connection is there: say the first word, where that is ours."""
        ...

    def receive(self, data: bytes) -> list[bytes]:
        """Take in what was read; whole messages, in order."""
        ...

    def send(self, message: bytes) -> None:
        """Queue one message."""
        ...

    def data_to_send(self) -> bytes:
        """Take what is to be written, answers of its own included."""
        ...


class SipStream:
    """RFC 3261 §18.3, with the keep-alives of RFC 5626 §3.5.1 answered."""

    is_open = True
    ended = False

    def __init__(self) -> None:
        self._framer = StreamFramer()
        self._leaving = bytearray()

    @property
    def is_torn(self) -> bool:
        """See :class:`MessageLayer`."""
        return self._framer.is_torn

    @property
    def fault(self) -> Fault | None:
        """See :class:`MessageLayer`."""
        return self._framer.fault

    def start(self) -> None:
        """See :class:`MessageLayer`."""

    def receive(self, data: bytes) -> list[bytes]:
        """See :class:`MessageLayer`."""
        messages = self._framer.feed(data)
        self._leaving += PONG * self._framer.pings
        self._framer.pings = 0
        return messages

    def send(self, message: bytes) -> None:
        """See :class:`MessageLayer`."""
        self._leaving += message

    def data_to_send(self) -> bytes:
        """See :class:`MessageLayer`."""
        data = bytes(self._leaving)
        self._leaving.clear()
        return data
