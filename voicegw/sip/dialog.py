"""Dialogs (RFC 3261 §12): what two user agents remember about each other between requests.

Header values are kept as they arrived and copied verbatim: peers compare tags, and some compare whole headers.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from typing import NamedTuple

from voicegw.base.errors import RemoteProtocolError
from voicegw.base.fsm import TransitionTable
from voicegw.sip.address import Address, Transport, is_literal, is_sendable, unbracketed
from voicegw.sip.headers import NameAddr
from voicegw.sip.incoming import Incoming
from voicegw.sip.message import Headers, Message, Request, Response
from voicegw.sip.uri import SipUri, uri_scheme


class DialogState(Enum):
    """§12: early until a 2xx, confirmed after it."""

    EARLY = "early"
    CONFIRMED = "confirmed"
    TERMINATED = "terminated"


class DialogInput(Enum):
    """What moves a dialog on."""

    PROVISIONAL = "1xx with a To tag, sent or received"
    SUCCESS = "2xx to the INVITE, sent or received"
    FAILURE = "the INVITE was refused"
    BYE = "BYE sent or received, or the peer is gone"


DIALOG: TransitionTable[DialogState, DialogInput] = TransitionTable(
    "dialog",
    {
        (DialogState.EARLY, DialogInput.PROVISIONAL): DialogState.EARLY,
        (DialogState.EARLY, DialogInput.SUCCESS): DialogState.CONFIRMED,
        (DialogState.EARLY, DialogInput.FAILURE): DialogState.TERMINATED,
        (DialogState.EARLY, DialogInput.BYE): DialogState.TERMINATED,
        (DialogState.CONFIRMED, DialogInput.BYE): DialogState.TERMINATED,
    },
)


class DialogId(NamedTuple):
    """§12: seen from our side."""

    call_id: str
    local_tag: str
    remote_tag: str


class Dialog:
    """One dialog. ``peer`` is where its messages went so far: the fallback for targets that are not literal."""

    __slots__ = (
        "id",
        "state",
        "local_party",
        "remote_party",
        "remote_target",
        "route_set",
        "local_cseq",
        "remote_cseq",
        "peer",
        "contact",
        "account",
    )

    def __init__(
        self,
        dialog_id: DialogId,
        local_party: str,
        remote_party: str,
        remote_target: str,
        route_set: tuple[str, ...],
        peer: Address,
        contact: str,
        *,
        local_cseq: int = 0,
        remote_cseq: int = -1,
    ) -> None:
        self.id = dialog_id
        self.state = DialogState.EARLY
        self.local_party = local_party
        self.remote_party = remote_party
        self.remote_target = remote_target
        self.route_set = route_set
        self.local_cseq = local_cseq
        self.remote_cseq = remote_cseq
        self.peer = peer
        self.contact = contact
        self.account = ""
        """Under which name we dialled it: whose credentials answer challenges in it. Empty where we were called."""

    def advance(self, happened: DialogInput) -> None:
        """Move to the next state."""
        self.state = DIALOG.next(self.state, happened)

    def take_cseq(self, number: int) -> bool:
        """Note the CSeq of a request from the peer; false if it is older than one seen before (§12.2.2)."""
        if number <= self.remote_cseq:
            return False
        self.remote_cseq = number
        return True

    def next_cseq(self) -> int:
        """The number for our next request (§12.2.1.1)."""
        self.local_cseq += 1
        return self.local_cseq

    def refresh_target(self, message: Message) -> None:
        """Take over the Contact of an INVITE or its 2xx (§12.2); a missing or broken one changes nothing."""
        self.remote_target = contact_uri(message.headers) or self.remote_target

    def next_hop(self) -> Address:
        """Where the next request goes: the first route, else the remote target (§8.1.2).

        A host name there is not resolved, as the datagram handler must not wait: the peer's last address is
        used, which is also what reaches a phone behind NAT. The connection that the peer opened is used for what
        goes to the same host: it has shown that it works (RFC 5923). That holds for a URI that says nothing of
        transport, too: by the letter it means UDP, and those who write it on a connection mean the connection.
        Whoever proved a name has to prove the same one at another address.
        """
        uri = NameAddr.parse(self.route_set[0]).uri if self.route_set else self.remote_target
        target = literal_address(uri)
        if target is None:
            return self.peer
        here = self.peer
        if here.transport.is_reliable and target.host == here.host and _leaves_transport_open(uri):
            target = target._replace(transport=here.transport)
        if target.transport is not here.transport:
            return target
        return target._replace(flow=here.flow if target.host == here.host else 0, name=here.name)

    def request(
        self, method: str, via: str, cseq: int, extra: tuple[tuple[str, str], ...] = (), body: bytes = b""
    ) -> Request:
        """Build a request within the dialog (§12.2.1.1). ``cseq``: ``next_cseq()``, or the INVITE's for an ACK."""
        target, routes = self._target_and_routes()
        pairs = [("Via", via), ("Max-Forwards", "70")]
        pairs += [("Route", route) for route in routes]
        pairs += [
            ("From", self.local_party),
            ("To", self.remote_party),
            ("Call-ID", self.id.call_id),
            ("CSeq", f"{cseq} {method}"),
        ]
        return Request(method, target, Headers((*pairs, *extra)), body)

    def _target_and_routes(self) -> tuple[str, tuple[str, ...]]:
        if not self.route_set:
            return self.remote_target, ()
        first = NameAddr.parse(self.route_set[0])
        if SipUri.parse(first.uri).is_loose_router:
            return self.remote_target, self.route_set
        # A strict router (RFC 2543) wants itself as the Request-URI and the target as the last route.
        return first.uri.partition("?")[0], (*self.route_set[1:], f"<{self.remote_target}>")


def dialog_of_incoming(incoming: Incoming, local_tag: str, contact: str) -> Dialog:
    """The dialog that a received INVITE opens, seen from the called side (§12.1.1).

    A missing Contact is tolerated: the INVITE's own source is then the target. RemoteProtocolError for a
    Record-Route that no request can follow.
    """
    headers = incoming.request.headers
    local_party = f"{headers.get('To') or ''};tag={local_tag}"
    return Dialog(
        DialogId(incoming.call_id, local_tag, incoming.from_tag),
        local_party,
        headers.get("From") or "",
        contact_uri(headers) or f"sip:{incoming.source}",
        _checked_routes(headers),
        incoming.source,
        contact,
        remote_cseq=incoming.cseq,
    )


def dialog_of_response(invite: Request, local_tag: str, contact: str, response: Response, peer: Address) -> Dialog:
    """The dialog that a response to our INVITE opens, seen from the calling side (§12.1.2)."""
    to = response.headers.get("To") or ""
    routes = tuple(reversed(_checked_routes(response.headers)))
    cseq = int((invite.headers.get("CSeq") or "0").split()[0])
    return Dialog(
        DialogId(invite.headers.get("Call-ID") or "", local_tag, NameAddr.parse(to).tag or ""),
        invite.headers.get("From") or "",
        to,
        contact_uri(response.headers) or invite.uri,
        routes,
        peer,
        contact,
        local_cseq=cseq,
    )


def contact_uri(headers: Headers) -> str | None:
    """The first Contact's URI if it is one that a request can be sent to."""
    contacts = headers.values("Contact")
    if not contacts:
        return None
    try:
        uri = NameAddr.parse(contacts[0]).uri
        parsed = SipUri.parse(uri)
    except RemoteProtocolError:
        return None
    return str(replace(parsed, headers=())) if parsed.headers else uri


def literal_address(uri: str) -> Address | None:
    """Where a URI points if it says so without the help of a resolver."""
    try:
        parsed = SipUri.parse(uri)
    except RemoteProtocolError:
        return None
    transport = transport_of(parsed)
    if transport is None:
        return None
    address = Address(unbracketed(parsed.host), parsed.port or transport.default_port, transport)
    return address if is_literal(address.host) and is_sendable(address) else None


def _leaves_transport_open(uri: str) -> bool:
    parsed = SipUri.parse(uri)
    return parsed.scheme == "sip" and parsed.transport is None


def transport_of(uri: SipUri) -> Transport | None:
    """What a URI says about the way there (§19.1.1, §26.2.2, RFC 7118 §5.2.3); None where that is unknown here."""
    named, secure = uri.transport or "", uri.scheme == "sips"
    match named:
        case "":
            return Transport.TLS if secure else Transport.UDP
        case "udp":
            return None if secure else Transport.UDP
        case "tcp":
            return Transport.TLS if secure else Transport.TCP
        case "tls":
            return Transport.TLS
        case "ws":
            return Transport.WSS if secure else Transport.WS
        case "wss":
            return Transport.WSS
        case _:
            return None


def _checked_routes(headers: Headers) -> tuple[str, ...]:
    """The Record-Route values; without them the call would go past its proxies, so a broken one is refused."""
    routes = headers.values("Record-Route")
    for route in routes:
        uri = NameAddr.parse(route).uri
        if uri_scheme(uri) not in ("sip", "sips"):
            raise RemoteProtocolError(f"no route: {route[:60]!r}")
        SipUri.parse(uri)
    return routes
