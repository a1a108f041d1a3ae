"""The transaction layer on its own: what is sent again, when, and what is kept."""

from __future__ import annotations

from collections.abc import Hashable

import pytest

from voicegw.base.fsm import IllegalTransition
from voicegw.sip.address import Address, Transport
from voicegw.sip.machine import State
from voicegw.sip.message import Headers, Request, Response
from voicegw.sip.timers import TimerQueue, TimerValues
from voicegw.sip.transaction import Outcome, Transaction, TransactionLayer

PEER = Address("192.0.2.9", 5060)
KEY = ("z9hG4bKx", "192.0.2.9:5060", "INVITE")


class Bench:
    def __init__(self) -> None:
        self.timers: TimerQueue[Hashable] = TimerQueue()
        self.sent: list[tuple[float, bytes]] = []
        self.now = 0.0
        self.outcomes: list[Outcome] = []
        self.layer: TransactionLayer[str] = TransactionLayer(
            self.timers, TimerValues(), lambda data, _: self.sent.append((self.now, data))
        )

    def run_until(self, end: float) -> None:
        while (deadline := self.timers.next_deadline()) is not None and deadline <= end:
            self.now = deadline
            for owner, timer in self.timers.pop_due(deadline):
                assert isinstance(owner, Transaction)
                self.outcomes.append(self.layer.fire(owner, timer, deadline))
        self.now = end

    def times(self) -> list[float]:
        return [at for at, _ in self.sent]


def request(method: str) -> Request:
    pairs = [
        ("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa"),
        ("Route", "<sip:192.0.2.7;lr>"),
        ("From", "<sip:a@x>;tag=1"),
        ("To", "<sip:b@x>"),
        ("Call-ID", "c1"),
        ("CSeq", f"7 {method}"),
    ]
    return Request(method, "sip:b@x", Headers(pairs))


def response(status: int, method: str = "INVITE") -> Response:
    pairs = [("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa"), ("To", "<sip:b@x>;tag=2")]
    return Response(status, "", Headers([*pairs, ("CSeq", f"7 {method}")]))


def test_invite_is_repeated_by_timer_a_until_timer_b() -> None:
    bench = Bench()
    bench.layer.start_client(request("INVITE"), "z9hG4bKa", PEER, "user", 0.0)
    bench.run_until(40.0)
    assert bench.times() == [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert bench.outcomes[-1] is Outcome.TIMEOUT
    assert len(bench.layer) == 0


def test_other_requests_are_repeated_by_timer_e_up_to_t2_until_timer_f() -> None:
    bench = Bench()
    bench.layer.start_client(request("BYE"), "z9hG4bKa", PEER, "user", 0.0)
    bench.run_until(40.0)
    assert bench.times() == [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert bench.outcomes[-1] is Outcome.TIMEOUT


def test_once_answered_provisionally_a_request_is_repeated_each_t2() -> None:
    bench = Bench()
    transaction = bench.layer.start_client(request("BYE"), "z9hG4bKa", PEER, "user", 0.0)
    assert bench.layer.receive_response(transaction, response(100, "BYE"), 0.1) is Outcome.PASS_UP
    bench.run_until(10.0)
    assert bench.times() == [0.0, 0.5, 4.5, 8.5]


def test_a_provisional_response_stops_the_repetition_of_an_invite() -> None:
    bench = Bench()
    transaction = bench.layer.start_client(request("INVITE"), "z9hG4bKa", PEER, "user", 0.0)
    bench.layer.receive_response(transaction, response(180), 0.1)
    bench.run_until(300.0)
    assert bench.times() == [0.0]
    assert transaction.state is State.PROCEEDING


def test_a_refused_invite_is_acknowledged_within_its_own_transaction() -> None:
    bench = Bench()
    transaction = bench.layer.start_client(request("INVITE"), "z9hG4bKa", PEER, "user", 0.0)
    assert bench.layer.receive_response(transaction, response(486), 1.0) is Outcome.PASS_UP
    assert bench.layer.receive_response(transaction, response(486), 2.0) is Outcome.NOTHING
    acks = [data for _, data in bench.sent[1:]]
    assert acks[0] == acks[1]
    assert acks[0].startswith(b"ACK sip:b@x SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa\r\n")
    for line in (b"Route: <sip:192.0.2.7;lr>", b"To: <sip:b@x>;tag=2", b"CSeq: 7 ACK", b"From: <sip:a@x>;tag=1"):
        assert b"\r\n" + line + b"\r\n" in acks[0]
    bench.run_until(34.0)
    assert len(bench.layer) == 0


def test_every_2xx_of_an_invite_is_passed_up_for_64_t1() -> None:
    bench = Bench()
    transaction = bench.layer.start_client(request("INVITE"), "z9hG4bKa", PEER, "user", 0.0)
    outcomes = [bench.layer.receive_response(transaction, response(200), t) for t in (1.0, 2.0, 3.0)]
    assert outcomes == [Outcome.PASS_UP] * 3
    assert transaction.data == b""
    assert transaction.request is None
    bench.run_until(32.9)
    assert len(bench.layer) == 1
    bench.run_until(33.1)
    assert len(bench.layer) == 0


def test_a_refusal_is_repeated_by_timer_g_until_the_ack() -> None:
    bench = Bench()
    transaction = bench.layer.open_server(KEY, "INVITE", PEER, "user")
    bench.layer.respond(transaction, response(486), 0.0)
    bench.run_until(8.0)
    assert bench.times() == [0.0, 0.5, 1.5, 3.5, 7.5]
    bench.layer.receive_again(transaction, "ACK", 8.0)
    bench.layer.receive_again(transaction, "ACK", 8.1)
    bench.layer.receive_again(transaction, "INVITE", 8.2)
    bench.run_until(12.9)
    assert len(bench.sent) == 5
    assert len(bench.layer) == 1
    bench.run_until(13.1)
    assert len(bench.layer) == 0


def test_a_refusal_without_ack_is_given_up_by_timer_h() -> None:
    bench = Bench()
    transaction = bench.layer.open_server(KEY, "INVITE", PEER, "user")
    bench.layer.respond(transaction, response(486), 0.0)
    bench.run_until(33.0)
    assert bench.outcomes[-1] is Outcome.TIMEOUT
    assert len(bench.layer) == 0


def test_a_repeated_invite_gets_the_latest_provisional_response_and_nothing_after_a_2xx() -> None:
    bench = Bench()
    transaction = bench.layer.open_server(KEY, "INVITE", PEER, "user")
    bench.layer.respond(transaction, response(100), 0.0)
    bench.layer.respond(transaction, response(180), 0.0)
    bench.layer.receive_again(transaction, "INVITE", 0.5)
    assert [data.split(b" ")[1] for _, data in bench.sent] == [b"100", b"180", b"180"]
    bench.layer.respond(transaction, response(200), 1.0)
    bench.layer.receive_again(transaction, "INVITE", 1.5)
    assert len(bench.sent) == 4
    assert transaction.data == b""
    assert bench.layer.receive_again(transaction, "ACK", 2.0) is Outcome.PASS_UP
    bench.run_until(33.1)
    assert len(bench.layer) == 0


def test_a_repeated_bye_gets_the_same_bytes_for_64_t1() -> None:
    bench = Bench()
    key = ("z9hG4bKx", "h", "BYE")
    transaction = bench.layer.open_server(key, "BYE", PEER, "user")
    bench.layer.receive_again(transaction, "BYE", 0.0)
    assert bench.sent == []
    data = bench.layer.respond(transaction, response(200, "BYE"), 0.1)
    bench.layer.receive_again(transaction, "BYE", 1.0)
    assert [sent for _, sent in bench.sent] == [data, data]
    bench.run_until(32.2)
    assert bench.layer.find_server(key) is None


@pytest.mark.parametrize("transport", [Transport.TCP, Transport.TLS, Transport.WS, Transport.WSS])
def test_nothing_is_repeated_over_a_reliable_transport(transport: Transport) -> None:
    bench, peer = Bench(), PEER._replace(transport=transport)
    invite = bench.layer.start_client(request("INVITE"), "z9hG4bKa", peer, "user", 0.0)
    bye = bench.layer.start_client(request("BYE"), "z9hG4bKb", peer, "user", 0.0)
    server = bench.layer.open_server(KEY, "INVITE", peer, "user")
    bench.layer.respond(server, response(486), 0.0)
    bench.run_until(31.0)
    assert len(bench.sent) == 3
    bench.layer.receive_response(invite, response(486), 31.0)
    bench.layer.receive_response(bye, response(200, "BYE"), 31.0)
    bench.layer.receive_again(server, "ACK", 31.0)
    bench.run_until(31.0)
    assert len(bench.layer) == 0


def test_an_abandoned_transaction_leaves_no_timer() -> None:
    bench = Bench()
    transaction = bench.layer.start_client(request("INVITE"), "z9hG4bKa", PEER, "user", 0.0)
    bench.layer.abandon(transaction)
    bench.layer.abandon(transaction)
    assert (len(bench.layer), bench.timers.next_deadline()) == (0, None)


def test_a_second_final_response_of_our_own_is_a_mistake() -> None:
    bench = Bench()
    transaction = bench.layer.open_server(KEY, "INVITE", PEER, "user")
    bench.layer.respond(transaction, response(486), 0.0)
    with pytest.raises(IllegalTransition):
        bench.layer.respond(transaction, response(200), 0.0)


def test_merged_requests_are_found_until_the_first_transaction_is_over() -> None:
    bench = Bench()
    transaction = bench.layer.open_server(KEY, "INVITE", PEER, "user", merge_key="m")
    assert bench.layer.find_merged("m") is transaction
    bench.layer.respond(transaction, response(200), 0.0)
    bench.run_until(40.0)
    assert bench.layer.find_merged("m") is None


def test_the_number_of_server_transactions_is_bounded() -> None:
    timers: TimerQueue[Hashable] = TimerQueue()
    layer: TransactionLayer[str] = TransactionLayer(timers, TimerValues(), lambda *_: None, max_servers=1)
    assert layer.has_room
    layer.open_server(KEY, "INVITE", PEER, "user")
    assert not layer.has_room


def test_other_values_count_for_timers_that_begin_then() -> None:
    bench = Bench()
    running = bench.layer.start_client(request("OPTIONS"), "z9hG4bKa", PEER, "user", 0.0)
    bench.run_until(0.6)
    bench.layer.values = TimerValues(t1=2.0)
    bench.layer.start_client(request("INFO"), "z9hG4bKa", PEER, "user", bench.now)
    bench.run_until(4.0)
    assert bench.times() == pytest.approx([0.0, 0.5, 0.6, 1.5, 2.6, 3.5])
    assert bench.layer.is_of(running, "192.0.2.1:5060") and not bench.layer.is_of(running, "192.0.2.2:5060")
