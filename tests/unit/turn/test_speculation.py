"""How often a reply may be prepared in vain."""

from __future__ import annotations

from voicegw.turn.speculation import SpeculationConfig, SpeculationTally

CONFIG = SpeculationConfig(per_turn=2, spare=3, least_success=0.25)


def test_a_turn_gets_so_many_attempts_and_the_next_turn_as_many_again() -> None:
    tally = SpeculationTally().start()
    assert tally.allows(CONFIG)
    tally = tally.start()
    assert not tally.allows(CONFIG)
    assert tally.next_turn().allows(CONFIG)


def test_a_caller_who_makes_most_attempts_vain_gets_one_a_turn() -> None:
    tally = SpeculationTally(started=10, committed=1)
    assert tally.allows(CONFIG)
    assert not tally.start().allows(CONFIG)
    lucky = SpeculationTally(started=10, committed=6).start()
    assert lucky.allows(CONFIG)


def test_off_is_off() -> None:
    assert not SpeculationTally().allows(SpeculationConfig(enabled=False))
