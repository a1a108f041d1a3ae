"""LiveKit Agents on a telephone, run by its own interpreter: an AgentSession a call, without LiveKit's server.

Audio comes and goes as RTP with G.711 through an input and an output of ours, which stand in for its room. The
recogniser, language model and voice are stubs of fixed delay on its public base classes; voice detection and turn
taking are its own. Prints ``ready PORT``; a TCP connection there is a call, its first line the caller's RTP port
and the answer ours, and its end the end of the call.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import logging
import os
import socket
import struct
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import uvloop
from livekit import rtc
from livekit.agents import Agent, AgentSession, inference, llm, stt, tts
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN
from livekit.agents.voice.io import AudioInput, AudioOutput, AudioOutputCapabilities

RATE_HZ = 8000
FRAME = 160
FRAME_S = 0.02
RTP = struct.Struct("!BBHII")
_INPUT_MS = {"default": 50, "fast": 20}
"""What a session is fed with: its room's own size by default."""
_FAST_SILENCE_S = 0.2
_FAST_INTERRUPTION_S = 0.1

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Work:
    """What the stubs do: delays in seconds, words, and the voice as 8 kHz PCM."""

    asr_s: float
    llm_s: float
    tts_s: float
    heard: str
    reply: str
    greeting: str
    voice: bytes
    ms_per_character: int

    def audio_of(self, text: str) -> bytes:
        return self.voice[: 2 * (RATE_HZ * self.ms_per_character * len(text) // 1000)]

    def next_reply(self) -> str:
        return self.reply.format(number=next(_numbers))


def _to_linear() -> np.ndarray:
    """ITU-T G.711 µ-law, all 256 codes."""
    codes = ~np.arange(256, dtype=np.int32) & 0xFF
    magnitude = ((((codes & 0x0F) << 3) + 0x84) << ((codes >> 4) & 7)) - 0x84
    return np.where(codes & 0x80, -magnitude, magnitude).astype(np.int16)


LINEAR = _to_linear()


def _to_codes() -> np.ndarray:
    """The code of each linear value, found once for all: the nearest of the 256."""
    order = np.argsort(LINEAR, kind="stable")
    values = LINEAR[order].astype(np.int32)
    middles = (values[:-1] + values[1:]) // 2
    return order[np.searchsorted(middles, np.arange(-32768, 32768), side="left")].astype(np.uint8)


CODES = _to_codes()


class StubStream(stt.RecognizeStream):
    """One call's recognition: told by the detector that the speech is over, its final text comes later."""

    async def _run(self) -> None:
        async for item in self._input_ch:
            if isinstance(item, rtc.AudioFrame):
                continue
            await asyncio.sleep(self._stt.work.asr_s)
            text = stt.SpeechData(language="en", text=self._stt.work.heard, confidence=1.0)
            self._event_ch.send_nowait(stt.SpeechEvent(stt.SpeechEventType.FINAL_TRANSCRIPT, alternatives=[text]))


class StubStt(stt.STT):
    def __init__(self, work: Work) -> None:
        super().__init__(
            capabilities=stt.STTCapabilities(
                streaming=True, interim_results=False, offline_recognize=False, manual_flush=True
            )
        )
        self.work = work

    async def _recognize_impl(self, buffer, *, language=NOT_GIVEN, conn_options):
        raise NotImplementedError

    def stream(self, *, language=NOT_GIVEN, conn_options=DEFAULT_API_CONNECT_OPTIONS):
        return StubStream(stt=self, conn_options=conn_options)


class StubAnswer(llm.LLMStream):
    async def _run(self) -> None:
        await asyncio.sleep(self._llm.work.llm_s)
        for word in self._llm.work.next_reply().split(" "):
            delta = llm.ChoiceDelta(role="assistant", content=f"{word} ")
            self._event_ch.send_nowait(llm.ChatChunk(id="answer", delta=delta))


class StubLlm(llm.LLM):
    """The same answer to everything, its first word after the delay."""

    def __init__(self, work: Work) -> None:
        super().__init__()
        self.work = work

    def chat(self, *, chat_ctx, tools=None, conn_options=DEFAULT_API_CONNECT_OPTIONS, **_options):
        return StubAnswer(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class StubSpeech(tts.ChunkedStream):
    async def _run(self, output_emitter) -> None:
        work = self._tts.work
        await asyncio.sleep(work.tts_s)
        output_emitter.initialize(
            request_id="speech", sample_rate=RATE_HZ, num_channels=1, mime_type="audio/pcm", frame_size_ms=100
        )
        output_emitter.push(work.audio_of(self._input_text))
        output_emitter.flush()


class StubTts(tts.TTS):
    """Made-up speech, its first audio after the delay and the rest at once."""

    def __init__(self, work: Work) -> None:
        super().__init__(capabilities=tts.TTSCapabilities(streaming=False), sample_rate=RATE_HZ, num_channels=1)
        self.work = work

    def synthesize(self, text, *, conn_options=DEFAULT_API_CONNECT_OPTIONS):
        return StubSpeech(tts=self, input_text=text, conn_options=conn_options)


class TelephoneInput(AudioInput):
    """What the caller says, in frames of ``frame_ms``."""

    def __init__(self, frame_ms: int) -> None:
        super().__init__(label="telephone")
        self._samples = RATE_HZ * frame_ms // 1000
        self._pending = np.empty(0, np.int16)
        self._frames: asyncio.Queue[rtc.AudioFrame] = asyncio.Queue()

    def push(self, codes: bytes) -> None:
        self._pending = np.concatenate([self._pending, LINEAR[np.frombuffer(codes, np.uint8)]])
        while len(self._pending) >= self._samples:
            block, self._pending = self._pending[: self._samples], self._pending[self._samples :]
            self._frames.put_nowait(rtc.AudioFrame(block.tobytes(), RATE_HZ, 1, self._samples))

    async def __anext__(self) -> rtc.AudioFrame:
        return await self._frames.get()


class TelephoneOutput(AudioOutput):
    """What the agent says, one packet every 20 ms; it may be paused, resumed and cut off."""

    def __init__(self, send) -> None:
        super().__init__(label="telephone", capabilities=AudioOutputCapabilities(pause=True), sample_rate=RATE_HZ)
        self._send = send
        self._queue: deque[bytes] = deque()
        self._rest = b""
        self._ended = False
        self._sounding = False
        self._played_s = 0.0
        self._open = asyncio.Event()
        self._open.set()
        self._filled = asyncio.Event()

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        self._ended = False
        codes = self._rest + CODES[np.frombuffer(frame.data, np.int16).astype(np.int32) + 32768].tobytes()
        whole = len(codes) // FRAME * FRAME
        self._queue.extend(codes[at : at + FRAME] for at in range(0, whole, FRAME))
        self._rest = codes[whole:]
        self._filled.set()

    def flush(self) -> None:
        super().flush()
        if self._rest:
            self._queue.append(self._rest.ljust(FRAME, b"\xff"))
            self._rest = b""
        self._ended = True
        self._filled.set()

    def clear_buffer(self) -> None:
        if not (self._queue or self._rest or self._sounding):
            return
        self._queue.clear()
        self._rest = b""
        self._finish(interrupted=True)

    def pause(self) -> None:
        super().pause()
        self._open.clear()

    def resume(self) -> None:
        super().resume()
        self._open.set()

    def _finish(self, *, interrupted: bool) -> None:
        played, self._played_s = self._played_s, 0.0
        self._sounding = self._ended = False
        self.on_playback_finished(playback_position=played, interrupted=interrupted)

    async def run(self) -> None:
        """Pace on absolute deadlines until cancelled."""
        due = 0.0
        while True:
            if not self._queue:
                if self._ended and self._sounding:
                    self._finish(interrupted=False)
                self._filled.clear()
                await self._filled.wait()
                continue
            await self._open.wait()
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if not self._queue or not self._open.is_set():
                continue
            if not self._sounding:
                self._sounding = True
                self.on_playback_started(created_at=time.time())
            due = max(due, time.monotonic() - FRAME_S) + FRAME_S
            self._send(self._queue.popleft())
            self._played_s += FRAME_S


class RtpPort(asyncio.DatagramProtocol):
    """One call's RTP, both ways."""

    def __init__(self, source: TelephoneInput) -> None:
        self._source = source
        self._number = 0
        self._ssrc = int.from_bytes(os.urandom(4), "big")
        self.remote = ("", 0)

    def connection_made(self, transport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, _address) -> None:
        self._source.push(data[RTP.size :])

    def send(self, codes: bytes) -> None:
        header = RTP.pack(0x80, 0, self._number & 0xFFFF, self._number * FRAME & 0xFFFFFFFF, self._ssrc)
        self._number += 1
        self._transport.sendto(header + codes, self.remote)


def session_of(work: Work, profile: str) -> AgentSession:
    """An agent's session: with its defaults, or as fast as is sensible."""
    parts = {"stt": StubStt(work), "llm": StubLlm(work), "tts": StubTts(work)}
    if profile == "default":
        return AgentSession(**parts)
    return AgentSession(
        **parts,
        vad=inference.VAD(min_silence_duration=_FAST_SILENCE_S),
        turn_handling={
            "turn_detection": "vad",
            "endpointing": {"min_delay": 0.0},
            "interruption": {"mode": "vad", "min_duration": _FAST_INTERRUPTION_S},
            "preemptive_generation": {"preemptive_tts": True},
        },
        aec_warmup_duration=None,
    )


async def serve_call(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, work: Work, profile: str) -> None:
    """One call, until the caller hangs up."""
    source = TelephoneInput(_INPUT_MS[profile])
    port = RtpPort(source)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: port, local_addr=("127.0.0.1", 0))
    port.remote = ("127.0.0.1", int(await reader.readline()))
    session = session_of(work, profile)
    output = TelephoneOutput(port.send)
    session.input.audio = source
    session.output.audio = output
    pacing = asyncio.create_task(output.run())
    await session.start(Agent(instructions="You answer the telephone."))
    writer.write(f"{transport.get_extra_info('sockname')[1]}\n".encode())
    session.say(work.greeting)
    await reader.read()
    await session.aclose()
    pacing.cancel()
    transport.close()
    writer.close()


def read_arguments() -> tuple[Work, str]:
    parser = argparse.ArgumentParser()
    parser.add_argument("--profile", choices=("default", "fast"), required=True)
    parser.add_argument("--work", required=True, help="a JSON object; its voice is the path of a PCM file")
    arguments = parser.parse_args()
    fields = json.loads(arguments.work)
    fields["voice"] = Path(fields["voice"]).read_bytes()
    return Work(**fields), arguments.profile


async def serve(work: Work, profile: str) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    server = await asyncio.start_server(lambda r, w: serve_call(r, w, work, profile), sock=listener)
    print(f"ready {listener.getsockname()[1]}", flush=True)
    async with server:
        await server.serve_forever()


def main() -> None:
    logging.basicConfig(level=logging.WARNING)
    work, profile = read_arguments()
    if profile == "fast":
        uvloop.run(serve(work, profile))
    else:
        asyncio.run(serve(work, profile))


if __name__ == "__main__":
    main()
