"""``voicegw call``: a SIP softphone in the terminal, with a transcript of both sides.

With ``--say``, ``--wav`` or ``--keys`` it follows that script; otherwise every line typed is spoken, and a line
that begins with # is pressed as keys.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeAlias

from voicegw.audio.resample import resample
from voicegw.audio.wav import parse
from voicegw.base.errors import ConfigError, LocalError
from voicegw.base.log import configure
from voicegw.config import Config, load_config
from voicegw.gateway.config import SipConfig
from voicegw.inference.registry import make_asr, make_tts
from voicegw.inference.settings import EngineSettings
from voicegw.media.config import MediaConfig
from voicegw.ports.asr import AsrOptions
from voicegw.sip.uri import SipUri
from voicegw.testing.far_transcript import FarTranscript
from voicegw.testing.softphone import PhoneCall, Softphone
from voicegw.testing.synthetic_caller import CallerVoice

PHONE_MEDIA = MediaConfig(port_low=33000, port_high=33199)
"""A range of its own: the server may run on the same machine."""
LISTEN_S = 4.0
"""After the script: hang up when the far end says nothing for this long."""
Sounds: TypeAlias = list[tuple[Path, bytes]]
QUIET_MS = 700
"""A pause of this length is the far end's end of speech."""


def run(arguments: argparse.Namespace) -> int:
    """Make the call; 0 when it was answered and ended in order."""
    configure("warning", json_lines=False)
    _check_target(arguments.uri)
    sounds = [(path, _telephone_audio(path)) for path in arguments.wav]
    asyncio.run(_run(arguments, sounds, load_config(arguments.config)))
    return 0


def _check_target(uri: str) -> None:
    """Before engines load for a call that cannot be made."""
    if SipUri.parse(uri).scheme != "sip":
        raise ConfigError(f"{uri} asks for TLS, which this softphone does not speak", fix="write it as sip:...")


async def _run(arguments: argparse.Namespace, sounds: Sounds, config: Config) -> None:
    settings = EngineSettings(1, Path(config.paths.cache))
    tts, asr = make_tts("flite", settings), make_asr(config.speech.asr, settings)
    phone = Softphone(SipConfig(listen_port=0), PHONE_MEDIA)
    await tts.start()
    if not arguments.no_transcript:
        await asr.start()
    try:
        await phone.start()
        transcripts: list[FarTranscript] = []

        def prepare(call: PhoneCall) -> None:
            if not arguments.no_transcript:
                transcripts.append(FarTranscript(call, asr, AsrOptions(), lambda text: _print("they", text)))

        from_uri = arguments.from_ or "sip:softphone@127.0.0.1"
        call = await phone.dial(arguments.uri, from_uri, prepare=prepare)
        _print("phone", "answered")
        await _talk(call, arguments, sounds, CallerVoice(tts, arguments.voice))
        for transcript in transcripts:
            await transcript.close()
    finally:
        await phone.close()
        await tts.close()
        if not arguments.no_transcript:
            await asr.close()


async def _talk(call: PhoneCall, arguments: argparse.Namespace, sounds: Sounds, voice: CallerVoice) -> None:
    if arguments.record:
        call.record(str(arguments.record))
    if arguments.say or sounds or arguments.keys:
        await _follow_script(call, arguments, sounds, voice)
    else:
        await _follow_keyboard(call, voice)
    if arguments.record:
        call.stop_recording()
        _print("phone", f"recorded to {await call.recorded()}")
    if not call.over:
        await call.hang_up()
    if call.ended is not None:
        _print("phone", f"ended: {call.ended.cause.value.text} {call.ended.reason_text}".strip())


async def _follow_script(
    call: PhoneCall, arguments: argparse.Namespace, sounds: Sounds, voice: CallerVoice
) -> None:
    for text in arguments.say:
        await _far_end_spoke(call)
        _print("you", text)
        await _say(call, await voice.make(text))
    for path, pcm in sounds:
        await _far_end_spoke(call)
        _print("you", f"[{path}]")
        await _say(call, pcm)
    if arguments.keys:
        await _far_end_spoke(call)
        _print("you", f"[keys {arguments.keys}]")
        call.press(arguments.keys)
    await _far_end_spoke(call, patience_s=LISTEN_S)


async def _follow_keyboard(call: PhoneCall, voice: CallerVoice) -> None:
    _print("phone", "type what to say; # and digits press keys; Ctrl-D hangs up")
    async for line in _lines(call):
        if line.startswith("#"):
            call.press(line[1:])
        elif line:
            await _say(call, await voice.make(line))


async def _lines(call: PhoneCall) -> AsyncIterator[str]:
    """Lines of standard input, whatever it is, until its end or the call's."""
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def read() -> None:
        # Unbuffered: a thread that still waits for a line must hold no lock of sys.stdin when the program ends.
        with contextlib.suppress(RuntimeError), open(sys.stdin.fileno(), "rb", 0, closefd=False) as source:
            for line in source:
                loop.call_soon_threadsafe(lines.put_nowait, line.decode(errors="replace").strip())
            loop.call_soon_threadsafe(lines.put_nowait, None)

    threading.Thread(target=read, name="keyboard", daemon=True).start()
    ended = asyncio.create_task(call.wait_ended(timeout_s=24 * 3600))
    ended.add_done_callback(lambda _: lines.put_nowait(None))
    try:
        while (line := await lines.get()) is not None:
            yield line
    finally:
        ended.cancel()


async def _far_end_spoke(call: PhoneCall, patience_s: float = 15.0) -> None:
    """The far end says what it has to say now and falls silent; nobody is waited for longer than ``patience_s``."""
    began = time.monotonic()
    try:
        await call.until(lambda: call.far_is_speaking or call.far_stopped_at > began or call.over, patience_s, "")
        await call.wait_far_quiet(QUIET_MS)
    except LocalError:
        _print("phone", "the far end is silent")


async def _say(call: PhoneCall, pcm: bytes) -> None:
    if pcm and not call.over:
        await call.say(pcm)


def _telephone_audio(path: Path) -> bytes:
    try:
        audio = parse(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=str(path)) from None
    return resample(audio.mono(), audio.rate, 8000).astype("<i2").tobytes()


_started = time.monotonic()


def _print(who: str, text: str) -> None:
    print(f"{time.monotonic() - _started:7.2f} s  {who:>5}: {text}", flush=True)
