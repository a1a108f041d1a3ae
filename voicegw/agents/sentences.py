"""Cut text into pieces that a synthesiser can say one after the other, the first one short.

The caller waits for the first piece only: it is cut at the first clause that is long enough to sound natural. Later
pieces are whole sentences, which sound better, cut only where they are too long to be made in time.
"""

from __future__ import annotations

import re
from functools import lru_cache

from voicegw.agents.sentence_ends import SentenceEnds, sentence_ends
from voicegw.agents.speakable.fences import FenceFilter

FIRST_MIN_WORDS = 4
"""A first piece shorter than this ("Yes,") sounds chopped off."""
FIRST_MIN_WORDS_BEFORE_JOINT = 6
""""I have found your booking | and it is confirmed": without a comma it takes more to sound natural."""
FIRST_MIN_CHARS = 12
FIRST_MAX_CHARS = 90
MAX_CHARS = 220

_SENTENCE_END = re.compile(r"[.!?…。！？]+[\"'”’)\]]*(?=\s|$)|\n+")
_CLAUSE_END = re.compile(r"(?:[,;:]|\s[-–—]+|[–—]+)(?=\s)")
_DIGITS_ON_BOTH_SIDES = re.compile(r"\d[,;:]\s+\d")


class SentenceSplitter:
    """Feed text as it is written; get pieces as soon as their end is certain.

    ``hurried``: somebody waits for the first piece, so it may be less than a sentence.
    """

    def __init__(self, language: str = "en-US", *, hurried: bool = True) -> None:
        self._ends = sentence_ends(language)
        self._joint = _joint_pattern(self._ends.joints)
        self._rest = ""
        self._first = hurried

    def push(self, text: str) -> list[str]:
        """The pieces that ``text`` completes."""
        self._rest += text
        pieces: list[str] = []
        while (end := self._end(final=False)) is not None:
            pieces += self._take(end)
        return pieces

    def finish(self) -> list[str]:
        """What is left, once there is no more text."""
        pieces: list[str] = []
        while self._rest.strip():
            end = self._end(final=True)
            pieces += self._take(len(self._rest) if end is None else end)
        self._rest = ""
        return pieces

    def _take(self, end: int) -> list[str]:
        piece, self._rest = self._rest[:end].strip(), self._rest[end:].lstrip()
        if not any(char.isalnum() for char in piece):
            return []
        self._first = False
        return [piece]

    def _end(self, *, final: bool) -> int | None:
        """Where the next piece ends; None if that is not known yet."""
        sentence = _sentence_end(self._rest, self._ends, final)
        limit = FIRST_MAX_CHARS if self._first else MAX_CHARS
        waited_for = self._first and (sentence is None or sentence > FIRST_MAX_CHARS // 3)
        if waited_for and (clause := self._first_clause(sentence)) is not None:
            return clause if clause <= limit else _forced(self._rest, limit)
        if sentence is not None and sentence <= limit:
            return sentence
        if len(self._rest) > limit + 20 or sentence is not None:
            return _forced(self._rest, limit) if len(self._rest) > limit else sentence
        return None

    def _first_clause(self, sentence: int | None) -> int | None:
        """The end of the first clause that sounds natural alone and is followed by more than one word."""
        text = self._rest[:sentence]
        for match in _CLAUSE_END.finditer(text):
            more = text[match.end() :].split()
            if _DIGITS_ON_BOTH_SIDES.match(text, match.start() - 1) or len(more) < 2:
                continue
            if len(text[: match.end()].split()) >= FIRST_MIN_WORDS:
                return match.end()
        joint = self._joint.search(text)
        return joint.end() if joint else None


class ProseSplitter:
    """The same for what a language model writes: what it puts into blocks of code is not for the ear."""

    def __init__(self, language: str = "en-US") -> None:
        self._fences = FenceFilter()
        self._sentences = SentenceSplitter(language)

    def push(self, text: str) -> list[str]:
        """The pieces that ``text`` completes."""
        return self._sentences.push(self._fences.push(text))

    def finish(self) -> list[str]:
        """What is left, once there is no more text."""
        return self._sentences.push(self._fences.finish()) + self._sentences.finish()


def split_sentences(text: str, language: str = "en-US", *, hurried: bool = True) -> list[str]:
    """All pieces of a whole text."""
    splitter = SentenceSplitter(language, hurried=hurried)
    return splitter.push(text) + splitter.finish()


def _sentence_end(text: str, ends: SentenceEnds, final: bool) -> int | None:
    """The end of the first sentence. At the very end of unfinished text a full stop may be a decimal point."""
    for match in _SENTENCE_END.finditer(text):
        verdict: bool | None = True
        if match[0].startswith(".") and not match[0].startswith(".."):
            verdict = ends.ends(text[: match.start()], text[match.end() :], final=final)
        if verdict is None or (verdict and match.end() == len(text) and not final):
            return None
        if verdict:
            return match.end()
    return None


@lru_cache(maxsize=16)
def _joint_pattern(joints: tuple[str, ...]) -> re.Pattern[str]:
    """The space before a joint that has enough words before it, and two after it."""
    before = rf"\A(?:\S+\s+){{{FIRST_MIN_WORDS_BEFORE_JOINT - 1},}}?\S+"
    return re.compile(rf"{before}(?=\s+(?:{'|'.join(joints)})\s+\S+\s+\S)")


def _forced(text: str, limit: int) -> int:
    """The best cut before ``limit``: after a clause, else at a space, else anywhere."""
    clauses = [m.end() for m in _CLAUSE_END.finditer(text, 0, limit)]
    if clauses and clauses[-1] >= FIRST_MIN_CHARS:
        return clauses[-1]
    space = text.rfind(" ", 1, limit)
    return space if space > 0 else limit
