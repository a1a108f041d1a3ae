"""Every timer of every transaction to the millisecond (RFC 3261 table 4, RFC 6026), over UDP and over TCP.

One user agent, a peer that is silent or says what the test lets it say, and a clock that stops at each moment at
which anything happens.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from tests.unit.sip.raw_peer import OFFER, PEER, RawPeer, datagram
from voicegw.sip.address import Transport
from voicegw.sip.events import CallEnded, EndedBy, SipCallHandle

TCP_PEER = PEER._replace(transport=Transport.TCP)
CAPPED = [500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500]
"""Doubling up to T2 (4 s), until 64*T1."""
DOUBLING = [500, 1500, 3500, 7500, 15500, 31500]
"""Timer A doubles without an end."""


@dataclass
class Watched(RawPeer):
    """Notes what is sent, and how many transactions are left, at which millisecond."""

    sent: list[tuple[int, str]] = field(default_factory=list)
    held: list[tuple[int, int]] = field(default_factory=list)
    ends: list[tuple[int, EndedBy]] = field(default_factory=list)

    def note(self) -> None:
        at = round(self.now * 1000)
        self.sent += [
            (at, data.split(b" ")[0 if not data.startswith(b"SIP/") else 1].decode()) for data in self.taken()
        ]
        self.ends += [(at, event.ended_by) for event in self.events if isinstance(event, CallEnded)]
        self.events.clear()
        if not self.held or self.held[-1][1] != self.agent.transactions:
            self.held.append((at, self.agent.transactions))

    def let_pass(self, seconds: float) -> None:
        end = self.now + seconds
        self.note()
        while (deadline := self.agent.get_timer()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.agent.handle_timer(self.now)
            self.note()
        self.now = end

    def times(self, what: str) -> list[int]:
        return [at for at, name in self.sent if name == what]

    def say(self, data: bytes, tcp: bool = False) -> None:
        self.agent.receive_datagram(data, TCP_PEER if tcp else PEER, self.now)

    def call_out(self, tcp: bool = False) -> SipCallHandle:
        there = TCP_PEER if tcp else PEER
        handle = self.agent.invite("sip:them@198.51.100.4", "sip:me@192.0.2.2", there, OFFER, self.now)
        self.invite_sent = self.agent.datagrams_to_send()
        self.sent.append((round(self.now * 1000), "INVITE"))
        return handle

    def answer(self, status: str, tcp: bool = False) -> None:
        """Answer our INVITE, with a tag from 101 on."""
        data, _ = self.invite_sent[0]
        head = data.partition(b"\r\n\r\n")[0].partition(b"\r\n")[2]
        tag = b"" if status.startswith("100") else b";tag=peer"
        lines = [line + tag if line.startswith(b"To:") else line for line in head.split(b"\r\n")]
        kept = [
            line for line in lines if not line.startswith((b"Content-", b"Max-Forwards", b"Allow", b"Supported"))
        ]
        self.say(
            b"SIP/2.0 " + status.encode() + b"\r\n" + b"\r\n".join(kept) + b"\r\nContent-Length: 0\r\n\r\n", tcp
        )


# ---------------------------------------------------------------- INVITE client: A, B, D, M, C


def test_invite_client_timers_a_and_b() -> None:
    peer = Watched()
    peer.call_out()
    peer.let_pass(40.0)
    assert peer.times("INVITE") == [0, *DOUBLING]
    assert peer.ends == [(32000, EndedBy.NO_RESPONSE)]
    assert peer.held[-1] == (32000, 0)


def test_invite_client_over_tcp_sends_once_and_gives_up_by_timer_b() -> None:
    peer = Watched()
    peer.call_out(tcp=True)
    peer.let_pass(40.0)
    assert peer.times("INVITE") == [0]
    assert peer.ends == [(32000, EndedBy.NO_RESPONSE)]


def test_a_provisional_response_stops_timers_a_and_b_and_timer_c_ends_it() -> None:
    peer = Watched()
    peer.call_out()
    peer.let_pass(0.7)
    peer.answer("180 Ringing")
    peer.let_pass(300.0)
    assert peer.times("INVITE") == [0, 500]
    assert peer.times("CANCEL")[0] == 180_700, "timer C runs from the latest provisional response"


@pytest.mark.parametrize(("tcp", "forgotten"), [(False, 32200), (True, 200)])
def test_invite_client_timer_d_absorbs_refusals(tcp: bool, forgotten: int) -> None:
    peer = Watched()
    peer.call_out(tcp)
    peer.let_pass(0.2)
    peer.answer("486 Busy Here", tcp)
    peer.let_pass(0.1)
    if not tcp:
        peer.answer("486 Busy Here")
    peer.let_pass(40.0)
    assert peer.times("ACK") == ([200, 300] if not tcp else [200])
    assert peer.ends == [(200, EndedBy.REMOTE_REFUSAL)]
    assert peer.held[-1] == (forgotten, 0)


@pytest.mark.parametrize("tcp", [False, True])
def test_invite_client_timer_m_acknowledges_every_copy_of_the_200(tcp: bool) -> None:
    peer = Watched()
    peer.call_out(tcp)
    peer.let_pass(1.0)
    peer.answer("200 OK", tcp)
    peer.let_pass(30.0)
    peer.answer("200 OK", tcp)
    peer.let_pass(1.9)
    assert peer.agent.transactions == 1
    peer.let_pass(0.2)
    assert peer.times("ACK") == [1000, 31000]
    assert peer.held[-1] == (33000, 0)


# ---------------------------------------------------------------- non-INVITE client: E, F, K


def established(peer: Watched, tcp: bool = False) -> tuple[SipCallHandle, str]:
    """A call that came in long ago: its own transactions are over."""
    handle, tag = peer.call(TCP_PEER if tcp else PEER)
    peer.let_pass(60.0)
    peer.sent.clear()
    peer.held.clear()
    return handle, tag


@pytest.mark.parametrize(("tcp", "repeated"), [(False, CAPPED), (True, [])])
def test_non_invite_client_timers_e_and_f(tcp: bool, repeated: list[int]) -> None:
    peer = Watched()
    handle, _ = established(peer, tcp)
    peer.agent.bye(handle, peer.now)
    peer.let_pass(40.0)
    assert [at - 60000 for at in peer.times("BYE")] == [0, *repeated]
    assert peer.sent_to[-1].transport is (Transport.TCP if tcp else Transport.UDP)
    assert peer.held[-1] == (92000, 0)


def bye_answer(peer: Watched, handle: SipCallHandle, status: str) -> bytes:
    """The answer to the BYE that goes out now."""
    peer.agent.bye(handle, peer.now)
    (data,) = peer.taken()
    peer.sent.append((round(peer.now * 1000), "BYE"))
    kept = [line for line in data.split(b"\r\n") if line.startswith((b"Via", b"From", b"To", b"Call-ID", b"CSeq"))]
    return b"SIP/2.0 " + status.encode() + b"\r\n" + b"\r\n".join(kept) + b"\r\nContent-Length: 0\r\n\r\n"


def test_non_invite_client_timer_e_goes_on_at_t2_after_a_provisional_response() -> None:
    peer = Watched()
    handle, _ = established(peer)
    trying = bye_answer(peer, handle, "100 Trying")
    peer.let_pass(0.6)
    peer.say(trying)
    peer.let_pass(40.0)
    assert [at - 60000 for at in peer.times("BYE")] == [0, 500, 1500, 5500, 9500, 13500, 17500, 21500, 25500, 29500]
    assert peer.held[-1] == (92000, 0)


@pytest.mark.parametrize(("tcp", "forgotten"), [(False, 65300), (True, 60300)])
def test_non_invite_client_timer_k(tcp: bool, forgotten: int) -> None:
    peer = Watched()
    handle, _ = established(peer, tcp)
    ok = bye_answer(peer, handle, "200 OK")
    peer.let_pass(0.3)
    peer.say(ok, tcp)
    peer.let_pass(40.0)
    assert peer.times("BYE") == [60000]
    assert peer.held[-1] == (forgotten, 0)


# ---------------------------------------------------------------- INVITE server: G, H, I, L, and the 2xx


def test_invite_server_timers_g_and_h() -> None:
    peer = Watched()
    peer.agent.reject(peer.invite(), 486, 0.0)
    peer.let_pass(40.0)
    assert peer.times("486") == [0, *CAPPED]
    assert peer.held[-1] == (32000, 0)


def test_invite_server_timer_i_after_the_ack() -> None:
    peer = Watched()
    peer.agent.reject(peer.invite(), 486, 0.0)
    peer.let_pass(0.6)
    peer.say(datagram("ACK"))
    peer.let_pass(0.3)
    peer.say(datagram("ACK"))
    peer.let_pass(40.0)
    assert peer.times("486") == [0, 500]
    assert peer.held[-1] == (5600, 0)


@pytest.mark.parametrize(("acked", "forgotten"), [(True, 400), (False, 32000)])
def test_invite_server_over_tcp(acked: bool, forgotten: int) -> None:
    peer = Watched()
    peer.say(datagram("INVITE", body=OFFER), tcp=True)
    peer.taken()
    handle = peer.events[-1].handle
    peer.agent.reject(handle, 486, 0.0)
    peer.let_pass(0.4)
    if acked:
        peer.say(datagram("ACK"), tcp=True)
    peer.let_pass(40.0)
    assert peer.times("486") == [0]
    assert peer.held[-1] == (forgotten, 0)


def test_the_2xx_is_repeated_by_the_dialog_until_64_t1_over_any_transport() -> None:
    for tcp in (False, True):
        peer = Watched()
        peer.say(datagram("INVITE", body=OFFER), tcp=tcp)
        peer.taken()
        peer.agent.accept(peer.events[-1].handle, OFFER, 0.0)
        peer.let_pass(31.9)
        assert peer.times("200") == [0, *CAPPED]
        peer.let_pass(0.2)
        assert peer.ends == [(32000, EndedBy.NO_ACK)]
        assert peer.times("BYE") == [32000]


@pytest.mark.parametrize("tcp", [False, True])
def test_invite_server_timer_l_absorbs_copies_of_the_invite(tcp: bool) -> None:
    peer = Watched()
    peer.call(TCP_PEER if tcp else PEER)
    peer.let_pass(31.9)
    peer.say(datagram("INVITE", body=OFFER), tcp)
    peer.let_pass(0.05)
    assert peer.sent == []
    assert peer.held[-1] == (0, 1)
    peer.let_pass(1.0)
    assert peer.held[-1] == (32000, 0)


def test_a_provisional_response_is_repeated_each_minute() -> None:
    peer = Watched()
    peer.agent.ring(peer.invite(), 0.0)
    peer.let_pass(185.0)
    assert peer.times("180") == [0, 60000, 120000, 180000]


# ---------------------------------------------------------------- non-INVITE server: J


@pytest.mark.parametrize(("tcp", "forgotten"), [(False, 92000), (True, 60000)])
def test_non_invite_server_timer_j(tcp: bool, forgotten: int) -> None:
    peer = Watched()
    _, tag = established(peer)
    bye = datagram("BYE", cseq=2, to_tag=tag, branch="bye")
    peer.say(bye, tcp)
    peer.let_pass(31.9)
    if not tcp:
        peer.say(bye)
    peer.let_pass(10.0)
    assert peer.times("200") == ([60000, 91900] if not tcp else [60000])
    assert peer.held[-1] == (forgotten, 0)


# ---------------------------------------------------------------- CANCEL


def test_a_cancelled_invite_is_given_up_64_t1_after_the_cancel() -> None:
    peer = Watched()
    handle = peer.call_out()
    peer.let_pass(0.1)
    peer.answer("180 Ringing")
    peer.let_pass(0.9)
    peer.agent.cancel(handle, peer.now)
    peer.let_pass(70.0)
    assert peer.times("CANCEL") == [1000, *(1000 + at for at in CAPPED)]
    assert peer.ends == [(1000, EndedBy.LOCAL_CANCEL)]
    assert peer.held[-1] == (33000, 0)
