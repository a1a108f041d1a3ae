"""Worker process of the espeak-ng engine: runs the program once a sentence and passes its output on."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import struct
import subprocess
from collections.abc import Iterator
from functools import cached_property

import numpy as np

from voicegw.base.errors import ProviderError
from voicegw.base.ids import StreamId
from voicegw.inference.messages import (
    AudioMade,
    Command,
    StreamEnded,
    StreamFailed,
    Synthesize,
    WorkerReady,
)
from voicegw.inference.tts.shaping import SpeechShaper, sane_rate
from voicegw.inference.worker import Engine, WorkerChannel, main

NORMAL_WORDS_PER_MINUTE = 160
_READ_BYTES = 8192
_LOOK_EVERY_S = 0.05
_WAV_DATA = b"data"


class EspeakProgram:
    """The program, its voices and languages."""

    def __init__(self) -> None:
        path = shutil.which("espeak-ng")
        if path is None:
            raise ProviderError(
                "espeak", "espeak-ng is not installed; install it (apt install espeak-ng)", retryable=False
            )
        self._path = path

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """What ``--voices`` lists, as BCP 47 tags: the second column."""
        listed = subprocess.run([self._path, "--voices"], capture_output=True, text=True, check=False, timeout=10)
        rows = (line.split() for line in listed.stdout.splitlines()[1:])
        return tuple(sorted({row[1] for row in rows if len(row) > 1}))

    @cached_property
    def version(self) -> str:
        """The first line of ``--version``."""
        told = subprocess.run([self._path, "--version"], capture_output=True, text=True, check=False, timeout=10)
        return told.stdout.partition("\n")[0].strip()

    def voice_of(self, language: str) -> str:
        """The voice for a tag: the tag itself, else its language, else English."""
        known = {tag.lower(): tag for tag in self.languages}
        base = language.split("-")[0].lower()
        variants = [tag for tag in known if tag.split("-")[0] == base]
        for candidate in (language.lower(), base, *sorted(variants), "en-us"):
            if candidate in known:
                return known[candidate]
        return "en"

    def start(self, request: Synthesize) -> subprocess.Popen[bytes]:
        """Begin a sentence. The text goes in by a pipe, never as an argument that could look like an option."""
        words_per_minute = round(NORMAL_WORDS_PER_MINUTE * sane_rate(request.rate))
        voice = request.voice or self.voice_of(request.language)
        command = [self._path, "--stdout", "--stdin", "-b", "1", "-v", voice, "-s", str(words_per_minute)]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it died already: its missing output says so
            process.stdin.write(" ".join(request.text.split()).encode("utf-8", "replace"))
            process.stdin.close()
        return process


class EspeakEngine:
    """One sentence at a time; a closed stream kills the program."""

    def __init__(self, channel: WorkerChannel, program: EspeakProgram) -> None:
        self._channel = channel
        self._program = program

    def handle(self, command: Command) -> None:
        """Only Synthesize is for this engine."""
        if not isinstance(command, Synthesize):
            return
        try:
            process = self._program.start(command)
        except OSError as error:
            self._channel.send(StreamFailed(command.stream_id, f"espeak-ng did not start: {error}", True))
            self._channel.ended(command.stream_id)
            return
        try:
            self._pass_on(command, process)
        finally:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        self._channel.ended(command.stream_id)

    def forget(self, stream_id: StreamId) -> None:
        """Nothing is kept between sentences."""

    def _pass_on(self, request: Synthesize, process: subprocess.Popen[bytes]) -> None:
        header = WavHeader()
        shaper: SpeechShaper | None = None
        odd = b""
        for data in self._output(request.stream_id, process):
            pcm = odd + header.strip(data)
            odd = pcm[len(pcm) & ~1 :]
            if shaper is None and header.rate_hz:
                shaper = SpeechShaper(header.rate_hz, request.sample_rate_hz)
            if shaper is not None:
                self._send(request.stream_id, shaper.process(np.frombuffer(pcm[: len(pcm) & ~1], "<i2")))
        if self._channel.is_closed(request.stream_id):
            return
        if shaper is None:
            reason = f"espeak-ng made no audio (exit status {process.wait()})"
            self._channel.send(StreamFailed(request.stream_id, reason, False))
            return
        self._send(request.stream_id, shaper.flush())
        self._channel.send(StreamEnded(request.stream_id))

    def _output(self, stream_id: StreamId, process: subprocess.Popen[bytes]) -> Iterator[bytes]:
        assert process.stdout is not None
        descriptor = process.stdout.fileno()
        while not self._channel.is_closed(stream_id):
            if select.select([descriptor], [], [], _LOOK_EVERY_S)[0]:
                data = os.read(descriptor, _READ_BYTES)
                if not data:
                    return
                yield data

    def _send(self, stream_id: StreamId, pcm: bytes) -> None:
        if pcm:
            self._channel.send(AudioMade(stream_id, pcm))


class WavHeader:
    """Cuts the header off a streamed WAV file, whose sizes are not yet known when it is written."""

    def __init__(self) -> None:
        self.rate_hz = 0
        self._head: bytes | None = b""

    def strip(self, data: bytes) -> bytes:
        """The audio in ``data``; empty until the header is whole."""
        if self._head is None:
            return data
        self._head += data
        found = self._head.find(_WAV_DATA)
        if found < 0 or len(self._head) < found + 8:
            return b""
        (self.rate_hz,) = struct.unpack_from("<I", self._head, 24)
        audio, self._head = self._head[found + 8 :], None
        return audio


def load(channel: WorkerChannel, _arguments: list[str]) -> tuple[Engine, WorkerReady]:
    """Find the program; raises ProviderError if it is not installed."""
    program = EspeakProgram()
    return EspeakEngine(channel, program), WorkerReady((), program.languages, program.version)


if __name__ == "__main__":
    main(load)
