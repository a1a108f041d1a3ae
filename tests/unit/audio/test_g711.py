from __future__ import annotations

import numpy as np
import pytest

from voicegw.audio import g711
from voicegw.audio.g711 import Law

ALL_CODES = np.arange(256, dtype=np.uint8)
ALL_PCM = np.arange(-32768, 32768).astype(np.int16)


def test_known_values_of_the_recommendation() -> None:
    assert g711.decode(np.array([0x80, 0x00, 0xFF, 0x7F], np.uint8), Law.ULAW).tolist() == [32124, -32124, 0, 0]
    assert g711.decode(np.array([0xAA, 0x2A, 0xD5, 0x55], np.uint8), Law.ALAW).tolist() == [32256, -32256, 8, -8]
    assert g711.encode(np.array([0, 32767, -32768], np.int16), Law.ULAW).tolist() == [0xFF, 0x80, 0x00]
    assert g711.encode(np.array([0, -1, 32767, -32768], np.int16), Law.ALAW).tolist() == [0xD5, 0x55, 0xAA, 0x2A]


def test_every_code_survives_decode_then_encode() -> None:
    assert np.array_equal(g711.encode(g711.decode(ALL_CODES, Law.ALAW), Law.ALAW), ALL_CODES)
    expected = np.where(ALL_CODES == 0x7F, g711.ULAW_SILENCE, ALL_CODES)  # the second zero comes back as the first
    assert np.array_equal(g711.encode(g711.decode(ALL_CODES, Law.ULAW), Law.ULAW), expected)


def test_the_error_is_at_most_half_a_step_of_the_segment() -> None:
    """16 steps a segment that doubles: half a step is 1/32 of the lower end (μ-law: of the biased value)."""
    magnitude = np.abs(ALL_PCM.astype(np.int32))
    for law, bound in ((Law.ULAW, (magnitude + 132) / 32), (Law.ALAW, np.maximum(8, (magnitude + 1) / 32))):
        heard = g711.decode(g711.encode(ALL_PCM, law), law).astype(np.int32)
        inside = magnitude <= 32124  # beyond the peak both laws saturate
        assert (np.abs(heard - ALL_PCM)[inside] <= bound[inside]).all()
        assert (np.abs(heard)[~inside] >= 32124).all()


@pytest.mark.parametrize("law", list(Law))
def test_companding_is_monotonic_and_odd(law: Law) -> None:
    heard = g711.decode(g711.encode(ALL_PCM, law), law).astype(np.int32)
    assert (np.diff(heard) >= 0).all()
    mirror = ~ALL_PCM if law is Law.ALAW else np.negative(ALL_PCM[1:])
    source = ALL_PCM if law is Law.ALAW else ALL_PCM[1:]
    mirrored = g711.decode(g711.encode(mirror, law), law).astype(np.int32)
    assert np.array_equal(mirrored, -g711.decode(g711.encode(source, law), law).astype(np.int32))


def test_shapes_are_kept_and_strided_input_is_fine() -> None:
    pcm = ALL_PCM.reshape(256, 256)[::2, ::2]
    codes = g711.encode(pcm, Law.ULAW)
    assert codes.shape == pcm.shape and codes.dtype == np.uint8
    assert g711.decode(codes[:, ::3], Law.ULAW).dtype == np.int16
    assert g711.decode(np.empty((0, 160), np.uint8), Law.ALAW).shape == (0, 160)


def test_rows_of_both_laws_in_one_pass() -> None:
    laws = np.array([Law.ULAW, Law.ALAW, Law.ULAW], np.uint8)
    codes = np.stack([ALL_CODES, ALL_CODES, ALL_CODES[::-1]])
    pcm = g711.decode_rows(codes, laws)
    for row, law in enumerate(laws):
        assert np.array_equal(pcm[row], g711.decode(codes[row], Law(law)))
    assert np.array_equal(
        g711.encode_rows(pcm, laws), np.stack([g711.encode(p, Law(law)) for p, law in zip(pcm, laws, strict=True)])
    )


def test_sine_quality_is_that_of_g711() -> None:
    """ITU-T G.712: about 35 dB and more at nominal levels; the two laws agree within a few dB."""
    sine = (8000 * np.sin(2 * np.pi * 1020 * np.arange(8000) / 8000)).astype(np.int16)
    for law in Law:
        noise = g711.decode(g711.encode(sine, law), law).astype(float) - sine
        assert 10 * np.log10((sine.astype(float) ** 2).mean() / (noise**2).mean()) > 35
