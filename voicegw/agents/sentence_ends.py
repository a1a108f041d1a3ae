"""Does this full stop end a sentence? "Dr. Smith", "am 5. März", "Sr. López" and "EE. UU." say no.

Only what a language model or an author is likely to write for the telephone is listed; a stop that is wrongly taken
for part of a word makes one piece longer, one that is wrongly taken for an end breaks a name or a date in two, so
what may be either goes on where the next word does not look like a beginning.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_LAST_WORD = re.compile(r"[^\s\"'“”„«»‘’(\[¿¡]+$")
_NEXT_WORD = re.compile(r"[\"'“”„«»‘’(\[¿¡]*(\w*)")


@dataclass(frozen=True, slots=True)
class SentenceEnds:
    """Words of one language, in lower case and without their last stop."""

    titles: frozenset[str]
    """Always go on: "Dr.", "z. B."; so does any single letter."""
    labels: frozenset[str]
    """Go on before a figure: "No. 5"; otherwise they end a sentence like any word ("no.")."""
    closers: frozenset[str]
    """Go on before a small letter: "etc."."""
    dates: frozenset[str]
    """Months and weekdays, which have a capital in the middle of a sentence."""
    joints: tuple[str, ...]
    """Words before which a speaker may breathe."""
    label_endings: tuple[str, ...] = ()
    """Ends of words that are labels: "Hauptstr. 5"."""
    ordinals: frozenset[str] | None = None
    """Where a figure with a stop is an ordinal: the words after which it is one before any noun ("im 2. Stock")."""

    def ends(self, before: str, following: str, *, final: bool) -> bool | None:
        """Whether the stop after ``before`` ends a sentence; None if more of ``following`` must be known first."""
        found = _LAST_WORD.search(before)
        word = found[0].lower() if found else ""
        if word in self.titles or (len(word) == 1 and word.isalpha()):
            return False
        figure = word[-1:].isdigit()
        label = word in self.labels or word.endswith(self.label_endings)
        if not figure and not label and word not in self.closers:
            return True
        rest = following.lstrip()
        if not rest:
            return True if final else None
        if label:
            return not rest[0].isdigit()
        matched = _NEXT_WORD.match(rest)
        after = matched[1] if matched else ""
        if matched and matched.end() == len(rest) and not final:
            return None
        if (after and not after[0].isupper()) or after.lower() in self.dates:
            return False
        return self._figure_ends(before[: -len(word)]) if figure else True

    def _figure_ends(self, before: str) -> bool:
        """Before a capital: "1. Open" begins with it, "am 5. Tag" has an ordinal, "you owe 5. Then" ends."""
        words = before.split()
        if not words:
            return False
        return self.ordinals is None or words[-1].lower() not in self.ordinals


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ENGLISH = SentenceEnds(
    titles=_words("mr mrs ms mx dr prof st rev hon gen col capt lt sgt e.g i.e vs approx cf dept appt est ft"),
    labels=_words("no nos art sec fig ext apt tel pp vol jan feb mar apr jun jul aug sep sept oct nov dec"),
    closers=_words("etc a.m p.m inc ltd co corp jr sr u.s u.k"),
    dates=_words(
        "january february march april may june july august september october november december"
        " monday tuesday wednesday thursday friday saturday sunday"
    ),
    joints=("and", "but", "or", "because", "so", "then", "which"),
)
_GERMAN = SentenceEnds(
    titles=_words(
        "dr prof hr fr frl st dipl ing med bzw ca vgl ggf inkl exkl evtl sog geb gem max min mind allg bspw zzgl"
        " z.b d.h u.a i.d.r o.ä u.u"
    ),
    labels=_words("nr nrn art abs tel str bd kap jan feb mär apr jun jul aug sep sept okt nov dez plz"),
    closers=_words("usw etc u.ä o.g gmbh co"),
    dates=_words(
        "januar jänner februar märz april mai juni juli august september oktober november dezember jan feb mär apr"
        " jun jul aug sep sept okt nov dez montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag"
    ),
    joints=("und", "aber", "oder", "weil", "denn", "sondern", "dann", "damit"),
    label_endings=("str",),
    ordinals=_words("am vom zum beim im dem den des der die das zur ab bis seit einem einen jeden ihr ihrem mein"),
)
_SPANISH = SentenceEnds(
    titles=_words(
        "sr sra srta sres sras dr dra dña ud uds vd prof ing lic gral p.ej ej ee ff rr aprox c.f av avda"
    ),
    labels=_words("núm nro no art pág págs tel tfno ext dpto cap vol"),
    closers=_words("etc uu aa a.m p.m s.a s.l ee.uu"),
    dates=_words(
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"
        " lunes martes miércoles jueves viernes sábado domingo"
    ),
    joints=("y", "e", "pero", "o", "porque", "así", "entonces", "aunque"),
)
_FRENCH = SentenceEnds(
    titles=_words("mm mme mmes mlle mlles dr drs pr me mgr st ste env p.ex ex c.-à-d cf bd av apr"),
    labels=_words("no nos art tél tel p pp vol chap poste janv févr avr juil sept oct nov déc"),
    closers=_words("etc s.a s.v.p"),
    dates=_words(
        "janvier février mars avril mai juin juillet août septembre octobre novembre décembre"
        " lundi mardi mercredi jeudi vendredi samedi dimanche"
    ),
    joints=("et", "mais", "ou", "car", "parce", "donc", "puis", "alors"),
)
_BY_LANGUAGE = {"en": _ENGLISH, "de": _GERMAN, "es": _SPANISH, "fr": _FRENCH}


def sentence_ends(language: str) -> SentenceEnds:
    """The words of a BCP 47 tag; English ones for a language that is not known."""
    return _BY_LANGUAGE.get(language.lower().replace("_", "-").split("-")[0], _ENGLISH)
