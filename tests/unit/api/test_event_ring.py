"""The ring of live events against a plain list of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from voicegw.api.event_ring import TOGETHER, EventRing, Kept, LiveEvent
from voicegw.base.ids import CallId


def event(number: int) -> Kept:
    text = b'{"id":"boot-%d","call_id":"c%d"}' % (number, number // 10)
    return Kept(
        LiveEvent(number, f"boot-{number}", "CallAnswered", text), CallId(f"c{number // 10}"), "+1", "", "a"
    )


def ring_of(size: int, events: int) -> EventRing:
    ring = EventRing(size)
    for number in range(1, events + 1):
        ring.append(event(number))
    return ring


def kept_by(ring: EventRing, after: int = 0) -> list[Kept]:
    return list(ring.newest_first(after))[::-1]


@given(st.integers(1, 1500), st.integers(0, 2500), st.integers(0, 2600))
def test_at_least_the_latest_are_kept_and_in_order(size: int, events: int, after: int) -> None:
    ring = ring_of(size, events)
    kept = kept_by(ring)
    assert min(size, events) <= len(kept) == len(ring) < size + TOGETHER
    assert kept == [event(number) for number in range(events - len(kept) + 1, events + 1)]
    assert ring.oldest == (kept[0].event.number if kept else None)
    assert kept_by(ring, after) == [one for one in kept if one.event.number > after]


def test_a_small_ring_is_exact() -> None:
    assert [one.event.number for one in kept_by(ring_of(3, 10))] == [8, 9, 10]


@given(st.integers(1, 2000), st.integers(1, 2500), st.sets(st.integers(0, 250), max_size=60))
def test_what_is_forgotten_is_nowhere(size: int, events: int, erased: set[int]) -> None:
    ring = ring_of(size, events)
    before = kept_by(ring)
    ring.forget({f"c{number}" for number in erased})
    left = [one for one in before if one.event.number // 10 not in erased]
    assert kept_by(ring) == left
    assert len(ring) == len(left)
    assert ring.oldest == (left[0].event.number if left else None)
    ring.append(event(events + 1))
    assert kept_by(ring)[-1] == event(events + 1)


@given(st.integers(1, 2000), st.integers(0, 2500), st.integers(1, 2000))
def test_another_size_counts_at_once(size: int, events: int, other: int) -> None:
    ring = ring_of(size, events)
    before = kept_by(ring)
    ring.resize(other)
    kept = kept_by(ring)
    assert kept == before[len(before) - len(kept) :]
    assert min(other, len(before)) <= len(kept) < other + TOGETHER


def test_packed_events_weigh_a_tenth_of_their_text() -> None:
    """Of a text as events have it, much alike from one to the next."""
    ring, text = EventRing(20_000), 0
    for number in range(20_000):
        kept = event(number)
        long = (
            kept.event.text
            + b'{"type":"CallAnswered","leg":"caller","codec":"PCMU","rate":8000,"at_ms":%d}' % number
        )
        ring.append(Kept(LiveEvent(number, kept.event.id, "CallAnswered", long * 3), kept.call_id, "+1", "", "a"))
        text += len(long * 3)
    assert sum(len(block.packed) for block in ring._blocks) < text / 10
