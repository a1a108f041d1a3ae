"""Pipecat on a telephone, run by Pipecat's own interpreter: a voice agent behind a Twilio media stream.

The pipeline is the one that Pipecat's documentation builds for Twilio. Recogniser, language model and voice are
stubs of fixed delay on Pipecat's public base classes; voice detection and turn taking are its own. Prints
``ready PORT`` when it listens, and serves until it is killed.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi import FastAPI, WebSocket
from loguru import logger
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADParams
from pipecat.frames.frames import (
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.services.llm_service import LLMService
from pipecat.services.settings import LLMSettings, STTSettings, TTSSettings
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TextAggregationMode, TTSService
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.utils.time import time_now_iso8601
from pipecat.workers.runner import WorkerRunner

RATE_HZ = 8000
CHUNK_BYTES = 2 * RATE_HZ // 10
_FAST_START_S = 0.1
_FAST_STOP_S = 0.2

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


class StubStt(STTService):
    """Streaming recognition: told by the detector that the speech is over, its final text comes after the delay."""

    def __init__(self, work: Work) -> None:
        super().__init__(
            ttfs_p99_latency=_FAST_STOP_S + work.asr_s, settings=STTSettings(model=None, language=None)
        )
        self._work = work
        self._final = None

    async def run_stt(self, audio):
        yield None

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if isinstance(frame, VADUserStartedSpeakingFrame):
            await self._drop()
        elif isinstance(frame, VADUserStoppedSpeakingFrame):
            await self._drop()
            self.request_finalize()
            self._final = self.create_task(self._finish())

    async def cleanup(self):
        await self._drop()
        await super().cleanup()

    async def _drop(self) -> None:
        if self._final is not None:
            await self.cancel_task(self._final)
            self._final = None

    async def _finish(self) -> None:
        await asyncio.sleep(self._work.asr_s)
        self._final = None
        self.confirm_finalize()
        await self.push_frame(TranscriptionFrame(self._work.heard, "caller", time_now_iso8601()))


class StubLlm(LLMService):
    """The same answer to everything, its first word after the delay."""

    def __init__(self, work: Work) -> None:
        names = ("model", "system_instruction", "temperature", "max_tokens", "top_p", "top_k", "seed")
        names += ("frequency_penalty", "presence_penalty")
        settings = LLMSettings(
            **dict.fromkeys(names), filter_incomplete_user_turns=False, user_turn_completion_config=None
        )
        super().__init__(settings=settings)
        self._work = work

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        await self.push_frame(LLMFullResponseStartFrame())
        try:
            await asyncio.sleep(self._work.llm_s)
            for word in self._work.next_reply().split(" "):
                await self.push_frame(LLMTextFrame(f"{word} "))
        finally:
            await self.push_frame(LLMFullResponseEndFrame())


class StubTts(TTSService):
    """Made-up speech, its first audio after the delay and the rest at once."""

    def __init__(self, work: Work, mode: TextAggregationMode) -> None:
        super().__init__(
            push_start_frame=True,
            push_stop_frames=True,
            sample_rate=RATE_HZ,
            text_aggregation_mode=mode,
            settings=TTSSettings(model=None, voice=None, language=None),
        )
        self._work = work

    async def run_tts(self, text, context_id):
        await asyncio.sleep(self._work.tts_s)
        pcm = self._work.audio_of(text)
        for at in range(0, len(pcm), CHUNK_BYTES):
            yield TTSAudioRawFrame(pcm[at : at + CHUNK_BYTES], RATE_HZ, 1, context_id=context_id)


def user_params(profile: str) -> LLMUserAggregatorParams:
    """Voice detection and end of turn: as they come, or as fast as is sensible."""
    if profile == "default":
        return LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer())
    vad = SileroVADAnalyzer(params=VADParams(start_secs=_FAST_START_S, stop_secs=_FAST_STOP_S))
    turns = UserTurnStrategies(stop=[SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=0.0)])
    return LLMUserAggregatorParams(vad_analyzer=vad, user_turn_strategies=turns)


def transport_of(websocket: WebSocket, stream_sid: str, profile: str) -> FastAPIWebsocketTransport:
    """The telephone line."""
    serializer = TwilioFrameSerializer(stream_sid, params=TwilioFrameSerializer.InputParams(auto_hang_up=False))
    params = FastAPIWebsocketParams(audio_in_enabled=True, audio_out_enabled=True, serializer=serializer)
    if profile == "fast":
        params.audio_out_10ms_chunks = 2
    return FastAPIWebsocketTransport(websocket=websocket, params=params)


async def serve_call(websocket: WebSocket, work: Work, profile: str) -> None:
    """One call, until the caller hangs up."""
    await websocket.accept()
    await websocket.receive_text()  # "connected"
    stream_sid = json.loads(await websocket.receive_text())["start"]["streamSid"]
    transport = transport_of(websocket, stream_sid, profile)
    pair = LLMContextAggregatorPair(LLMContext(), user_params=user_params(profile))
    steps = [
        transport.input(),
        StubStt(work),
        pair.user(),
        StubLlm(work),
        StubTts(work, TextAggregationMode.SENTENCE),
        transport.output(),
        pair.assistant(),
    ]
    rates = PipelineParams(audio_in_sample_rate=RATE_HZ, audio_out_sample_rate=RATE_HZ)
    worker = PipelineWorker(Pipeline(steps), params=rates)

    @transport.event_handler("on_client_connected")
    async def on_connected(_transport, _websocket):
        await worker.queue_frames([TTSSpeakFrame(work.greeting)])

    @transport.event_handler("on_client_disconnected")
    async def on_disconnected(_transport, _websocket):
        await worker.cancel()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()


def read_arguments() -> tuple[Work, str]:
    parser = argparse.ArgumentParser()
    parser.add_argument("--profile", choices=("default", "fast"), required=True)
    parser.add_argument("--work", required=True, help="a JSON object; its voice is the path of a PCM file")
    arguments = parser.parse_args()
    fields = json.loads(arguments.work)
    fields["voice"] = Path(fields["voice"]).read_bytes()
    return Work(**fields), arguments.profile


def main() -> None:
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    work, profile = read_arguments()
    app = FastAPI()

    @app.websocket("/ws")
    async def websocket_endpoint(websocket: WebSocket) -> None:
        await serve_call(websocket, work, profile)

    listener = socket.create_server(("127.0.0.1", 0))
    print(f"ready {listener.getsockname()[1]}", flush=True)
    loop = "uvloop" if profile == "fast" else "asyncio"
    uvicorn.Server(uvicorn.Config(app, loop=loop, log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
