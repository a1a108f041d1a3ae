"""Our registration: every state and input, what is sent, and what each answer leads to."""

from __future__ import annotations

import itertools
import random

import pytest

from voicegw.base.fsm import IllegalTransition
from voicegw.sip.message import Headers, Request, Response
from voicegw.sip.registration import (
    REGISTRATION,
    RETRY_MAX_S,
    RegisterRequest,
    Registration,
    RegistrationInput,
    RegistrationPlan,
    RegistrationState,
    granted_s,
)
from voicegw.sip.uri import SipUri

PLAN = RegistrationPlan("sip:4930@carrier.example", "sip:carrier.example", "4930")
HERE = SipUri.parse("sip:192.0.2.2:5060")
OURS = "<sip:4930@192.0.2.2:5060>"


def registration(plan: RegistrationPlan = PLAN, seed: int = 5) -> Registration:
    return Registration(plan, random.Random(seed).randbytes, 100.0)


def as_sent(request: RegisterRequest, cseq: int = 0) -> Request:
    """What the user agent makes of it; ``cseq`` is higher where challenges were answered."""
    number = cseq or request.dialog.cseq
    pairs = (("CSeq", f"{number} REGISTER"), ("Call-ID", request.dialog.call_id), *request.headers(HERE))
    return Request("REGISTER", request.plan.registrar, Headers(pairs))


def answer(status: int, *headers: tuple[str, str]) -> Response:
    return Response(status, "Whatever", Headers(headers))


def register(one: Registration, now: float, *headers: tuple[str, str]) -> Request:
    sent = as_sent(one.request(now))
    one.receive(sent, answer(200, *headers), now)
    return sent


def test_every_pair_has_a_row_or_is_refused() -> None:
    for state, happened in itertools.product(RegistrationState, RegistrationInput):
        if REGISTRATION.accepts(state, happened):
            assert isinstance(REGISTRATION.next(state, happened), RegistrationState)
        else:
            with pytest.raises(IllegalTransition):
                REGISTRATION.next(state, happened)
    assert not any(state is RegistrationState.ENDED for state, _ in REGISTRATION.rows)
    living = set(RegistrationState) - {RegistrationState.ENDED, RegistrationState.UNREGISTERING}
    assert all(REGISTRATION.accepts(state, RegistrationInput.STOPPED) for state in living)


def test_a_registration_and_its_refresh() -> None:
    one = registration()
    assert (one.due, one.is_registered(100)) == (100.0, False)
    first = one.request(100)
    assert (one.due, one.state) == (None, RegistrationState.REGISTERING)
    headers = Headers(first.headers(HERE))
    assert headers.get("Contact") == f"{OURS};expires=3600"
    assert (headers.get("Expires"), headers.get("Supported")) == ("3600", "path")
    assert first.sender.startswith("<sip:4930@carrier.example>;tag=")
    one.receive(as_sent(first, 2), answer(200, ("Contact", f"{OURS};expires=600")), 101)
    assert (one.is_registered(700), one.is_registered(701)) == (True, False)
    assert one.due is not None and 101 + 450 <= one.due <= 101 + 510
    again = one.request(one.due)
    assert (again.dialog.call_id, again.sender, again.dialog.cseq) == (first.dialog.call_id, first.sender, 3)
    assert one.state is RegistrationState.REFRESHING


def test_refreshes_of_many_do_not_meet() -> None:
    dues = set()
    for seed in range(50):
        one = registration(seed=seed)
        register(one, 100, ("Expires", "1000"))
        assert one.due is not None
        dues.add(round(one.due))
    assert min(dues) >= 850 and max(dues) <= 950 and len(dues) > 25


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ((("Contact", f"{OURS};expires=120"), ("Expires", "9")), 120),
        ((("Contact", f"<sip:x@203.0.113.9>;expires=77, {OURS};expires=120"),), 120),
        ((("m", "<sip:4930@203.0.113.1:40000;ob>;expires=60"),), 60),
        ((("Contact", OURS), ("Expires", "300")), 300),
        ((("Expires", "300"),), 300),
        ((), 3600),
        ((("Contact", f"{OURS};expires=0"),), 0),
        ((("Contact", f"{OURS};expires=99999999999"),), 3600),
        ((("Contact", f"{OURS};expires=soon"), ("Expires", "40")), 40),
        ((("Contact", "<bad"), ("Expires", "50")), 50),
        ((("Contact", f"{OURS};expires=9999999999"),), 604_800),
        ((("Contact", "<sip:a@b>;expires=1, <sip:c@d>;expires=2"), ("Expires", "200")), 200),
    ],
)
def test_what_the_registrar_grants_counts(headers: tuple[tuple[str, str], ...], seconds: float) -> None:
    sent = as_sent(registration().request(100))
    assert granted_s(sent, answer(200, *headers)) == seconds


def test_a_registrar_that_keeps_nothing_has_not_accepted() -> None:
    one = registration()
    register(one, 100, ("Contact", f"{OURS};expires=0"))
    assert (one.state, one.is_registered(100), one.failures) == (RegistrationState.WAITING, False, 1)


def test_too_brief_is_asked_again_at_once_and_once() -> None:
    one = registration()
    one.receive(as_sent(one.request(100)), answer(423, ("Min-Expires", "7200")), 100)
    assert one.due == 100
    longer = one.request(100)
    assert longer.expires_s == 7200
    one.receive(as_sent(longer), answer(423, ("Min-Expires", "9000")), 100)
    assert one.failures == 1 and one.due is not None and one.due > 100
    one = registration()
    one.receive(as_sent(one.request(100)), answer(423, ("Min-Expires", "60")), 100)
    assert one.failures == 1, "it is not true"


def test_failures_wait_longer_and_longer() -> None:
    one, waits, now = registration(), [], 100.0
    for _ in range(12):
        one.receive(as_sent(one.request(now)), answer(403), now)
        assert one.due is not None
        waits.append(one.due - now)
        now = one.due
    for step, wait in enumerate(waits):
        longest = min(RETRY_MAX_S, 30 * 2.0**step)
        assert longest / 2 <= wait <= longest
    assert (one.status, one.failures) == (403, 12)
    register(one, now)
    assert (one.failures, one.is_registered(now)) == (0, True)


def test_retry_after_is_honoured() -> None:
    one = registration()
    one.receive(as_sent(one.request(100)), answer(503, ("Retry-After", "120")), 100)
    assert one.due == 220


def test_a_refresh_that_fails_leaves_the_binding() -> None:
    one = registration()
    register(one, 100, ("Expires", "600"))
    one.receive_failure(as_sent(one.request(600)), 632)
    assert (one.status, one.reason, one.failures) == (408, "no answer", 1)
    assert (one.is_registered(690), one.is_registered(700)) == (True, False)


def test_a_server_that_is_not_found_is_a_failure() -> None:
    one = registration()
    one.request(100)
    one.receive_failure(None, 100, "carrier.example cannot be found")
    assert (one.state, one.reason) == (RegistrationState.WAITING, "carrier.example cannot be found")


def test_the_end_takes_the_binding_back() -> None:
    one = registration()
    register(one, 100)
    last = one.stop()
    assert last is not None and last.expires_s == 0
    assert Headers(last.headers(HERE)).get("Contact") == f"{OURS};expires=0"
    assert last.dialog.cseq > 1
    one.receive(as_sent(last), answer(200), 101)
    assert (one.state, one.due, one.is_registered(101)) == (RegistrationState.ENDED, None, False)


def test_the_end_before_anything() -> None:
    assert registration().stop() is None
    refused = registration()
    refused.receive(as_sent(refused.request(100)), answer(403), 100)
    assert refused.stop() is None
    assert refused.state is RegistrationState.ENDED


def test_the_end_in_the_middle() -> None:
    one = registration()
    first = one.request(100)
    last = one.stop()
    assert last is not None and last.dialog.cseq > first.dialog.cseq + 5, "challenges may have been answered"
    one.receive_failure(as_sent(last), 102)
    assert one.state is RegistrationState.ENDED
    silent = registration()
    silent.receive_failure(as_sent(silent.request(100)), 132)
    assert silent.stop() is not None, "it may have arrived all the same"


def test_routes_of_the_registrar() -> None:
    one = registration()
    routes = ("Service-Route", "<sip:edge.example;lr>, <sip:core.example;lr>")
    register(one, 100, routes, ("Path", "<sip:edge.example;lr;ob>"), ("Expires", "60"))
    assert one.service_route == ("<sip:edge.example;lr>", "<sip:core.example;lr>")
    assert one.path == ("<sip:edge.example;lr;ob>",)
    assert one.due is not None
    register(one, one.due, ("Service-Route", "<tel:1>"))
    assert one.service_route == ()


def test_outbound_is_offered_and_used_where_the_registrar_says_so() -> None:
    plan = RegistrationPlan(
        "sip:4930@carrier.example",
        "sip:carrier.example",
        "4930",
        instance="urn:uuid:00000000-0000-1000-8000-000A95A0E128",
    )
    one = registration(plan)
    sent = as_sent(one.request(100))
    contact = sent.headers.get("Contact") or ""
    assert f';+sip.instance="<{plan.instance}>";reg-id=1;expires=3600' in contact
    assert sent.headers.get("Supported") == "path, outbound"
    theirs = f'<sip:4930@198.51.100.1:9;ob>;+sip.instance="<{plan.instance}>";reg-id=1;expires=90'
    other = '<sip:4930@198.51.100.2:9>;+sip.instance="<urn:uuid:other>";reg-id=1;expires=10'
    one.receive(
        sent, answer(200, ("Contact", f"{other}, {theirs}"), ("Require", "outbound"), ("Flow-Timer", "25")), 100
    )
    assert (one.flow_timer_s, one.expires_at) == (25.0, 190)
    assert one.due is not None
    register(one, one.due)
    assert one.flow_timer_s is None
