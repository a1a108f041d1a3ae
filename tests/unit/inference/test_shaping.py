"""What is done to an engine's audio on its way out, and to the caller's on its way in."""

from __future__ import annotations

import numpy as np

from voicegw.inference.asr.band import BandExtender
from voicegw.inference.tts.espeak_worker import WavHeader
from voicegw.inference.tts.flite_worker import place_words
from voicegw.inference.tts.shaping import SpeechShaper, sane_rate


def tone(samples: int, hz: float, rate: int = 8000) -> np.ndarray:
    return (8000 * np.sin(2 * np.pi * hz * np.arange(samples) / rate)).astype(np.int16)


def test_leading_silence_is_cut_down_to_10_ms_and_positions_follow() -> None:
    shaper = SpeechShaper(8000, 8000)
    audio = np.concatenate([np.zeros(1600, np.int16), tone(800, 440.0)])
    out = b"".join(shaper.process(audio[start : start + 160]) for start in range(0, len(audio), 160))
    out += shaper.flush()
    assert abs(len(out) // 2 - (800 + 80)) <= 2
    assert abs(shaper.position(0.2) - 80) <= 2
    assert shaper.position(0.0) == 0


def test_an_utterance_of_silence_comes_out_empty() -> None:
    shaper = SpeechShaper(16000, 8000)
    assert shaper.process(np.zeros(16000, np.int16)) + shaper.flush() == b""
    assert not shaper.started


def test_the_rate_is_converted() -> None:
    shaper = SpeechShaper(16000, 8000)
    out = shaper.process(tone(3200, 440.0, 16000)) + shaper.flush()
    assert abs(len(out) // 2 - 1600) <= 1


def test_rates_are_kept_within_what_engines_can_do() -> None:
    assert [sane_rate(rate) for rate in (0.0, 1.0, 99.0)] == [0.33, 1.0, 3.0]


def test_words_are_placed_in_order_and_unknown_ones_left_out() -> None:
    marks = place_words("No, no: 42!", [("No", 0.1), ("no", 0.4), ("?", 0.5), ("42", 0.6)])
    assert marks == [(0.1, 0, 2), (0.4, 4, 6), (0.6, 8, 10)]


def test_a_wav_header_is_cut_off_wherever_it_is_torn() -> None:
    head = (
        b"RIFF\xff\xff\xff\x7fWAVEfmt \x10\0\0\0\x01\0\x01\0\x22\x56\0\0\x44\xac\0\0\x02\0\x10\0data\0\xf0\xff\x7f"
    )
    for cut in range(len(head) + 4):
        header = WavHeader()
        data = head + b"abcd"
        assert header.strip(data[:cut]) + header.strip(data[cut:]) == b"abcd"
        assert header.rate_hz == 22050


def test_the_band_extender_does_not_depend_on_the_cut() -> None:
    pcm = tone(1600, 1000.0).astype("<i2").tobytes()
    whole = BandExtender().process(pcm)
    pieces = BandExtender()
    assert b"".join(pieces.process(pcm[start : start + 320]) for start in range(0, len(pcm), 320)) == whole
    assert len(whole) == 2 * len(pcm)


def test_the_band_extender_keeps_the_band_and_half_of_its_image() -> None:
    out = np.frombuffer(BandExtender().process(tone(8000, 3000.0).astype("<i2").tobytes()), "<i2")
    spectrum = np.abs(np.fft.rfft(out[4000:12000] * np.hanning(8000)))
    direct, image = spectrum[1500], spectrum[2500]
    assert 0.45 < image / direct < 0.55
