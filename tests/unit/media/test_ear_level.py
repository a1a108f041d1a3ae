"""Recognisers get speech of one level, whatever the line delivers; everybody else gets what was said."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.media.rig import LevelVad, Pcm, Rig, power_at, tone
from voicegw.audio.levels import level_dbov
from voicegw.base.ids import CallId
from voicegw.call.edges import AGENT_EAR
from voicegw.media import messages as m
from voicegw.media.config import MediaConfig
from voicegw.media.ear_level import LEAST_DB, MOST_DB, EarLevels

CALL = CallId("call")
EARS = ((CALL, AGENT_EAR, 0),)
OPEN, CLOSED = np.array([True]), np.array([False])


def at_level(dbov: float, seconds: float = 1.0) -> Pcm:
    """A tone."""
    return tone(400, round(8000 * seconds), amplitude=32768 * 2**0.5 * 10 ** (dbov / 20))


def heard(levels: EarLevels, pcm: Pcm, speaking: np.ndarray = OPEN) -> Pcm:
    frames = pcm[: len(pcm) // 160 * 160].reshape(-1, 1, 160)
    return np.concatenate([levels.process(EARS, frame, speaking)[0] for frame in frames])


def end_level(pcm: Pcm) -> float:
    return float(level_dbov(pcm[-1600:]))


@pytest.mark.parametrize(
    ("comes", "gets"),
    [(-45.0, -45.0 + MOST_DB), (-35.0, -23.0), (-23.0, -23.0), (-15.0, -23.0), (-8.0, -8 + LEAST_DB)],
)
def test_every_level_goes_towards_that_of_speech(comes: float, gets: float) -> None:
    assert end_level(heard(EarLevels(-23.0), at_level(comes, 6.0))) == pytest.approx(gets, abs=0.5)


@pytest.mark.parametrize("comes", [-45.0, -8.0])
def test_no_pumping(comes: float) -> None:
    got = heard(EarLevels(-23.0), at_level(comes, 5.0)).reshape(-1, 800)
    assert np.abs(np.diff(level_dbov(got))).max() <= 0.65, "6 dB a second, in steps of 100 ms"


def test_pauses_do_not_count() -> None:
    levels = EarLevels(-23.0)
    talk = np.concatenate([np.concatenate((at_level(-38.0, 0.6), at_level(-62.0, 0.4))) for _ in range(10)])
    got = heard(levels, talk).reshape(10, -1)
    assert float(level_dbov(got[-1][3200:4800])) == pytest.approx(-23.0, abs=1.5)
    assert end_level(heard(levels, at_level(-62.0, 5.0), CLOSED)) < -44, "and what follows is not turned up"


def test_somebody_who_goes_on_much_more_quietly_is_raised() -> None:
    assert end_level(heard(EarLevels(-23.0), np.concatenate((at_level(-15.0, 4), at_level(-37.0, 20))))) > -25


def test_a_shout_after_a_whisper_is_limited_and_not_wrapped_around() -> None:
    levels = EarLevels(-23.0)
    heard(levels, at_level(-45.0, 6.0))
    shout = at_level(-4.0, 0.1)
    got = heard(levels, shout)
    assert 28_000 <= np.abs(got.astype(np.int32)).max() <= 32_767
    assert (np.sign(got) == np.sign(shout))[np.abs(shout) > 100].all()


def test_ears_keep_their_gain_when_others_come() -> None:
    levels = EarLevels(-23.0)
    heard(levels, at_level(-35.0, 6.0))
    ears = ((CallId("new"), AGENT_EAR, 1), *EARS)
    both = np.stack((at_level(-35.0, 0.02), at_level(-35.0, 0.02)))
    new, old = levels.process(ears, both, np.array([True, True]))
    assert float(level_dbov(old)) == pytest.approx(-23.0, abs=0.5)
    assert float(level_dbov(new)) == pytest.approx(-35.0, abs=0.5)


def test_only_ears_hear_it() -> None:
    """Recordings and other legs are untouched. −20 dBov: the model of the test hears speech from there."""
    got, rig, other = _call(-17.0, MediaConfig(max_legs=4, ear_level_dbov=-27.0), vad=True)
    assert end_level(got) == pytest.approx(-27.0, abs=1.0)
    assert end_level(np.concatenate(rig.recorder.left["call"])) == pytest.approx(-17.0, abs=0.5)
    assert end_level(other) == pytest.approx(-17.0, abs=0.5)
    assert power_at(got[-1600:], 400) > 10 * power_at(got[-1600:], 1200)


@pytest.mark.parametrize(("level", "vad"), [(0.0, True), (-23.0, False)])
def test_zero_is_as_it_comes_and_so_is_what_nothing_detects_speech_in(level: float, vad: bool) -> None:
    got, _, _ = _call(-17.0, MediaConfig(max_legs=4, ear_level_dbov=level), vad=vad)
    assert end_level(got) == pytest.approx(-17.0, abs=0.5)


def _call(dbov: float, config: MediaConfig, *, vad: bool) -> tuple[Pcm, Rig, Pcm]:
    rig = Rig(config, LevelVad() if vad else None)
    caller, callee = rig.open("caller"), rig.open("callee")
    rig.mix(("caller", AGENT_EAR), ("caller", "callee"), ("caller", "rec_in"))
    rig.do(m.StartRecording(CALL, "a.wav"))
    for frame in at_level(dbov, 5.0).reshape(-1, 160):
        caller.say(frame)
        rig.tick()
    pieces = [piece.pcm for batch in rig.of(m.AudioBatch) for piece in batch.frames]
    return np.frombuffer(b"".join(pieces), np.int16), rig, callee.heard()
