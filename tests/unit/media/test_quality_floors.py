"""How each codec sounds behind each bad network: a known voice, what is left of it, and how much may be missing."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray

from voicegw.audio.opus import Decoder
from voicegw.audio.plc import Concealer
from voicegw.testing.bench._bad_line import BadLine
from voicegw.testing.bench._speech_packets import CODECS
from voicegw.testing.impairment import CATALOGUE
from voicegw.testing.probe_sounds import voice
from voicegw.testing.speech_distance import spectral_distance_db

Pcm = NDArray[np.int16]
SECONDS = 4.0
SEED = 3

MOST_DB: dict[str, tuple[float, ...]] = {
    "PCMU": (0.15, 0.20, 0.25, 0.55, 0.20, 0.65, 0.20, 1.10, 0.30, 0.15, 0.50),
    "PCMA": (0.15, 0.20, 0.25, 0.55, 0.20, 0.65, 0.20, 1.10, 0.30, 0.15, 0.50),
    "G722": (0.70, 0.75, 0.95, 1.55, 0.80, 1.40, 0.80, 1.60, 0.90, 0.70, 1.20),
    "opus": (2.15, 2.20, 2.20, 2.55, 2.20, 2.60, 2.20, 2.50, 2.60, 2.15, 2.50),
}
"""The spectral distance that each codec may have behind each network of the catalogue, in its order.

Compiled G.722 gives the bits of the library (tests/unit/audio/test_g722_rows.py), and so the same distances.
"""


@lru_cache
def said(rate_hz: int) -> Pcm:
    return voice(rate_hz, SECONDS)


def distance_db(codec: str, network: str) -> float:
    line = BadLine(CODECS[codec], CATALOGUE[network], SEED)
    known = said(CODECS[codec].rate_hz)
    line.say(known)
    heard = line.heard
    line.close()
    return spectral_distance_db(known, heard, CODECS[codec].rate_hz)


@pytest.mark.parametrize("codec", MOST_DB)
def test_no_network_takes_more_of_a_voice_than_it_may(codec: str) -> None:
    found = {network: distance_db(codec, network) for network in CATALOGUE}
    most = dict(zip(CATALOGUE, MOST_DB[codec], strict=True))
    assert {network: round(far, 2) for network, far in found.items() if far > most[network]} == {}
    losses = [found[network] for network in ("none", "loss 1 %", "loss 3 %", "loss 10 %")]
    assert losses == sorted(losses)
    assert found["duplicates 5 %"] == pytest.approx(found["none"], abs=0.01), "what comes twice is heard once"


def silence(_self: Concealer, rows: NDArray[np.intp], samples: int) -> NDArray[np.float64]:
    return np.zeros((len(rows), samples))


def no_sound(_self: Decoder, *given: object) -> None:
    (pcm,) = (each for each in given if isinstance(each, np.ndarray))
    pcm[:] = 0


@pytest.mark.parametrize("codec", MOST_DB)
def test_without_concealment_too_much_is_missing(codec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: these limits can fail."""
    monkeypatch.setattr(Concealer, "_continue", silence)
    monkeypatch.setattr(Decoder, "recover", no_sound)
    monkeypatch.setattr(Decoder, "conceal", no_sound)
    most = dict(zip(CATALOGUE, MOST_DB[codec], strict=True))
    for network in ("loss 3 %", "loss 10 %", "bursts 10 %"):
        assert distance_db(codec, network) > most[network]


def test_the_distance_is_that_of_the_sound_and_not_of_the_delay() -> None:
    known = said(8000)
    later = np.concatenate([np.zeros(1234, np.int16), known])
    assert spectral_distance_db(known, known, 8000) == 0
    assert spectral_distance_db(known, later, 8000) == 0
    slipped = np.concatenate([known[:16_000], known[15_840:]])
    assert 0 < spectral_distance_db(known, slipped, 8000) < 0.5
    assert spectral_distance_db(known, known // 2, 8000) == pytest.approx(6, abs=0.2)
    assert spectral_distance_db(known, np.zeros_like(known), 8000) > 15
    assert spectral_distance_db(known, known[::-1].copy(), 8000) > 6
    assert spectral_distance_db(np.zeros_like(known), known, 8000) == 0
