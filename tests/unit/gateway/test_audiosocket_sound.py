from __future__ import annotations

from typing import cast

import numpy as np

from voicegw.gateway.audiosocket.sound import Sound
from voicegw.gateway.worker_line import Pcm, WorkerLine


class Line:
    """Keeps what was passed on, with the samples that were skipped before."""

    def __init__(self) -> None:
        self.spoken: list[tuple[int, int]] = []

    def speak(self, pcm: Pcm, skipped_samples: int = 0) -> None:
        self.spoken.append((int(pcm[0]), skipped_samples))
        assert pcm.dtype == np.int16 and len(pcm) == 160


def _sound() -> tuple[Sound, Line]:
    line = Line()
    return Sound(cast(WorkerLine, line), now=0.0), line


def _audio(value: int, samples: int) -> bytes:
    return np.full(samples, value, "<i2").tobytes()


def test_frames_of_any_length_become_frames_of_20_ms() -> None:
    sound, line = _sound()
    sound.take(_audio(1, 80), 0.01)
    assert line.spoken == []
    sound.take(_audio(2, 240), 0.04)
    assert line.spoken == [(1, 0), (2, 0)]


def test_a_burst_is_late_audio_and_no_pause() -> None:
    sound, line = _sound()
    sound.take(_audio(1, 160), 0.02)
    sound.take(_audio(1, 160 * 20), 0.45)
    assert line.spoken == [(1, 0)] * 21


def test_a_pause_passes_as_time() -> None:
    sound, line = _sound()
    sound.take(_audio(1, 160), 0.02)
    sound.take(_audio(2, 160), 1.02)
    assert line.spoken == [(1, 0), (2, 8000)]


def test_a_silent_line_is_kept_alive() -> None:
    sound, line = _sound()
    sound.take(_audio(1, 160), 0.02)
    sound.keep_alive(0.3)
    sound.keep_alive(1.02)
    sound.keep_alive(2.02)
    assert line.spoken == [(1, 0), (0, 8000), (0, 7840)]
