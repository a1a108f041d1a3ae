"""The network bench: what bad networks leave of a caller's words.

Synthetic callers say the sentences of the appointment line over G.711 through the network model, into the media
engine and on to the recogniser. Time is a manual clock, so that the figures depend on nothing but the seed: MOS by
the E-model as the record has it, the delay of the jitter buffer, what was concealed, and the word error.
"""

from __future__ import annotations

import asyncio
import heapq
import os
import socket
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np

from voicegw.audio.g711 import Law, encode
from voicegw.base.ids import CallId, LegId
from voicegw.call.edges import AGENT_EAR
from voicegw.inference.registry import make_asr, make_tts
from voicegw.inference.settings import EngineSettings
from voicegw.media import messages as m
from voicegw.media.config import FRAME_S, FRAME_SAMPLES, MediaConfig
from voicegw.media.engine import MediaEngine
from voicegw.media.sockets import UdpNetwork
from voicegw.ports.asr import AsrOptions
from voicegw.ports.recorder import RecorderEvent
from voicegw.rtp.packet import RtpPacket
from voicegw.testing.bench._report import conclude, parser, show
from voicegw.testing.impairment import CATALOGUE, ImpairedPath, Impairment
from voicegw.testing.manual_clock import ManualClock
from voicegw.testing.speech_eval import caller_audio, recognize
from voicegw.testing.word_errors import word_errors

_SENTENCES: Final = (
    "i want to book an appointment",
    "next tuesday at half past ten",
    "my account number is four seven one nine zero two",
    "no i said thursday in the afternoon",
    "please connect me to somebody",
    "yes that is right thank you",
)
_VOICES: Final = ("rms", "slt")
_LEG, _CALL = LegId("caller"), CallId("call")
_TAIL_TICKS: Final = 25
_DELAY_LIMIT_MS: Final = 320.0
"""The buffer's own limit and what a burst may add for a moment."""


@dataclass(frozen=True, slots=True)
class Row:
    """One network."""

    network: str
    mos: float
    lost_percent: float
    late_percent: float
    concealed_percent: float
    delay_p50_ms: float
    delay_max_ms: float
    word_error: float


class _NoRecorder:
    """Nothing is recorded."""

    def start(self, *_what: object, **_how: object) -> bool:
        return False

    def write(self, *_what: object) -> bool:
        return False

    def stop(self, *_what: object, **_how: object) -> None:
        return None

    def poll(self) -> Sequence[RecorderEvent]:
        return ()

    def close(self) -> None:
        return None


class _Line:
    """One caller through one network, from the beginning of the call to its end."""

    def __init__(self, impairment: Impairment, seed: int) -> None:
        self._clock = ManualClock()
        self._engine = MediaEngine(
            MediaConfig(max_legs=1), UdpNetwork(), self._clock, os.urandom, _NoRecorder(), None
        )
        self._path = ImpairedPath(impairment, seed)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._under_way: list[tuple[float, int, bytes]] = []
        self._sent = 0
        self.heard = bytearray()
        self.delays_ms: list[float] = []
        port = self._socket.getsockname()[1]
        opened = self._do(m.OpenLeg(_LEG, _CALL, "127.0.0.1"))[0]
        assert isinstance(opened, m.LegOpened)
        self._place = ("127.0.0.1", opened.port)
        self._do(m.ConfigureLeg(_LEG, "127.0.0.1", port, "PCMU", 0), m.SetMix(_CALL, ((_LEG, AGENT_EAR, 1.0),)))

    def _do(self, *commands: m.Command) -> list[m.Event]:
        for command in commands:
            self._engine.handle(command, self._clock.monotonic())
        return self._engine.take_events()

    def say(self, pcm: bytes) -> bytes:
        """Say it to its end; what was heard of it, and of the silence after it."""
        self.heard.clear()
        codes = encode(np.frombuffer(pcm, "<i2"), Law.ULAW).tobytes()
        whole = len(codes) // FRAME_SAMPLES * FRAME_SAMPLES
        for start in range(0, whole + _TAIL_TICKS * FRAME_SAMPLES, FRAME_SAMPLES):
            payload = codes[start : start + FRAME_SAMPLES] if start < whole else b"\xff" * FRAME_SAMPLES
            self._send(payload)
            self._tick()
        return bytes(self.heard)

    def _send(self, payload: bytes) -> None:
        packet = RtpPacket(0, self._sent & 0xFFFF, self._sent * FRAME_SAMPLES, 7, payload)
        self._sent += 1
        for arrival in self._path.arrivals(self._clock.monotonic()):
            heapq.heappush(self._under_way, (arrival, self._sent, packet.to_bytes()))

    def _tick(self) -> None:
        now = self._clock.advance(FRAME_S)
        while self._under_way and self._under_way[0][0] <= now:
            self._socket.sendto(heapq.heappop(self._under_way)[2], self._place)
        self._engine.tick(now)
        for event in self._engine.take_events():
            if isinstance(event, m.AudioBatch):
                for tapped in event.frames:
                    self.heard += tapped.pcm
        self.delays_ms.append(self._engine.buffered_ms(_LEG))

    def close(self) -> m.LegStats:
        """Hang up."""
        closed = self._do(m.CloseLeg(_LEG))[-1]
        self._engine.close()
        self._socket.close()
        assert isinstance(closed, m.LegClosed)
        return closed.stats


async def _measure(speech: dict[str, list[bytes]], seeds: int, folder: Path) -> list[Row]:
    asr = make_asr("pocketsphinx", EngineSettings(cache_dir=folder))
    await asr.start()
    try:
        options = AsrOptions(phrases=_SENTENCES)
        await asr.prepare(options)
        rows = []
        for name, impairment in CATALOGUE.items():
            errors, stats, delays = 0, [], []
            for seed, voice in ((seed, voice) for seed in range(seeds) for voice in speech):
                line = _Line(impairment, seed)
                for said, pcm in zip(_SENTENCES, speech[voice], strict=True):
                    final, _ = await recognize(asr, options, line.say(pcm), paced=False)
                    errors += word_errors(said, final.text)
                stats.append(line.close())
                delays += line.delays_ms
            rows.append(_row(name, errors / (seeds * len(speech) * _WORDS), stats, delays))
            show(_line(rows[-1]))
        return rows
    finally:
        await asr.close()


def _row(name: str, word_error: float, stats: list[m.LegStats], delays: list[float]) -> Row:
    sent = sum(each.packets_received + each.packets_lost for each in stats)
    return Row(
        name,
        round(float(np.mean([each.mos for each in stats])), 2),
        round(100 * sum(each.packets_lost for each in stats) / sent, 1),
        round(100 * sum(each.packets_late for each in stats) / sent, 1),
        round(100 * sum(each.concealed_samples for each in stats) / FRAME_SAMPLES / sent, 1),
        round(float(np.median(delays))),
        round(max(delays)),
        round(100 * word_error, 1),
    )


_WORDS: Final = sum(len(sentence.split()) for sentence in _SENTENCES)
_HEAD: Final = "network          MOS  lost %  late %  concealed %  delay ms  max ms  word error %"


def _line(row: Row) -> str:
    return (
        f"{row.network:15}  {row.mos:.2f}  {row.lost_percent:6.1f}  {row.late_percent:6.1f}  "
        f"{row.concealed_percent:11.1f}  {row.delay_p50_ms:8.0f}  {row.delay_max_ms:6.0f}  {row.word_error:12.1f}"
    )


async def _speech() -> dict[str, list[bytes]]:
    tts = make_tts("flite", EngineSettings())
    await tts.start()
    try:
        return {voice: [await caller_audio(tts, text, voice) for text in _SENTENCES] for voice in _VOICES}
    finally:
        await tts.close()


def main(argv: Sequence[str]) -> int:
    """Run the bench; 0 whether or not the aims are met: it measures, the verdict says."""
    options = parser("networks", "MOS and word error behind bad networks.")
    options.add_argument("--seeds", type=int, default=2, help="calls of each voice through each network")
    arguments = options.parse_args(argv)
    show(_HEAD)
    with tempfile.TemporaryDirectory() as folder:
        rows = asyncio.run(_run(arguments.seeds, Path(folder)))
    by_name = {row.network: row for row in rows}
    verdicts = {
        "the delay stays within its limit on every network": max(r.delay_max_ms for r in rows) <= _DELAY_LIMIT_MS,
        "3 % of loss cost at most 10 points of word error": (
            by_name["loss 3 %"].word_error - by_name["none"].word_error <= 10
        ),
    }
    conclude({"networks": [asdict(row) for row in rows]}, verdicts, as_json=arguments.json)
    return 0


async def _run(seeds: int, folder: Path) -> list[Row]:
    return await _measure(await _speech(), seeds, folder)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
