"""What the far end says, as text: a recogniser on the receiving side of a softphone call."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from voicegw.media import messages as m
from voicegw.ports.asr import AsrFailed, AsrFinal, AsrOptions, AsrProvider, AsrStream
from voicegw.testing.softphone import PhoneCall

PRE_ROLL_FRAMES = 20
"""400 ms: what lies between the first sound and the gate's decision, and a little before it."""


class FarTranscript:
    """Feeds one stream for each stretch of far speech; calls ``on_text`` with each result."""

    def __init__(
        self, call: PhoneCall, asr: AsrProvider, options: AsrOptions, on_text: Callable[[str], None]
    ) -> None:
        self._asr = asr
        self._options = options
        self._on_text = on_text
        self._recent: deque[bytes] = deque(maxlen=PRE_ROLL_FRAMES)
        self._stream: AsrStream | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        call.on_audio = self._hear
        call.on_speech = self._speech

    async def close(self, patience_s: float = 5.0) -> None:
        """Wait for what is still being recognised, but not for a recogniser that has fallen far behind."""
        if self._stream is not None:
            self._stream.finish()
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=patience_s)
        for task in late:
            task.cancel()
            self._on_text("[not recognised in time]")

    def _hear(self, pcm: bytes) -> None:
        self._recent.append(pcm)
        if self._stream is not None:
            self._stream.push(pcm)

    def _speech(self, event: m.SpeechStarted | m.SpeechStopped) -> None:
        if isinstance(event, m.SpeechStarted) and self._stream is None:
            self._stream = self._asr.open(self._options)
            self._stream.push(b"".join(self._recent))
            task = asyncio.create_task(self._read(self._stream))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif isinstance(event, m.SpeechStopped) and self._stream is not None:
            self._stream.finish()
            self._stream = None

    async def _read(self, stream: AsrStream) -> None:
        async for event in stream.events():
            if isinstance(event, AsrFinal) and event.text:
                self._on_text(event.text)
            elif isinstance(event, AsrFailed):
                self._on_text(f"[not recognised: {event.reason}]")
