"""Worker process of the flite engine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voicegw.base.ids import StreamId
from voicegw.inference.messages import (
    AudioMade,
    Command,
    StreamEnded,
    Synthesize,
    WordBegan,
    WorkerReady,
)
from voicegw.inference.tts.flite_library import FliteLibrary, Words
from voicegw.inference.tts.shaping import SpeechShaper, sane_rate
from voicegw.inference.worker import Engine, WorkerChannel, main


class FliteEngine:
    """One sentence at a time; a closed stream stops within one buffer."""

    def __init__(self, channel: WorkerChannel, library: FliteLibrary) -> None:
        self._channel = channel
        self._library = library

    def handle(self, command: Command) -> None:
        """Only Synthesize is for this engine."""
        if isinstance(command, Synthesize):
            sentence = _Sentence(self._channel, command)
            voice = command.voice if command.voice in self._library.voices else self._library.voices[0]
            self._library.speak(command.text, voice, sane_rate(command.rate), sentence.on_audio)
            sentence.end()
            self._channel.ended(command.stream_id)

    def forget(self, stream_id: StreamId) -> None:
        """Nothing is kept between sentences."""


class _Sentence:
    """Audio of one request on its way out."""

    def __init__(self, channel: WorkerChannel, request: Synthesize) -> None:
        self._channel = channel
        self._request = request
        self._shaper: SpeechShaper | None = None
        self._marks: list[tuple[float, int, int]] = []

    def on_audio(self, samples: NDArray[np.int16], rate_hz: int, words: Words | None) -> bool:
        """A piece of audio; says whether anybody still wants more."""
        if self._channel.is_closed(self._request.stream_id):
            return False
        if self._shaper is None:
            self._shaper = SpeechShaper(rate_hz, self._request.sample_rate_hz)
        if words:
            self._marks = place_words(self._request.text, words)
        self._send(self._shaper, self._shaper.process(samples))
        return True

    def end(self) -> None:
        """The library is done with the sentence."""
        if self._shaper is not None and not self._channel.is_closed(self._request.stream_id):
            self._send(self._shaper, self._shaper.flush())
        self._channel.send(StreamEnded(self._request.stream_id))

    def _send(self, shaper: SpeechShaper, pcm: bytes) -> None:
        if shaper.started and self._marks:
            for seconds, start, end in self._marks:
                self._channel.send(WordBegan(self._request.stream_id, shaper.position(seconds), start, end))
            self._marks = []
        if pcm:
            self._channel.send(AudioMade(self._request.stream_id, pcm))


def place_words(text: str, words: Words) -> list[tuple[float, int, int]]:
    """Find each token of the engine in the text, in order: (seconds, start_char, end_char).

    The engine strips punctuation and keeps the spelling, so the tokens are found one after another. One that is
    not there (a character that the engine does not know) has no mark.
    """
    marks: list[tuple[float, int, int]] = []
    position = 0
    for word, seconds in words:
        found = text.find(word, position) if word else -1
        if found >= 0:
            position = found + len(word)
            marks.append((seconds, found, position))
    return marks


def load(channel: WorkerChannel, _arguments: list[str]) -> tuple[Engine, WorkerReady]:
    """Load the library; raises ProviderError if it is not installed."""
    library = FliteLibrary()
    return FliteEngine(channel, library), WorkerReady(library.voices, ("en-US",))


if __name__ == "__main__":
    main(load)
