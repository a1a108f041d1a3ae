"""The torture messages of RFC 4475 and RFC 5118, with what we owe to each of them."""

from __future__ import annotations

from pathlib import Path

from voicegw.base.errors import RemoteProtocolError
from voicegw.sip.headers import CSeq, NameAddr, Via
from voicegw.sip.message import Message, Request, Response, serialize
from voicegw.sip.parser import BadRequest, parse
from voicegw.sip.uri import SipUri, dialled, uri_scheme

VECTORS = Path(__file__).resolve().parents[4] / "shared" / "vectors" / "sip"

REQUEST, RESPONSE, DROPPED = "request", "response", "dropped"

RFC4475: dict[str, str | int] = {
    # 3.1.1 valid messages
    "wsinv.dat": REQUEST,
    "intmeth.dat": REQUEST,
    "esc01.dat": REQUEST,
    "escnull.dat": REQUEST,
    "esc02.dat": REQUEST,  # an unknown method and an unknown header; the user agent answers 405
    "lwsdisp.dat": REQUEST,
    "longreq.dat": REQUEST,
    "dblreq.dat": REQUEST,  # the second request lies behind Content-Length and is cut
    "semiuri.dat": REQUEST,
    "transports.dat": REQUEST,
    "mpart01.dat": REQUEST,
    "unreason.dat": RESPONSE,
    "noreason.dat": RESPONSE,
    # 3.1.2 invalid messages
    "badinv01.dat": 400,  # the top Via is readable, the one behind the comma is not
    "clerr.dat": 400,
    "ncl.dat": 400,
    "scalar02.dat": 400,
    "scalarlg.dat": DROPPED,
    "quotbal.dat": 400,
    "ltgtruri.dat": 400,
    "lwsruri.dat": 400,
    "lwsstart.dat": 400,
    "trws.dat": 400,
    "escruri.dat": 400,
    "baddate.dat": REQUEST,  # Date means nothing to us
    "regbadct.dat": 400,
    "badaspec.dat": REQUEST,  # spaces inside the angle brackets: the intent is plain
    "baddn.dat": 400,  # the file lacks the empty line; with it the unquoted name is taken (test_headers)
    "badvers.dat": 505,
    "mismatch01.dat": 400,
    "mismatch02.dat": 400,
    "bigcode.dat": DROPPED,
    # 3.2 to 3.4: transaction, application and backward compatibility; above the parser but for these
    "badbranch.dat": REQUEST,
    "insuf.dat": DROPPED,
    "unkscm.dat": REQUEST,  # 416 by the user agent
    "novelsc.dat": REQUEST,
    "unksm2.dat": REQUEST,
    "bext01.dat": REQUEST,  # 420 by the user agent
    "invut.dat": REQUEST,  # 415 by the user agent
    "regaut01.dat": REQUEST,
    "multi01.dat": 400,
    "mcl01.dat": 400,
    "bcast.dat": RESPONSE,
    "zeromf.dat": REQUEST,  # we are no proxy
    "cparam01.dat": REQUEST,
    "cparam02.dat": REQUEST,
    "regescrt.dat": REQUEST,
    "sdp01.dat": REQUEST,
    "inv2543.dat": REQUEST,
    "test.dat": DROPPED,
}

RFC5118: dict[str, str | int] = {
    "ipv6-good": REQUEST,
    "ipv6-bad": 400,
    "port-ambiguous": REQUEST,
    "port-unambiguous": REQUEST,
    "via-received-param-with-delim": REQUEST,
    "via-received-param-no-delim": REQUEST,
    "ipv6-in-sdp": REQUEST,
    "mult-ip-in-header": REQUEST,
    "mult-ip-in-sdp": REQUEST,
    "ipv4-mapped-ipv6": REQUEST,
    "ipv6-bug-abnf-3-colons": 400,
    "ipv6-correct-abnf-2-colons": REQUEST,
}


def vectors(folder: str) -> dict[str, bytes]:
    """Return the files of a folder of vectors; empty where the vectors are not at hand."""
    path = VECTORS / folder
    return {file.name: file.read_bytes() for file in sorted(path.iterdir())} if path.is_dir() else {}


def outcome(data: bytes) -> str | int:
    try:
        message = parse(data)
    except BadRequest as error:
        return error.status_hint
    except RemoteProtocolError:
        return DROPPED
    return REQUEST if isinstance(message, Request) else RESPONSE


def accepted(name: str) -> Message | None:
    data = vectors("rfc4475").get(name)
    return None if data is None else parse(data)


def test_rfc4475() -> None:
    found = vectors("rfc4475")
    assert {name: outcome(data) for name, data in found.items()} == {name: RFC4475[name] for name in found}


def test_rfc5118() -> None:
    found = vectors("rfc5118")
    assert {name: outcome(data) for name, data in found.items()} == {name: RFC5118[name] for name in found}


def test_what_is_accepted_survives_being_written_and_read_again() -> None:
    for folder in ("rfc4475", "rfc5118"):
        for data in vectors(folder).values():
            if outcome(data) in (REQUEST, RESPONSE):
                message = parse(data)
                again = parse(serialize(message))
                assert again.body == message.body
                assert again.headers.without("l") == message.headers.without("l")
                assert type(again) is type(message)


def test_refused_requests_carry_what_a_response_copies() -> None:
    for folder in ("rfc4475", "rfc5118"):
        for data in vectors(folder).values():
            try:
                parse(data)
            except BadRequest as error:
                headers = error.request.headers
                for name in ("Via", "From", "To", "Call-ID", "CSeq"):
                    assert headers.get(name) is not None
                Via.parse(headers.values("Via")[0])
            except RemoteProtocolError:
                continue


def test_wsinv_is_understood_through_its_folds_and_spaces() -> None:
    message = accepted("wsinv.dat")
    if message is not None:
        vias = [Via.parse(value) for value in message.headers.values("Via")]
        assert [(via.transport, via.sent_by, via.branch) for via in vias] == [
            ("UDP", "192.0.2.2", "390skdjuw"),
            ("TCP", "spindle.example.com", "z9hG4bK9ikj8"),
            ("UDP", "192.168.255.111", "z9hG4bK30239"),
        ]
        assert CSeq.parse(message.headers.get("CSeq") or "") == CSeq(9, "INVITE")
        assert NameAddr.parse(message.headers.get("To") or "").tag == "1918181833n"
        assert NameAddr.parse(message.headers.get("From") or "").display_name == 'J Rosenberg \\"'
        contact = NameAddr.parse(message.headers.get("Contact") or "")
        assert contact.display_name == 'Quoted string ""'
        assert contact.params.get("newparam") == "newvalue"
        assert contact.params.get("q") == "0.33"
        assert "secondparam" in contact.params


def test_intmeth_keeps_every_odd_byte() -> None:
    message = accepted("intmeth.dat")
    if message is not None:
        assert isinstance(message, Request)
        assert message.method == "!interesting-Method0123456789_*+`.%indeed'~"
        assert SipUri.parse(message.uri).password == "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"
        to = NameAddr.parse(message.headers.get("To") or "")
        assert to.display_name == "BEL:\x07 NUL:\x00 DEL:\x7f"
        assert NameAddr.parse(str(to)) == to
        assert NameAddr.parse(message.headers.get("From") or "").tag == "_token~1'+`*%!-."
        message.headers.with_("To", message.headers.get("To") or "")


def test_escapes_in_user_parts() -> None:
    message = accepted("esc01.dat")
    if message is not None:
        assert isinstance(message, Request)
        assert dialled(message.uri) == "sips:user@example.com"
        assert dialled(NameAddr.parse(message.headers.get("From") or "").uri) == "I have spaces"
        assert message.headers.get("Contact") is not None


def test_dblreq_ends_at_its_content_length() -> None:
    message = accepted("dblreq.dat")
    if message is not None:
        assert isinstance(message, Request)
        assert (message.method, message.body) == ("REGISTER", b"")


def test_odd_reason_phrases() -> None:
    message = accepted("noreason.dat")
    if message is not None:
        assert isinstance(message, Response)
        assert (message.status, message.reason) == (100, "")


def test_foreign_schemes_are_the_user_agents_to_refuse() -> None:
    for name, scheme in (("unkscm.dat", "nobodyknowsthisscheme"), ("novelsc.dat", "soap.beep")):
        message = accepted(name)
        if message is not None:
            assert isinstance(message, Request)
            assert uri_scheme(message.uri) == scheme
