"""Back-channels and their opposite, the words that ask for silence, by language.

Of the phrases, hyphens are spaces. A word that is both, or that people begin sentences with ("so", "also",
"pues", "alors"), is in neither list: the agent stops for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BackChannelWords:
    """``urgent`` goes before ``phrases``: "no okay" and "okay stop" are interruptions."""

    phrases: tuple[str, ...]
    urgent: tuple[str, ...]


_SOUNDS = (
    "m",
    "mm",
    "mmm",
    "mhm",
    "mm hm",
    "mm mm",
    "hm",
    "hmm",
    "hm hm",
    "uh",
    "uh huh",
    "huh",
    "ah",
    "aha",
    "oh",
)
_OKAY = ("okay", "ok", "o k", "okey", "okay okay", "ok ok")

ENGLISH = BackChannelWords(
    phrases=(
        *_SOUNDS,
        *_OKAY,
        *("um", "er", "ooh", "wow", "yeah", "yep", "yup", "yes", "ya", "right", "sure", "alright", "all right"),
        *("fine", "good", "great", "nice", "cool", "perfect", "true", "exactly", "indeed", "really"),
        *(
            "i see",
            "i know",
            "go on",
            "go ahead",
            "got it",
            "of course",
            "that's right",
            "that's fine",
            "sounds good",
        ),
        *(
            "very good",
            "fair enough",
            "makes sense",
            "i understand",
            "understood",
            "thanks",
            "thank you",
            "oh i see",
        ),
        *("oh okay", "oh really", "ah okay", "yeah yeah", "yes yes", "right right", "sure sure"),
    ),
    urgent=(
        *(
            "no",
            "nope",
            "not",
            "don't",
            "stop",
            "wait",
            "hold on",
            "hang on",
            "one moment",
            "a moment",
            "excuse me",
        ),
        *("sorry", "pardon", "what", "hello", "but", "actually", "quiet", "shut up", "enough", "cancel", "wrong"),
        *("repeat", "again", "slower", "help", "operator", "human", "agent", "just a second", "one second"),
    ),
)
GERMAN = BackChannelWords(
    phrases=(
        *_SOUNDS,
        *_OKAY,
        *("äh", "ähm", "öh", "öhm", "ach", "achso", "ach so", "aha", "tja", "ja", "jaja", "ja ja", "jo", "jep"),
        *("joa", "genau", "richtig", "stimmt", "klar", "gut", "sehr gut", "schön", "super", "prima", "toll"),
        *("alles klar", "in ordnung", "na klar", "na gut", "verstehe", "ich verstehe", "verstanden", "ich weiß"),
        *("ja genau", "ja gut", "ja klar", "ach ja", "ah ja", "ach wirklich", "wirklich", "echt", "freilich"),
        *("natürlich", "sicher", "weiter", "nur weiter", "danke", "vielen dank", "gerne", "passt", "eben"),
    ),
    urgent=(
        *("nein", "nee", "nö", "nicht", "kein", "keine", "stopp", "stop", "halt", "warte", "warten", "warten sie"),
        *("moment", "einen moment", "augenblick", "sekunde", "entschuldigung", "verzeihung", "bitte", "wie bitte"),
        *("was", "hallo", "aber", "falsch", "ruhe", "genug", "abbrechen", "nochmal", "noch einmal", "wiederholen"),
        *("langsamer", "hilfe", "mensch", "mitarbeiter", "schluss"),
    ),
)
SPANISH = BackChannelWords(
    phrases=(
        *_SOUNDS,
        *_OKAY,
        *("eh", "em", "ajá", "aja", "ya", "ya ya", "sí", "si", "sí sí", "si si", "claro", "claro claro", "vale"),
        *("vale vale", "bien", "muy bien", "bueno", "perfecto", "exacto", "eso", "eso es", "así es", "cierto"),
        *("de acuerdo", "por supuesto", "entiendo", "entendido", "ya veo", "ya sé", "lo sé", "comprendo", "siga"),
        *("sigue", "adelante", "continúe", "continúa", "gracias", "muchas gracias", "ah ya", "ah sí", "ah vale"),
        *("genial", "estupendo", "correcto", "órale", "ándale", "dale", "listo", "en serio", "de verdad"),
    ),
    urgent=(
        *("no", "nunca", "para", "pare", "alto", "stop", "basta", "espera", "espere", "espérese", "un momento"),
        *(
            "momento",
            "un segundo",
            "perdón",
            "perdone",
            "disculpe",
            "disculpa",
            "qué",
            "cómo",
            "hola",
            "oiga",
            "oye",
        ),
        *("pero", "silencio", "cancelar", "cancela", "otra vez", "repita", "repite", "más despacio", "ayuda"),
        *("persona", "operador", "operadora", "agente", "aguarde", "un momentito"),
    ),
)
FRENCH = BackChannelWords(
    phrases=(
        *_SOUNDS,
        *_OKAY,
        *("euh", "heu", "ben", "bah", "hein", "hum", "oui", "oui oui", "ouais", "ouais ouais", "mouais", "si"),
        *("d'accord", "d'accord d'accord", "d'ac", "entendu", "bien", "très bien", "c'est bien", "bon", "parfait"),
        *("exactement", "exact", "voilà", "c'est ça", "c'est vrai", "bien sûr", "je vois", "je sais"),
        *("je comprends", "compris", "j'ai compris", "continuez", "continue", "allez y", "vas y", "merci"),
        *("merci beaucoup", "ah oui", "ah bon", "ah d'accord", "ah ok", "ça marche", "super", "génial", "vraiment"),
        *("tout à fait", "absolument", "certes", "effectivement", "en effet"),
    ),
    urgent=(
        *("non", "pas", "jamais", "stop", "arrête", "arrêtez", "attends", "attendez", "un instant", "un moment"),
        *("une seconde", "minute", "pardon", "excusez moi", "excuse moi", "désolé", "quoi", "comment", "allô"),
        *("allo", "mais", "silence", "taisez vous", "assez", "ça suffit", "annuler", "annulez", "répétez"),
        *(
            "encore une fois",
            "plus lentement",
            "moins vite",
            "aide",
            "conseiller",
            "opérateur",
            "quelqu'un",
            "faux",
        ),
    ),
)

BY_LANGUAGE: Mapping[str, BackChannelWords] = {"en": ENGLISH, "de": GERMAN, "es": SPANISH, "fr": FRENCH}
"""By the bare language of a BCP 47 tag."""
