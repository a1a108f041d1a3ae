"""What a message must carry before anything else looks at it (RFC 3261 §8.1.1, §8.2).

``parse`` runs these checks, so a message that came out of it has headers that the stack can read without a fault:
Via, From, To, Call-ID and CSeq of every message, and Max-Forwards, Contact, Route and Record-Route of a request.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from voicegw.base.errors import RemoteProtocolError
from voicegw.sip.headers import CSeq, NameAddr, Via
from voicegw.sip.message import Headers, Request
from voicegw.sip.uri import SipUri, TelUri, uri_scheme

_ONCE = ("From", "To", "Call-ID", "CSeq")
MANDATORY = ("Via", *_ONCE)
_ADDRESS_LISTS = ("Contact", "Route", "Record-Route")
_MAX_FORWARDS = re.compile(r"0*([0-9]{1,3})")
_CALL_ID = re.compile(r"[^\x00-\x20\x7f]+")


class Essentials(NamedTuple):
    """The headers of every message, read: what it is a part of. ``via`` is the top one of ``vias``."""

    vias: tuple[str, ...]
    via: Via
    sender: NameAddr
    target: NameAddr
    call_id: str
    cseq: CSeq


def check_request(request: Request) -> Essentials:
    """Raise RemoteProtocolError, with the status that answers it, for a request that breaks RFC 3261 §8.1.1.

    Max-Forwards, the From tag and the branch may be missing, as RFC 2543 had none. A scheme that we do not know is
    no fault of the message: the user agent answers 416.
    """
    check_request_uri(request.uri)
    essentials = read_essentials(request.headers)
    if essentials.cseq.method != request.method:
        raise RemoteProtocolError("CSeq method differs from the request's")
    for value in request.headers.get_all("Max-Forwards"):
        match = _MAX_FORWARDS.fullmatch(value)
        if match is None or int(match.group(1)) > 255:
            raise RemoteProtocolError(f"bad Max-Forwards {value[:40]!r}")
    for name in _ADDRESS_LISTS:
        for value in request.headers.values(name):
            if value != "*" or name != "Contact":
                _check_address(value)
    return essentials


def read_essentials(headers: Headers) -> Essentials:
    """Raise RemoteProtocolError unless Via, From, To, Call-ID and CSeq stand once (Via: at least) and parse."""
    vias = headers.values("Via")
    sender, target, call_id, cseq = [_the_only(headers, name) for name in _ONCE]
    if not vias:
        raise RemoteProtocolError("Via missing or empty")
    via = Via.parse(vias[0])
    for other in vias[1:]:
        Via.parse(other)
    if _CALL_ID.fullmatch(call_id) is None:
        raise RemoteProtocolError("bad Call-ID")
    return Essentials(vias, via, NameAddr.parse(sender), NameAddr.parse(target), call_id, CSeq.parse(cseq))


def _the_only(headers: Headers, name: str) -> str:
    lines = headers.get_all(name)
    if len(lines) != 1:
        raise RemoteProtocolError(f"{name} {'repeated' if lines else 'missing'}")
    return lines[0]


def check_request_uri(uri: str) -> None:
    """Raise RemoteProtocolError for a Request-URI that is no URI, or a SIP URI with headers (RFC 3261 §19.1.1)."""
    match uri_scheme(uri):
        case "sip" | "sips":
            if SipUri.parse(uri).headers:
                raise RemoteProtocolError("headers in the Request-URI")
        case "tel":
            TelUri.parse(uri)


def is_answerable(request: Request) -> bool:
    """Tell whether a response can be built and sent: the copied headers are there and the top Via parses.

    An ACK is never answered (RFC 3261 §17.1.1.3).
    """
    if request.method == "ACK" or any(request.headers.get(name) is None for name in MANDATORY):
        return False
    try:
        Via.parse(request.headers.values("Via")[0])
    except (RemoteProtocolError, IndexError):
        return False
    return True


def _check_address(value: str) -> None:
    uri = NameAddr.parse(value).uri
    if uri_scheme(uri) in ("sip", "sips"):
        SipUri.parse(uri)
