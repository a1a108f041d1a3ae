"""Which connection of a peer's may carry requests of ours to it (RFC 5923).

The peer asks for it with ``alias`` in the Via of a request. Only TLS is trusted with it: the peer must have shown a
certificate, and a request of ours takes the connection only where that certificate has the name that it is for.
Over TCP anybody could have our requests by naming another one's port; there, requests of a dialog and responses go
back by the connection that they belong to, and nothing else does.
"""

from __future__ import annotations

from typing import Final

from voicegw.base.errors import RemoteProtocolError
from voicegw.sip.address import Address
from voicegw.sip.headers import Via

_HEAD_BYTES: Final = 4096


def alias_of(message: bytes, peer: Address) -> Address | None:
    """The place for which the sender offers its connection: its address with the port of its Via; None for none.

    The host of the Via counts for nothing: it is the sender's own word (§8.2).
    """
    head = message[:_HEAD_BYTES].decode("latin-1")
    if head.startswith("SIP/2.0 "):
        return None
    for line in head.split("\r\n")[1:]:
        name, colon, value = line.partition(":")
        if colon and name.strip().lower() in ("via", "v"):
            return _place_of(value.partition(",")[0], peer)
    return None


def _place_of(value: str, peer: Address) -> Address | None:
    try:
        via = Via.parse(value)
    except RemoteProtocolError:
        return None
    if "alias" not in via.params:
        return None
    return peer._replace(port=via.port or peer.transport.default_port, flow=0, name="")
