"""Which requests of a model are one wish: the derivation of idempotency keys.

A caller interrupts and the model, which never saw the result, asks for the same tool again; a speculative reply is
dropped and the real one asks again; a provider dies in the middle and the next one asks again. All of these are one
wish and must get one key. A model that has seen the result and asks once more means it, and must get another.

So a key stays open until its result has become part of the conversation that the model is sent (:meth:`settle`).
While it is open, the n-th equal request of a reply is the n-th open wish for these arguments, and only where there
is none a new wish. Within one reply equal requests are different wishes: a model sees the result of the first
before it makes the second, or it asked for both at once.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable

from voicegw.agents.tools.canonical import JsonObject, canonical_json
from voicegw.base.ids import CallId
from voicegw.ports.tools import IdempotencyKey

_Wish = tuple[str, str]


def derive_key(call_id: CallId, turn: int, tool: str, arguments: str, occurrence: int) -> IdempotencyKey:
    """The same text for the same facts, in every process: a call replayed after a crash finds its keys again.

    ``arguments`` is canonical JSON; ``turn`` the turn of the call in which the wish came up first; ``occurrence``
    counts earlier wishes of the call with equal tool and arguments. 32 hex digits fit any header and any table.
    """
    facts = canonical_json([str(call_id), turn, tool, arguments, occurrence])
    return IdempotencyKey(hashlib.sha256(facts.encode()).hexdigest()[:32])


class KeyBook:
    """The wishes of one call. Never rolled back: a reply that is forgotten leaves its wishes open on purpose."""

    def __init__(self, call_id: CallId) -> None:
        self._call_id = call_id
        self._turn = 0
        self._open: dict[_Wish, list[IdempotencyKey]] = {}
        self._made: Counter[_Wish] = Counter()
        self._asked: Counter[_Wish] = Counter()
        self._settled: set[IdempotencyKey] = set()

    def begin_reply(self, turn: int) -> None:
        """A model begins to answer ``turn``, for the first time or again."""
        self._turn = turn
        self._asked.clear()
        for wish, keys in list(self._open.items()):
            keys[:] = [key for key in keys if key not in self._settled]
            if not keys:
                del self._open[wish]
        self._settled.clear()

    def key_for(self, tool: str, arguments: JsonObject) -> IdempotencyKey:
        """The key of the next request of this reply."""
        wish = (tool, canonical_json(arguments))
        position = self._asked[wish]
        self._asked[wish] += 1
        keys = self._open.setdefault(wish, [])
        if position == len(keys):
            keys.append(derive_key(self._call_id, self._turn, *wish, self._made[wish]))
            self._made[wish] += 1
        return keys[position]

    def settle(self, keys: Iterable[IdempotencyKey]) -> None:
        """The model will see these results in every later reply. Takes effect when the next reply begins."""
        self._settled.update(keys)
