"""Recordings as Opus in Ogg, judged by FFmpeg: what is in which channel, how long it is, and what a kill leaves."""

from __future__ import annotations

import os
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
from voicegw.recording.seal_files import rewrap, seal_recording
from voicegw.recording.seal_format import Content, SealDamaged, SealKeyMissing, parse_header
from voicegw.recording.seal_keys import KeyRing, SealPrivateKey
from voicegw.recording.seal_reader import open_recording
from voicegw.recording.seal_writer import SealedPart
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


KEY = SealPrivateKey.generate()
KEYS = KeyRing([KEY])


def sealed_file(path: Path) -> StereoOpusFile:
    return StereoOpusFile(str(path), 8000, lambda final: SealedPart(final, [KEY.public_key()], 8000, Content.OGG))


def unsealed(path: Path, to: Path) -> Path:
    """What is in it, read in odd ranges as a browser may ask for them."""
    reader = open_recording(path, KEYS)
    to.write_bytes(b"".join(reader.read(at, 777) for at in range(0, reader.size, 777)))
    reader.close()
    return to


def test_sealed_it_is_the_same_for_whoever_has_the_key_and_noise_for_others(tmp_path: Path) -> None:
    file = sealed_file(tmp_path / "call.opus")
    assert file.path == str(tmp_path / "call.opus.sealed")
    file.append(tone(440, 3, 8000).tobytes(), tone(1000, 3, 8000).tobytes())
    file.checkpoint()
    part = (tmp_path / "call.opus.sealed.part").read_bytes()
    file.finish(sync=False)
    path = Path(file.path)
    assert b"Opus" not in part and b"Ogg" not in part
    assert b"Opus" not in path.read_bytes()
    with pytest.raises(SealKeyMissing):
        open_recording(path, KeyRing())
    caller, agent = played(unsealed(path, tmp_path / "out.opus"))
    assert len(caller) == 3 * 48_000
    assert strongest_hz(caller) == pytest.approx(440, abs=2)
    assert strongest_hz(agent) == pytest.approx(1000, abs=2)


def test_a_sealed_one_that_was_killed_is_there_up_to_the_last_second(tmp_path: Path) -> None:
    file = sealed_file(tmp_path / "call.opus")
    for _ in range(5):
        file.append(tone(440, 1, 8000).tobytes(), tone(1000, 1, 8000).tobytes())
        file.checkpoint()
    file.abandon()
    (path,) = map(Path, recover_partial(str(tmp_path)))
    assert path.name == "call.opus.sealed"
    assert not open_recording(path, KEYS).complete
    caller, _agent = played(unsealed(path, tmp_path / "out.opus"))
    assert len(caller) >= 3.4 * 48_000
    assert strongest_hz(caller) == pytest.approx(440, abs=2)


def test_a_disk_that_fills_up_leaves_a_sealed_one_that_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = sealed_file(tmp_path / "call.opus")
    for _ in range(3):
        file.append(tone(440, 1, 8000).tobytes(), tone(1000, 1, 8000).tobytes())
        file.checkpoint()
    write, refused = os.pwrite, []

    def refuse_once(fd: int, data: bytes, offset: int) -> int:
        if not refused:
            refused.append(offset)
            raise OSError(28, "No space left on device")
        return write(fd, data, offset)

    monkeypatch.setattr(os, "pwrite", refuse_once)
    with pytest.raises(OSError, match="No space"):
        file.append(tone(440, 3, 8000).tobytes(), tone(1000, 3, 8000).tobytes())
        file.checkpoint()
    file.finish(sync=False)
    reader = open_recording(Path(file.path), KEYS)
    assert reader.complete
    reader.close()
    assert len(played(unsealed(Path(file.path), tmp_path / "out.opus"))[0]) >= 1.5 * 48_000


def test_one_that_lies_there_in_plain_is_sealed_and_given_to_another_key(tmp_path: Path) -> None:
    file = StereoOpusFile(str(tmp_path / "call.opus"), 16_000)
    file.append(tone(440, 2, 16_000).tobytes(), tone(1000, 2, 16_000).tobytes())
    file.finish(sync=False)
    plain = Path(file.path).read_bytes()
    path = seal_recording(Path(file.path), [KEY.public_key()])
    assert [one.name for one in tmp_path.iterdir()] == ["call.opus.sealed"]
    header = parse_header(path.read_bytes())
    assert (header.content, header.rate, header.channels) == (Content.OGG, 16_000, 2)
    other = SealPrivateKey.generate()
    rewrap(path, KEYS, [other.public_key()])
    reader = open_recording(path, KeyRing([other]))
    assert reader.complete
    assert reader.read(0, reader.size) == plain


def test_the_kind_of_content_is_vouched_for(tmp_path: Path) -> None:
    file = sealed_file(tmp_path / "call.opus")
    file.append(tone(440, 1, 8000).tobytes(), tone(1000, 1, 8000).tobytes())
    file.finish(sync=False)
    data = bytearray(Path(file.path).read_bytes())
    for content in (0, 2):
        data[18:20] = content.to_bytes(2, "big")
        Path(file.path).write_bytes(data)
        with pytest.raises(SealDamaged):
            open_recording(Path(file.path), KEYS)


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
    [{"format": "mp3"}, {"keep_free_mb": -1}, {"max_total_mb": -1}],
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
