"""What every agent of the house says when it has no words of its own. Made ahead: it is heard without an engine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from voicegw.base.causes import HangupCause
from voicegw.base.errors import ConfigError

_TAG: Final = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class HouseWords:
    """In one language. In a configuration what is left empty is as it ships."""

    fillers: tuple[str, ...] = ()
    """Said in turn while a reply is awaited."""
    too_long: str = ""
    """Before a call is ended that has reached the longest time, or that nobody pays for any longer."""
    draining: str = ""
    """Before a call is ended because the server stops."""
    apology: str = ""
    """The last words of a call that cannot go on."""

    def parting(self, cause: HangupCause) -> str:
        """The last words of a call that the server ends."""
        known = {
            HangupCause.CALL_TOO_LONG: self.too_long,
            HangupCause.BUDGET_SPENT: self.too_long,
            HangupCause.DRAINING: self.draining,
        }
        return known.get(cause, self.apology)

    @property
    def all(self) -> tuple[str, ...]:
        """Every text, what is needed first at the beginning."""
        return (*self.fillers, self.apology, self.too_long, self.draining)

    def over(self, other: HouseWords) -> HouseWords:
        """These, and those of ``other`` where there are none."""
        return HouseWords(
            self.fillers or other.fillers,
            self.too_long or other.too_long,
            self.draining or other.draining,
            self.apology or other.apology,
        )


ENGLISH: Final = "en-US"
"""Spoken where the house has no words in the language of a call."""
SHIPPED: Final[Mapping[str, HouseWords]] = {
    "en": HouseWords(
        ("One moment, please.", "I am still on it.", "Thank you for waiting."),
        "We have reached the longest time for a call. Thank you, and goodbye.",
        "I am sorry, our system has to restart now. Please call again in a minute. Goodbye.",
        "I am sorry, something went wrong on our side. Please call again. Goodbye.",
    ),
    "de": HouseWords(
        ("Einen Moment, bitte.", "Ich bin noch dabei.", "Danke, dass Sie warten."),
        "Wir haben die längste Dauer eines Anrufs erreicht. Vielen Dank und auf Wiederhören.",
        "Unser System muss leider neu starten. Bitte rufen Sie in einer Minute noch einmal an. Auf Wiederhören.",
        "Bei uns ist leider etwas schiefgegangen. Bitte rufen Sie noch einmal an. Auf Wiederhören.",
    ),
    "es": HouseWords(
        ("Un momento, por favor.", "Sigo en ello.", "Gracias por esperar."),
        "Hemos llegado a la duración máxima de una llamada. Gracias y hasta luego.",
        "Lo siento, nuestro sistema tiene que reiniciarse. Por favor, vuelva a llamar en un minuto. Hasta luego.",
        "Lo siento, algo ha fallado por nuestra parte. Por favor, vuelva a llamar. Hasta luego.",
    ),
    "fr": HouseWords(
        ("Un instant, s'il vous plaît.", "Je m'en occupe toujours.", "Merci de patienter."),
        "Nous avons atteint la durée maximale d'un appel. Merci et au revoir.",
        "Je suis désolé, notre système doit redémarrer. Merci de rappeler dans une minute. Au revoir.",
        "Je suis désolé, un problème est survenu de notre côté. Merci de rappeler. Au revoir.",
    ),
}


@dataclass(frozen=True, slots=True)
class TextsConfig:
    """What the server itself says in a call: other words, or words in other languages."""

    languages: dict[str, HouseWords] = field(default_factory=dict)
    """By BCP 47 tag; ``de`` is for all German without words of its own. English, German, Spanish and French ship;
    another language has English words where it leaves some out."""

    def __post_init__(self) -> None:
        """Refuse what cannot be a language, and texts that say nothing; raises ConfigError."""
        for tag, words in self.languages.items():
            if not _TAG.fullmatch(tag):
                raise ConfigError(f"'{tag}' is no language", fix="write it as de or de-AT")
            if not all(text.strip() for text in words.fillers):
                raise ConfigError(f"a filler of '{tag}' is empty", fix="remove it, or write what is to be said")


class HouseTexts:
    """The words of a house in all its languages. Immutable."""

    def __init__(self, config: TextsConfig | None = None) -> None:
        configured = config.languages if config is not None else {}
        self._own = {_plain(tag): words for tag, words in configured.items()}

    def of(self, language: str) -> HouseWords:
        """What is said in a call that is in ``language`` now."""
        tag, base = _plain(language), _base(language)
        words = self._own.get(tag, HouseWords()).over(self._own.get(base, HouseWords()))
        return words.over(SHIPPED.get(base, SHIPPED["en"]))

    def language_for(self, language: str) -> str:
        """The language in which :meth:`of` has its words: ``language`` itself, or English."""
        known = {*SHIPPED, *self._own}
        return language if {_plain(language), _base(language)} & known else ENGLISH


def _plain(tag: str) -> str:
    return tag.lower().replace("_", "-")


def _base(tag: str) -> str:
    return _plain(tag).split("-")[0]
