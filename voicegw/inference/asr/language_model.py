"""Compile a trigram language model from the phrases a caller is expected to say.

The phrases are an enumerated grammar, not a sample of a language, so count-based discounting has nothing to
work on. Each order is interpolated with the next lower one by a fixed weight (Jelinek-Mercer), down to a
uniform floor over the vocabulary: what was listed is likely, fragments and mixtures of it stay possible.

Two such models, one of all phrases and one of the boosted ones, are mixed linearly, so that the weight of the
current question does not depend on how many phrases the rest of the agent has. Runs of digits become a class
first: a handful of example account numbers then stands for every number, without favouring the examples.

The result is written in the ARPA format (back-off form), which every decoder reads.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

START, END = "<s>", "</s>"
ORDER = 3
DIGITS = ("zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
DIGIT_CLASS = "<digit>"
MIN_DIGIT_RUN = 3
"""Shorter runs are times and dates ("three thirty", "one two"), whose words are not interchangeable."""

_WORD = re.compile(r"(?:[^\W\d_]\.){2,}|<digit>|[^\W_]+(?:'[^\W_]+)*'?")
NGram = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LmConfig:
    """How the model is smoothed.

    ``backoff`` is the weight given to the lower order at each step: 0.2 keeps listed sentences dominant and
    leaves a 1 in 5 chance of leaving one at any word. ``boost_share`` is the probability mass of the boosted
    phrases. ``oh_share`` is how often "oh" stands for the digit nought against each other digit. ``asides`` are
    what callers say whatever they are asked ("okay", "one moment"), with the mass ``aside_share``: without them
    "okay" is heard as the listed word that is most like it.
    """

    backoff: float = 0.2
    boost_share: float = 0.85
    oh_share: float = 0.5
    asides: tuple[str, ...] = ()
    aside_share: float = 0.04


def normalize(phrase: str) -> NGram:
    """The words of a phrase: lower case, apostrophes and "a.m." kept, runs of three or more digits as a class."""
    return tuple(_with_digit_class(_WORD.findall(phrase.lower())))


def _with_digit_class(words: Sequence[str]) -> Iterator[str]:
    start = 0
    while start < len(words):
        end = start
        while end < len(words) and (words[end] in DIGITS or words[end] == DIGIT_CLASS):
            end += 1
        if end - start >= MIN_DIGIT_RUN:
            yield from [DIGIT_CLASS] * (end - start)
        else:
            yield from words[start : max(end, start + 1)]
        start = max(end, start + 1)


def vocabulary(phrases: Iterable[str]) -> frozenset[str]:
    """Every word that the model of these phrases can produce."""
    words = {word for phrase in phrases for word in normalize(phrase)}
    if DIGIT_CLASS in words:
        words |= set(DIGITS)
    return frozenset(words - {DIGIT_CLASS})


def model_key(phrases: Sequence[str], boost: Sequence[str], config: LmConfig) -> str:
    """A name that changes with anything that changes the model; safe in a file name."""
    content = repr((sorted(set(phrases)), sorted(set(boost)), config))
    return hashlib.sha256(content.encode()).hexdigest()[:20]


def compile_lm(phrases: Iterable[str], boost: Iterable[str] = (), config: LmConfig | None = None) -> str:
    """The ARPA text of the model. Deterministic: equal sets of phrases give equal text."""
    config = config or LmConfig()
    boosted = sorted(set(boost))
    everything = sorted(set(phrases) | set(boosted))
    words = sorted(vocabulary([*everything, *config.asides]))
    parts = [(1.0, _Interpolated(everything, words, config))]
    if boosted and len(boosted) < len(everything):
        parts = [(1.0 - config.boost_share, parts[0][1])]
        parts.append((config.boost_share, _Interpolated(boosted, words, config)))
    if config.asides:
        parts = [((1.0 - config.aside_share) * share, model) for share, model in parts]
        parts.append((config.aside_share, _Interpolated(config.asides, words, config)))
    return _arpa(_Mixture(parts), words)


class _Interpolated:
    """P(w | h) = (1 - b) count(h w) / count(h) + b P(w | shorter h)."""

    def __init__(self, phrases: Iterable[str], words: Sequence[str], config: LmConfig) -> None:
        self._backoff = config.backoff
        self._uniform = 1.0 / (len(words) + 1)  # the end of the sentence is an outcome too
        self.counts: dict[NGram, float] = defaultdict(float)
        self._totals: dict[NGram, float] = defaultdict(float)
        members = _digit_weights(config)
        for ngram, count in _class_counts(phrases).items():
            for expanded, share in _expand(ngram, members):
                self.counts[expanded] += count * share
                self._totals[expanded[:-1]] += count * share

    def probability(self, ngram: NGram) -> float:
        history = ngram[:-1]
        lower = self.probability(ngram[1:]) if history else self._uniform
        total = self._totals.get(history, 0.0)
        if not total:
            return lower
        return (1.0 - self._backoff) * self.counts.get(ngram, 0.0) / total + self._backoff * lower


def _class_counts(phrases: Iterable[str]) -> Counter[NGram]:
    """How often each n-gram of words and classes occurs; expanding classes later costs far less."""
    counts: Counter[NGram] = Counter()
    for phrase in phrases:
        tokens = (START, *normalize(phrase), END)
        for end in range(1, len(tokens)):
            for size in range(1, min(ORDER, end + 1) + 1):
                counts[tokens[end - size + 1 : end + 1]] += 1
    return counts


def _digit_weights(config: LmConfig) -> list[tuple[str, float]]:
    weights = {digit: config.oh_share if digit == "oh" else 1.0 for digit in DIGITS}
    total = sum(weights.values())
    return [(digit, weight / total) for digit, weight in weights.items()]


def _expand(ngram: NGram, members: Sequence[tuple[str, float]]) -> Iterator[tuple[NGram, float]]:
    """Replace each class by each of its words, with the product of their shares."""
    if DIGIT_CLASS not in ngram:
        yield ngram, 1.0
        return
    choices = [members if word == DIGIT_CLASS else [(word, 1.0)] for word in ngram]
    for combination in product(*choices):
        yield tuple(word for word, _ in combination), math.prod(share for _, share in combination)


class _Mixture:
    """Linear mixture of models over one vocabulary."""

    def __init__(self, parts: Sequence[tuple[float, _Interpolated]]) -> None:
        self._parts = parts
        self._known: dict[NGram, float] = {}

    def ngrams(self) -> list[NGram]:
        seen: set[NGram] = set()
        for _, model in self._parts:
            seen |= model.counts.keys()
        return sorted(seen)

    def probability(self, ngram: NGram) -> float:
        known = self._known.get(ngram)
        if known is None:
            known = sum(share * model.probability(ngram) for share, model in self._parts)
            self._known[ngram] = known
        return known


def _arpa(model: _Mixture, words: Sequence[str]) -> str:
    by_order: list[list[NGram]] = [[] for _ in range(ORDER)]
    for ngram in model.ngrams():
        if len(ngram) > 1:
            by_order[len(ngram) - 1].append(ngram)
    by_order[0] = [(START,), (END,), *((word,) for word in words)]
    backoffs = _backoff_weights(model, by_order)
    lines = ["\\data\\", *(f"ngram {n + 1}={len(grams)}" for n, grams in enumerate(by_order)), ""]
    for n, grams in enumerate(by_order):
        lines.append(f"\\{n + 1}-grams:")
        for ngram in grams:
            probability = 1e-99 if ngram == (START,) else model.probability(ngram)
            tail = f"\t{math.log10(backoffs.get(ngram, 1.0)):.4f}" if n + 1 < ORDER else ""
            lines.append(f"{math.log10(probability):.4f}\t{' '.join(ngram)}{tail}")
        lines.append("")
    return "\n".join([*lines, "\\end\\", ""])


def _backoff_weights(model: _Mixture, by_order: Sequence[Sequence[NGram]]) -> dict[NGram, float]:
    """The mass that the listed successors of a history leave, over what they would have had one order lower."""
    seen: dict[NGram, float] = defaultdict(float)
    lower: dict[NGram, float] = defaultdict(float)
    for grams in by_order[1:]:
        for ngram in grams:
            seen[ngram[:-1]] += model.probability(ngram)
            lower[ngram[:-1]] += model.probability(ngram[1:])
    floor = 1e-9
    return {h: max(1.0 - seen[h], floor) / max(1.0 - lower[h], floor) for h in seen}
