from __future__ import annotations

import pytest

from voicegw.base.errors import RemoteProtocolError
from voicegw.sip.address import Address
from voicegw.sip.dialog import Dialog, contact_uri, dialog_of_incoming, dialog_of_response, literal_address
from voicegw.sip.incoming import read_request
from voicegw.sip.message import Headers, Request, Response
from voicegw.sip.parser import parse

SOURCE = Address("198.51.100.4", 5080)
VIA = "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKn"


def invite(*lines: str) -> Request:
    text = [
        "INVITE sip:demo@192.0.2.2 SIP/2.0",
        "Via: SIP/2.0/UDP 198.51.100.4:5080;branch=z9hG4bK1",
        'From: "A. Caller"  <sip:a@example.net>;x=1;tag=theirs',
        "To: <sip:demo@192.0.2.2>;y=2",
        "Call-ID: abc@example.net",
        "CSeq: 41 INVITE",
        *lines,
        "",
        "",
    ]
    message = parse("\r\n".join(text).encode())
    assert isinstance(message, Request)
    return message


def called(*lines: str) -> Dialog:
    return dialog_of_incoming(read_request(invite(*lines), SOURCE), "ours", "<sip:192.0.2.2:5060>")


def calling(*routes: str, contact: str = "<sip:b@192.0.2.50:5070>") -> Dialog:
    pairs = [("From", "<sip:me@192.0.2.1>;tag=ours"), ("Call-ID", "xyz"), ("CSeq", "3 INVITE")]
    request = Request("INVITE", "sip:b@example.org", Headers(pairs))
    answer = [("To", "<sip:b@example.org>;tag=theirs"), ("Contact", contact)]
    answer += [("Record-Route", route) for route in routes]
    return dialog_of_response(request, "ours", "<sip:192.0.2.1>", Response(200, "OK", Headers(answer)), SOURCE)


def test_the_called_side_copies_header_values_verbatim() -> None:
    request = called("Contact: <sip:a@198.51.100.9:5090>").request("BYE", VIA, 1)
    assert request.uri == "sip:a@198.51.100.9:5090"
    assert request.headers.get("To") == '"A. Caller"  <sip:a@example.net>;x=1;tag=theirs'
    assert request.headers.get("From") == "<sip:demo@192.0.2.2>;y=2;tag=ours"
    assert request.headers.get("Call-ID") == "abc@example.net"
    assert request.headers.get("CSeq") == "1 BYE"


def test_the_called_side_keeps_the_order_of_routes_and_the_calling_side_turns_it() -> None:
    routes = ["<sip:192.0.2.10;lr>", "<sip:192.0.2.11;lr>"]
    mine = called("Contact: <sip:a@192.0.2.9>", f"Record-Route: {routes[0]}, {routes[1]}")
    assert mine.request("BYE", VIA, 1).headers.get_all("Route") == tuple(routes)
    assert mine.next_hop() == Address("192.0.2.10", 5060)
    theirs = calling(*routes)
    assert theirs.request("BYE", VIA, 4).headers.get_all("Route") == tuple(reversed(routes))
    assert theirs.next_hop() == Address("192.0.2.11", 5060)


def test_a_strict_router_gets_the_request_uri_and_the_target_goes_last() -> None:
    dialog = called("Contact: <sip:a@192.0.2.9>", "Record-Route: <sip:192.0.2.10>, <sip:192.0.2.11;lr>")
    request = dialog.request("BYE", VIA, 1)
    assert request.uri == "sip:192.0.2.10"
    assert request.headers.get_all("Route") == ("<sip:192.0.2.11;lr>", "<sip:a@192.0.2.9>")


@pytest.mark.parametrize("contact", ["<sip:a@phone.example.net>", "<sip:a@192.0.2.1:0>", "<tel:+15551234>"])
def test_where_the_target_is_no_literal_address_the_source_of_the_invite_is_used(contact: str) -> None:
    dialog = called()
    dialog.refresh_target(Response(200, "OK", Headers([("Contact", contact)])))
    assert dialog.next_hop() == SOURCE


def test_an_invite_without_contact_is_answered_to_its_source() -> None:
    dialog = called()
    assert dialog.remote_target == "sip:198.51.100.4:5080"
    assert dialog.next_hop() == SOURCE


def test_a_route_that_nobody_can_follow_is_refused() -> None:
    with pytest.raises(RemoteProtocolError):
        called("Contact: <sip:a@192.0.2.9>", "Record-Route: <tel:+15551234>")


def test_cseq_must_grow_and_our_own_follows_the_invite() -> None:
    dialog = called()
    assert [dialog.take_cseq(n) for n in (41, 42, 42, 40, 50)] == [False, True, False, False, True]
    assert dialog.next_cseq() == 1
    assert calling().next_cseq() == 4


def test_headers_in_a_contact_uri_do_not_reach_the_request_line() -> None:
    assert contact_uri(Headers([("Contact", "<sip:a@192.0.2.9?Subject=x>")])) == "sip:a@192.0.2.9"


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("sip:a@192.0.2.9", Address("192.0.2.9", 5060)),
        ("sip:[2001:db8::9]:5090", Address("2001:db8::9", 5090)),
        ("sip:a@example.net", None),
        ("sip:a@192.0.2.9:99999", None),
        ("tel:+1555", None),
    ],
)
def test_literal_addresses(uri: str, address: Address | None) -> None:
    assert literal_address(uri) == address
