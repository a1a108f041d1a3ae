"""Limits for each address, half-open calls of strangers, and what strangers are not sent twice."""

from __future__ import annotations

from tests.unit.sip.raw_peer import HERE, OFFER, PEER, RawPeer, datagram
from voicegw.sip.address import Address
from voicegw.sip.admission import AdmissionLimits
from voicegw.sip.core import UserAgentConfig
from voicegw.sip.counters import SipCounter
from voicegw.sip.events import AckReceived, CallEnded, EndedBy, InviteReceived
from voicegw.sip.user_agent import UserAgent


class Strangers:
    """Nobody is known but by a call."""

    def __init__(self) -> None:
        self.met: list[str] = []

    def is_known(self, source: Address) -> bool:
        return source.host in self.met

    def acquaint(self, source: Address) -> None:
        self.met.append(source.host)

    def part(self, source: Address) -> None:
        self.met.remove(source.host)


class Door(RawPeer):
    """A user agent to which everybody is a stranger."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peers = Strangers()
        limits = AdmissionLimits(per_source=5, per_stranger=2, half_open=3, transactions_per_stranger=4)
        config = UserAgentConfig(local_address=lambda _peer: HERE, limits=limits, peers=self.peers)
        self.agent = UserAgent(config, lambda count: bytes(count), self.counters)

    def knock(self, number: int, source: Address = PEER) -> list[int]:
        """The statuses that an INVITE of its own call gets."""
        data = datagram("INVITE", body=OFFER, branch=f"k{number}", call_id=f"Call-ID: k{number}")
        return [response.status for response in self.send(data, source)]

    def answer_all(self) -> None:
        """Accept every call that is offered."""
        for event in self.events:
            if isinstance(event, InviteReceived):
                self.agent.accept(event.handle, b"v=0\r\n", self.now)
        self.events.clear()
        self.taken()


def sources(count: int) -> list[Address]:
    return [Address(f"203.0.113.{n}", 5060) for n in range(1, count + 1)]


def test_a_stranger_may_have_two_calls_and_an_acquaintance_five() -> None:
    door = Door()
    assert [door.knock(n)[0] for n in range(3)] == [100, 100, 503]
    door.peers.met.append(PEER.host)
    assert [door.knock(n)[0] for n in range(3, 8)] == [100, 100, 100, 503, 503]


def test_an_ended_call_gives_its_place_back() -> None:
    door = Door()
    door.knock(0)
    door.knock(1)
    for event in list(door.events):
        if isinstance(event, InviteReceived):
            door.agent.reject(event.handle, 486, door.now)
    assert door.knock(2)[-1] == 100


def test_a_strangers_finished_transactions_are_counted_until_they_are_forgotten() -> None:
    door = Door()
    for n in range(4):
        assert door.knock(n)[-1] == 100
        event = door.events.pop()
        assert isinstance(event, InviteReceived)
        door.agent.reject(event.handle, 404, door.now)
        door.taken()
    assert door.knock(4) == [503]
    door.wait(33.0)
    assert door.knock(5) == [100]


def test_half_open_calls_make_room_when_they_are_a_second_old() -> None:
    door = Door()
    for n, source in enumerate(sources(3)):
        assert door.knock(n, source) == [100]
    door.answer_all()
    (fourth,) = sources(4)[3:]
    assert door.knock(10, fourth) == [503]
    door.wait(1.1)
    assert door.knock(11, fourth)[-1] == 100
    ended = [event for event in door.events if isinstance(event, CallEnded)]
    assert [event.ended_by for event in ended] == [EndedBy.NO_ACK]
    assert door.counters.get(SipCounter.HALF_OPEN) == 1
    assert door.agent.active_calls == 3


def test_known_callers_do_not_wait_for_half_open_ones() -> None:
    door = Door()
    for n, source in enumerate(sources(3)):
        door.knock(n, source)
    door.answer_all()
    door.peers.met.append(PEER.host)
    assert door.knock(10) == [100]


def test_calls_that_ring_are_not_given_up() -> None:
    door = Door()
    for n, source in enumerate(sources(3)):
        door.knock(n, source)
    door.wait(20.0)
    assert door.knock(10, PEER) == [503]
    assert door.agent.active_calls == 3


def test_an_ack_makes_an_acquaintance_for_as_long_as_the_call_lasts() -> None:
    door = Door()
    handle, _ = door.call()
    assert door.peers.met == [PEER.host]
    door.agent.bye(handle, door.now)
    assert door.peers.met == []


def test_an_ack_without_our_tag_proves_nothing() -> None:
    """Who forges an address knows the branch and the Call-ID of its INVITE, and not the tag of our answer."""
    door = Door()
    three, (fourth,) = sources(3), sources(4)[3:]
    for n, source in enumerate(three):
        door.knock(n, source)
    door.answer_all()
    for n, source in enumerate(three):
        door.send(datagram("ACK", to_tag="made-up", branch=f"k{n}", call_id=f"Call-ID: k{n}"), source)
    assert len([event for event in door.events if isinstance(event, AckReceived)]) == 3, "they may talk"
    assert (door.peers.met, door.agent.half_open_calls) == ([], 3)
    door.wait(1.1)
    assert door.knock(11, fourth)[-1] == 100
    assert [event.ended_by for event in door.events if isinstance(event, CallEnded)] == [EndedBy.NO_ACK]


def test_who_is_known_has_a_call_by_an_ack_without_our_tag() -> None:
    door = Door()
    door.peers.met.append(PEER.host)
    door.knock(1)
    door.answer_all()
    door.send(datagram("ACK", to_tag="made-up", branch="k1", call_id="Call-ID: k1"))
    assert door.peers.met == [PEER.host, PEER.host]


def test_who_is_called_by_us_is_no_stranger() -> None:
    door = Door()
    handle = door.agent.invite("sip:them@198.51.100.4", "sip:me@192.0.2.2", PEER, OFFER, 0.0)
    assert door.peers.met == [PEER.host]
    door.wait(40.0)
    assert door.agent.state_of(handle) is None
    assert door.peers.met == []


def test_a_refusal_is_not_repeated_to_a_stranger_unless_it_asks_again() -> None:
    door = Door()
    handle = door.invite()
    door.agent.reject(handle, 404, 0.0)
    assert len(door.taken()) == 1
    assert door.wait(31.0) == []
    assert [r.status for r in door.send(datagram("INVITE", body=OFFER))] == [404]


def test_a_known_peer_gets_the_refusal_until_its_ack() -> None:
    peer = RawPeer()
    peer.agent.reject(peer.invite(), 404, 0.0)
    peer.taken()
    assert len(peer.wait(31.9)) == 10


def test_the_bye_to_a_stranger_that_never_acknowledged_goes_out_once() -> None:
    door = Door()
    door.agent.accept(door.invite(), b"v=0\r\n", 0.0)
    door.taken()
    sent = door.wait(100.0)
    assert sum(data.startswith(b"BYE") for data in sent) == 1
    assert door.agent.transactions == 0


def test_overload_refuses_new_calls_and_nothing_else() -> None:
    peer = RawPeer()
    _, tag = peer.call()
    peer.agent.set_overloaded(True)
    response = peer.one(datagram("INVITE", body=OFFER, branch="o", call_id="Call-ID: o"))
    assert (response.status, response.headers.get("Retry-After")) == (503, "10")
    assert peer.counters.get(SipCounter.OVERLOADED) == 1
    assert peer.one(datagram("OPTIONS", branch="p", call_id="Call-ID: p")).status == 200
    assert peer.one(datagram("BYE", cseq=2, to_tag=tag, branch="b")).status == 200
    peer.agent.set_overloaded(False)
    assert peer.one(datagram("INVITE", body=OFFER, branch="q", call_id="Call-ID: q")).status == 100
