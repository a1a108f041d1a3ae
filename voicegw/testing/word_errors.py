"""Word error rate: the edits that turn what was understood into what was said, by word."""

from __future__ import annotations


def word_errors(said: str, understood: str) -> int:
    """Substitutions, insertions and deletions (Levenshtein distance over words)."""
    wanted, got = said.lower().split(), understood.lower().split()
    row = list(range(len(got) + 1))
    for i, word in enumerate(wanted, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(got, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (word != other))
    return row[-1]


def word_error_rate(said: str, understood: str) -> float:
    """Errors for each word that was said; 0.0 is perfect, and insertions can make it exceed 1."""
    return word_errors(said, understood) / max(1, len(said.split()))
