"""Responses to requests (RFC 3261 §8.2.6): what is copied, what is added, and the phrases of §21."""

from __future__ import annotations

from voicegw.sip.incoming import Incoming
from voicegw.sip.message import Headers, Response

REASONS = {
    100: "Trying",
    180: "Ringing",
    181: "Call Is Being Forwarded",
    182: "Queued",
    183: "Session Progress",
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    413: "Request Entity Too Large",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    421: "Extension Required",
    422: "Session Interval Too Small",
    423: "Interval Too Brief",
    428: "Use Identity Header",
    436: "Bad Identity Info",
    437: "Unsupported Credential",
    438: "Invalid Identity Header",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    489: "Bad Event",
    491: "Request Pending",
    500: "Server Internal Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    504: "Server Time-out",
    505: "Version Not Supported",
    513: "Message Too Large",
    600: "Busy Everywhere",
    603: "Decline",
    604: "Does Not Exist Anywhere",
    606: "Not Acceptable",
}
Pairs = tuple[tuple[str, str], ...]


def reason_phrase(status: int) -> str:
    """The standard phrase, or one for the class."""
    return REASONS.get(status) or ("Accepted" if status < 300 else "Refused")


def make_response(
    incoming: Incoming, status: int, to_tag: str, extra: Pairs = (), body: bytes = b"", *, reason: str = ""
) -> Response:
    """Build a response. ``to_tag`` is added unless the request had one; 100 gets none (§8.2.6.2).

    Record-Route is copied where a dialog is made, into 101-299 of an INVITE or SUBSCRIBE (§12.1.1), Timestamp into
    100 (§8.2.6.1).
    """
    headers = incoming.request.headers
    to = headers.get("To") or ""
    if status > 100 and to_tag and not incoming.to_tag:
        to = f"{to};tag={to_tag}"
    pairs = [("Via", via) for via in incoming.vias]
    if 100 < status < 300 and incoming.method in ("INVITE", "SUBSCRIBE"):
        pairs += [("Record-Route", line) for line in headers.get_all("Record-Route")]
    pairs += [
        ("From", headers.get("From") or ""),
        ("To", to),
        ("Call-ID", incoming.call_id),
        ("CSeq", headers.get("CSeq") or ""),
    ]
    if status == 100 and (timestamp := headers.get("Timestamp")) is not None:
        pairs.append(("Timestamp", timestamp))
    return Response(status, reason or reason_phrase(status), Headers((*pairs, *extra)), body)
