"""Run a fuzzer: so many inputs from a seed, and nothing but RemoteProtocolError may come out."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from dataclasses import dataclass

from voicegw.base.errors import RemoteProtocolError
from voicegw.testing.fuzz.grammars import Grammar
from voicegw.testing.fuzz.mutation import LONGEST, mutate

_KEPT = 64
"""Inputs that were accepted and are mutated further, besides the seeds."""
_KEPT_BYTES = 2000
"""Long ones are tried and not kept: they would crowd out what is quick to read."""


@dataclass(slots=True)
class Fuzzer:
    """One grammar. Any other exception than RemoteProtocolError leaves ``run``; ``latest`` is then its input."""

    grammar: Grammar
    seed: int
    inputs: int = 0
    accepted: int = 0
    slowest_s: float = 0.0
    slowest: bytes = b""
    latest: bytes = b""

    def run(self, inputs: int, seconds: float = float("inf")) -> None:
        """Read ``inputs`` mutations, or as many as ``seconds`` allow."""
        source = random.Random(self.seed)
        pool = list(self.grammar.seeds)
        deadline = time.monotonic() + seconds
        for _ in range(inputs):
            if time.monotonic() > deadline:
                return
            data = mutate(source, source.choice(pool), pool)
            if self._try(data) and len(data) <= _KEPT_BYTES:
                self._keep(source, pool, data)

    def _try(self, data: bytes) -> bool:
        self.latest = data
        self.inputs += 1
        started = time.process_time()
        try:
            self.grammar.read(data)
        except RemoteProtocolError:
            accepted = False
        else:
            accepted = True
        taken = time.process_time() - started
        if taken > self.slowest_s:
            self.slowest_s, self.slowest = taken, data
        self.accepted += accepted
        return accepted

    def _keep(self, source: random.Random, pool: list[bytes], data: bytes) -> None:
        if len(pool) < len(self.grammar.seeds) + _KEPT:
            pool.append(data)
        else:
            pool[source.randrange(len(self.grammar.seeds), len(pool))] = data


def time_of(grammar: Grammar, data: bytes, times: int = 3) -> float:
    """CPU seconds to read ``data``, the best of a few."""
    best = float("inf")
    for _ in range(times):
        started = time.process_time()
        with suppress(RemoteProtocolError):
            grammar.read(data)
        best = min(best, time.process_time() - started)
    return best


def repeated(seed: bytes, piece: bytes, length: int = LONGEST) -> bytes:
    """``seed`` with ``piece`` in its middle, as often as fits."""
    at = len(seed) // 2
    return seed[:at] + piece * max(1, (length - len(seed)) // len(piece)) + seed[at:]
