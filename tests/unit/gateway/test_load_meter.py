"""When new calls are refused for load, and when they are taken again."""

from __future__ import annotations

from voicegw.gateway.load_meter import LoadMeter


def notes(meter: LoadMeter, *steps: tuple[float, float, bool]) -> list[bool]:
    return [meter.note(now, late, backlogged=backlogged) for now, late, backlogged in steps]


def test_one_long_pause_is_no_overload() -> None:
    meter = LoadMeter(0.25)
    assert notes(meter, (0.1, 0, False), (2.2, 2.0, False), (2.3, 0, False), (2.4, 0, False)) == [False] * 4


def test_a_loop_that_stays_late_is_overloaded_until_it_was_calm_for_a_while() -> None:
    meter = LoadMeter(0.25)
    assert notes(meter, (0.4, 0.3, False), (0.8, 0.3, False), (1.2, 0.3, False)) == [False, False, True]
    assert notes(meter, (1.3, 0, False), (1.4, 0, False), (1.5, 0, False), (1.6, 0, False)) == [
        True,
        True,
        False,
        False,
    ]


def test_a_socket_that_is_never_empty_is_overload_though_the_loop_turns() -> None:
    meter = LoadMeter(0.25)
    seen = notes(meter, *((n / 10, 0.01, True) for n in range(10)))
    assert seen == [False] * 5 + [True] * 5
    assert notes(meter, (1.0, 0.01, False), (1.31, 0, False)) == [True, False]


def test_a_pause_without_a_processor_is_overload_at_first_sight() -> None:
    meter = LoadMeter(0.25)
    assert meter.note(0.1, 0.0, backlogged=False, starved_s=0.02) is False
    assert meter.note(0.85, 0.6, backlogged=False, starved_s=0.5) is True
    assert meter.note(1.0, 0.0, backlogged=False) is True
    assert meter.note(1.2, 0.0, backlogged=False) is False


def test_a_short_one_or_one_at_work_is_not() -> None:
    meter = LoadMeter(0.25)
    assert meter.note(0.6, 0.45, backlogged=False, starved_s=0.45) is False
    assert meter.note(1.4, 0.6, backlogged=False, starved_s=0.4) is False


def test_a_check_beyond_the_limit_may_not_wait_for_its_turn() -> None:
    meter = LoadMeter(0.25)
    assert [meter.is_due(late) for late in (-0.1, 0.25, 0.26)] == [False, False, True]


def test_who_waits_for_a_processor_most_of_the_time_begins_fewer_set_ups() -> None:
    meter = LoadMeter(0.25)
    assert meter.setups(30) == 30
    meter.note(1.0, 0.1, backlogged=False, starved_s=0.2)
    assert meter.setups(30) == 30, "one pause is nothing"
    seen = []
    for check in range(1, 8):
        meter.note(1.0 + check * 0.2, 0.1, backlogged=False, starved_s=0.19)
        seen.append(meter.setups(30))
    assert seen == sorted(seen, reverse=True) and seen[-1] == 8, "the fewest, and never none"
    assert meter.setups(2) == 2
    for check in range(3):
        meter.note(3.0 + check * 0.1, 0.0, backlogged=False, starved_s=0.0)
    assert meter.setups(30) == 30
