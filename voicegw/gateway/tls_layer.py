"""TLS between a byte stream and SIP, without a socket of its own (RFC 3261 §26.2.1, RFC 5922).

``ssl.SSLObject`` over memory: the handshake belongs to the same connection, deadline and counters as all that comes
after it. asyncio's own TLS tells nobody of a handshake that never ends.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

from voicegw.base.errors import RemoteProtocolError
from voicegw.sip.identity import identities_of, is_proven

_READ_BYTES = 65_536


class TlsLayer:
    """One side of one TLS connection. ``name`` is what the other side has to prove; "" to believe anybody that the
    context believes."""

    def __init__(self, context: ssl.SSLContext, *, is_server: bool, server_name: str = "", prove: str = "") -> None:
        self._arrived = ssl.MemoryBIO()
        self._leaving = ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._arrived, self._leaving, server_side=is_server, server_hostname=server_name or None
        )
        self._prove = prove
        self.is_open = False
        self.ended = False
        """The peer said that nothing more will come."""
        self.identities: frozenset[str] = frozenset()
        """The names in the peer's certificate, if it has shown one that we trust."""

    def start(self) -> None:
        """Say the first word, where that is ours; RemoteProtocolError as in ``receive``."""
        self._shake_hands()

    def receive(self, data: bytes) -> bytes:
        """Take in what the socket brought, return what it says; RemoteProtocolError ends the connection."""
        self._arrived.write(data)
        if not self.is_open:
            self._shake_hands()
        return self._read() if self.is_open else b""

    def send(self, data: bytes) -> None:
        """Encrypt; only once the layer is open."""
        try:
            self._tls.write(data)
        except ssl.SSLError as error:
            raise RemoteProtocolError(f"TLS: {_text(error)}") from error

    def data_to_send(self) -> bytes:
        """What the socket is to send."""
        return self._leaving.read()

    def _shake_hands(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return
        except ssl.SSLError as error:
            raise RemoteProtocolError(f"TLS handshake: {_text(error)}") from error
        certificate: Mapping[str, Any] = self._tls.getpeercert() or {}
        self.identities = identities_of(certificate)
        if self._prove and not is_proven(self._prove, certificate):
            shown = ", ".join(sorted(self.identities)) or "no name"
            raise RemoteProtocolError(f"the certificate is for {shown}, not for {self._prove}")
        self.is_open = True

    def _read(self) -> bytes:
        pieces: list[bytes] = []
        try:
            while piece := self._tls.read(_READ_BYTES):
                pieces.append(piece)
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        except ssl.SSLError as error:
            raise RemoteProtocolError(f"TLS: {_text(error)}") from error
        return b"".join(pieces)


def _text(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return (error.reason or str(error)).replace("_", " ").lower()
