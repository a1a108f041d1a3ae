"""Mutilated PRACKs, UPDATEs and reliable responses: nothing is raised, and every call ends once."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.test_sip_datagrams import changes, check_alive, mutate
from tests.unit.sip.raw_peer import PEER, RawPeer, datagram
from tests.unit.sip.test_forks import Forking
from voicegw.sip.events import CallEnded, OfferReceived, ProgressReceived, SipCallHandle

SDP = b"v=0\r\nanswer"
BODIES = st.sampled_from((b"", b"v=0\r\nchange"))


@given(
    edits=changes,
    method=st.sampled_from(("PRACK", "UPDATE")),
    offers=st.booleans(),
    body=BODIES,
    accepts=st.booleans(),
)
@settings(max_examples=250, deadline=None)
def test_a_caller_that_writes_badly(
    edits: list[tuple[float, int, bytes]], method: str, offers: bool, body: bytes, accepts: bool
) -> None:
    peer, handle = RawPeer(), SipCallHandle(1)
    peer.send(datagram("INVITE", "Require: 100rel", body=b"v=0\r\noffer" if offers else b""))
    peer.agent.ring(handle, 0.0, 183, SDP)
    (response,) = peer.responses()
    tag = (response.headers.get("To") or "").partition("tag=")[2]
    sound = datagram(
        method, f"RAck: {response.headers.get('RSeq')} 1 INVITE", cseq=2, branch="p", to_tag=tag, body=body
    )
    for data in (mutate(sound, edits), sound):
        peer.agent.receive_datagram(data, PEER, 0.0)
        peer.taken()
    for event in peer.events:
        if isinstance(event, OfferReceived):
            peer.agent.answer_offer(event.handle, SDP, 0.0)
    if accepts and peer.agent.state_of(handle) is not None:
        peer.agent.accept(handle, SDP, 0.0)
    check_alive(peer)
    peer.wait(150.0)
    if peer.agent.state_of(handle) is not None:
        peer.agent.reject(handle, 480, peer.now)
    peer.wait(150.0)
    assert len([event for event in peer.events if isinstance(event, CallEnded)]) == 1
    assert (peer.agent.active_calls, peer.agent.transactions) == (0, 0)


@given(edits=changes, status=st.integers(101, 299), rseq=st.integers(-1, 2**33), offers=st.booleans())
@settings(max_examples=250, deadline=None)
def test_a_called_side_that_writes_badly(
    edits: list[tuple[float, int, bytes]], status: int, rseq: int, offers: bool
) -> None:
    forking = Forking()
    forking.invite(b"v=0\r\noffer" if offers else None)
    sound = forking.text("one", status, "Require: 100rel", f"RSeq: {rseq}", body=SDP)
    for data in (mutate(sound, edits), sound):
        forking.agent.receive_datagram(data, PEER, 0.0)
        forking.take()
    for event in forking.events:
        if isinstance(event, ProgressReceived) and event.wants_answer:
            forking.agent.answer_progress(event.handle, event.tag, SDP, 0.0)
    forking.agent.cancel(forking.handle, 0.0)
    forking.agent.bye(forking.handle, 0.0)
    forking.take()
    now = 0.0
    while (deadline := forking.agent.get_timer()) is not None:
        now = max(now, deadline)
        forking.agent.handle_timer(now)
        forking.take()
    assert len([event for event in forking.events if isinstance(event, CallEnded)]) == 1
    assert (forking.agent.active_calls, forking.agent.transactions) == (0, 0)
