from __future__ import annotations

import numpy as np
import pytest

from tests.unit.media.rig import LevelVad, Rig
from voicegw.base.ids import CallId
from voicegw.media import messages as m
from voicegw.media.config import MediaConfig
from voicegw.media.taps import Taps

BASE = (("caller", "agent_ear"), ("agent", "caller"))
A, B = CallId("a"), CallId("b")


def mixed(number: int) -> np.ndarray:
    """Two sinks: one hears the number of the tick, the other its negative."""
    return np.repeat(np.array([[number], [-number]], np.int16), 160, axis=1)


def add(taps: Taps, ears: list[tuple[CallId, str, int]], number: int) -> m.AudioBatch | None:
    """A tick in which all calls are of one rate."""
    taps.add(ears, mixed(number), 8000)
    return taps.end_tick()


def heard(batch: m.AudioBatch | None) -> dict[tuple[str, str], list[int]]:
    assert batch is not None
    return {
        (piece.call_id, piece.ear): np.frombuffer(piece.pcm, np.int16)[::160].tolist() for piece in batch.frames
    }


def test_pieces_are_collected_by_ear() -> None:
    taps = Taps(3)
    ears = [(A, "agent_ear", 0), (A, "supervisor_ear", 1)]
    assert add(taps, ears, 1) is None
    assert add(taps, [*ears, (B, "agent_ear", 1)], 2) is None
    assert heard(add(taps, ears, 3)) == {
        ("a", "agent_ear"): [1, 2, 3],
        ("a", "supervisor_ear"): [-1, -2, -3],
        ("b", "agent_ear"): [-2],
    }


def test_what_is_taken_early_is_not_told_again() -> None:
    taps = Taps(3)
    add(taps, [(A, "agent_ear", 0)], 1)
    assert heard(taps.take()) == {("a", "agent_ear"): [1]}
    assert taps.take() is None
    assert [add(taps, [(A, "agent_ear", 0)], number) is None for number in (2, 3, 4)] == [True, True, False]


def test_where_nobody_listens_there_is_nothing_to_tell() -> None:
    taps = Taps(1)
    assert add(taps, [], 1) is None


@pytest.mark.parametrize("tap_ms", [20, 60, 100])
def test_all_that_was_heard_is_told_before_what_is_said_about_it(tap_ms: int) -> None:
    rig = Rig(MediaConfig(max_legs=4, tap_ms=tap_ms), LevelVad())
    caller = rig.open("caller")
    rig.mix(*BASE)
    for tick in range(111):
        if 20 <= tick < 80:
            caller.say_tone(400)
        else:
            caller.say(np.zeros(160, np.int16))
        before = len(rig.events)
        rig.tick()
        for at, event in enumerate(rig.events[before:], before):
            if isinstance(event, m.SpeechStarted | m.SpeechPaused | m.SpeechStopped):
                assert samples_in(rig.events[:at]) == tick * 160, "every tick before this one"
    assert len(rig.of(m.SpeechStarted)) == len(rig.of(m.SpeechStopped)) == 1


def test_nothing_that_was_heard_before_a_new_mix_comes_after_it() -> None:
    rig = Rig()
    caller = rig.open("caller")
    rig.mix(*BASE)
    for _ in range(31):
        caller.say_tone(400)
        rig.tick()
    rig.mix(("agent", "caller"))
    rig.tick()
    kinds = [type(event) for event in rig.events]
    assert kinds.index(m.MixChanged, kinds.index(m.MixChanged) + 1) > len(kinds) - 1 - kinds[::-1].index(
        m.AudioBatch
    )
    assert samples_in(rig.events) == 31 * 160


def samples_in(events: list[m.Event]) -> int:
    batches = [event for event in events if isinstance(event, m.AudioBatch)]
    return sum(len(piece.pcm) // 2 for batch in batches for piece in batch.frames)
