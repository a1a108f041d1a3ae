"""An independent reader of ARPA files: back-off look-up as the format defines it."""

from __future__ import annotations


class Arpa:
    """P(w | h): the listed value, or the back-off weight of h times P(w | shorter h)."""

    def __init__(self, text: str) -> None:
        self.log10: dict[tuple[str, ...], float] = {}
        self.backoff: dict[tuple[str, ...], float] = {}
        order = 0
        for line in text.splitlines():
            if line.endswith("-grams:"):
                order = int(line[1])
            elif order and line and not line.startswith("\\"):
                fields = line.split("\t")
                ngram = tuple(fields[1].split(" "))
                assert len(ngram) == order
                self.log10[ngram] = float(fields[0])
                if len(fields) > 2:
                    self.backoff[ngram] = float(fields[2])
        for line in text.splitlines():
            if line.startswith("ngram "):
                size, _, number = line.removeprefix("ngram ").partition("=")
                assert sum(len(ngram) == int(size) for ngram in self.log10) == int(number)

    @property
    def unigrams(self) -> set[str]:
        return {ngram[0] for ngram in self.log10 if len(ngram) == 1}

    def probability(self, ngram: tuple[str, ...]) -> float:
        return 10.0 ** self._log10(ngram)

    def sentence(self, text: str) -> float:
        words = ("<s>", *text.split(), "</s>")
        result = 1.0
        for end in range(1, len(words)):
            result *= self.probability(words[max(0, end - 2) : end + 1])
        return result

    def _log10(self, ngram: tuple[str, ...]) -> float:
        if ngram in self.log10:
            return self.log10[ngram]
        return self.backoff.get(ngram[:-1], 0.0) + self._log10(ngram[1:])
