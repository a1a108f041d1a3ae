"""Recordings as Opus in Ogg, judged by FFmpeg: what is in which channel, how long it is, and what a kill leaves."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from voicegw.base.errors import ConfigError
from voicegw.base.ids import CallId
from voicegw.recording.config import RecordingConfig
from voicegw.recording.ogg_pages import checksum
from voicegw.recording.opus_file import StereoOpusFile
from voicegw.recording.recovery import recover_partial
from voicegw.recording.writer import Ended, RecordingWriter, Started

Pcm = NDArray[np.int16]


def tone(hz: float, seconds: float, rate_hz: int) -> Pcm:
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    return (8000 * np.sin(2 * np.pi * hz * time_s)).astype(np.int16)


def played(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both channels at 48 kHz, as FFmpeg hears them."""
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
    both = np.concatenate([frame if frame.shape[0] == 2 else frame.reshape(-1, 2).T for frame in frames], axis=1)
    return both[0].astype(np.float64), both[1].astype(np.float64)


def strongest_hz(channel: NDArray[np.float64]) -> float:
    spectrum = np.abs(np.fft.rfft(channel * np.hanning(len(channel))))
    return float(np.argmax(spectrum)) * 48_000 / len(channel)


@pytest.mark.parametrize("rate_hz", [8000, 16_000])
def test_each_side_in_its_channel_to_the_sample(tmp_path: Path, rate_hz: int) -> None:
    path = tmp_path / "deep" / "call.opus"
    file = StereoOpusFile(str(path), rate_hz)
    left, right = tone(440, 2.5, rate_hz), tone(1000, 2.5, rate_hz)
    for start in range(0, len(left), 333):
        file.append(left[start : start + 333].tobytes(), right[start : start + 333].tobytes())
        file.checkpoint()
    file.append_silence(rate_hz)
    file.finish(sync=False)
    caller, agent = played(path)
    assert len(caller) == len(agent) == round(3.5 * 48_000)
    assert strongest_hz(caller[:96_000]) == pytest.approx(440, abs=2)
    assert strongest_hz(agent[:96_000]) == pytest.approx(1000, abs=2)
    assert np.abs(caller[-24_000:]).max() < 0.01 * np.abs(caller).max()
    assert path.stat().st_size < 2 * 2 * len(left) / 4


def test_what_a_kill_leaves_can_be_played(tmp_path: Path) -> None:
    path = tmp_path / "call.opus"
    file = StereoOpusFile(str(path), 8000)
    for _ in range(5):
        file.append(tone(440, 1, 8000).tobytes(), tone(1000, 1, 8000).tobytes())
        file.checkpoint()
    file.abandon()
    part = tmp_path / "call.opus.part"
    torn = tmp_path / "torn.opus"
    torn.write_bytes(part.read_bytes()[:-100])
    caller, _agent = played(torn)
    assert len(caller) >= 3.9 * 48_000
    assert strongest_hz(caller[:96_000]) == pytest.approx(440, abs=2)


def test_the_writer_takes_it_like_any_other_file(tmp_path: Path) -> None:
    path = tmp_path / "call.opus"
    writer = RecordingWriter(drain_interval_s=3600.0, open_file=StereoOpusFile)
    writer.start(CallId("c"), str(path))
    for start in range(0, 8000, 160):
        block = tone(440, 1, 8000)[start : start + 160]
        writer.write(CallId("c"), block, block)
    writer.stop(CallId("c"))
    writer.close()
    started, ended = writer.poll()
    assert isinstance(started, Started) and isinstance(ended, Ended)
    assert ended.samples == 8000
    assert len(played(path)[0]) == 48_000


def test_the_next_start_finishes_what_a_kill_left_and_removes_what_is_empty(tmp_path: Path) -> None:
    for name, seconds in (("full", 1), ("empty", 0)):
        file = StereoOpusFile(str(tmp_path / f"{name}.opus"), 8000)
        for _ in range(seconds):
            file.append(tone(440, 1, 8000).tobytes(), tone(1000, 1, 8000).tobytes())
            file.checkpoint()
        file.abandon()
    assert recover_partial(str(tmp_path)) == [str(tmp_path / "full.opus")]
    assert [path.name for path in tmp_path.iterdir()] == ["full.opus"]
    assert len(played(tmp_path / "full.opus")[0]) >= 0.9 * 48_000


@pytest.mark.parametrize(
    "settings",
    [{"format": "mp3"}, {"format": "opus", "seal_to": ("key",)}, {"keep_free_mb": -1}, {"max_total_mb": -1}],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        RecordingConfig(**settings)  # type: ignore[arg-type]


def test_the_checksum_is_that_of_the_format() -> None:
    """By the definition: polynomial 04C11DB7, most significant bit first."""

    def slow(data: bytes) -> int:
        crc = 0
        for byte in data:
            crc ^= byte << 24
            for _ in range(8):
                crc = (crc << 1 ^ 0x04C11DB7) & 0xFFFFFFFF if crc & 0x80000000 else crc << 1
        return crc

    for data in (b"", b"OggS", bytes(range(256))):
        assert checksum(data) == slow(data)
