from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from voicegw.audio import g711, tones
from voicegw.audio.levels import level_dbov
from voicegw.audio.tones import DtmfDetector, dtmf, silence, tone
from voicegw.testing.noise import cough, line_noise, mixed
from voicegw.testing.tones import PARTY_HZ, ToneSource, dominant_frequencies, hears

ALL_KEYS = "".join(tones.DTMF_KEYS)


def detect(pcm: NDArray[np.int16], offset: int = 0) -> list[tuple[str, int]]:
    """Over μ-law, the frames cut ``offset`` samples late."""
    detector = DtmfDetector(1)
    pcm = np.concatenate([np.zeros(160 - offset, np.int16), pcm, np.zeros(480, np.int16)])
    pcm = g711.decode(g711.encode(pcm, g711.Law.ULAW), g711.Law.ULAW)
    frames = pcm[: len(pcm) // 160 * 160].reshape(-1, 160)
    return [
        (press.digit, press.duration_ms) for f in frames for press in detector.process(np.array([0]), f[np.newaxis])
    ]


def test_a_tone_has_its_frequency_level_and_length() -> None:
    pcm = tone(1004, 250, level_dbov=-20)
    assert len(pcm) == 2000 and level_dbov(pcm) == pytest.approx(-20, abs=0.1)
    assert dominant_frequencies(pcm) == pytest.approx([1004], abs=2)
    assert dominant_frequencies(tone((440, 480), 500)) == pytest.approx([440, 480], abs=2)
    assert len(tone(440, 20, rate=16000)) == 320 and not silence(20).any()


@pytest.mark.parametrize("offset", [0, 37, 80, 133])
def test_all_keys_are_heard_once_whatever_the_framing(offset: int) -> None:
    assert [digit for digit, _ in detect(dtmf(ALL_KEYS, 50, 50), offset)] == list(ALL_KEYS)


@pytest.mark.parametrize("offset", range(0, 160, 20))
def test_lengths_at_the_limits_of_q24(offset: int) -> None:
    assert [digit for digit, _ in detect(dtmf("7", 40), offset)] == ["7"]
    assert detect(dtmf("7", 23), offset) == []
    assert [digit for digit, _ in detect(dtmf("77", 60, 40), offset)] == ["7", "7"]
    ((_, duration),) = detect(dtmf("5", 1000), offset)
    assert duration == pytest.approx(1000, abs=20)


def test_level_and_twist() -> None:
    assert detect(dtmf("3", level_dbov=-36)) != [] and detect(dtmf("3", level_dbov=-50)) == []
    low, high = tone(770, 100, level_dbov=-14), tone(1336, 100, level_dbov=-20)
    assert [digit for digit, _ in detect(low + high)] == ["5"]
    assert detect(tone(770, 100, level_dbov=-8) + tone(1336, 100, level_dbov=-24)) == []


def test_what_is_no_key_is_not_heard() -> None:
    assert detect(tone(770, 300)) == []
    assert detect(tone((440, 480), 300)) == []
    assert detect(tone((770, 1270), 300)) == []
    assert detect(line_noise(2000, -20)) == []
    assert [digit for digit, _ in detect(mixed(line_noise(300, -45), dtmf("9"), 100))] == ["9"]


def test_rows_are_independent_and_reset_forgets() -> None:
    detector, rows = DtmfDetector(4), np.array([3, 1])
    one = np.concatenate([dtmf("1", 60, 40), silence(20)]).reshape(-1, 160)
    two = np.concatenate([silence(20), dtmf("#", 60, 40)]).reshape(-1, 160)
    heard = [press for a, b in zip(one, two, strict=True) for press in detector.process(rows, np.stack([a, b]))]
    assert sorted((press.row, press.digit) for press in heard) == [(1, "#"), (3, "1")]
    for frame in dtmf("1", 100, 0).reshape(-1, 160):
        detector.process(np.array([0]), frame[np.newaxis])
    detector.reset(0)
    assert all(not detector.process(np.array([0]), np.zeros((1, 160), np.int16)) for _ in range(5))


def test_only_keys_can_be_pressed() -> None:
    with pytest.raises(ValueError, match="'X'"):
        dtmf("1x")
    assert len(dtmf("")) == 0


def test_the_parties_of_a_call_can_be_told_apart() -> None:
    sources = [ToneSource(hz) for hz in PARTY_HZ]
    streams = [np.concatenate([source.frame() for _ in range(60)]) for source in sources]
    for stream, hz in zip(streams, PARTY_HZ, strict=True):
        assert [other for other in PARTY_HZ if hears(stream, other)] == [hz]
    mix = streams[0] // 2 + streams[2] // 2
    assert [hz for hz in PARTY_HZ if hears(mix, hz)] == [400.0, 1100.0]
    assert dominant_frequencies(np.zeros(800, np.int16)) == [] == dominant_frequencies(line_noise(5))
    assert level_dbov(cough()) == pytest.approx(-20, abs=1)
