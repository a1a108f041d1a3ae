"""Back from what the voice read to what the agent wrote: how much of its text the caller has heard.

The voice read "twenty four dollars and fifty cents"; the history of the call, and the language model that reads it,
shall have "$24.50", and only if all of it was heard.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher

_WORD = re.compile(r"\S+")


def heard_source(source: str, spoken: str, heard: str) -> str:
    """The beginning of ``source`` that ``heard``, a beginning of ``spoken``, has said in full.

    >>> heard_source("It is $24.50 now.", "It is twenty four dollars and fifty cents now.", "It is twenty")
    'It is'
    """
    count = len(heard.split())
    words = [(match.end(), _plain(match[0])) for match in _WORD.finditer(source)]
    said = [_plain(word) for word in spoken.split()]
    if count >= len(said):
        return source
    matcher = SequenceMatcher(None, [word for _, word in words], said, autojunk=False)
    taken = 0
    for tag, _, source_end, start, end in matcher.get_opcodes():
        if end > count:
            taken += count - start if tag == "equal" and count > start else 0
            break
        taken = source_end
    return source[: words[taken - 1][0]] if taken else ""


def _plain(word: str) -> str:
    return word.casefold().strip(".,;:!?…\"'()*_`")
