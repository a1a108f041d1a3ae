"""The line bench: what the echo gate and WebRTC's line processing do against a line that sends back what it hears.

An agent speaks for a minute over a G.711 line with an echo of known loss and delay, on a manual clock: every speech
that is detected is a false interruption. Then a caller of known level interrupts under it: what is not detected is
missed. The echo that is left is measured at an ear; the CPU is that of whole ticks of the engine, less that of the
same ticks without processing.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voicegw.audio.g711 import Law, decode, encode
from voicegw.audio.levels import db_to_gain
from voicegw.base.ids import CallId, LegId, UtteranceId
from voicegw.call.edges import AGENT, AGENT_EAR
from voicegw.inference.registry import make_tts
from voicegw.inference.settings import EngineSettings
from voicegw.inference.vad.silero import SileroVad
from voicegw.media import messages as m
from voicegw.media.config import FRAME_S, FRAME_SAMPLES, SAMPLE_RATE_HZ, MediaConfig
from voicegw.media.engine import MediaEngine
from voicegw.media.line_config import LineConfig
from voicegw.media.sockets import UdpNetwork
from voicegw.ports.recorder import RecorderEvent
from voicegw.rtp.packet import HEADER_BYTES, RtpPacket
from voicegw.server_media import line_processors
from voicegw.testing.bench._report import conclude, parser, show
from voicegw.testing.manual_clock import ManualClock
from voicegw.testing.speech_eval import caller_audio
from voicegw.turn.echo_gate_config import EchoGateConfig

_Pcm = NDArray[np.int16]

_AGENT: Final = (
    "Welcome to the clinic. I can help you with appointments, opening hours and the way. What shall it be? We are "
    "open from Monday to Friday, from eight in the morning until six in the evening. You may also leave a message "
    "for the doctor on call, and she will ring you back within the hour. For the pharmacy, say pharmacy."
)
_CALLER: Final = "No, I would like to cancel my appointment."
_AGENT_DBOV: Final = -20.0
_NOISE_DBOV: Final = -65.0
_DELAYS_MS: Final = (60, 120, 173, 240, 320, 400)
_LOSSES_DB: Final = (14.0, 20.0, 26.0)
_CALLERS_DBOV: Final = (-20.0, -26.0, -32.0, -38.0)
_INTERRUPTS_AT_S: Final = (6, 12, 18, 24, 30)
_HEARD_WITHIN_S: Final = 1.5
_LEG, _CALL = LegId("caller"), CallId("call")
_NO_GATE: Final = EchoGateConfig(longest_ms=0)
_ECHO_OFF: Final = LineConfig(echo_cancel="webrtc")
_WAYS: Final = {
    "nothing": MediaConfig(max_legs=1, ear_level_dbov=0, echo=_NO_GATE),
    "gate": MediaConfig(max_legs=1, ear_level_dbov=0),
    "canceller": MediaConfig(max_legs=1, ear_level_dbov=0, echo=_NO_GATE, line_processing=_ECHO_OFF),
    "both": MediaConfig(max_legs=1, ear_level_dbov=0, line_processing=_ECHO_OFF),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One way to deal with echo, over all lines."""

    way: str
    false_starts: int
    """In so many minutes of the agent's speech as there are lines."""
    erle_db: float
    """By how much less echo is left after the first two seconds than came, at most down to the noise."""
    heard: dict[str, str]
    """By the level of the caller: how many of the interruptions were heard, and the median of how late."""
    tick_us: float


class _NoRecorder:
    """Nothing is recorded."""

    def start(self, *_what: object, **_how: object) -> bool:
        return False

    def write(self, *_what: object) -> bool:
        return False

    def skip(self, *_what: object) -> None:
        return None

    def stop(self, *_what: object, **_how: object) -> None:
        return None

    def poll(self) -> Sequence[RecorderEvent]:
        return ()

    def close(self) -> None:
        return None


class _EchoingLine:
    """A call over a line with an echo: what is sent comes back later and weaker, with noise and the caller."""

    def __init__(self, config: MediaConfig, loss_db: float, delay_ms: int) -> None:
        self._clock = ManualClock()
        line = line_processors(config.line_processing)
        self._engine = MediaEngine(config, UdpNetwork(), self._clock, os.urandom, _NoRecorder(), SileroVad(1), line)
        self._gain = db_to_gain(-loss_db)
        self._back = np.zeros(delay_ms * SAMPLE_RATE_HZ // 1000 + FRAME_SAMPLES, np.int16)
        self._noise = np.random.default_rng(1)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(5)
        self._sent = 0
        self.events: list[m.Event] = []
        self.came: list[_Pcm] = []
        self.tick_s = 0.0
        self.began_at = self._clock.monotonic()
        opened = self._do(m.OpenLeg(_LEG, _CALL, "127.0.0.1"))[0]
        assert isinstance(opened, m.LegOpened)
        self._place = ("127.0.0.1", opened.port)
        self._do(m.ConfigureLeg(_LEG, "127.0.0.1", self._socket.getsockname()[1], "PCMU", 0))
        self._do(m.SetMix(_CALL, ((_LEG, AGENT_EAR, 1.0), (AGENT, _LEG, 1.0))))

    def _do(self, *commands: m.Command) -> list[m.Event]:
        for command in commands:
            self._engine.handle(command, self._clock.monotonic())
        return self._engine.take_events()

    def run(self, agent: _Pcm, caller: _Pcm) -> None:
        """The agent says all of it, uninterrupted; ``caller`` is what is said at the other end."""
        words = UtteranceId("words")
        self._do(m.QueueAudio(_CALL, words, agent.tobytes(), final=True, interruptible=False))
        for start in range(0, len(agent) - FRAME_SAMPLES + 1, FRAME_SAMPLES):
            self._tick(caller[start : start + FRAME_SAMPLES])
        self._engine.close()
        self._socket.close()

    def _tick(self, caller: _Pcm) -> None:
        noise = self._noise.standard_normal(FRAME_SAMPLES) * 32768 * db_to_gain(_NOISE_DBOV)
        heard = np.clip(self._back[:FRAME_SAMPLES] * self._gain + noise + caller, -32768, 32767).astype(np.int16)
        codes = encode(heard, Law.ULAW)
        packet = RtpPacket(0, self._sent & 0xFFFF, self._sent * FRAME_SAMPLES, 7, codes.tobytes())
        self._socket.sendto(packet.to_bytes(), self._place)
        self._sent += 1
        self.came.append(decode(codes, Law.ULAW))
        now, began = self._clock.advance(FRAME_S), time.process_time()
        self._engine.tick(now)
        self.tick_s += time.process_time() - began
        self.events += self._engine.take_events()
        sent = np.frombuffer(self._socket.recv(2048)[HEADER_BYTES:], np.uint8)
        self._back = np.concatenate([self._back[FRAME_SAMPLES:], decode(sent, Law.ULAW)])

    @property
    def starts(self) -> list[float]:
        """Seconds after the beginning at which speech was detected."""
        return [event.at - self.began_at for event in self.events if isinstance(event, m.SpeechStarted)]

    def erle_db(self) -> float:
        """Of the frames that held echo, from the third second on."""
        batches = [event for event in self.events if isinstance(event, m.AudioBatch)]
        left = np.frombuffer(b"".join(piece.pcm for batch in batches for piece in batch.frames), np.int16)
        came = np.concatenate(self.came)[: len(left)]
        powers = [
            np.mean(np.square(pcm.astype(np.float64)).reshape(-1, FRAME_SAMPLES), axis=1) for pcm in (came, left)
        ]
        loud = powers[0] > (32768 * db_to_gain(-50.0)) ** 2
        loud[: 2 * SAMPLE_RATE_HZ // FRAME_SAMPLES] = False
        return float(10 * np.log10(powers[0][loud].sum() / powers[1][loud].sum()))


def _levelled(pcm: bytes, dbov: float) -> _Pcm:
    """Speech whose loud half has this level."""
    samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    active = samples[np.abs(samples) > 100]
    scaled = samples * 32768 * db_to_gain(dbov) / np.sqrt(np.mean(active**2))
    levelled: _Pcm = np.clip(np.rint(scaled), -32768, 32767).astype(np.int16)
    return levelled


def _measure(way: str, config: MediaConfig, agent: _Pcm, voice: bytes) -> Row:
    false_starts, erles, tick_s, ticks = 0, [], 0.0, 0
    for loss_db in _LOSSES_DB:
        for delay_ms in _DELAYS_MS:
            line = _EchoingLine(config, loss_db, delay_ms)
            line.run(agent, np.zeros_like(agent))
            false_starts += len(line.starts)
            erles.append(line.erle_db())
            tick_s, ticks = tick_s + line.tick_s, ticks + len(line.came)
    heard = {f"{dbov:.0f} dBov": _interrupt(config, agent, _levelled(voice, dbov)) for dbov in _CALLERS_DBOV}
    return Row(way, false_starts, round(float(np.mean(erles)), 1), heard, round(tick_s / ticks * 1e6))


def _interrupt(config: MediaConfig, agent: _Pcm, words: _Pcm) -> str:
    caller = np.zeros_like(agent)
    for at_s in _INTERRUPTS_AT_S:
        caller[at_s * SAMPLE_RATE_HZ :][: len(words)] = words
    late: list[float] = []
    for delay_ms in _DELAYS_MS:
        line = _EchoingLine(config, 20.0, delay_ms)
        line.run(agent, caller)
        for at_s in _INTERRUPTS_AT_S:
            found = [start - at_s for start in line.starts if 0 <= start - at_s <= _HEARD_WITHIN_S]
            late += found[:1]
    cases = len(_DELAYS_MS) * len(_INTERRUPTS_AT_S)
    return f"{len(late)} of {cases}, {np.median(late) * 1000:.0f} ms" if late else f"0 of {cases}"


async def _speech() -> tuple[bytes, bytes]:
    tts = make_tts("flite", EngineSettings())
    await tts.start()
    try:
        return await caller_audio(tts, _AGENT, "slt"), await caller_audio(tts, _CALLER, "rms")
    finally:
        await tts.close()


def main(argv: Sequence[str]) -> int:
    """Run the bench; 0 whether or not the aims are met: it measures, the verdict says."""
    options = parser("line", "False and missed interruptions on lines with an echo.")
    options.add_argument("--ways", nargs="+", choices=list(_WAYS), default=list(_WAYS))
    arguments = options.parse_args(argv)
    words, voice = asyncio.run(_speech())
    agent = np.tile(_levelled(words, _AGENT_DBOV), 3)[: 60 * SAMPLE_RATE_HZ]
    rows = []
    for way in arguments.ways:
        rows.append(_measure(way, replace(_WAYS[way]), agent, voice))
        row = rows[-1]
        show(f"{way:10} false starts {row.false_starts:3}  ERLE {row.erle_db:5.1f} dB  tick {row.tick_us:.0f} µs")
        for level, heard in row.heard.items():
            show(f"{'':10} caller at {level}: {heard}")
    verdicts = {f"no false start with {r.way}": r.false_starts == 0 for r in rows if r.way != "nothing"}
    conclude({"line": [asdict(row) for row in rows]}, verdicts, as_json=arguments.json)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
