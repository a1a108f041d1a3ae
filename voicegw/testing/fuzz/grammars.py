"""What is fuzzed: each grammar with good examples, and the code of ours that reads it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from voicegw.base.errors import RemoteProtocolError
from voicegw.base.metrics import Counters
from voicegw.sdp import description as sdp
from voicegw.sdp.negotiate import accept_answer, make_answer, make_offer
from voicegw.sip.address import Address
from voicegw.sip.asserted import identities, is_withheld, remote_parties
from voicegw.sip.auth_headers import parse_auth
from voicegw.sip.bodies import sdp_body
from voicegw.sip.core import UserAgentConfig
from voicegw.sip.diversion import diversions, history
from voicegw.sip.framing import StreamFramer
from voicegw.sip.headers import CSeq, NameAddr, Via
from voicegw.sip.info_keys import read_info_key
from voicegw.sip.message import Headers, Request, serialize
from voicegw.sip.parser import BadRequest, parse
from voicegw.sip.reason import q850_cause, reasons
from voicegw.sip.refer import sipfrag_status
from voicegw.sip.replaces import ReferTarget, Replaces
from voicegw.sip.session_timer import SessionExpires, min_se, wish
from voicegw.sip.stir import passport
from voicegw.sip.stun import answer_stun
from voicegw.sip.uri import dialled, parse_uri
from voicegw.sip.user_agent import UserAgent
from voicegw.sip.user_to_user import user_to_user

_PEER: Final = Address("198.51.100.4", 5080)
_HERE: Final = Address("192.0.2.2", 5060)
_SDP: Final = (
    b"v=0\r\no=- 1 1 IN IP4 198.51.100.4\r\ns=-\r\nc=IN IP4 198.51.100.4\r\nb=AS:64\r\nt=0 0\r\n"
    b"m=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
    b"a=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
)
_OFFER: Final = make_offer("192.0.2.2", 4000)
_HEAD: Final = (
    b"Via: SIP/2.0/UDP 198.51.100.4:5080;rport;branch=z9hG4bK1, SIP/2.0/TCP [2001:db8::1];received=192.0.2.9\r\n"
    b'Max-Forwards: 70\r\nf: "A \\" B" <sip:a@198.51.100.4;x=1?y=z>;tag=theirs\r\nTo: <tel:+49-30-1;ext=2>\r\n'
    b"Call-ID: 1@x\r\nCSeq: 1 INVITE\r\nContact: <sip:a@198.51.100.4:5080;transport=udp>;q=0.5\r\n"
    b"Record-Route: <sip:198.51.100.9;lr>, <sip:[::1];lr>\r\n"
)
_EXTRAS: Final = (
    b'Reason: Q.850;cause=16;text="bye", SIP;cause=200\r\nDiversion: <tel:+1>;reason=no-answer;counter=2\r\n'
    b"History-Info: <sip:a@b?Reason=SIP%3Bcause%3D302>;index=1, <sip:c@d>;index=1.1;mp=1\r\n"
    b'P-Asserted-Identity: "N" <sip:n@x>, <tel:+2>\r\nPrivacy: id;header\r\nRemote-Party-ID: <sip:a@b>\r\n'
    b"User-to-User: 56a390f3;encoding=hex;purpose=isdn\r\nSession-Expires: 1800;refresher=uac\r\nMin-SE: 90\r\n"
    b"Identity: eyJhIjoxfQ.eyJiIjoyfQ.c2ln;info=<https://x>;alg=ES256;ppt=shaken\r\n"
)
_INVITE: Final = b"INVITE sip:demo@192.0.2.2 SIP/2.0\r\n" + _HEAD + _EXTRAS
_TYPED: Final = b"Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n" % len(_SDP) + _SDP
_MULTIPART: Final = b"--b\r\nContent-Type: application/sdp\r\n\r\n" + _SDP + b"\r\n--b--\r\n"
_DIGEST: Final = (
    b'Digest username="bob", realm="x", nonce="dcd98b7102dd", uri="sip:x", qop=auth, nc=00000001, cnonce="0a4f", '
    b'response="6629fae49393a05397450978507c4ef1", opaque="5ccc", algorithm=MD5'
)
_STUN: Final = bytes.fromhex("000100082112a442") + b"transaction!" + bytes.fromhex("80220004") + b"test"


@dataclass(frozen=True, slots=True)
class Grammar:
    """``read`` takes any bytes and raises RemoteProtocolError or nothing. ``seeds`` are good examples."""

    read: Callable[[bytes], object]
    seeds: tuple[bytes, ...]


def _text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: read(data.decode("latin-1"))


def _read_uri(text: str) -> None:
    str(parse_uri(text))
    dialled(text)


def _read_name_addr(text: str) -> None:
    parsed = NameAddr.parse(text)
    NameAddr.parse(str(parsed))


def _read_message(data: bytes) -> None:
    """Read, and copy all of it as an answer would."""
    try:
        message = parse(data)
    except BadRequest as error:
        message = error.request
    serialize(Request("OPTIONS", "sip:x", Headers(list(message.headers)), message.body))


def _read_header_values(data: bytes) -> None:
    """Every view of headers that only this node's own features look at."""
    headers = parse(data).headers
    for view in (reasons, q850_cause, diversions, history, remote_parties, is_withheld, user_to_user, passport):
        view(headers)
    identities(headers, "P-Asserted-Identity")
    wish(headers)
    min_se(headers)


def _read_body(data: bytes) -> None:
    sdp_body(parse(data))


def _read_sdp(data: bytes) -> None:
    """As an offer and as an answer."""
    described = sdp.parse(data)
    sdp.serialize(described)
    for negotiate in (lambda: make_answer(described, "192.0.2.2", 4000), lambda: accept_answer(_OFFER, described)):
        try:
            negotiate()
        except RemoteProtocolError:
            continue


def _read_stream(data: bytes) -> None:
    """In two pieces, and then byte by byte as far as that is quick."""
    for step in (max(1, len(data) // 2), 1):
        framer = StreamFramer()
        for at in range(0, min(len(data), 600 * step), step):
            framer.feed(data[at : at + step])


def _read_by_agent(data: bytes) -> None:
    """All of the user agent, its timers included."""
    config = UserAgentConfig(local_address=lambda _peer: _HERE)
    agent = UserAgent(config, random.Random(1).randbytes, Counters())
    agent.receive_datagram(data, _PEER, 0.0)
    while (due := agent.get_timer()) is not None and due < 2.0:
        agent.handle_timer(due)
    agent.datagrams_to_send()


GRAMMARS: dict[str, Grammar] = {
    "uri": Grammar(
        _text(_read_uri),
        (
            b"sip:alice:secret@[2001:db8::1]:5060;transport=tcp;lr?subject=x&to=y",
            b"sips:a%20b@example.com;user=phone",
            b"tel:+1-201-555-0123;phone-context=example.com",
        ),
    ),
    "name-addr": Grammar(
        _text(_read_name_addr),
        (b'"A \\" B" <sip:a@b;x=y?z=1>;tag=1;q="a;b"', b"Alice Smith <tel:+1>;tag=2", b"sip:a@b;tag=3"),
    ),
    "via": Grammar(
        _text(Via.parse),
        (b"SIP/2.0/UDP [::1]:5060;rport;branch=z9hG4bK1;received=192.0.2.1", b"SIP / 2.0 / TLS a.b;maddr=1.2.3.4"),
    ),
    "cseq": Grammar(_text(CSeq.parse), (b"1 INVITE", b"2147483647 BYE")),
    "replaces": Grammar(_text(Replaces.parse), (b"a@b;to-tag=1;from-tag=2;early-only",)),
    "refer-to": Grammar(_text(ReferTarget.parse), (b"<sip:a@b?Replaces=c%40d%3Bto-tag%3D1%3Bfrom-tag%3D2>",)),
    "session-expires": Grammar(_text(SessionExpires.parse), (b"1800;refresher=uas", b"90")),
    "digest": Grammar(_text(parse_auth), (_DIGEST, b'Digest realm="a, b", nonce=x, Basic realm="c"')),
    "message": Grammar(_read_message, (_INVITE + _TYPED, b"SIP/2.0 200 OK\r\n" + _HEAD + b"\r\n")),
    "header values": Grammar(_read_header_values, (_INVITE + b"\r\n",)),
    "multipart": Grammar(
        _read_body, (_INVITE + b'Content-Type: multipart/mixed;boundary="b"\r\n\r\n' + _MULTIPART, _INVITE + _TYPED)
    ),
    "sdp": Grammar(_read_sdp, (_SDP, sdp.serialize(_OFFER))),
    "sipfrag": Grammar(sipfrag_status, (b"SIP/2.0 180 Ringing\r\n", b"SIP/2.0 200 OK\r\nContact: <sip:a@b>\r\n")),
    "info key": Grammar(
        lambda data: read_info_key("application/dtmf-relay", data), (b"Signal=5\r\nDuration=160\r\n", b"Signal= #")
    ),
    "stream": Grammar(_read_stream, ((_INVITE + _TYPED) * 2, b"\r\n\r\n" + _INVITE + b"l: 0\r\n\r\n", _STUN)),
    "stun": Grammar(lambda data: answer_stun(data, _PEER), (_STUN,)),
    "user agent": Grammar(
        _read_by_agent,
        (
            _INVITE + _TYPED,
            _INVITE.replace(b"INVITE", b"OPTIONS") + b"\r\n",
            _INVITE.replace(b"INVITE", b"REFER") + b"Refer-To: <sip:x@y>\r\n\r\n",
            _INVITE.replace(b"INVITE", b"SUBSCRIBE") + b"Event: presence\r\nExpires: 9\r\n\r\n",
            _INVITE.replace(b"INVITE", b"REGISTER") + b"Expires: 60\r\n\r\n",
            _INVITE.replace(b"To: <tel:+49-30-1;ext=2>", b"To: <sip:a@b>;tag=x").replace(b"INVITE", b"BYE")
            + b"\r\n",
        ),
    ),
}
