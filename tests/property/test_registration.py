"""A registration in any weather: it never stands still, never repeats a number, and ends when it is told to."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from voicegw.sip.headers import CSeq
from voicegw.sip.message import Headers, Request, Response
from voicegw.sip.registration import (
    LONGEST_S,
    RETRY_MAX_S,
    RegisterRequest,
    Registration,
    RegistrationPlan,
    RegistrationState,
)
from voicegw.sip.uri import SipUri

HERE = SipUri.parse("sip:192.0.2.2:5060")
PLAN = RegistrationPlan("sip:u@carrier.test", "sip:carrier.test", "u", instance="urn:uuid:0")
OURS = '<sip:u@192.0.2.2:5060>;+sip.instance="<urn:uuid:0>";reg-id=1'
texts = st.sampled_from(["", "0", "1", "60", "3600", "99999999999", "soon", "-5", "60;x=1", "7200 (well)"])
headers = st.lists(
    st.one_of(
        st.tuples(st.just("Contact"), texts.map(lambda text: f"{OURS};expires={text or 7}")),
        st.tuples(st.sampled_from(["Expires", "Min-Expires", "Retry-After", "Flow-Timer"]), texts),
        st.tuples(st.sampled_from(["Service-Route", "Path"]), st.sampled_from(["<sip:p;lr>", "<tel:1>", "<sip:"])),
        st.tuples(st.just("Contact"), st.sampled_from(["<sip:other@x>;expires=5", "*", "<sip:", ""])),
        st.tuples(st.just("Require"), st.sampled_from(["outbound", "other", ""])),
    ),
    max_size=5,
)
statuses = st.sampled_from([200, 202, 301, 400, 401, 403, 404, 423, 500, 503, 600])
ends = st.one_of(st.none(), st.tuples(statuses, headers))


def sent(request: RegisterRequest, challenges: int) -> Request:
    number = request.dialog.cseq + challenges
    return Request("REGISTER", PLAN.registrar, Headers((("CSeq", f"{number} REGISTER"), *request.headers(HERE))))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(ends, st.integers(0, 3), st.floats(0, 64)), max_size=25), st.booleans(), st.integers())
def test_any_weather(
    history: list[tuple[tuple[int, list[tuple[str, str]]] | None, int, float]], midway: bool, seed: int
) -> None:
    one, now, last = Registration(PLAN, random.Random(seed).randbytes, 0.0), 0.0, 0
    for end, challenges, wait in history:
        assert one.due is not None and one.due <= now + max(LONGEST_S, RETRY_MAX_S, 3600)
        now = max(now, one.due)
        request = one.request(now)
        assert one.due is None and request.expires_s > 0
        message = sent(request, challenges)
        assert request.dialog.cseq > last
        last = CSeq.parse(message.headers.get("CSeq") or "").number
        now += wait
        if end is None:
            one.receive_failure(message, now)
        else:
            one.receive(message, Response(end[0], "So", Headers(end[1])), now)
        assert one.state in (RegistrationState.REGISTERED, RegistrationState.WAITING)
        if one.state is RegistrationState.REGISTERED:
            assert one.is_registered(now) and one.failures == 0
    if midway and one.due is not None:
        last = one.request(now).dialog.cseq
    goodbye = one.stop()
    if goodbye is not None:
        assert goodbye.expires_s == 0 and goodbye.dialog.cseq > last
        one.receive_failure(sent(goodbye, 0), now)
    assert one.state is RegistrationState.ENDED
    assert not one.is_registered(now) and one.due is None
