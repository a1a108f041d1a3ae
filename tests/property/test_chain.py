"""A chain shows every single change to what is stored of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from voicegw.storage.chain import GENESIS, SALT_BYTES, Link, commitment, flaws, make_link, seal

CHAIN = "c1"
contents = st.lists(st.binary(max_size=8), min_size=2, max_size=8)
Mutation = Callable[[list[Link], int, int], list[Link]]


def chain_of(parts: list[bytes]) -> list[Link]:
    links: list[Link] = []
    for seq, content in enumerate(parts):
        prev_hash = links[-1].hash if links else GENESIS
        salt = bytes([seq]) * SALT_BYTES
        links.append(make_link(CHAIN, prev_hash, seq, "Fact", salt, content))
    return links


def sealed_whole(links: list[Link], made: bytes) -> bool:
    return not flaws(CHAIN, links) and bool(links) and seal(CHAIN, len(links), links[-1].hash) == made


def edited(change: Callable[[Link], Link]) -> Mutation:
    return lambda links, at, _to: [change(one) if n == at else one for n, one in enumerate(links)]


def flipped(data: bytes | None) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:] if data else b"x"


def inserted(links: list[Link], at: int, _to: int) -> list[Link]:
    prev_hash = links[at].hash
    forged = make_link(CHAIN, prev_hash, links[at].seq + 1, "Fact", bytes(SALT_BYTES), b"forged")
    return [*links[: at + 1], forged, *links[at + 1 :]]


def rehashed(links: list[Link], at: int, _to: int) -> list[Link]:
    """An edit by somebody who knows how to compute everything after it anew, but cannot change the seal."""
    kept = links[:at]
    for link in links[at:]:
        content = b"forged" if link.seq == at else link.content or b""
        prev_hash = kept[-1].hash if kept else GENESIS
        kept.append(make_link(CHAIN, prev_hash, link.seq, link.label, link.salt or b"", content))
    return kept


MUTATIONS: dict[str, Mutation] = {
    "content": edited(lambda one: replace(one, content=flipped(one.content))),
    "salt": edited(lambda one: replace(one, salt=flipped(one.salt))),
    "content and commitment": edited(
        lambda one: replace(one, content=b"forged", commitment=commitment(one.salt or b"", b"forged"))
    ),
    "commitment": edited(lambda one: replace(one, commitment=flipped(one.commitment))),
    "prev_hash": edited(lambda one: replace(one, prev_hash=flipped(one.prev_hash))),
    "hash": edited(lambda one: replace(one, hash=flipped(one.hash))),
    "label": edited(lambda one: replace(one, label="Other")),
    "seq": edited(lambda one: replace(one, seq=one.seq + 1)),
    "content gone": edited(lambda one: replace(one, content=None)),
    "content and salt gone": edited(lambda one: replace(one, content=None, salt=None)),
    "erasure without erasing": edited(lambda one: replace(one, erasure_id="e1")),
    "removed": lambda links, at, _to: links[:at] + links[at + 1 :],
    "truncated": lambda links, at, _to: links[:at],
    "repeated": lambda links, at, _to: [*links[: at + 1], *links[at:]],
    "inserted": inserted,
    "computed anew": rehashed,
}


@settings(max_examples=60, deadline=None)
@given(contents, st.data())
def test_every_single_mutation_is_caught(parts: list[bytes], data: st.DataObject) -> None:
    links = chain_of(parts)
    made = seal(CHAIN, len(links), links[-1].hash)
    assert sealed_whole(links, made)
    for name, mutate in MUTATIONS.items():
        at = data.draw(st.integers(0, len(links) - 1), label=name)
        changed = mutate(links, at, 0)
        if changed != links:
            assert not sealed_whole(changed, made), f"{name} at {at} was not seen"


@settings(max_examples=60, deadline=None)
@given(contents, st.data())
def test_every_exchange_is_caught(parts: list[bytes], data: st.DataObject) -> None:
    links = chain_of(parts)
    order = data.draw(st.permutations(range(len(links))))
    exchanged = [links[n] for n in order]
    renumbered = [replace(link, seq=n) for n, link in enumerate(exchanged)]
    assert bool(flaws(CHAIN, exchanged)) == (exchanged != links)
    assert bool(flaws(CHAIN, renumbered)) == (renumbered != links)


@settings(max_examples=60, deadline=None)
@given(contents, st.sets(st.integers(0, 7)))
def test_erasing_contents_leaves_the_chain_whole(parts: list[bytes], erased: set[int]) -> None:
    links = chain_of(parts)
    made = seal(CHAIN, len(links), links[-1].hash)
    after = [
        replace(link, content=None, salt=None, erasure_id="e1") if link.seq in erased else link for link in links
    ]
    assert sealed_whole(after, made)


def test_a_chain_belongs_to_its_call() -> None:
    assert flaws("c2", chain_of([b"a", b"b"]))
