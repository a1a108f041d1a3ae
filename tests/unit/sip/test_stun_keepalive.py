"""STUN as we send it: the request that keeps a flow open, and what counts as its answer (RFC 5626 §4.4.2)."""

from __future__ import annotations

from voicegw.sip.address import Address
from voicegw.sip.stun import TRANSACTION_BYTES, answer_stun, answered_transaction, binding_request, is_stun

ONE = bytes(range(TRANSACTION_BYTES))


def test_our_request_is_answered_by_our_own_server() -> None:
    request = binding_request(ONE)
    assert is_stun(request)
    answer = answer_stun(request, Address("192.0.2.1", 5060))
    assert answer is not None
    assert answered_transaction(answer) == ONE


def test_nothing_else_is_an_answer() -> None:
    request = binding_request(ONE)
    for data in (request, b"", request[:12], b"\x01\x01" + request[2:4] + b"\0\0\0\0" + ONE):
        assert answered_transaction(data) == b""
