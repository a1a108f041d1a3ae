"""Lines that are never silent, with clocks that are not ours: the delay stays, nothing is missing or clicks."""

from __future__ import annotations

import random
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from voicegw.audio.g711 import Law, decode, encode
from voicegw.base.ids import LegId
from voicegw.media import fitting
from voicegw.media.bank import LegBank
from voicegw.media.config import MediaConfig
from voicegw.media.filling import Pcm
from voicegw.media.messages import ConfigureLeg
from voicegw.testing.bench._speech_packets import CODECS, encoder

LOOP_S = 10
PARTIALS_HZ = (220.3, 277.1, 329.7, 440.9, 523.3, 660.1)
"""None of them fits 50 times a second: a frame that is cut out leaves a step in each."""
PPM = 600
SECONDS = 150
"""As much as 15 minutes at 100 ppm."""


def noise(rate_hz: int) -> Pcm:
    """Of −45 dBov: a line in a car."""
    made = np.random.default_rng(3).normal(0, 32768 * 10 ** (-45 / 20), rate_hz * LOOP_S)
    return np.rint(made).astype(np.int16)


def music(rate_hz: int) -> Pcm:
    """A chord of −22 dBov that never rests, and can be played again and again."""
    at = np.arange(rate_hz * LOOP_S) / rate_hz
    made: Pcm = np.rint(1500 * sum(np.sin(2 * np.pi * hz * at + hz) for hz in PARTIALS_HZ)).astype(np.int16)
    return made


SOUNDS = {"noise": noise, "music": music}


@cache
def payloads(codec: str, sound: str) -> list[bytes]:
    """To be sent again and again; of codecs with a memory so many that they need not be."""
    known = CODECS[codec]
    frames = SOUNDS[sound](known.rate_hz).reshape(-1, known.rate_hz // 50)
    make, times = encoder(known), 1 if codec.startswith("PCM") else 4
    return [make(frame) for _ in range(times) for frame in frames]


class Phones:
    """Telephones that say a sound each, by a clock each, ppm faster than ours; what is heard of them."""

    def __init__(self, codec: str, said: list[tuple[str, int]], start_ms: int = 40) -> None:
        self.codec = CODECS[codec]
        count = len(said)
        self.bank = LegBank(MediaConfig(max_legs=count, jitter_start_ms=start_ms), random.Random(1).randbytes)
        self.rows = np.array([self.bank.take() for _ in said], np.intp)
        for row in self.rows.tolist():
            self.bank.configure(row, ConfigureLeg(LegId(str(row)), "192.0.2.1", 4000, codec, 0), 0.0)
        self._payloads = [payloads(codec, name) for name, _ in said]
        self._packets = np.zeros((count, 1012), np.uint8)
        self._sent = np.zeros(count, np.int64)
        self._due = np.full(count, 0.005)
        self._spacing = 0.02 * (1 - np.array([ppm for _, ppm in said]) * 1e-6)
        self.heard: list[Pcm] = []
        self.delays: list[int] = []

    def run(self, seconds: float) -> None:
        hear = self.bank.frames if self.codec.rate_hz == 8000 else self.bank.wide.frames
        jitter, first = self.bank.jitter, int(self.rows[0])
        for _ in range(round(seconds * 50)):
            now = len(self.heard) * 0.02
            while (ready := np.flatnonzero(self._due <= now)).size:
                self._send(ready, now)
            self.heard.append(hear(self.rows))
            self.delays.append(max(jitter.delay_samples(row) for row in range(first, first + len(self.rows))))

    def _send(self, ready: NDArray[np.intp], now: float) -> None:
        rows, numbers, lengths = self.rows[ready], self._sent[ready], np.zeros(len(ready), np.int64)
        packets = self._packets[: len(ready)]
        for place, (source, number) in enumerate(zip(ready.tolist(), numbers.tolist(), strict=True)):
            given = self._payloads[source]
            payload = given[number % len(given)]
            lengths[place] = len(payload)
            packets[place, 12 : 12 + len(payload)] = np.frombuffer(payload, np.uint8)
        timestamps = numbers * self.codec.step
        if self.codec.name == "opus":
            self.bank.wide.refer(rows, numbers, timestamps, packets, 12, lengths)
        reception = self.bank.reception.update(rows, numbers & 0xFFFF, timestamps, round(now * 8000))
        self.bank.jitter.insert(rows, timestamps, packets, 12, lengths, reception)
        self._sent[ready] += 1
        self._due[ready] += self._spacing[ready]

    def nothing_is_missing(self) -> bool:
        jitter = self.bank.jitter
        return not any(counts[self.rows].any() for counts in (jitter.late, jitter.concealed, jitter.resyncs))

    def frames_gained(self) -> list[int]:
        """By how many frames more than there were ticks each has been played."""
        return [int(self.bank.jitter._play[row]) // 160 - len(self.heard) for row in self.rows]

    def output(self, place: int) -> Pcm:
        """Without the first half second."""
        return np.concatenate([frames[place] for frames in self.heard[25:]])


def kinks(pcm: Pcm) -> int:
    """The largest change from one step between samples to the next: a click is one that the sound does not have."""
    return int(np.abs(np.diff(pcm.astype(np.int64), 2)).max())


def own_kinks(sound: str, law: Law) -> int:
    """Those of a sound itself, by G.711."""
    said = SOUNDS[sound](8000)
    return kinks(decode(encode(np.concatenate([said, said[:160]]), law), law))


def test_clocks_that_differ_add_no_delay_where_it_is_never_silent() -> None:
    said = [(sound, ppm) for sound in SOUNDS for ppm in (PPM, -PPM)]
    phones = Phones("PCMU", said)
    phones.run(SECONDS)
    assert max(phones.delays[50 * 20 :]) <= 320
    assert phones.nothing_is_missing()
    assert phones.frames_gained() == pytest.approx([2, -6] * 2, abs=1), "a frame each by which the clocks differ"
    for place, (sound, _) in enumerate(said):
        assert kinks(phones.output(place)) <= 1.05 * own_kinks(sound, Law.ULAW), said[place]


@pytest.mark.parametrize("ppm", [PPM, -PPM])
def test_a_cut_without_a_fade_would_click(ppm: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: the measure above can fail."""
    monkeypatch.setattr(fitting, "joined", lambda _first, second: second)
    phones = Phones("PCMU", [("music", ppm)])
    phones.run(80)
    assert kinks(phones.output(0)) > 2 * own_kinks("music", Law.ULAW)


@pytest.mark.parametrize("codec", ["PCMA", "G722", "opus"])
def test_each_codec_gives_frames_back_and_takes_them_in_the_middle_of_a_sound(codec: str) -> None:
    thick, slow = Phones(codec, [("music", 0)], start_ms=60), Phones(codec, [("music", -1000)], start_ms=20)
    thick.run(25)
    slow.run(33)
    assert thick.delays[-1] == 160
    assert thick.frames_gained() == [-4 + 2]
    assert slow.frames_gained() == [-2 - 1]
    for phones in (thick, slow):
        assert phones.nothing_is_missing()
        assert kinks(phones.output(0)) <= 1.5 * own_kinks("music", Law.ALAW)
