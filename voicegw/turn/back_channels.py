"""What a caller's sound while the agent speaks was: "I am listening", a noise, or something to stop for.

The playout is paused already; this is asked with every change of the recogniser's text and once more at the
deadline. It leans to REAL: an agent that goes on talking over a caller is worse than one that stops for an "okay".
Nothing said as an answer to the agent's question is a back-channel ("yes" to "is that right?"), and neither is a
word that asks for silence, whatever stands around it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from voicegw.turn.back_channel_words import BY_LANGUAGE, BackChannelWords


class Hearing(Enum):
    """What it was."""

    BACK_CHANNEL = "back_channel"
    """ "Mm-hm": the agent goes on, and nobody answers it."""
    NOISE = "noise"
    """A cough, a door, another voice in the room."""
    UNDECIDED = "undecided"
    """The beginning of a back-channel ("of" of "of course"), or of something else."""
    REAL = "real"
    """The caller wants the floor."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One stretch of sound while the agent speaks.

    ``text``: the recogniser's best so far. ``speech_ms``: from the onset to its end, or to now while
    ``still_speaking``. ``level_dbov``: its loudness; ``complete``: the text answers the agent's question in full.
    """

    text: str
    speech_ms: float
    level_dbov: float = -25.0
    still_speaking: bool = False
    complete: bool = False


@dataclass(frozen=True, slots=True)
class BackChannelConfig:
    """Where the lines are drawn."""

    min_words: int = 1
    """Words beyond back-channels that make it real. With 2, a single unknown word ("hotel") is a noise unless the
    sound lasts ``noise_ms``; words that ask for silence, and answers, count at once."""
    back_channel_ms: int = 1500
    """Back-channels longer than this in sum are the beginning of something: "okay, okay, okay, okay"."""
    noise_ms: int = 700
    """A sound without a word, unbroken, longer than this is somebody who wants to speak. A cough lasts 200–500."""
    quiet_dbov: float = -48.0
    """What is fainter is not the caller speaking into the telephone, but somebody or something behind them."""


def hearing(config: BackChannelConfig, heard: Heard, language: str = "en-US") -> Hearing:
    """What ``heard`` was, as far as can be said now. A language without lists uses the English ones."""
    words = _tokens(heard.text)
    lists = _lists(language)
    if heard.complete or _contains(words, lists.urgent):
        return Hearing.REAL
    if heard.level_dbov < config.quiet_dbov:
        return Hearing.NOISE
    content = _content(words, lists.phrases)
    if words and not content:
        return Hearing.BACK_CHANNEL if heard.speech_ms <= config.back_channel_ms else Hearing.REAL
    if heard.speech_ms <= config.back_channel_ms and _is_beginning(words, lists.phrases):
        return Hearing.UNDECIDED
    if len(content) >= max(config.min_words, 1):
        return Hearing.REAL
    long_enough = heard.still_speaking or bool(words)
    return Hearing.REAL if long_enough and heard.speech_ms >= config.noise_ms else Hearing.NOISE


def content_words(text: str, language: str = "en-US") -> int:
    """How many words of ``text`` belong to no back-channel."""
    return len(_content(_tokens(text), _lists(language).phrases))


_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|\d+")
_Phrases = frozenset[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class _Lists:
    phrases: _Phrases
    urgent: _Phrases


@lru_cache(maxsize=64)
def _lists(language: str) -> _Lists:
    known: Mapping[str, BackChannelWords] = BY_LANGUAGE
    words = known.get(language.lower().replace("_", "-").split("-")[0], known["en"])
    return _Lists(
        frozenset(tuple(_tokens(phrase)) for phrase in words.phrases),
        frozenset(tuple(_tokens(phrase)) for phrase in words.urgent),
    )


def _tokens(text: str) -> list[str]:
    """Lower-case words; "uh-huh" is two, as many recognisers write it."""
    return [word.replace("’", "'") for word in _WORD.findall(text.lower())]


def _content(words: list[str], phrases: _Phrases) -> list[str]:
    """The fewest words that are left when whole phrases are taken out."""
    longest = max(len(phrase) for phrase in phrases)
    best: list[list[str]] = [[]]
    for end, word in enumerate(words, 1):
        left = [*best[end - 1], word]
        for start in range(max(0, end - longest), end):
            if tuple(words[start:end]) in phrases and len(best[start]) < len(left):
                left = best[start]
        best.append(left)
    return best[-1]


def _is_beginning(words: list[str], phrases: _Phrases) -> bool:
    """Whether the last words may become a back-channel, and nothing else was said."""
    longest = max(len(phrase) for phrase in phrases)
    return any(
        not _content(words[:-count], phrases)
        and any(len(phrase) > count and phrase[:count] == tuple(words[-count:]) for phrase in phrases)
        for count in range(1, min(longest, len(words)) + 1)
    )


def _contains(words: list[str], phrases: _Phrases) -> bool:
    return any(
        tuple(words[start : start + len(phrase)]) == phrase for phrase in phrases for start in range(len(words))
    )
