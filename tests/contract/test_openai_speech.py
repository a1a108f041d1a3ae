"""The providers for OpenAI-compatible speech servers, over real connections to a small server of ours."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import replace
from typing import cast

import numpy as np
import pytest

from tests.contract.speech_server import Answer, SpeechServer
from voicegw.audio import wav
from voicegw.base.errors import ConfigError, ProviderError
from voicegw.base.trace_context import TraceContext
from voicegw.inference.asr.openai_transcription import OpenAiTranscription
from voicegw.inference.asr.openai_transcription_config import TranscriptionConfig
from voicegw.inference.registry import make_asr, make_tts
from voicegw.inference.settings import EngineSettings
from voicegw.inference.tts.openai_speech import OpenAiSpeech
from voicegw.inference.tts.openai_speech_config import SpeechServerConfig
from voicegw.ports.asr import AsrFailed, AsrFinal, AsrOptions
from voicegw.ports.tracing import Value, WorkKind, trace_var
from voicegw.ports.tts import TtsAudio, TtsChunk, TtsRequest
from voicegw.telemetry.work import RunningWork, WorkDone
from voicegw.testing.contract_asr import (
    ASR_RULES,
    AsrRule,
    AsrSubject,
    a_dead_engine_is_an_event,
    streams_do_not_mix,
)
from voicegw.testing.contract_asr import collect as collect_asr
from voicegw.testing.contract_tts import TEXT, TTS_RULES, TtsRule, TtsSubject, collect, samples

HEARD = "i want to book an appointment"
OPTIONS = AsrOptions()
SPEECH = np.full(8000, 1000, "<i2").tobytes()
PCM = (8000.0 * np.sin(np.arange(4 * 24000) * 0.05)).astype("<i2").tobytes()
SENTENCE = Answer(pieces=tuple(PCM[start : start + 9601] for start in range(0, len(PCM), 9601)))
"""Four seconds, cut at odd bytes."""

Transcribe = Callable[[OpenAiTranscription, SpeechServer], Awaitable[None]]
Speak = Callable[[OpenAiSpeech, SpeechServer], Awaitable[None]]


def transcript(**fields: object) -> Answer:
    return Answer(body=json.dumps({"text": HEARD, **fields}).encode())


def with_asr(answer: Answer, use: Transcribe, **config: object) -> None:
    async def run() -> None:
        server = SpeechServer(answer)
        await server.start()
        made = TranscriptionConfig(base_url=server.base_url, **config)  # type: ignore[arg-type]
        asr = make_asr("transcription", EngineSettings(transcription=made))
        assert isinstance(asr, OpenAiTranscription)
        try:
            await asr.start()
            await use(asr, server)
        finally:
            await asr.close()
            await server.close()

    asyncio.run(run())


def with_tts(answer: Answer, use: Speak, **config: object) -> None:
    async def run() -> None:
        server = SpeechServer(answer)
        await server.start()
        made = SpeechServerConfig(base_url=server.base_url, **config)  # type: ignore[arg-type]
        tts = make_tts("speech-server", EngineSettings(speech_server=made))
        assert isinstance(tts, OpenAiSpeech)
        try:
            await tts.start()
            await use(tts, server)
        finally:
            await tts.close()
            await server.close()

    asyncio.run(run())


async def heard(asr: OpenAiTranscription, options: AsrOptions = OPTIONS) -> AsrFinal | AsrFailed:
    stream = asr.open(options)
    stream.push(SPEECH)
    stream.finish()
    [event] = await collect_asr(stream)
    assert isinstance(event, AsrFinal | AsrFailed)
    return event


# A dead server is noticed by the request, not before, and two requests get the same scripted text.
APPLICABLE = [rule for rule in ASR_RULES if rule not in (a_dead_engine_is_an_event, streams_do_not_mix)]


@pytest.mark.parametrize("rule", APPLICABLE, ids=lambda rule: rule.__name__)
def test_transcription_contract(rule: AsrRule) -> None:
    async def use(asr: OpenAiTranscription, server: SpeechServer) -> None:
        await rule(AsrSubject(asr, OPTIONS, SPEECH, HEARD, server.kill))

    with_asr(transcript(), use)


def test_the_request_holds_what_was_said() -> None:
    async def use(asr: OpenAiTranscription, server: SpeechServer) -> None:
        await heard(asr, AsrOptions("fr-CA"))
        await heard(asr, AsrOptions("auto"))
        first, second = server.requests
        assert first.path == "/v1/audio/transcriptions"
        assert b'name="language"\r\n\r\nfr\r\n' in first.body
        assert b'name="language"' not in second.body
        assert b'name="model"\r\n\r\nlarge\r\n' in first.body
        sent = wav.parse(first.body[first.body.index(b"RIFF") :])
        assert sent.rate == 8000 and (sent.mono()[:8000] == 1000).all()

    with_asr(transcript(), use, model="large")


def test_language_and_probability_of_a_detailed_answer() -> None:
    async def use(asr: OpenAiTranscription, server: SpeechServer) -> None:
        final = await heard(asr)
        assert isinstance(final, AsrFinal)
        assert final.language == "english"
        assert final.confidence == pytest.approx(math.exp(-0.3))
        assert b"verbose_json" in server.requests[0].body

    answer = transcript(language="English", segments=[{"avg_logprob": -0.2}, {"avg_logprob": -0.4}])
    with_asr(answer, use, detailed=True)


@pytest.mark.parametrize(
    ("answer", "retryable"),
    [
        (Answer(status=500, body=b"out of memory"), True),
        (Answer(status=429, body=b"slow down"), True),
        (Answer(status=400, body=b"no such model"), False),
        (Answer(status=401, body=b"no key"), False),
        (Answer(body=b"<html>"), True),
        (Answer(body=b'{"error": 1}'), True),
        (Answer(body=b'{"text": "\xff"}'), True),
        (Answer(pieces=(b'{"te',), then="die"), True),
        (Answer(pieces=(b"x" * 65536,) * 5), False),
        (Answer(silent=True), True),
    ],
    ids=["500", "429", "400", "401", "page", "no text", "not utf-8", "broken off", "endless", "silent"],
)
def test_a_transcription_that_fails_is_an_event(answer: Answer, retryable: bool) -> None:
    async def use(asr: OpenAiTranscription, server: SpeechServer) -> None:
        event = await heard(asr)
        assert isinstance(event, AsrFailed) and event.retryable == retryable, event
        server.answer = transcript()
        assert isinstance(await heard(asr), AsrFinal)

    with_asr(answer, use, timeout_s=1.0 if answer.silent else 30.0)


def test_a_dead_server_is_an_event_and_the_next_utterance_works() -> None:
    async def use(asr: OpenAiTranscription, server: SpeechServer) -> None:
        await server.close()
        event = await heard(asr)
        assert isinstance(event, AsrFailed) and event.retryable
        await server.start()
        assert isinstance(await heard(asr), AsrFinal)

    with_asr(transcript(), use)


def test_close_hangs_up_on_the_transcription() -> None:
    async def use(asr: OpenAiTranscription, server: SpeechServer) -> None:
        stream = asr.open(OPTIONS)
        stream.push(SPEECH)
        stream.finish()
        await server.asked.wait()
        stream.close()
        assert await collect_asr(stream) == []
        await asyncio.wait_for(server.requests[0].gone.wait(), 30.0)

    with_asr(Answer(silent=True), use)


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(asr: OpenAiTranscription, server: SpeechServer) -> None:
        await heard(asr)
        assert server.requests[0].headers["authorization"] == "Bearer s3cret"

    monkeypatch.setenv("SPEECH_KEY", "s3cret")
    with_asr(transcript(), use, api_key_env="SPEECH_KEY")
    monkeypatch.delenv("SPEECH_KEY")
    with pytest.raises(ConfigError, match="SPEECH_KEY is not set"):
        with_asr(transcript(), use, api_key_env="SPEECH_KEY")


def test_an_address_is_needed() -> None:
    with pytest.raises(ConfigError, match="no base_url"):
        asyncio.run(make_asr("transcription", EngineSettings()).start())
    with pytest.raises(ConfigError, match="no base_url"):
        asyncio.run(make_tts("speech-server", EngineSettings()).start())


@pytest.mark.parametrize("rule", TTS_RULES, ids=lambda rule: rule.__name__)
def test_speech_contract(rule: TtsRule) -> None:
    async def use(tts: OpenAiSpeech, server: SpeechServer) -> None:
        dying = rule.__name__ == "a_dead_engine_is_a_provider_error"
        server.will(then="stall" if dying else "end")

        def kill() -> None:
            server.kill()
            server.will(then="end")

        await rule(TtsSubject(tts, kill))

    with_tts(SENTENCE, use)


def test_the_request_holds_what_to_say() -> None:
    async def use(tts: OpenAiSpeech, server: SpeechServer) -> None:
        await collect(tts, TtsRequest(TEXT))
        await collect(tts, TtsRequest(TEXT, voice="nova", rate=9.0))
        plain = {"model": "tts-1", "input": TEXT, "voice": "alloy", "response_format": "pcm"}
        assert server.requests[0].path == "/v1/audio/speech"
        assert server.requests[0].json() == plain
        assert server.requests[1].json() == {**plain, "voice": "nova", "speed": 4.0}

    with_tts(SENTENCE, use)


def test_no_sample_is_lost_between_odd_pieces() -> None:
    async def use(tts: OpenAiSpeech, server: SpeechServer) -> None:
        chunks = await collect(tts, TtsRequest(TEXT, sample_rate_hz=24000))
        assert b"".join(chunk.pcm for chunk in chunks if isinstance(chunk, TtsAudio)) == PCM

    with_tts(SENTENCE, use)


@pytest.mark.parametrize(
    ("answer", "retryable"),
    [
        (Answer(status=503, body=b"busy"), True),
        (Answer(status=400, body=b"no such voice"), False),
        (Answer(pieces=(PCM[:9600],), then="die"), True),
        (Answer(pieces=(PCM[:9600],), then="stall"), True),
        (Answer(), True),
        (Answer(silent=True), True),
        (Answer(pieces=(b"RIFF" + PCM[:96],)), False),
    ],
    ids=["503", "400", "broken off", "stalled", "empty", "silent", "wav"],
)
def test_speech_that_fails_is_a_provider_error(answer: Answer, retryable: bool) -> None:
    async def use(tts: OpenAiSpeech, server: SpeechServer) -> None:
        with pytest.raises(ProviderError) as caught:
            await collect(tts, TtsRequest(TEXT))
        assert caught.value.retryable == retryable
        server.answer = SENTENCE
        assert samples(await collect(tts, TtsRequest(TEXT))) > 0

    waits = answer.silent or answer.then == "stall"
    with_tts(answer, use, **dict.fromkeys(("first_audio_timeout_s", "idle_timeout_s"), 1.0 if waits else 30.0))


def test_closing_hangs_up_on_the_speech() -> None:
    async def use(tts: OpenAiSpeech, server: SpeechServer) -> None:
        stream = cast(AsyncGenerator[TtsChunk, None], tts.synthesize(TtsRequest(TEXT)))
        async with contextlib.aclosing(stream) as chunks:
            await anext(chunks)
        await asyncio.wait_for(server.requests[0].gone.wait(), 30.0)

    with_tts(Answer(pieces=(PCM,), then="stall"), use)


class Traced:
    """A trace of a call that only knows what work was begun, and how it ended."""

    def __init__(self) -> None:
        self.done: list[WorkDone] = []

    def begin(self, name: str, kind: WorkKind, attributes: Mapping[str, Value], parent_id: str) -> RunningWork:
        context = TraceContext("0af7651916cd43dd8448eb211c80319c", f"{len(self.done) + 1:016x}", True)
        return RunningWork(name, kind, attributes, context, parent_id, lambda: 0.0, self.done.append)


@pytest.mark.parametrize("status", [200, 503])
def test_the_trace_of_a_call_goes_on_at_the_server(status: int) -> None:
    trace = Traced()

    async def listen(asr: OpenAiTranscription, server: SpeechServer) -> None:
        trace_var.set(trace)
        await heard(asr)
        assert server.requests[0].headers["traceparent"].split("-")[2] == f"{1:016x}"

    async def speak(tts: OpenAiSpeech, server: SpeechServer) -> None:
        trace_var.set(trace)
        with contextlib.suppress(ProviderError):
            await collect(tts, TtsRequest(TEXT))
        assert server.requests[0].headers["traceparent"].split("-")[2] == f"{2:016x}"

    with_asr(replace(transcript(), status=status), listen)
    with_tts(replace(SENTENCE, status=status), speak)
    failure = None if status == 200 else "ProviderError"
    assert [(work.name, work.failure) for work in trace.done] == [("POST", failure)] * 2
