"""What callers say who are losing patience, or want a person, by language (the first part of the BCP 47 tag).

Phrases are lower case, without punctuation, and are looked for as whole words. What polite people say too ("sorry",
"problem") is in no list.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RiskWords:
    """``frustration``: patience is running out. ``person``: they ask for somebody real."""

    frustration: tuple[str, ...]
    person: tuple[str, ...]


_ENGLISH = RiskWords(
    (
        "ridiculous",
        "unacceptable",
        "useless",
        "waste of time",
        "wasting my time",
        "fed up",
        "sick of this",
        "are you kidding",
        "are you deaf",
        "you are not listening",
        "you re not listening",
        "i already told you",
        "i just told you",
        "how many times",
        "not what i said",
        "this is a joke",
        "stupid",
        "damn",
        "bullshit",
        "i want to complain",
        "make a complaint",
        "my lawyer",
        "cancel my contract",
    ),
    (
        "human",
        "operator",
        "real person",
        "speak to a person",
        "talk to a person",
        "speak to someone",
        "talk to someone",
        "representative",
        "your supervisor",
        "your manager",
    ),
)
_GERMAN = RiskWords(
    (
        "unverschämt",
        "unverschämtheit",
        "lächerlich",
        "frechheit",
        "zeitverschwendung",
        "verarschen",
        "scheiße",
        "verdammt",
        "so ein mist",
        "hören sie mir nicht zu",
        "das habe ich schon gesagt",
        "das habe ich doch gesagt",
        "wie oft noch",
        "mir reicht es",
        "jetzt reicht s",
        "ich will mich beschweren",
        "mein anwalt",
        "ich kündige",
    ),
    (
        "mit einem menschen",
        "einen menschen",
        "mitarbeiter sprechen",
        "echter mensch",
        "kundenberater",
        "ihren vorgesetzten",
        "vermittlung",
    ),
)
_SPANISH = RiskWords(
    (
        "ridículo",
        "inaceptable",
        "pérdida de tiempo",
        "perdiendo el tiempo",
        "estoy harto",
        "estoy harta",
        "ya se lo dije",
        "ya te lo dije",
        "cuántas veces",
        "no me escucha",
        "mierda",
        "quiero quejarme",
        "una queja",
        "mi abogado",
    ),
    ("una persona", "persona real", "un humano", "operador", "operadora", "un agente", "su supervisor"),
)
_FRENCH = RiskWords(
    (
        "ridicule",
        "inacceptable",
        "inadmissible",
        "perte de temps",
        "perdre mon temps",
        "j en ai marre",
        "ras le bol",
        "je vous l ai déjà dit",
        "combien de fois",
        "vous ne m écoutez pas",
        "merde",
        "porter plainte",
        "mon avocat",
    ),
    ("un humain", "une vraie personne", "un conseiller", "une conseillère", "un opérateur", "votre responsable"),
)
WORDS: Mapping[str, RiskWords] = {"en": _ENGLISH, "de": _GERMAN, "es": _SPANISH, "fr": _FRENCH}
EVERY = RiskWords(
    tuple(phrase for words in WORDS.values() for phrase in words.frustration),
    tuple(phrase for words in WORDS.values() for phrase in words.person),
)
"""For calls whose language nobody has told."""


def words_of(languages: Iterable[str]) -> RiskWords:
    """What counts in a call in these languages (BCP 47 tags); nothing in one that has no words here."""
    known = {tag.partition("-")[0].lower() for tag in languages}
    mine = [words for language, words in WORDS.items() if language in known]
    return RiskWords(
        tuple(phrase for words in mine for phrase in words.frustration),
        tuple(phrase for words in mine for phrase in words.person),
    )
