"""The truth about what was said: text pieces laid along the samples that left the socket."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from voicegw.base.ids import UtteranceId


@dataclass(frozen=True, slots=True)
class Playout:
    """How much of an utterance the caller was sent. ``exact``: from word marks, not estimated by proportion."""

    utterance_id: UtteranceId
    sent_samples: int
    heard_text: str
    exact: bool


def _as_it_is(_written: str, _spoken: str, heard: str) -> str:
    return heard


@dataclass(slots=True)
class _Segment:
    written: str
    spoken: str
    start_sample: int
    samples: int = 0
    closed: bool = False
    marks: list[tuple[int, int]] | None = None


class PlayoutLedger:
    """Which text lies where in one utterance. Text and audio are added in the order they are spoken.

    What is written ("$24.50") and what is spoken for it may differ. ``source`` tells how much of a written text is
    said in full by the beginning of its spoken one; its arguments are the two texts and that beginning.
    """

    def __init__(self, utterance_id: UtteranceId, source: Callable[[str, str, str], str] = _as_it_is) -> None:
        self.utterance_id = utterance_id
        self._source = source
        self._segments: list[_Segment] = []
        self._samples = 0

    @property
    def text(self) -> str:
        """Everything the utterance says, as it was written."""
        return " ".join(segment.written for segment in self._segments)

    def begin(self, text: str) -> None:
        """The next audio speaks ``text``."""
        if self._segments:
            self._segments[-1].closed = True
        self._segments.append(_Segment(text, text, self._samples))

    def read_as(self, spoken: str) -> None:
        """The voice says the current text in these words."""
        self._segments[-1].spoken = spoken

    def add_audio(self, samples: int) -> None:
        """``samples`` more at 8 kHz belong to the current text."""
        self._segments[-1].samples += samples
        self._samples += samples

    def add_mark(self, at_sample: int, end_char: int) -> None:
        """The word that ends at ``end_char`` of the spoken text begins ``at_sample`` into its audio."""
        segment = self._segments[-1]
        segment.marks = [*(segment.marks or []), (at_sample, end_char)]

    def close(self) -> None:
        """No more audio is coming: the last text's length is known."""
        if self._segments:
            self._segments[-1].closed = True

    def heard(self, sent_samples: int) -> Playout:
        """What the first ``sent_samples`` said, in the words that were written."""
        pieces: list[str] = []
        exact = True
        for segment in self._segments:
            inside = sent_samples - segment.start_sample
            if inside <= 0:
                break
            if segment.closed and inside >= segment.samples:
                pieces.append(segment.written)
                continue
            spoken, piece_exact = _heard_of(segment, inside)
            exact = exact and piece_exact
            if piece := self._source(segment.written, segment.spoken, spoken) if spoken else "":
                pieces.append(piece)
            break
        return Playout(self.utterance_id, sent_samples, " ".join(pieces), exact)


_SAMPLES_PER_CHARACTER = 560
"""At 8 kHz, for audio that is still being made: about 14 characters a second, ordinary English speech."""


def _heard_of(segment: _Segment, inside: int) -> tuple[str, bool]:
    """The beginning of the spoken text that was heard, and whether that is exact."""
    if segment.marks:
        ends = [end for at, end in segment.marks if at < inside]
        # The last word that has begun may be cut in its middle: it counts only when the next one has begun.
        complete = ends[:-1]
        return (segment.spoken[: complete[-1]] if complete else ""), True
    total = (
        segment.samples if segment.closed else max(segment.samples, len(segment.spoken) * _SAMPLES_PER_CHARACTER)
    )
    words = segment.spoken.split()
    if not total or not words:
        return "", False
    characters = len(segment.spoken) * min(1.0, inside / total)
    used = 0
    heard: list[str] = []
    for word in words:
        used += len(word) + 1
        if used > characters + 1:
            break
        heard.append(word)
    return " ".join(heard), False
