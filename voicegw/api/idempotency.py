"""``Idempotency-Key``: a request that is repeated after a lost answer does its work once.

Keys live in the store for a day, so that a restart does not forget them. A key whose work was cut off by a crash
answers 409: whether it was done is not known, and doing it again is the client's decision, with a new key.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from hashlib import sha256

import msgspec

from voicegw.api.access import Visitor
from voicegw.api.parts import Parts
from voicegw.api.problems import ApiProblem, conflict, invalid
from voicegw.storage.users import OneTimeToken

_PURPOSE = "idempotency"
_KEPT_MS = 86_400_000


class _Kept(msgspec.Struct, frozen=True):
    """``fingerprint`` of the request; ``answer`` is empty while the work is under way."""

    fingerprint: str
    answer: str = ""


async def once(
    parts: Parts, visitor: Visitor, key: str | None, request: str, work: Callable[[], Awaitable[str]]
) -> str:
    """The answer of ``work``, or the one it gave before for this key; raises 409 and 422."""
    if key is None:
        return await work()
    digest = sha256(f"{visitor.who.user_id}\n{key}".encode()).digest()
    fingerprint = sha256(request.encode()).hexdigest()
    known = await _begin(parts, digest, fingerprint)
    if known is not None:
        return known
    try:
        answer = await work()
    except ApiProblem:  # refused: nothing was done, the key is free again
        async with parts.store.write() as unit:
            await unit.sessions.redeem(digest, _PURPOSE, 0)
        raise
    async with parts.store.write() as unit:
        await unit.sessions.redeem(digest, _PURPOSE, 0)
        await unit.sessions.issue(_row(parts, digest, _Kept(fingerprint, answer)))
    return answer


async def _begin(parts: Parts, digest: bytes, fingerprint: str) -> str | None:
    """Claim the key: None when it is ours now, else the answer it got before."""
    async with parts.store.write() as unit:
        found = await unit.sessions.redeem(digest, _PURPOSE, parts.wall_ms())
        if found is None:
            await unit.sessions.issue(_row(parts, digest, _Kept(fingerprint)))
            return None
        await unit.sessions.issue(found)
    kept = msgspec.json.decode(found.data_json, type=_Kept)
    if kept.fingerprint != fingerprint:
        raise invalid("Idempotency-Key", "was used for another request", "a new key for each request")
    if not kept.answer:
        raise conflict("the first request with this key is under way, or was cut off: its outcome is not known")
    return kept.answer


def _row(parts: Parts, digest: bytes, kept: _Kept) -> OneTimeToken:
    return OneTimeToken(digest, _PURPOSE, msgspec.json.encode(kept).decode(), parts.wall_ms() + _KEPT_MS)
