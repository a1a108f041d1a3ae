"""Every grammar that a stranger's bytes reach: mutated input with a fixed seed, and time that grows as it does.

``scripts/bench fuzz --seconds N`` does the same for longer, from a seed of its own each time.
"""

from __future__ import annotations

import pytest

from voicegw.base.errors import RemoteProtocolError
from voicegw.testing.fuzz.grammars import GRAMMARS, Grammar
from voicegw.testing.fuzz.mutation import SCRAPS
from voicegw.testing.fuzz.runner import Fuzzer, repeated, time_of

INPUTS = 400
SLOWEST_S = 1.0
SHORT, LONG = 8_000, 64_000
MOST_GROWTH = 20
"""Eight times the input; 64 times the time would be quadratic, and a shared machine is never exact."""
NOTICEABLE_S = 0.05


@pytest.mark.parametrize("name", GRAMMARS)
def test_the_examples_are_read(name: str) -> None:
    for seed in GRAMMARS[name].seeds:
        GRAMMARS[name].read(seed)


@pytest.mark.parametrize("name", GRAMMARS)
def test_mutations_raise_nothing_but_a_protocol_error(name: str) -> None:
    fuzzer = Fuzzer(GRAMMARS[name], seed=4475)
    fuzzer.run(INPUTS)
    assert fuzzer.inputs == INPUTS
    assert fuzzer.accepted > 0, "a fuzzer whose input is always refused tests one line"
    assert fuzzer.slowest_s < SLOWEST_S, fuzzer.slowest[:200]


@pytest.mark.parametrize("name", GRAMMARS)
def test_time_grows_as_the_input_does(name: str) -> None:
    grammar = GRAMMARS[name]
    for piece in SCRAPS:
        long = time_of(grammar, repeated(grammar.seeds[0], piece, LONG), times=1)
        if long > NOTICEABLE_S:
            long = time_of(grammar, repeated(grammar.seeds[0], piece, LONG))
            short = time_of(grammar, repeated(grammar.seeds[0], piece, SHORT))
            assert long < MOST_GROWTH * short, piece


def test_a_fuzzer_finds_what_it_is_for() -> None:
    """A reader that forgets one case is caught, with the input that did it."""

    def careless(data: bytes) -> int:
        if not data:
            raise RemoteProtocolError("empty")
        return int(data)

    fuzzer = Fuzzer(Grammar(careless, (b"123",)), seed=1)
    with pytest.raises(ValueError):
        fuzzer.run(1000)
    assert fuzzer.latest
