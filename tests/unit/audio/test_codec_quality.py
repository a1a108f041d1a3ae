"""How much a codec changes, by a known signal; and that it is the codec of the standard, by other programs."""

from __future__ import annotations

import ctypes
from fractions import Fraction

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from voicegw.audio import g722, opus
from voicegw.audio.g711 import Law, decode, encode
from voicegw.audio.rate_change import RateChanger
from voicegw.testing.probe_sounds import voice

Pcm = NDArray[np.int16]
EVERY_CODE = np.arange(256).astype(np.uint8)
EVERY_SAMPLE = np.arange(-32768, 32768).astype(np.int16)


def by_spandsp(law: Law) -> tuple[NDArray[np.uint8], Pcm]:
    """Every sample encoded and every code decoded by a second library that is none of ours."""
    library = ctypes.CDLL("libspandsp.so.2")
    pointer, integer = ctypes.c_void_p, ctypes.c_int
    library.g711_init.restype, library.g711_init.argtypes = pointer, [pointer, integer]
    coder = library.g711_init(None, 1 if law is Law.ULAW else 0)
    codes, levels = np.zeros(len(EVERY_SAMPLE), np.uint8), np.zeros(len(EVERY_CODE), np.int16)
    for work, out, given in (
        (library.g711_encode, codes, EVERY_SAMPLE),
        (library.g711_decode, levels, EVERY_CODE),
    ):
        work.argtypes = [pointer, pointer, pointer, integer]
        assert work(coder, out.ctypes.data, given.ctypes.data, len(given)) == len(given)
    library.g711_free.argtypes = [pointer]
    library.g711_free(coder)
    return codes, levels


def by_ffmpeg(name: str, data: bytes, rate_hz: int = 8000) -> Pcm:
    """Decoded by a library that is none of ours."""
    decoder = av.CodecContext.create(name, "r")
    decoder.sample_rate, decoder.layout = rate_hz, "mono"
    return np.concatenate([frame.to_ndarray().ravel() for frame in decoder.decode(av.Packet(data))])


def snr_db(clean: Pcm, coded: Pcm, most_delay: int = 400) -> float:
    """Signal to noise at the delay at which both fit best."""
    middle = clean[4000:-4000].astype(np.float64)
    ratios = []
    for delay in range(most_delay):
        noise = coded[4000 + delay : 4000 + delay + len(middle)] - middle
        ratios.append(10 * np.log10((middle**2).sum() / max((noise**2).sum(), 1e-9)))
    return float(max(ratios))


def log_spectral_distance_db(clean: Pcm, coded: Pcm, delay: int) -> float:
    """Mean distance of the spectra of 32 ms, in dB, where there is anything to hear."""
    size = 512
    count = (len(clean) - delay) // size - 2
    first = clean[: count * size].reshape(-1, size)
    second = coded[delay : delay + count * size].reshape(-1, size)
    window = np.hanning(size)
    levels = [20 * np.log10(np.abs(np.fft.rfft(x * window, axis=1)) + 50) for x in (first, second)]
    return float(np.sqrt(((levels[0] - levels[1]) ** 2).mean(axis=1)).mean())


@pytest.mark.parametrize("law", list(Law))
def test_g711_is_that_of_spandsp_to_the_bit_for_every_sample_and_every_code(law: Law) -> None:
    codes, levels = by_spandsp(law)
    assert np.array_equal(encode(EVERY_SAMPLE, law), codes)
    assert np.array_equal(decode(EVERY_CODE, law), levels)


@pytest.mark.parametrize(("law", "name"), [(Law.ULAW, "pcm_mulaw"), (Law.ALAW, "pcm_alaw")])
def test_g711_decodes_every_code_as_ffmpeg_does(law: Law, name: str) -> None:
    assert np.array_equal(by_ffmpeg(name, EVERY_CODE.tobytes()), decode(EVERY_CODE, law))


@pytest.mark.parametrize(("law", "name"), [(Law.ULAW, "pcm_mulaw"), (Law.ALAW, "pcm_alaw")])
def test_g711_of_ffmpeg_decodes_what_we_encode_to_the_nearest_code(law: Law, name: str) -> None:
    codes = encode(EVERY_SAMPLE, law)
    theirs = by_ffmpeg(name, codes.tobytes())
    assert np.array_equal(theirs, decode(codes, law))
    levels = np.sort(decode(EVERY_CODE, law).astype(np.int32))
    steps = np.diff(levels)
    widest = np.maximum(np.append(steps, steps[-1]), np.insert(steps, 0, steps[0]))
    error = np.abs(theirs.astype(np.int32) - EVERY_SAMPLE)
    place = np.clip(np.searchsorted(levels, theirs), 0, 255)
    clipped = np.abs(EVERY_SAMPLE.astype(np.int32)) > levels[-1]
    assert (error <= widest[place])[~clipped].all()


def test_g722_is_that_of_ffmpeg_to_the_bit() -> None:
    pcm = np.concatenate([voice(16000), np.random.default_rng(2).integers(-32768, 32767, 16000).astype(np.int16)])
    pcm = pcm[: len(pcm) // 320 * 320]
    codes = g722.Encoder().encode(pcm)
    coder = av.CodecContext.create("g722", "w")
    coder.sample_rate, coder.layout, coder.format, coder.time_base = 16000, "mono", "s16", Fraction(1, 16000)
    theirs = b""
    for piece in pcm.reshape(-1, 320):
        frame = av.AudioFrame.from_ndarray(piece.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = 16000
        theirs += b"".join(bytes(packet) for packet in coder.encode(frame))
    assert theirs[: len(codes)] == codes[: len(theirs)]
    decoded = by_ffmpeg("g722", codes, 16000)
    assert np.array_equal(decoded, g722.Decoder().decode(codes)[: len(decoded)])


def test_how_much_each_codec_changes() -> None:
    narrow, wide = voice(8000), voice(16000)
    assert snr_db(narrow, decode(encode(narrow, Law.ULAW), Law.ULAW), 4) > 33
    assert snr_db(narrow, decode(encode(narrow, Law.ALAW), Law.ALAW), 4) > 33
    by_g722 = g722.Decoder().decode(g722.Encoder().encode(wide))
    assert snr_db(wide, by_g722) > 20
    assert log_spectral_distance_db(wide, by_g722, 22) < 11
    coder, decoder, frames = opus.Encoder(opus.EncoderSettings()), opus.Decoder(), []
    for piece in wide[: len(wide) // 320 * 320].reshape(-1, 320):
        frame = np.zeros(320, np.int16)
        decoder.decode(coder.encode(piece), frame)
        frames.append(frame)
    assert log_spectral_distance_db(wide, np.concatenate(frames), 104) < 9


def test_what_passes_from_8_to_16_khz_and_back_is_what_it_was() -> None:
    clean = voice(8000)
    clean = clean[: len(clean) // 160 * 160]
    up, down, rows = RateChanger(1, 8000, 16000), RateChanger(1, 16000, 8000), np.zeros(1, np.intp)
    back = [down.process(rows, up.process(rows, piece[np.newaxis]))[0] for piece in clean.reshape(-1, 160)]
    assert snr_db(clean, np.concatenate(back), 60) > 25
