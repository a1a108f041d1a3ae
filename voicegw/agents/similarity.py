"""How much two pieces of speech sound alike, after a recogniser had them.

No model: words are compared by spelling (character bigrams) and by a coarse sound key, phrases by how much of
each is found in the other, where a rare content word weighs more than "the". It forgives the errors that
recognisers make (a wrong ending, a word split or joined, a filler more or less) and not a different meaning.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from voicegw.agents.entities.words import FILLERS, tokens

_LIGHT = frozenset(
    [
        *["a", "an", "the", "to", "of", "in", "on", "at", "for", "is", "it", "it's", "i", "i'd", "i'm", "me", "my"],
        *[
            "you",
            "your",
            "do",
            "does",
            "can",
            "could",
            "would",
            "want",
            "need",
            "have",
            "and",
            "or",
            "with",
            "that",
        ],
        *["like", "get", "be", "are", "am", "this", "will", "we", "us", "some", "about", "there", "what", "what's"],
        *["know", "if", "as", "by", "from", "was", "were", "has", "had", "i've", "i'll", "there's", "so", "let"],
    ]
)
_LIGHT_WEIGHT = 0.25
_SOUND_RULES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"'|^(?=[gk]n)[gk]|^wr(?=.)|(?<=m)b$", ""),
        (r"gh(?=t|$)", ""),
        (r"ph", "f"),
        (r"tion|sion|sh|ch|tch|j|dg", "x"),
        (r"c(?=[eiy])", "s"),
        (r"ck|q|c|x(?=t)", "k"),
        (r"z", "s"),
        (r"v", "f"),
        (r"d|th", "t"),
        (r"b", "p"),
        (r"g", "k"),
        (r"[aeiouyhw]+", ""),
        (r"(.)\1+", r"\1"),
    )
)


@lru_cache(maxsize=8192)
def sound_key(word: str) -> str:
    """The consonants of a word, with those that telephones confuse (b p, d t, v f, s z) folded together."""
    key = word
    for pattern, replacement in _SOUND_RULES:
        key = pattern.sub(replacement, key)
    vowel_first = word[:1] in "aeiou"
    return ("a" if vowel_first else "") + key


@lru_cache(maxsize=65536)
def word_similarity(first: str, second: str) -> float:
    """0 to 1; 1 for the same word, 0.85 for words that sound alike, else by common character pairs."""
    if first == second:
        return 1.0
    key = sound_key(first)
    if len(key) >= 2 and key == sound_key(second):
        return 0.85
    shorter, longer = sorted((first, second), key=len)
    if len(shorter) >= 4 and longer.startswith(shorter) and len(longer) - len(shorter) <= 3:
        return 0.85
    left, right = _pairs(first), _pairs(second)
    dice = 2 * len(left & right) / (len(left) + len(right))
    return dice * 0.9 if dice >= 0.5 else 0.0


def _pairs(word: str) -> frozenset[str]:
    padded = f"^{word}$"
    return frozenset(padded[i : i + 2] for i in range(len(padded) - 1))


def content(text: str) -> tuple[str, ...]:
    """The tokens of a text that carry meaning, or all of them if none does."""
    words = tokens(text)
    return tuple(word for word in words if word not in FILLERS) or tuple(words)


def coverage(needed: Sequence[str], given: Sequence[str]) -> float:
    """How much of ``needed`` is found in ``given``, weighted; 0 to 1."""
    total = found = 0.0
    for word in needed:
        weight = _LIGHT_WEIGHT if word in _LIGHT else 1.0
        total += weight
        found += weight * max((word_similarity(word, other) for other in given), default=0.0)
    return found / total if total else 0.0


def phrase_similarity(said: Sequence[str], phrase: Sequence[str]) -> float:
    """0 to 1: how much of ``phrase`` was said and how much of what was said is in it, in equal parts.

    Light words alone prove nothing: where no content word is common, the score is too low for any threshold.
    """
    joined = _joined(said)
    recall = max(coverage(phrase, said), coverage(phrase, joined))
    precision = coverage(said, phrase)
    score = (recall + max(precision, recall if len(said) > len(phrase) and recall > 0.9 else 0.0)) / 2
    heavy = [word for word in phrase if word not in _LIGHT]
    if heavy and coverage(heavy, joined) * len(heavy) < 0.5:
        return score * 0.4
    return score


def strict_similarity(said: Sequence[str], phrase: Sequence[str]) -> float:
    """0 to 1: high only if each is all in the other, for words that must not be heard by mistake."""
    return min(coverage(phrase, said), coverage(said, phrase))


def _joined(words: Sequence[str]) -> tuple[str, ...]:
    """Neighbours as one word: a recogniser writes "a point mint" for "appointment"."""
    pairs = tuple(a + b for a, b in pairwise(words))
    triples = tuple(a + b + c for a, b, c in zip(words, words[1:], words[2:], strict=False))
    return (*words, *pairs, *triples)
