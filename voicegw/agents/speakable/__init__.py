"""Text as it should be read aloud, in English, German, Spanish and French, and by a registry in any other language.

Numbers, money, dates, times, addresses, telephone numbers, units, abbreviations and acronyms become words; what
language models write for the eye (Markdown, emoji) becomes plain prose.
"""

from __future__ import annotations

from voicegw.agents.speakable.english import CURRENCIES
from voicegw.agents.speakable.language import Currency, Gender, Language
from voicegw.agents.speakable.languages import LANGUAGES, Languages
from voicegw.agents.speakable.speech import speakable, spoken_money

__all__ = ["CURRENCIES", "LANGUAGES", "Currency", "Gender", "Language", "Languages", "speakable", "spoken_money"]
