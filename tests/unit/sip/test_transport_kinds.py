"""What the transport of a peer changes: Via, Contact, where answers and requests of a dialog go."""

from __future__ import annotations

import pytest

from voicegw.sip.address import Address, Transport
from voicegw.sip.dialog import Dialog, DialogId, literal_address
from voicegw.sip.incoming import read_request
from voicegw.sip.message import Request
from voicegw.sip.parser import parse

INVITE = (
    b"INVITE sip:b@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.0.8:5070;branch=z9hG4bKa;rport\r\n"
    b"From: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("sip:192.0.2.7", Address("192.0.2.7", 5060)),
        ("sip:a@192.0.2.7:5070;transport=TCP", Address("192.0.2.7", 5070, Transport.TCP)),
        ("sips:192.0.2.7", Address("192.0.2.7", 5061, Transport.TLS)),
        ("sips:192.0.2.7;transport=tcp", Address("192.0.2.7", 5061, Transport.TLS)),
        ("sip:192.0.2.7;transport=tls", Address("192.0.2.7", 5061, Transport.TLS)),
        ("sip:192.0.2.7;transport=ws", Address("192.0.2.7", 80, Transport.WS)),
        ("sips:192.0.2.7;transport=ws", Address("192.0.2.7", 443, Transport.WSS)),
        ("sip:[2001:db8::1]:5080", Address("2001:db8::1", 5080)),
        ("sips:192.0.2.7;transport=udp", None),
        ("sip:192.0.2.7;transport=sctp", None),
        ("sip:a.example", None),
    ],
)
def test_where_a_uri_points(uri: str, expected: Address | None) -> None:
    assert literal_address(uri) == expected


def test_an_answer_goes_back_by_its_connection_and_else_to_the_port_of_the_via() -> None:
    request = parse(INVITE)
    assert isinstance(request, Request)
    by_connection = Address("192.0.2.9", 33333, Transport.TCP, flow=7)
    incoming = read_request(request, by_connection)
    assert incoming.reply_to == Address("192.0.2.9", 5070, Transport.TCP, flow=7)
    assert incoming.vias[0].endswith(";rport=33333;received=192.0.2.9") or "received=192.0.2.9" in incoming.vias[0]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("sip:b@192.0.2.9:5070;transport=tcp", Address("192.0.2.9", 5070, Transport.TCP, flow=7)),
        ("sip:b@192.0.2.10:5070;transport=tcp", Address("192.0.2.10", 5070, Transport.TCP)),
        ("sip:b@192.0.2.9:5070", Address("192.0.2.9", 5070, Transport.TCP, flow=7)),
        ("sip:b@192.0.2.9:5070;transport=udp", Address("192.0.2.9", 5070)),
        ("sip:b@192.0.2.10:5070", Address("192.0.2.10", 5070)),
        ("sip:b@phone.invalid;transport=tcp", Address("192.0.2.9", 33333, Transport.TCP, flow=7)),
    ],
)
def test_a_request_in_a_dialog_takes_the_connection_that_the_same_host_opened(
    target: str, expected: Address
) -> None:
    peer = Address("192.0.2.9", 33333, Transport.TCP, flow=7)
    dialog = Dialog(DialogId("c", "l", "r"), "<sip:l>", "<sip:r>", target, (), peer, "<sip:us>")
    assert dialog.next_hop() == expected


def test_another_address_of_a_server_has_to_prove_the_same_name() -> None:
    peer = Address("192.0.2.9", 5061, Transport.TLS, name="sip.example.com")
    target = "sip:b@192.0.2.10:5061;transport=tls"
    dialog = Dialog(DialogId("c", "l", "r"), "<sip:l>", "<sip:r>", target, (), peer, "<sip:us>")
    assert dialog.next_hop() == Address("192.0.2.10", 5061, Transport.TLS, name="sip.example.com")
