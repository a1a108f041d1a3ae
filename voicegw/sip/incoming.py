"""A received request with the parts that decide where it belongs, each read once (RFC 3261 §8.2, §17.2.3)."""

from __future__ import annotations

from collections.abc import Hashable

from msgspec import Struct

from voicegw.base.errors import RemoteProtocolError
from voicegw.sip.address import Address
from voicegw.sip.headers import Via
from voicegw.sip.message import Request
from voicegw.sip.transaction import ServerKey
from voicegw.sip.validation import Essentials, read_essentials

MAGIC_COOKIE = "z9hG4bK"
"""Branches that begin with this are unique over time and space; others come from RFC 2543 peers (§8.1.1.7)."""


class Incoming(Struct, frozen=True, gc=False):
    """A request and who sent it. ``vias`` are the values to copy into a response, the top one stamped."""

    request: Request
    source: Address
    reply_to: Address
    vias: tuple[str, ...]
    key: ServerKey
    call_id: str
    cseq: int
    from_tag: str
    to_tag: str

    @property
    def method(self) -> str:
        return self.request.method

    @property
    def merge_key(self) -> Hashable:
        """Equal for copies of one request that came by different paths (§8.2.2.2)."""
        return (self.from_tag, self.call_id, self.cseq, self.method)

    def key_of_invite(self) -> ServerKey:
        """For a CANCEL or an ACK: the key of the INVITE it speaks of (§9.2, §17.2.3)."""
        return (*self.key[:-1], "INVITE")


def read_request(request: Request, source: Address, essentials: Essentials | None = None) -> Incoming:
    """Read ``request``; RemoteProtocolError where a header that a response copies is missing or does not parse.

    ``essentials``: what the parser has read of it. ``maddr`` and a ``received`` that the sender wrote itself are
    ignored: they would let a stranger aim our responses at anybody.
    """
    vias, via, sender, target, call_id, cseq = essentials or read_essentials(request.headers)
    from_tag = sender.tag or ""
    return Incoming(
        request=request,
        source=source,
        reply_to=_reply_to(via, source),
        vias=_stamped(vias, via, source),
        key=_server_key(request, via, vias[0], call_id, cseq.number, from_tag),
        call_id=call_id,
        cseq=cseq.number,
        from_tag=from_tag,
        to_tag=target.tag or "",
    )


def read_unparsable(request: Request, source: Address) -> Incoming:
    """Read a request that gets 400: only its Via is known to parse, and the rest is copied without being read."""
    vias = request.headers.values("Via")
    via = Via.parse(vias[0])
    has_tag = ";tag=" in (request.headers.get("To") or "").lower().replace(" ", "")
    return Incoming(
        request=request,
        source=source,
        reply_to=_reply_to(via, source),
        vias=_stamped(vias, via, source),
        key=(via.branch or "", via.sent_by, request.method),
        call_id=request.headers.get("Call-ID") or "",
        cseq=0,
        from_tag="",
        to_tag="unread" if has_tag else "",
    )


def _stamped(vias: tuple[str, ...], via: Via, source: Address) -> tuple[str, ...]:
    stamped = via.with_source(source.host, source.port)
    return vias if stamped is via else (str(stamped), *vias[1:])


def _reply_to(via: Via, source: Address) -> Address:
    """A response goes to the source address always and, with rport, to the source port (RFC 3581 §4, RFC 3261
    §18.2.2). On a connection it goes back by that one; should it be gone, to the port of the Via."""
    if via.wants_rport and not source.transport.is_reliable:
        return source
    return source._replace(port=via.port or source.transport.default_port)


def _server_key(request: Request, via: Via, top: str, call_id: str, cseq: int, from_tag: str) -> ServerKey:
    """§17.2.3. An ACK is looked up under the INVITE that it acknowledges."""
    method = "INVITE" if request.method == "ACK" else request.method
    branch = via.branch or ""
    if branch.startswith(MAGIC_COOKIE):
        return (branch, via.sent_by.lower(), method)
    # RFC 2543 peers may reuse a branch or have none: the URI, the dialog parts and the whole top Via count instead.
    return ("RFC 2543", request.uri, from_tag, call_id, str(cseq), top, method)


def branch_of_response(via_text: str) -> tuple[str, str]:
    """Return (branch, sent-by) of the top Via of a response; RemoteProtocolError if it does not parse."""
    via = Via.parse(via_text)
    if via.branch is None:
        raise RemoteProtocolError("response without a branch")
    return via.branch, via.sent_by.lower()
