"""What the user agent answers to single requests: RFC 3261 §8.2 row by row, written by hand on the other side."""

from __future__ import annotations

import pytest

from tests.unit.sip.raw_peer import HERE, OFFER, PEER, RawPeer, datagram
from voicegw.base.errors import LocalError
from voicegw.sip.address import Address
from voicegw.sip.counters import SipCounter
from voicegw.sip.events import (
    AckReceived,
    Answered,
    CallEnded,
    EndedBy,
    InfoReceived,
    InviteReceived,
    ProgressReceived,
    ReinviteReceived,
)
from voicegw.sip.message import Request
from voicegw.sip.parser import parse

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, NOTIFY, PRACK, UPDATE, REFER, MESSAGE, SUBSCRIBE"


def test_options_tells_what_we_can_do() -> None:
    peer = RawPeer()
    response = peer.one(datagram("OPTIONS"))
    assert response.status == 200
    assert response.headers.get("Allow") == ALLOW
    assert "application/sdp" in (response.headers.get("Accept") or "")
    assert response.headers.get("Supported") == "100rel, timer, replaces, norefersub"
    assert response.headers.get("Server") == "voicegw"
    assert peer.agent.transactions == 0


def test_options_while_draining() -> None:
    peer = RawPeer()
    _, tag = peer.call()
    peer.agent.drain()
    response = peer.one(datagram("OPTIONS", branch="o"))
    assert (response.status, response.headers.get("Retry-After")) == (503, "10")
    assert peer.one(datagram("OPTIONS", branch="p", to_tag=tag, cseq=2)).status == 200


@pytest.mark.parametrize(
    ("data", "status", "header", "value"),
    [
        (datagram("REGISTER"), 405, "Allow", ALLOW),
        (datagram("PUBLISH"), 405, "Allow", ALLOW),
        (datagram("UPDATE", to_tag="x"), 481, "To", None),
        (datagram("FROBNICATE"), 501, "Allow", ALLOW),
        (datagram("INVITE", "Require: 100rel, foo, timer"), 420, "Unsupported", "foo"),
        (datagram("OPTIONS", "Require: foo"), 420, "Unsupported", "foo"),
        (datagram("INVITE", "Content-Type: text/plain", body=b"hello"), 415, "Accept-Encoding", "identity"),
        (datagram("INVITE", "Content-Encoding: gzip", body=OFFER), 415, "Accept-Encoding", "identity"),
        (datagram("INVITE", "Content-Type: multipart/mixed", body=b"--x"), 400, "To", None),
        (datagram("INVITE", start="INVITE sips:demo@192.0.2.2 SIP/2.0"), 416, "To", None),
        (datagram("INVITE", start="INVITE http://demo SIP/2.0"), 416, "To", None),
        (datagram("INVITE", max_forwards="Max-Forwards: 0"), 483, "To", None),
        (datagram("OPTIONS", start="OPTIONS sip:demo@192.0.2.2 SIP/3.0"), 505, "To", None),
        (datagram("INVITE", contact="Contact: <sip:a@b:99999>"), 400, "To", None),
        (datagram("INVITE", "Record-Route: <tel:+15551234>"), 400, "To", None),
        (datagram("BYE"), 481, "To", None),
        (datagram("INFO"), 481, "To", None),
        (datagram("CANCEL"), 481, "To", None),
        (datagram("BYE", to_tag="nobody"), 481, "To", None),
        (datagram("INVITE", to_tag="nobody"), 481, "To", None),
    ],
)
def test_refusals(data: bytes, status: int, header: str, value: str | None) -> None:
    peer = RawPeer()
    response = peer.one(data)
    assert response.status == status
    if value is None:
        assert ";tag=" in (response.headers.get(header) or "")
    else:
        assert response.headers.get(header) == value
    assert peer.counters.get(f"sip_refused_{status}") == 1
    assert peer.events == []
    assert peer.agent.transactions == 0
    again = peer.one(data)
    assert again == response  # a retransmission gets the same answer, tag included (§8.2.7)
    assert peer.one(datagram("OPTIONS", branch="after")).status == 200


def test_a_cseq_beyond_31_bits_gets_400_with_its_own_words() -> None:
    peer = RawPeer()
    peer.agent.receive_datagram(datagram("INVITE", cseq=2**31), PEER, 0.0)
    (data,) = peer.taken()
    assert data.startswith(b"SIP/2.0 400 ")
    assert b"\r\nCSeq: 2147483648 INVITE\r\n" in data


def test_multipart_and_optional_bodies_are_no_reason_to_refuse() -> None:
    peer = RawPeer()
    location = b"--b\r\nContent-Type: application/pidf+xml\r\n\r\n<x/>\r\n"
    body = location + b"--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b--\r\n"
    peer.send(datagram("INVITE", 'Content-Type: multipart/mixed;boundary="b"', body=body))
    peer.send(
        datagram(
            "INVITE",
            "Content-Type: image/png",
            "Content-Disposition: icon; handling=optional",
            body=b"png",
            branch="2",
            call_id="Call-ID: c2",
        )
    )
    assert [event.body for event in peer.events if isinstance(event, InviteReceived)] == [b"v=0", b""]


def test_a_request_that_comes_by_two_paths_is_answered_once() -> None:
    peer = RawPeer()
    peer.invite()
    assert peer.one(datagram("INVITE", body=OFFER, branch="other")).status == 482
    assert peer.one(datagram("INVITE", body=OFFER)).status == 100
    assert len(peer.events) == 1


def test_a_copy_of_an_invite_that_outlived_its_transaction_does_not_disturb_the_call() -> None:
    peer = RawPeer()
    _, tag = peer.call()
    peer.wait(60.0)
    assert peer.agent.transactions == 0
    assert peer.one(datagram("INVITE", body=OFFER)).status == 482
    assert peer.agent.active_calls == 1
    assert peer.one(datagram("BYE", to_tag=tag, cseq=2, branch="b")).status == 200


def test_at_capacity_and_while_draining_an_invite_gets_503_with_retry_after() -> None:
    peer = RawPeer(max_calls=1)
    handle = peer.invite()
    refused = peer.one(datagram("INVITE", branch="2", call_id="Call-ID: c2"))
    assert (refused.status, refused.headers.get("Retry-After")) == (503, "10")
    peer.agent.reject(handle, 486, 0.0)
    peer.taken()
    peer.invite(branch="3", call_id="Call-ID: c3")
    peer.agent.drain()
    assert peer.one(datagram("INVITE", branch="4", call_id="Call-ID: c4")).status == 503


def test_a_flood_of_invites_does_not_grow_beyond_the_limit() -> None:
    peer = RawPeer(max_calls=1000, max_transactions=20)
    for n in range(100):
        peer.send(datagram("INVITE", branch=f"f{n}", call_id=f"Call-ID: f{n}"))
    assert peer.agent.transactions == 20
    assert peer.counters.get("sip_refused_503") == 80


def test_100_goes_out_at_once_with_the_timestamp_and_without_a_tag() -> None:
    peer = RawPeer()
    trying = peer.one(datagram("INVITE", "Timestamp: 54.2", body=OFFER))
    assert (trying.status, trying.headers.get("Timestamp")) == (100, "54.2")
    assert trying.headers.get("To") == "<sip:demo@192.0.2.2>"


def test_vias_are_copied_in_order_and_only_the_top_one_is_stamped() -> None:
    vias = (
        "Via: SIP/2.0/UDP 10.0.0.1 ; branch=z9hG4bKa, SIP/2.0/TCP  b.example;branch=z9hG4bKb",
        "Via: SIP/2.0/UDP c",
    )
    peer = RawPeer()
    data = datagram("OPTIONS", vias[1], via=vias[0])
    response = peer.one(data, Address("203.0.113.5", 7777))
    first, *rest = response.headers.get_all("Via")
    assert "received=203.0.113.5" in first
    assert "rport" not in first
    assert rest == ["SIP/2.0/TCP  b.example;branch=z9hG4bKb", "SIP/2.0/UDP c"]
    assert peer.sent_to == [Address("203.0.113.5", 5060)]


def test_with_rport_the_response_goes_to_the_source_port() -> None:
    peer = RawPeer()
    response = peer.one(datagram("OPTIONS"), Address("203.0.113.5", 7777))
    assert "rport=7777" in (response.headers.get("Via") or "")
    assert "received=203.0.113.5" in (response.headers.get("Via") or "")
    assert peer.sent_to == [Address("203.0.113.5", 7777)]


def test_nobody_can_aim_our_responses_at_somebody_else() -> None:
    peer = RawPeer()
    via = "Via: SIP/2.0/UDP 198.51.100.4:5080;maddr=192.0.2.99;received=192.0.2.98;branch=z9hG4bKm"
    peer.send(datagram("OPTIONS", via=via))
    assert peer.sent_to == [PEER]


@pytest.mark.parametrize("port", ["99999", "0", "65536", "-1", "4294967296"])
def test_a_via_port_that_no_socket_takes_is_dropped_and_counted(port: str) -> None:
    peer = RawPeer()
    assert peer.send(datagram("OPTIONS", via=f"Via: SIP/2.0/UDP 198.51.100.4:{port};branch=z9hG4bKp")) == []
    assert peer.counters.get(SipCounter.MALFORMED) + peer.counters.get(SipCounter.UNSENDABLE) == 1
    assert peer.one(datagram("OPTIONS")).status == 200


@pytest.mark.parametrize("data", [b"\r\n\r\n", b"\0", b"", b"\x00\x01\x00\x00\x21\x12\xa4\x42"])
def test_keepalives_are_counted_and_not_answered(data: bytes) -> None:
    peer = RawPeer()
    assert peer.send(data) == []
    assert peer.counters.get(SipCounter.KEEPALIVE) == 1


def test_what_cannot_be_answered_is_dropped_and_counted() -> None:
    peer = RawPeer()
    for data in (b"garbage", b"\xff" * 65_535, datagram("ACK", call_id=""), datagram("OPTIONS", via="")):
        assert peer.send(data) == []
    assert peer.counters.get(SipCounter.MALFORMED) == 4


def test_ack_is_never_answered() -> None:
    peer = RawPeer()
    assert peer.send(datagram("ACK", to_tag="nobody")) == []
    assert peer.counters.get(SipCounter.STRAY_ACK) == 1


def test_rfc_2543_peers_without_branch_from_tag_or_contact() -> None:
    peer = RawPeer()
    old = {"via": "Via: SIP/2.0/UDP 198.51.100.4:5080", "from_": "From: sip:caller@198.51.100.4", "contact": ""}
    handle = peer.invite(**old)
    assert peer.one(datagram("INVITE", body=OFFER, **old)).status == 100
    peer.agent.accept(handle, b"v=0", 0.0)
    tag = (peer.responses()[0].headers.get("To") or "").partition("tag=")[2]
    peer.send(datagram("ACK", to_tag=tag, **old))
    assert [type(event) for event in peer.events] == [InviteReceived, AckReceived]
    assert peer.one(datagram("BYE", to_tag=tag, cseq=2, **old)).status == 200


def test_answers_carry_contact_allow_supported_and_record_route() -> None:
    peer = RawPeer()
    peer.send(datagram("INVITE", "Record-Route: <sip:192.0.2.10;lr>", body=OFFER))
    handle = peer.events[0].handle
    peer.agent.ring(handle, 0.0, 183, b"v=0\r\nearly")
    peer.agent.accept(handle, b"v=0\r\nanswer", 0.0)
    progress, answer = peer.responses()
    assert (progress.status, progress.body) == (183, b"v=0\r\nearly")
    for response in (progress, answer):
        assert response.headers.get("Contact") == f"<sip:{HERE}>"
        assert response.headers.get("Record-Route") == "<sip:192.0.2.10;lr>"
    assert progress.headers.get("To") == answer.headers.get("To")
    assert answer.headers.get("Allow") == ALLOW
    assert answer.headers.get("Content-Type") == "application/sdp"


def test_reject_sends_status_reason_and_headers() -> None:
    peer = RawPeer()
    handle = peer.invite()
    peer.agent.reject(handle, 503, 0.0, "Full", (("Reason", "Q.850;cause=42"),))
    (response,) = peer.responses()
    assert (response.status, response.reason) == (503, "Full")
    assert response.headers.get("Reason") == "Q.850;cause=42"
    assert response.headers.get("Retry-After") == "10"
    ended = peer.events[-1]
    assert isinstance(ended, CallEnded)
    assert (ended.ended_by, ended.status) == (EndedBy.LOCAL_REFUSAL, 503)


def test_commands_that_crossed_the_end_do_nothing_and_wrong_ones_are_mistakes() -> None:
    peer = RawPeer()
    handle, _ = peer.call()
    with pytest.raises(LocalError):
        peer.agent.accept(handle, b"", 0.0)
    with pytest.raises(LocalError):
        peer.agent.reject(handle, 486, 0.0)
    peer.agent.bye(handle, 0.0)
    for command in (peer.agent.bye, peer.agent.cancel, peer.agent.ring):
        command(handle, 0.0)
    peer.agent.accept(handle, b"", 0.0)
    peer.agent.reject(handle, 486, 0.0)
    peer.agent.answer_reinvite(handle, b"", 0.0)
    assert len(peer.taken()) == 1


def test_a_second_invite_before_the_answer_to_the_first_gets_500_with_retry_after() -> None:
    peer = RawPeer()
    _, tag = peer.call()
    assert peer.one(datagram("INVITE", body=OFFER, to_tag=tag, cseq=2, branch="r1")).status == 100
    response = peer.one(datagram("INVITE", body=OFFER, to_tag=tag, cseq=3, branch="r2"))
    assert response.status == 500
    assert 0 <= int(response.headers.get("Retry-After") or "-1") <= 10


def test_an_old_cseq_gets_500_and_a_gap_is_fine() -> None:
    peer = RawPeer()
    _, tag = peer.call()
    assert peer.one(datagram("OPTIONS", to_tag=tag, cseq=9, branch="a")).status == 200
    assert peer.one(datagram("INFO", to_tag=tag, cseq=8, branch="b")).status == 500
    assert peer.counters.get(SipCounter.OUT_OF_ORDER) == 1


def test_cancel_of_a_reinvite_leaves_the_call_up() -> None:
    peer = RawPeer()
    _, tag = peer.call()
    peer.send(datagram("INVITE", body=OFFER, to_tag=tag, cseq=2, branch="r"))
    statuses = [r.status for r in peer.send(datagram("CANCEL", to_tag=tag, cseq=2, branch="r"))]
    assert statuses == [200, 487]
    assert isinstance(peer.events[-1], ReinviteReceived)
    assert peer.one(datagram("BYE", to_tag=tag, cseq=3, branch="b")).status == 200


def test_a_new_offer_proves_that_the_answer_arrived() -> None:
    peer = RawPeer()
    handle = peer.invite()
    peer.agent.accept(handle, b"v=0\r\nanswer", 0.0)
    tag = (peer.responses()[0].headers.get("To") or "").partition("tag=")[2]
    peer.send(datagram("INVITE", body=OFFER, to_tag=tag, cseq=2, branch="r"))
    assert [type(event) for event in peer.events] == [InviteReceived, AckReceived, ReinviteReceived]
    peer.agent.answer_reinvite(handle, 488, 0.0)
    peer.send(datagram("ACK", to_tag=tag, cseq=2, branch="r"))
    assert peer.wait(40.0) == []
    assert peer.agent.active_calls == 1


def test_bye_in_an_early_dialog_ends_the_invite_with_487() -> None:
    peer = RawPeer()
    handle = peer.invite()
    peer.agent.ring(handle, 0.0)
    tag = (peer.responses()[0].headers.get("To") or "").partition("tag=")[2]
    assert [r.status for r in peer.send(datagram("BYE", to_tag=tag, cseq=2, branch="b"))] == [200, 487]
    ended = peer.events[-1]
    assert isinstance(ended, CallEnded)
    assert ended.ended_by is EndedBy.REMOTE_BYE


def test_info_is_passed_on_and_unknown_kinds_refused() -> None:
    peer = RawPeer()
    handle, tag = peer.call()
    kind = "Content-Type: application/dtmf-relay"
    assert peer.one(datagram("INFO", kind, body=b"Signal=1", to_tag=tag, cseq=2, branch="i")).status == 200
    assert peer.events[-1] == InfoReceived(handle, "application/dtmf-relay", b"Signal=1")
    other = peer.one(datagram("INFO", "Content-Type: text/x", body=b"?", to_tag=tag, cseq=3, branch="j"))
    assert other.status == 415


# ---------------------------------------------------------------- the calling side


def answer_to(request: Request, status: int, tag: str, *extra: str, body: bytes = b"") -> bytes:
    head = [f"SIP/2.0 {status} X"]
    head += [f"{n}: {request.headers.get(n)}" for n in ("Via", "From", "Call-ID", "CSeq")]
    head += [f"To: {request.headers.get('To')}" + (f";tag={tag}" if tag else ""), *extra]
    return "\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode() + body


def outgoing(peer: RawPeer, sdp: bytes | None = OFFER) -> Request:
    peer.agent.invite("sip:them@198.51.100.4:5080", "Me <sip:me@192.0.2.2>", PEER, sdp, peer.now)
    message = parse(peer.taken()[0])
    assert isinstance(message, Request)
    return message


def test_our_invite_has_what_it_needs() -> None:
    peer = RawPeer()
    invite = outgoing(peer)
    assert (
        invite.headers.get("Via")
        == f"SIP/2.0/UDP {HERE};branch={invite.headers.get('Via').partition('branch=')[2]}"
    )
    assert (invite.headers.get("From") or "").startswith('"Me" <sip:me@192.0.2.2>;tag=')
    for name in ("Max-Forwards", "Contact", "Allow", "Supported", "User-Agent", "Content-Type"):
        assert name in invite.headers
    assert peer.sent_to == [PEER]


def test_an_unsendable_destination_or_a_header_with_a_line_break_is_refused() -> None:
    peer = RawPeer()
    for destination in (Address("198.51.100.4", 99999), Address("example.net", 5060)):
        with pytest.raises(LocalError):
            peer.agent.invite("sip:x@y", "sip:me@here", destination, OFFER, 0.0)
    with pytest.raises(LocalError):
        peer.agent.invite("sip:x@y", "sip:me@here", PEER, OFFER, 0.0, (("Subject", "a\r\nX: y"),))
    assert (peer.taken(), peer.agent.active_calls) == ([], 0)


def test_the_ack_follows_route_set_and_contact() -> None:
    peer = RawPeer()
    invite = outgoing(peer)
    routes = "Record-Route: <sip:192.0.2.70;lr>, <sip:192.0.2.71:5099;lr>"
    peer.send(answer_to(invite, 180, "t1"))
    peer.agent.receive_datagram(
        answer_to(invite, 200, "t1", routes, "Contact: <sip:them@10.9.9.9:6000>"), PEER, 0.0
    )
    (ack,) = (parse(data) for data in peer.taken())
    assert isinstance(ack, Request)
    assert (ack.method, ack.uri) == ("ACK", "sip:them@10.9.9.9:6000")
    assert ack.headers.get_all("Route") == ("<sip:192.0.2.71:5099;lr>", "<sip:192.0.2.70;lr>")
    assert peer.sent_to[-1] == Address("192.0.2.71", 5099)
    assert [type(e) for e in peer.events] == [ProgressReceived, Answered]


def test_the_2xx_of_a_second_fork_gets_ack_and_bye() -> None:
    peer = RawPeer()
    invite = outgoing(peer)
    peer.send(answer_to(invite, 200, "one", "Contact: <sip:one@198.51.100.4:5080>", body=b"v=0"))
    peer.agent.receive_datagram(answer_to(invite, 200, "two", "Contact: <sip:two@198.51.100.4:5080>"), PEER, 0.0)
    methods = [(m.method, m.uri) for m in map(parse, peer.taken()) if isinstance(m, Request)]
    assert methods == [("ACK", "sip:two@198.51.100.4:5080"), ("BYE", "sip:two@198.51.100.4:5080")]
    assert peer.counters.get(SipCounter.EXTRA_FORK) == 1
    assert peer.agent.active_calls == 1
    peer.agent.receive_datagram(answer_to(invite, 200, "two"), PEER, 1.0)
    assert [data[:3] for data in peer.taken()] == [b"ACK"]


def test_a_2xx_with_a_route_that_nobody_can_follow_ends_the_call() -> None:
    peer = RawPeer()
    invite = outgoing(peer)
    peer.send(answer_to(invite, 200, "t", "Record-Route: <tel:+15551234>"))
    ended = peer.events[-1]
    assert isinstance(ended, CallEnded)
    assert ended.ended_by is EndedBy.PEER_ERROR


@pytest.mark.parametrize(
    ("old", "new", "counter"),
    [
        ("branch=z9hG4bK", "branch=z9hG4bKx", SipCounter.STRAY_RESPONSE),
        ("192.0.2.2:5060", "192.0.2.3:5060", SipCounter.FOREIGN_VIA),
        ("Via: ", "Via: SIP/2.0/UDP 192.0.2.66;branch=z9hG4bK1\r\nVia: ", SipCounter.STRAY_RESPONSE),
    ],
)
def test_responses_that_are_not_for_us_are_dropped(old: str, new: str, counter: SipCounter) -> None:
    peer = RawPeer()
    invite = outgoing(peer)
    data = answer_to(invite, 486, "t").decode().replace(old, new, 1).encode()
    assert peer.send(data) == []
    assert peer.events == []
    assert peer.counters.get(counter) == 1
