"""Frames, windows, level gate, model and gate together, as the media worker runs them, on a telephone line."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from voicegw.audio import g711, wav
from voicegw.audio.levels import apply_gain, level_dbov, to_float
from voicegw.audio.progress import progress_tone
from voicegw.audio.resample import resample
from voicegw.audio.tones import dtmf, tone
from voicegw.audio.windows import WindowAssembler
from voicegw.inference.vad.silero import SileroVad
from voicegw.testing.noise import click, cough, line_noise, mixed
from voicegw.turn.vad_gate import GateEdge, VadGate

Pcm = NDArray[np.int16]
LEAD_MS = 1200
PHRASES = ("Yes.", "Stop please.", "Hello?", "I would like to make an appointment for Tuesday.")


@dataclass(frozen=True, slots=True)
class Heard:
    edges: list[GateEdge]
    model_share: float


def listen(lines: list[Pcm]) -> list[Heard]:
    """Each line on a row of its own, all in one batch."""
    count, rows = len(lines), np.arange(len(lines))
    model, gate, assembler = SileroVad(count), VadGate(count), WindowAssembler(count, 256)
    for row in rows:
        assembler.reset(int(row))
    size = min(len(line) for line in lines) // 160 * 160
    heard = np.stack([g711.decode(g711.encode(line[:size], g711.Law.ULAW), g711.Law.ULAW) for line in lines])
    edges: list[GateEdge] = []
    runs = np.zeros(count)
    for start in range(0, size, 160):
        full, windows, ends = assembler.push(rows, heard[:, start : start + 160])
        need = gate.needs_model(full, level_dbov(windows))
        runs[full[need]] += 1
        edges += gate.update(full[need], model.probabilities(full[need], to_float(windows[need])), ends[need])
    return [Heard([e for e in edges if e.row == row], runs[row] / (size / 256)) for row in rows]


def spoken(phrase: str, voice: str, folder: Path) -> Pcm:
    """From the first to the last sound, at a normal level."""
    path = folder / "say.wav"
    subprocess.run(["flite", "-voice", voice, "-t", phrase, "-o", str(path)], check=True, timeout=60)
    audio = wav.parse(path.read_bytes())
    pcm = resample(audio.mono(), audio.rate, 8000)
    loud = np.flatnonzero(level_dbov(pcm[: len(pcm) // 40 * 40].reshape(-1, 40)) > level_dbov(pcm) - 30)
    pcm = pcm[loud[0] * 40 : loud[-1] * 40 + 40]
    return apply_gain(pcm, float(10 ** ((-24 - level_dbov(pcm)) / 20)))


@pytest.mark.parametrize("background_dbov", [-90.0, -65.0, -50.0])
def test_speech_is_noticed_once_soon_and_its_bounds_are_right(background_dbov: float, tmp_path: Path) -> None:
    phrases = [spoken(phrase, voice, tmp_path) for phrase in PHRASES for voice in ("rms", "slt")]
    lines = [mixed(line_noise(5000, background_dbov), phrase, LEAD_MS) for phrase in phrases]
    latencies_ms = []
    for phrase, heard in zip(phrases, listen(lines), strict=True):
        assert [edge.started for edge in heard.edges] == [True, False]
        start, stop = heard.edges
        latencies_ms.append(start.decided / 8 - LEAD_MS)
        assert abs(start.position / 8 - LEAD_MS) < 130
        assert -48 < (stop.position - len(phrase)) / 8 - LEAD_MS < 160  # a window and a half early
    assert np.median(latencies_ms) <= 80 and max(latencies_ms) <= 280  # the latest begin with a breath ("hello")


def test_soft_speech_on_a_quiet_line_is_not_swallowed_by_the_level_gate(tmp_path: Path) -> None:
    """20 dB below normal: somebody who put the telephone on the table."""
    soft = [apply_gain(spoken(phrase, "rms", tmp_path), 0.1) for phrase in PHRASES]
    lines = [mixed(line_noise(5000, -75), phrase, LEAD_MS) for phrase in soft]
    assert all(heard.edges for heard in listen(lines))


def test_what_is_not_speech_does_not_open_the_gate() -> None:
    sounds = {
        "silence": np.zeros(8, np.int16),
        "click": click(-5),
        "cough": cough(-15),
        "keys": dtmf("159", 80, 60, level_dbov=-15),
        "busy": np.frombuffer(progress_tone("busy", 1500), np.int16),
        "beep": tone(1000, 300),
    }
    backgrounds = (-90.0, -70.0, -60.0, -45.0)
    lines = {
        (name, level): mixed(line_noise(2500, level, seed=int(-level)), sound, LEAD_MS)
        for name, sound in sounds.items()
        for level in backgrounds
    }
    opened = [name for name, heard in zip(lines, listen(list(lines.values())), strict=True) if heard.edges]
    assert opened == []


def test_quiet_lines_hardly_cost_anything() -> None:
    silent, hissing = listen([np.zeros(80000, np.int16), line_noise(10000, -62)])
    assert silent.model_share == 0
    assert hissing.model_share < 0.3
