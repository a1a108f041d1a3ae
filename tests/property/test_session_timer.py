"""Session timers for any two policies and peers: both sides agree who refreshes, and when it is over (RFC 4028)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from voicegw.sip.message import Headers
from voicegw.sip.session_timer import (
    SessionExpires,
    SessionTimer,
    SessionTimerPolicy,
    agreed,
    granted,
    is_too_brief,
    min_se,
    offered,
    wish,
)

policies = st.tuples(st.integers(90, 4000), st.integers(0, 4000)).map(
    lambda pair: SessionTimerPolicy(pair[0] + pair[1] if pair[1] else 0, pair[0])
)


def negotiate(
    ours: SessionTimerPolicy, theirs: SessionTimerPolicy
) -> tuple[SessionTimer | None, SessionTimer | None]:
    """What the caller and the called side take to be agreed, after as many 422 as it takes."""
    least = 0
    for _ in range(3):
        request = Headers((("Supported", "timer"), *offered(ours, None, least)))
        if not is_too_brief(request, theirs):
            there, pairs = granted(request, theirs)
            return agreed(Headers(pairs), ours, None), there
        least = theirs.min_se_s
    raise AssertionError("422 without end")


@given(policies, policies)
def test_the_two_sides_agree(ours: SessionTimerPolicy, theirs: SessionTimerPolicy) -> None:
    here, there = negotiate(ours, theirs)
    if here is None or there is None:
        assert here is there is None
        assert not ours.session_expires_s and not theirs.session_expires_s
        return
    assert here.ours is not there.ours, "one refreshes, and only one"
    assert here.peer_knows and there.peer_knows
    for timer in (here, there):
        assert 0 < timer.refresh_s < timer.expiry_s < timer.interval_s
        assert timer.interval_s >= 90


@given(
    policies, st.integers(0, 5000), st.integers(0, 5000), st.sampled_from(["", ";refresher=uac", ";refresher=uas"])
)
def test_an_answer_keeps_to_what_was_asked(policy: SessionTimerPolicy, wanted: int, least: int, who: str) -> None:
    asked = Headers((("Supported", "timer"), ("Session-Expires", f"{wanted}{who}"), ("Min-SE", str(least))))
    if is_too_brief(asked, policy):
        assert wanted < policy.min_se_s
        return
    timer, pairs = granted(asked, policy)
    answer = SessionExpires.parse(dict(pairs)["Session-Expires"])
    assert timer is not None
    assert answer.interval_s <= wanted
    assert answer.interval_s >= min(wanted, least)
    assert answer.refresher is not None
    assert not who or answer.refresher.value in who
    assert timer.ours is (answer.refresher.value == "uas")


@given(st.text(alphabet=st.characters(max_codepoint=255), max_size=40).filter(lambda text: "\n" not in text))
def test_no_header_value_does_harm(text: str) -> None:
    value = text.replace("\r", "").replace("\0", "")
    headers = Headers((("Session-Expires", value), ("Min-SE", value), ("Supported", "timer")))
    assert min_se(headers) >= 0
    wish(headers)
    timer, _ = granted(headers, SessionTimerPolicy())
    assert timer is not None and timer.interval_s >= 90
