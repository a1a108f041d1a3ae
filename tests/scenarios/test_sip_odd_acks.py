"""The ACK of a 2xx as some peers send it: with the branch of the INVITE and a To tag that nobody gave them."""

from __future__ import annotations

import pytest

from tests.scenarios.sip_pair import ALICE, ANSWER, BOB, OFFER, Party
from voicegw.sip.counters import SipCounter
from voicegw.sip.events import AckReceived, InviteReceived


def request(method: str, *, to_tag: str = "", branch: str = "z9hG4bKodd", call_id: str = "odd@192.0.2.1") -> bytes:
    lines = [
        f"{method} sip:bob@{BOB} SIP/2.0",
        f"Via: SIP/2.0/UDP {ALICE};branch={branch}",
        "Max-Forwards: 70",
        "From: <sip:alice@192.0.2.1>;tag=alice",
        f"To: <sip:bob@{BOB}>{to_tag}",
        f"Call-ID: {call_id}",
        f"CSeq: 1 {method}",
        f"Contact: <sip:alice@{ALICE}>",
        *(["Content-Type: application/sdp"] if method == "INVITE" else []),
        f"Content-Length: {len(OFFER) if method == 'INVITE' else 0}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + (OFFER if method == "INVITE" else b"")


def answered() -> Party:
    bob = Party(BOB, 2)
    bob.agent.receive_datagram(request("INVITE"), ALICE, 1.0)
    bob.take_events()
    bob.agent.accept(bob.one(InviteReceived).handle, ANSWER, 1.0)
    bob.agent.datagrams_to_send()
    return bob


def test_the_branch_of_the_invite_is_enough() -> None:
    bob = answered()
    bob.agent.receive_datagram(request("ACK", to_tag=";tag=made-up"), ALICE, 1.1)
    bob.take_events()
    assert bob.of(AckReceived)
    bob.agent.handle_timer(5.0)
    assert bob.agent.datagrams_to_send() == [], "the 200 is not repeated any more"


@pytest.mark.parametrize("change", [{"branch": "z9hG4bKother"}, {"call_id": "other@192.0.2.1"}])
def test_a_guess_is_not(change: dict[str, str]) -> None:
    bob = answered()
    bob.agent.receive_datagram(request("ACK", to_tag=";tag=made-up", **change), ALICE, 1.1)
    bob.take_events()
    assert not bob.of(AckReceived)
    assert bob.counters.get(SipCounter.STRAY_ACK) == 1
