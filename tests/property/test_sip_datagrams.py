"""Whatever arrives on the SIP port: the user agent raises nothing, sends only where it can, and keeps answering."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.sip.raw_peer import OFFER, PEER, RawPeer, datagram
from voicegw.sip.address import is_sendable
from voicegw.sip.message import serialize

MULTIPART = b"--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b--\r\n"
SEEDS = [
    datagram("INVITE", "Record-Route: <sip:192.0.2.1;lr>, <sip:192.0.2.5>", "Supported: timer", body=OFFER),
    datagram("INVITE", 'Content-Type: multipart/mixed;boundary="b"', body=MULTIPART, branch="m"),
    datagram("OPTIONS", "Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKq", branch="o"),
    datagram("CANCEL"),
    datagram("REGISTER", "Require: a,b", branch="r"),
    b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n"
    b"To: <sip:c@d>;tag=2\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nRecord-Route: <sip:192.0.2.1;lr>\r\n\r\n",
]
SCRAPS = [
    b"99999",
    b"\r\n",
    b"\n",
    b"\0",
    b";",
    b",",
    b'"',
    b"<",
    b">",
    b"@",
    b"%zz",
    b"[::1]",
    b"tel:+1",
    b"\xff\xfe",
]
SCRAPS += [
    b"4294967296",
    b"-1",
    b";tag=",
    b";lr",
    b"z9hG4bK",
    b"sip:",
    b"sips:x",
    b" ",
    b"INVITE",
    b"SIP/2.0",
    b"=",
    b"?a=b",
]

changes = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 12), st.one_of(st.sampled_from(SCRAPS), st.binary(max_size=6))),
    min_size=1,
    max_size=4,
)


def mutate(data: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    """Replace a few stretches by scraps."""
    for place, length, scrap in edits:
        at = int(place * len(data))
        data = data[:at] + scrap + data[at + length :]
    return data


def check_alive(peer: RawPeer) -> None:
    while peer.agent.next_event() is not None:
        pass
    assert all(is_sendable(address) for _, address in peer.agent.datagrams_to_send())
    (response,) = peer.send(datagram("OPTIONS", branch="alive", call_id="Call-ID: alive"))
    assert response.status == 200


@given(st.sampled_from(SEEDS), changes)
@settings(max_examples=400, deadline=None)
def test_mutilated_messages(seed: bytes, edits: list[tuple[float, int, bytes]]) -> None:
    peer = RawPeer()
    peer.agent.receive_datagram(mutate(seed, edits), PEER, 0.0)
    peer.agent.handle_timer(1.0)
    check_alive(peer)


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_random_bytes(data: bytes) -> None:
    peer = RawPeer()
    peer.agent.receive_datagram(data, PEER, 0.0)
    check_alive(peer)


@given(changes, st.booleans())
@settings(max_examples=200, deadline=None)
def test_mutilated_messages_within_a_call_and_its_end(edits: list[tuple[float, int, bytes]], early: bool) -> None:
    """The INVITE is mutilated, and whatever call it makes is answered, acknowledged as it stands, and ended."""
    peer = RawPeer()
    data = mutate(SEEDS[0], edits)
    peer.agent.receive_datagram(data, PEER, 0.0)
    peer.taken()
    for event in list(peer.events):
        peer.agent.ring(event.handle, 0.0)
        peer.agent.accept(event.handle, b"v=0\r\n", 0.0)
        for sent in peer.taken():
            peer.agent.receive_datagram(sent, PEER, 0.0)  # our own message comes back
        if early:
            peer.agent.bye(event.handle, 0.0)
        peer.agent.receive_datagram(data.replace(b"INVITE", b"ACK"), PEER, 0.0)
        peer.agent.bye(event.handle, 0.0)
    peer.wait(100.0)
    check_alive(peer)
    assert peer.agent.active_calls == 0


@given(changes)
@settings(max_examples=200, deadline=None)
def test_mutilated_answers_to_our_invite(edits: list[tuple[float, int, bytes]]) -> None:
    peer = RawPeer()
    handle = peer.agent.invite("sip:them@198.51.100.4", "sip:me@192.0.2.2", PEER, OFFER, 0.0)
    (invite,) = peer.taken()
    head = invite.partition(b"\r\n")[2].replace(
        b"To: <sip:them@198.51.100.4>", b"To: <sip:them@198.51.100.4>;tag=x"
    )
    answer = b"SIP/2.0 200 OK\r\nRecord-Route: <sip:192.0.2.1;lr>, <sip:192.0.2.5>\r\n" + head
    peer.agent.receive_datagram(mutate(answer, edits), PEER, 0.1)
    peer.agent.bye(handle, 0.2)
    peer.agent.cancel(handle, 0.2)
    peer.wait(300.0)
    check_alive(peer)
    assert peer.agent.active_calls == 0


def test_the_parser_gives_back_what_it_was_given() -> None:
    peer = RawPeer()
    response = peer.one(SEEDS[2])
    assert b"\r\nCall-ID: c1@198.51.100.4\r\n" in serialize(response)
