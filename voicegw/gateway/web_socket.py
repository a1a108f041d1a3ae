"""SIP over WebSocket (RFC 7118): each WebSocket message is one SIP message, the subprotocol is ``sip``."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import Protocol, State
from websockets.server import ServerProtocol
from websockets.typing import Origin, Subprotocol
from websockets.uri import parse_uri

from voicegw.sip.address import Address, Transport, bracketed
from voicegw.sip.framing import MAX_BODY_BYTES, MAX_HEAD_BYTES, PING, PONG, Fault

SIP = Subprotocol("sip")
_MAX_MESSAGE = MAX_HEAD_BYTES + MAX_BODY_BYTES
_log = logging.getLogger("voicegw.gateway.web_socket.frames")
_log.setLevel(logging.WARNING)


class WebSocket:
    """A :class:`voicegw.gateway.stream_messages.MessageLayer` over ``websockets``, whose protocol does no I/O."""

    def __init__(self, protocol: ServerProtocol | ClientProtocol) -> None:
        self._protocol: Protocol = protocol
        self._parts: list[bytes] = []
        self._is_quiet = False
        self.fault: Fault | None = None
        self.ended = False

    @property
    def is_open(self) -> bool:
        """See :class:`voicegw.gateway.stream_messages.MessageLayer`."""
        return self._protocol.state is State.OPEN

    @property
    def is_torn(self) -> bool:
        """Bytes came and no frame did, or a message has more frames to come."""
        return self._is_quiet or bool(self._parts)

    def start(self) -> None:
        """See :class:`voicegw.gateway.stream_messages.MessageLayer`."""
        if isinstance(self._protocol, ClientProtocol):
            self._protocol.send_request(self._protocol.connect())

    def receive(self, data: bytes) -> list[bytes]:
        """See :class:`voicegw.gateway.stream_messages.MessageLayer`."""
        self._protocol.receive_data(data)
        events = self._protocol.events_received()
        self._is_quiet = not events
        messages = [message for event in events if (message := self._take(event)) is not None]
        failure = self._protocol.parser_exc or self._protocol.handshake_exc
        if failure is not None:
            self.fault = self.fault or Fault(f"WebSocket: {failure}")
        self.ended = self.ended or self._protocol.close_expected()
        return messages

    def _take(self, event: object) -> bytes | None:
        if isinstance(event, Request) and isinstance(self._protocol, ServerProtocol):
            self._protocol.send_response(self._protocol.accept(event))
        elif isinstance(event, Response) and self._protocol.subprotocol != SIP:
            self.fault = Fault("the server does not speak SIP over WebSocket")
        elif isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            self._parts.append(bytes(event.data))
            if event.fin:
                message, self._parts = b"".join(self._parts), []
                return self._keep_alive(message)
        return None

    def _keep_alive(self, message: bytes) -> bytes | None:
        """Some clients ping as on a plain stream (RFC 5626 §3.5.1), which RFC 7118 §6 leaves to them."""
        if message == PING:
            self.send(PONG)
        return message if message.strip(b"\r\n") else None

    def send(self, message: bytes) -> None:
        """As text where it is text: a browser then need not convert it."""
        if self._protocol.state is not State.OPEN:
            return
        try:
            message.decode("utf-8")
        except UnicodeDecodeError:
            self._protocol.send_binary(message)
        else:
            self._protocol.send_text(message)

    def data_to_send(self) -> bytes:
        """See :class:`voicegw.gateway.stream_messages.MessageLayer`."""
        return b"".join(self._protocol.data_to_send())


def serving_web_socket(origins: Sequence[str] = ()) -> WebSocket:
    """Our end of a connection that a browser opened; ``origins`` are the pages that may, empty for all."""
    allowed = [Origin(origin) for origin in origins] or None
    return WebSocket(ServerProtocol(origins=allowed, subprotocols=[SIP], max_size=_MAX_MESSAGE, logger=_log))


def calling_web_socket(destination: Address) -> WebSocket:
    """Our end of a connection that we open."""
    scheme = "wss" if destination.transport is Transport.WSS else "ws"
    uri = parse_uri(f"{scheme}://{destination.name or bracketed(destination.host)}:{destination.port}/")
    return WebSocket(ClientProtocol(uri, subprotocols=[SIP], max_size=_MAX_MESSAGE, logger=_log))
