"""A lease is never held by two, whatever clock or network does to whom."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from voicegw.cluster.lease import Ask, Lease
from voicegw.ports.cluster import Hold

TTL_S = 10.0


def held(now: float = 0.0, token: int = 7) -> Lease:
    lease = Lease(TTL_S)
    lease.taken(token, now)
    return lease


def test_it_is_nobodys_until_it_is_taken() -> None:
    lease = Lease(TTL_S)
    assert (lease.hold(0.0), lease.next_question()) == (Hold.NONE, Ask.TAKE)
    lease.taken(0, 0.0)
    assert (lease.hold(0.0), lease.next_question()) == (Hold.NONE, Ask.TAKE)
    lease.taken(7, 1.0)
    assert (lease.hold(1.0), lease.next_question(), lease.token) == (Hold.HELD, Ask.KEEP, 7)


def test_it_ends_before_the_one_in_redis_does() -> None:
    lease = held(now=100.0)  # asked at 100: Redis counts from a moment later
    assert lease.hold(108.9) is Hold.HELD and lease.hold(109.1) is Hold.FROZEN


def test_what_is_kept_goes_on() -> None:
    lease = held(now=0.0)
    lease.kept(True, 5.0)
    assert lease.hold(13.9) is Hold.HELD


def test_without_an_answer_the_holder_stands_still_and_asks_again() -> None:
    lease = held()
    assert lease.hold(60.0) is Hold.FROZEN and lease.next_question() is Ask.KEEP
    lease.kept(True, 60.0)
    assert lease.hold(61.0) is Hold.HELD


def test_one_that_somebody_else_has_taken_is_over() -> None:
    lease = held()
    lease.kept(False, 60.0)
    assert lease.hold(60.0) is Hold.FROZEN and lease.next_question() is Ask.TAKE
    lease.taken(0, 60.0)
    assert lease.hold(60.0) is Hold.NONE


def test_one_that_redis_has_forgotten_is_taken_anew() -> None:
    lease = held(token=7)
    lease.kept(False, 3.0)
    lease.taken(8, 3.1)
    assert (lease.hold(3.2), lease.token) == (Hold.HELD, 8)


def test_giving_up_names_the_token_once() -> None:
    lease = held()
    assert (lease.given_up(), lease.given_up(), lease.hold(0.0)) == (7, 0, Hold.NONE)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["ask", "wait", "cut"])), max_size=60))
def test_two_never_hold_it_at_once(steps: list[tuple[int, str]]) -> None:
    """Three nodes and a server that counts as Redis does; "cut": the answer does not arrive."""
    leases = [Lease(TTL_S) for _ in range(3)]
    now, owner, token, ends = 0.0, -1, 0, 0.0
    for node, step in steps:
        now += 3.0 if step == "wait" else 0.25
        if step == "wait":
            continue
        lease, asked_at = leases[node], now
        now += 0.25  # on the way
        if lease.next_question() is Ask.KEEP:
            is_ours = (owner, token) == (node, lease.token) and now < ends
            ends = now + TTL_S if is_ours else ends
            if step == "ask":
                lease.kept(is_ours, asked_at)
        else:
            if now >= ends:
                owner, token = node, token + 1
            ends = now + TTL_S if owner == node else ends
            if step == "ask":
                lease.taken(token if owner == node else 0, asked_at)
        holders = [one for one, lease in enumerate(leases) if lease.hold(now) is Hold.HELD]
        assert len(holders) <= 1 and set(holders) <= {owner}
