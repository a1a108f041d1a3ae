"""Find the part of a message body that we understand (RFC 3261 §7.4, §20.11; RFC 2046 §5.1; RFC 5621)."""

from __future__ import annotations

from voicegw.base.errors import RemoteProtocolError
from voicegw.sip.grammar import parse_params, unquote
from voicegw.sip.message import Headers, Message

SDP = "application/sdp"
DTMF_RELAY = "application/dtmf-relay"
DTMF = "application/dtmf"
RS_METADATA = "application/rs-metadata+xml"
"""Who takes part in what is being recorded (RFC 7866 §10.2): never a session description, and always known."""
MAX_PARTS = 16


def content_type(headers: Headers) -> str:
    """The media type in lower case without parameters, "" without one."""
    return (headers.get("Content-Type") or "").partition(";")[0].strip().lower()


def sdp_body(message: Message) -> bytes:
    """Return the session description of a message, b"" if it has none.

    A body without a Content-Type is taken for SDP, as old gateways leave it out. Raises RemoteProtocolError with
    status 415 for a body that we would have to understand and do not (§8.2.3).
    """
    if not message.body:
        return b""
    if (message.headers.get("Content-Encoding") or "identity").strip().lower() != "identity":
        raise RemoteProtocolError("content encoding", 415)
    kind = content_type(message.headers)
    if kind in (SDP, ""):
        return message.body
    if kind.startswith("multipart/"):
        return _part(message.body, _boundary(message.headers.get("Content-Type") or ""), SDP)
    if kind == RS_METADATA or _is_optional(message.headers.get("Content-Disposition") or ""):
        return b""
    raise RemoteProtocolError(f"content type {kind[:40]!r}", 415)


def body_part(message: Message, wanted: str) -> bytes:
    """The first part of the media type ``wanted``, or the body where it is all of it; b"" where there is none.

    Raises RemoteProtocolError for a multipart body that cannot be taken apart.
    """
    kind = content_type(message.headers)
    if kind == wanted:
        return message.body
    if not message.body or not kind.startswith("multipart/"):
        return b""
    return _part(message.body, _boundary(message.headers.get("Content-Type") or ""), wanted)


def sdp_or_nothing(message: Message) -> bytes:
    """The session description where refusing the message is no option any more."""
    try:
        return sdp_body(message)
    except RemoteProtocolError:
        return b""


def _boundary(value: str) -> bytes:
    boundary = unquote(parse_params(value[len(value.partition(";")[0]) :]).get("boundary") or "")
    if not 1 <= len(boundary) <= 70:
        raise RemoteProtocolError("multipart without a boundary", 400)
    return boundary.encode("latin-1")


def _part(body: bytes, boundary: bytes, wanted: str) -> bytes:
    """The first part of this media type; others (location, ISUP) are left alone."""
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary, MAX_PARTS)[1:]:
        head, _, content = part.partition(b"\r\n\r\n")
        for line in head.decode("latin-1").split("\r\n"):
            name, _, value = line.partition(":")
            if name.strip().lower() in ("content-type", "c") and value.partition(";")[0].strip().lower() == wanted:
                return content
    return b""


def _is_optional(disposition: str) -> bool:
    """``handling=optional``: the body may be ignored (§20.11)."""
    return "handling=optional" in disposition.lower().replace(" ", "")
