"""Call progress tones have their frequencies, their level and their cadence."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from voicegw.audio.levels import level_dbov
from voicegw.audio.progress import progress_tone
from voicegw.testing.tones import dominant_frequencies


def pcm(name: str, duration_ms: int, plan: str = "eu", rate: int = 8000) -> NDArray[np.int16]:
    return np.frombuffer(progress_tone(name, duration_ms, plan, rate), np.int16)


def test_progress_tones_have_their_cadence() -> None:
    busy = pcm("busy", 2000, "us").reshape(4, -1)
    assert [bool(part.any()) for part in busy] == [True, False, True, False]
    assert dominant_frequencies(busy[2]) == pytest.approx([480, 620], abs=3)
    ring = pcm("ringback", 6000)
    assert ring[:8000].any() and not ring[8000:40000].any() and ring[40000:].any()
    assert pcm("dial", 3000, "us")[-100:].any()


@pytest.mark.parametrize(("plan", "expected"), [("eu", [425]), ("us", [440, 480])])
@pytest.mark.parametrize("rate", [8000, 16000])
def test_a_ringing_tone_has_its_frequencies_and_level(plan: str, expected: list[int], rate: int) -> None:
    tone = pcm("ringback", 1000, plan, rate)
    assert len(tone) == rate
    assert level_dbov(tone) == pytest.approx(-19.01 + 3.01 * len(expected), abs=0.05)
    assert sorted(dominant_frequencies(tone[: rate // 2], rate=rate)) == pytest.approx(expected, abs=3)
