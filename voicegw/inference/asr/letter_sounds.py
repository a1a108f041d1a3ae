"""Pronunciations of words that are not in the dictionary.

flite's lexicon is used, through ctypes: its letter-to-sound trees were trained on the same dictionary and speak
the same phone set as the acoustic model, so no translation can go wrong, and the library is there anyway for the
voices. espeak's phonemes would need a translation, and a link to GPL code or a process a word.
"""

from __future__ import annotations

import ctypes
from ctypes import c_char_p, c_void_p

_SAME_SOUND = {"AX": "AH", "PAU": ""}


class LetterSounds:
    """The voice of a word nobody has listed. Without the library every answer is empty."""

    def __init__(self) -> None:
        try:
            ctypes.CDLL("libflite.so.1", mode=ctypes.RTLD_GLOBAL)
            self._library = ctypes.CDLL("libflite_cmulex.so.1", mode=ctypes.RTLD_GLOBAL)
        except OSError:
            self._lexicon = None
            return
        for name, result, arguments in _SIGNATURES:
            function = getattr(self._library, name)
            function.restype, function.argtypes = result, arguments
        self._lexicon = self._library.cmu_lex_init()

    def pronounce(self, word: str) -> str:
        """Phones of the CMU set without stress marks, separated by spaces; empty if there are none."""
        if self._lexicon is None or not word.isascii():
            return ""
        first = self._library.lex_lookup(self._lexicon, word.encode(), None, None)
        phones: list[str] = []
        cell = first
        while cell:
            phone = self._library.val_string(self._library.val_car(cell)).decode().rstrip("012").upper()
            phones.append(_SAME_SOUND.get(phone, phone))
            cell = self._library.val_cdr(cell)
        if first:
            self._library.delete_val(first)
        return " ".join(filter(None, phones))


_SIGNATURES: tuple[tuple[str, object, list[object]], ...] = (
    ("cmu_lex_init", c_void_p, []),
    ("lex_lookup", c_void_p, [c_void_p, c_char_p, c_char_p, c_void_p]),
    ("val_car", c_void_p, [c_void_p]),
    ("val_cdr", c_void_p, [c_void_p]),
    ("val_string", c_char_p, [c_void_p]),
    ("delete_val", None, [c_void_p]),
)
