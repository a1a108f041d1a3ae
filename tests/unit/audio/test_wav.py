from __future__ import annotations

import io
import struct
import wave

import numpy as np
import pytest

from voicegw.audio import g711, wav
from voicegw.audio.wav import WavFormatError

STEREO = np.arange(-1000, 1000).astype(np.int16).reshape(-1, 2)


def riff(fmt: bytes, data: bytes, *, before: bytes = b"", data_size: int | None = None) -> bytes:
    size = len(data) if data_size is None else data_size
    body = b"WAVE" + before + b"fmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", size) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def fmt(tag: int, channels: int, rate: int, bits: int) -> bytes:
    frame = channels * bits // 8
    return struct.pack("<HHIIHH", tag, channels, rate, rate * frame, frame, bits)


def test_what_we_make_is_read_by_the_standard_library() -> None:
    with wave.open(io.BytesIO(wav.make(8000, STEREO))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 2, 2)
        assert np.array_equal(np.frombuffer(file.readframes(10**6), "<i2").reshape(-1, 2), STEREO)


def test_round_trip_of_mono_and_stereo() -> None:
    audio = wav.parse(wav.make(16000, STEREO))
    assert (audio.rate, audio.channels) == (16000, 2)
    assert np.array_equal(audio.samples, STEREO)
    mono = wav.parse(wav.make(8000, STEREO[:, 0]))
    assert np.array_equal(mono.mono(), STEREO[:, 0])
    assert np.array_equal(wav.parse(wav.make(8000, np.stack([STEREO[:, 0]] * 2, axis=1))).mono(), STEREO[:, 0])


def test_other_sample_formats() -> None:
    assert wav.parse(riff(fmt(1, 1, 8000, 8), bytes([0, 128, 255]))).mono().tolist() == [-32768, 0, 32512]
    wide = np.array([-(2**31), 0, 2**31 - 1], "<i4").tobytes()
    assert wav.parse(riff(fmt(1, 1, 8000, 32), wide)).mono().tolist() == [-32768, 0, 32767]
    assert wav.parse(riff(fmt(1, 1, 8000, 24), b"\x00\x00\x80\xff\xff\x7f")).mono().tolist() == [-32768, 32767]
    floats = np.array([-1.0, 0.5, 7.0, np.nan], "<f4").tobytes()
    assert wav.parse(riff(fmt(3, 1, 24000, 32), floats)).mono().tolist() == [-32768, 16384, 32767, 0]
    codes = bytes(range(256))
    for tag, law in ((6, g711.Law.ALAW), (7, g711.Law.ULAW)):
        pcm = wav.parse(riff(fmt(tag, 1, 8000, 8) + b"\x00\x00", codes)).mono()
        assert np.array_equal(pcm, g711.decode(np.frombuffer(codes, np.uint8), law))


def test_extensible_and_odd_chunks_around_the_audio() -> None:
    guid = struct.pack("<H", 1) + bytes.fromhex("000000001000800000aa00389b71")
    extensible = fmt(0xFFFE, 2, 44100, 16) + struct.pack("<HHI", 22, 16, 3) + guid
    note = b"LIST" + struct.pack("<I", 5) + b"INFOx" + b"\x00"
    audio = wav.parse(riff(extensible, STEREO.tobytes(), before=note) + note)
    assert audio.rate == 44100 and np.array_equal(audio.samples, STEREO)


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFF000, 4001])
def test_sizes_that_were_never_filled_in_mean_to_the_end(size: int) -> None:
    data = riff(fmt(1, 2, 8000, 16), STEREO.tobytes() + b"\x01", data_size=size)
    assert np.array_equal(wav.parse(data).samples, STEREO)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "header"),
        (b"OggS" + bytes(40), "header"),
        (wav.make(8000, STEREO)[:30], "fmt chunk is too short|no data"),
        (riff(b"\x01\x00", b"") + bytes(8), "too short"),
        (b"RIFF\x00\x00\x00\x00WAVEdata\x00\x00\x00\x00", "before"),
        (riff(fmt(1, 0, 8000, 16), b""), "0 channels"),
        (riff(fmt(1, 1, 0, 16), b""), "0 Hz"),
        (riff(fmt(85, 1, 8000, 16), b""), "tag 85"),
        (riff(fmt(0xFFFE, 1, 8000, 16), b""), "subformat"),
        (wav.make(8000, STEREO)[:40], "no data"),
    ],
)
def test_what_is_no_wav_is_refused_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(WavFormatError, match=reason):
        wav.parse(data)


def test_sizes_beyond_four_gigabytes_are_capped() -> None:
    assert wav.header(8000, 2, 2**33)[40:] == b"\xff\xff\xff\xff"
