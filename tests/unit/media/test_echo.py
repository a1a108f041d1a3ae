"""The whole engine on a line that sends back what it hears: the agent does not interrupt itself, and can be
interrupted."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.unit.media.rig import Rig
from voicegw.audio import wav
from voicegw.audio.g711 import Law, decode
from voicegw.audio.levels import apply_gain, db_to_gain
from voicegw.audio.resample import resample
from voicegw.base.ids import CallId, UtteranceId
from voicegw.inference.vad.silero import SileroVad
from voicegw.media import messages as m
from voicegw.media.config import MediaConfig
from voicegw.rtp.packet import RtpPacket
from voicegw.testing.manual_clock import ManualClock
from voicegw.turn.echo_gate_config import EchoGateConfig

Pcm = NDArray[np.int16]
AGENT = "Welcome to the clinic. I can help you with appointments, opening hours and the way. What shall it be?"
CALLER = "No, I would like to cancel my appointment."
FRAME = 160
BEGAN_AT = ManualClock().monotonic()


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pcm, Pcm]:
    """The agent's words, twice, and the caller's."""
    folder = tmp_path_factory.mktemp("voices")
    agent = spoken(AGENT, "slt", folder)
    return np.concatenate([agent, agent]), spoken(CALLER, "rms", folder)


def spoken(text: str, voice: str, folder: Path) -> Pcm:
    path = folder / f"{voice}.wav"
    subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(path)], check=True, timeout=60)
    audio = wav.parse(path.read_bytes())
    return resample(audio.samples[:, 0], audio.rate, 8000)


def call(
    agent: Pcm, caller: Pcm, *, delay_ms: int, loss_db: float = 20.0, echo: EchoGateConfig | None = None
) -> list[m.SpeechStarted]:
    """The agent speaks over a line that echoes; ``caller`` is what is said at the other end."""
    rig = Rig(MediaConfig(max_legs=1, echo=echo or EchoGateConfig()), SileroVad(1))
    peer = rig.open("leg")
    rig.mix(("agent", "leg"), ("leg", "agent_ear"))
    rig.do(m.QueueAudio(CallId("call"), UtteranceId("words"), agent.tobytes(), final=True))
    lag = delay_ms * 8
    heard = np.zeros(lag + FRAME, np.int16)
    for frame in range(len(agent) // FRAME):
        back = apply_gain(heard[len(heard) - lag - FRAME : len(heard) - lag], db_to_gain(-loss_db))
        peer.say(back + caller[frame * FRAME : (frame + 1) * FRAME])
        rig.tick()
        payload = RtpPacket.parse(rig.network.outbox[peer.address][-1]).payload
        heard = np.concatenate([heard[FRAME:], decode(np.frombuffer(payload, np.uint8), Law.ULAW)])
    return rig.of(m.SpeechStarted)


@pytest.mark.parametrize("delay_ms", [60, 173, 400])
def test_an_agent_does_not_stop_for_its_own_echo(voices: tuple[Pcm, Pcm], delay_ms: int) -> None:
    agent, _ = voices
    assert call(agent, np.zeros_like(agent), delay_ms=delay_ms) == []


def test_without_the_gate_it_would(voices: tuple[Pcm, Pcm]) -> None:
    agent, _ = voices
    assert call(agent, np.zeros_like(agent), delay_ms=173, echo=EchoGateConfig(longest_ms=0)) != []


@pytest.mark.parametrize("delay_ms", [60, 400])
def test_a_caller_interrupts_it_under_the_echo(voices: tuple[Pcm, Pcm], delay_ms: int) -> None:
    agent, caller = voices
    said = np.zeros_like(agent)
    begin = 24000
    said[begin : begin + len(caller)] = caller
    (started, *_) = call(agent, said, delay_ms=delay_ms)
    spoken_at = BEGAN_AT + begin / 8000
    assert spoken_at <= started.onset_at <= spoken_at + 0.5
    assert started.paused, "the agent is silent in the same tick"
