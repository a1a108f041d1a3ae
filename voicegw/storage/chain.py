"""Chains of hashes that show every edit, removal, insertion and exchange, and still let contents be erased.

A link does not hash its content but a **commitment** to it: SHA-256 over 32 random bytes of salt and the content.
Erasing content and salt leaves the commitment, of which nobody can guess the content back, and the chain over the
commitments stays whole. Each part is hashed behind its length, so that no two lists of parts look alike; each kind
of hash has a tag of its own, so that none can stand for another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

SALT_BYTES = 32
GENESIS = bytes(32)
"""What the first link of a chain follows."""


@dataclass(frozen=True, slots=True)
class Link:
    """One link as it is stored. ``content`` and ``salt`` are None where they were erased under ``erasure_id``.

    ``label`` is what stays readable beside the content and is hashed with it (the kind of an event, for one).
    """

    seq: int
    label: str
    salt: bytes | None
    content: bytes | None
    commitment: bytes
    prev_hash: bytes
    hash: bytes
    erasure_id: str | None = None


def digest(tag: str, *parts: bytes) -> bytes:
    """SHA-256 over a tag and parts, each behind its length."""
    made = hashlib.sha256()
    for part in (tag.encode(), *parts):
        made.update(len(part).to_bytes(8, "big"))
        made.update(part)
    return made.digest()


def commitment(salt: bytes, content: bytes) -> bytes:
    """What stands for the content in the chain."""
    return digest("voicegw content", salt, content)


def make_link(chain: str, prev_hash: bytes, seq: int, label: str, salt: bytes, content: bytes) -> Link:
    """The link that follows ``prev_hash`` in the chain of this name."""
    committed = commitment(salt, content)
    return Link(seq, label, salt, content, committed, prev_hash, _hash(chain, prev_hash, seq, label, committed))


def seal(chain: str, links: int, head_hash: bytes) -> bytes:
    """What closes a chain: after it, nothing may be added, nor taken from the end."""
    return digest("voicegw seal", chain.encode(), links.to_bytes(8, "big"), head_hash)


def flaws(chain: str, links: Iterable[Link], first_prev: bytes = GENESIS) -> list[str]:
    """What is wrong with a chain, link by link in the order of their numbers; empty when nothing is."""
    found: list[str] = []
    prev_hash, prev_seq = first_prev, -1
    for link in links:
        where = f"#{link.seq}"
        if link.seq <= prev_seq:
            found.append(f"{where}: stands in the wrong place")
        if link.prev_hash != prev_hash:
            found.append(f"{where}: does not follow the one before it")
        if link.hash != _hash(chain, link.prev_hash, link.seq, link.label, link.commitment):
            found.append(f"{where}: its hash does not fit")
        found += [f"{where}: {flaw}" for flaw in _content_flaws(link)]
        prev_hash, prev_seq = link.hash, link.seq
    return found


def _content_flaws(link: Link) -> list[str]:
    if link.salt is None or link.content is None:
        erased = link.salt is None and link.content is None and link.erasure_id is not None
        return [] if erased else ["its content is missing without an erasure"]
    if link.erasure_id is not None:
        return ["it has content although it was erased"]
    return [] if link.commitment == commitment(link.salt, link.content) else ["its content was changed"]


def _hash(chain: str, prev_hash: bytes, seq: int, label: str, committed: bytes) -> bytes:
    return digest("voicegw link", chain.encode(), prev_hash, seq.to_bytes(8, "big"), label.encode(), committed)
