"""German. Ordinals and dates take their ending from the word before them."""

from __future__ import annotations

import re

from voicegw.agents.speakable.language import Addresses, Currency, Gender, Joints, Language, Noun, Rule

_SMALL = (
    *("null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwölf"),
    *("dreizehn", "vierzehn", "fünfzehn", "sechzehn", "siebzehn", "achtzehn", "neunzehn"),
)
_TENS = ("zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig")
_LARGE = (
    (10**12, "Billion", "Billionen"),
    (10**9, "Milliarde", "Milliarden"),
    (10**6, "Million", "Millionen"),
)
_IRREGULAR = {1: "erst", 3: "dritt", 7: "siebt", 8: "acht"}

MONTHS = (
    *("Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober"),
    *("November", "Dezember"),
)
_MONTH_NUMBERS = {name[:3].lower(): number for number, name in enumerate(MONTHS, 1)} | {"jän": 1}
_MONTH = "(" + "|".join((*MONTHS, "Jänner", *(rf"{name[:3]}\." for name in MONTHS if name != "Mai"))) + r")"
_DAY = r"(0?[1-9]|[12][0-9]|3[01])\."
_WEAK = r"am|vom|zum|beim|im|dem|den|des|zur|ab|bis|seit|einem|einen|[a-zäöü]+ der"
_BEFORE = rf"(?:\b({_WEAK}|der|die|das|Der|Die|Das|Am|Vom|Zum|Im|Ab|Bis|Seit)\s+)?"


def cardinal(value: int, gender: Gender = Gender.COUNTING) -> str:
    """``205`` → ``zweihundertfünf``; 1 is ``eins``, before a noun ``ein`` or ``eine``."""
    for size, one, many in _LARGE:
        if value >= size:
            head, rest = divmod(value, size)
            words = f"eine {one}" if head == 1 else f"{_below_million(head)} {many}"
            return f"{words} {cardinal(rest, gender)}" if rest else words
    words = _below_million(value)
    if value % 100 == 1 and gender is not Gender.COUNTING:
        return words.removesuffix("s") + ("e" if gender is Gender.FEMININE else "")
    return words


def _below_million(value: int) -> str:
    if value >= 1000:
        head, rest = divmod(value, 1000)
        return f"{_stem(head)}tausend{_below_million(rest) if rest else ''}"
    if value >= 100:
        head, rest = divmod(value, 100)
        return f"{_stem(head)}hundert{_below_million(rest) if rest else ''}"
    if value < 20:
        return _SMALL[value]
    tens, unit = divmod(value, 10)
    return f"{_stem(unit)}und{_TENS[tens - 2]}" if unit else _TENS[tens - 2]


def _stem(value: int) -> str:
    """As the first part of a longer word: "einhundert", but "zweihundert"."""
    words = _below_million(value)
    return words.removesuffix("s") if value % 100 == 1 else words


def ordinal(value: int, ending: str = "e") -> str:
    """``21`` → ``einundzwanzigste``."""
    rest = value % 100
    if rest == 0 or rest >= 20:
        return f"{cardinal(value)}st{ending}"
    head = cardinal(value - rest) if value > rest else ""
    return f"{head}{_IRREGULAR.get(rest) or _SMALL[rest] + 't'}{ending}"


def year(value: int) -> str:
    """``1984`` → ``neunzehnhundertvierundachtzig``."""
    if 1100 <= value < 2000:
        century, rest = divmod(value, 100)
        return f"{_SMALL[century]}hundert{_below_million(rest) if rest else ''}"
    return cardinal(value)


def clock(hour: int, minute: int) -> str:
    """``9:05`` → ``neun Uhr fünf``."""
    spoken = cardinal(hour, Gender.NEUTER)
    return f"{spoken} Uhr {cardinal(minute)}" if minute else f"{spoken} Uhr"


def date(day: int, month: int, in_year: int | None, before: str = "") -> str:
    """``5.3.2026`` after "am" → ``fünften März zweitausendsechsundzwanzig``."""
    spoken = f"{ordinal(day, _ending(before))} {MONTHS[month - 1]}"
    return spoken if in_year is None else f"{spoken} {year(in_year)}"


def _ending(before: str) -> str:
    word = before.lower()
    if word in ("der", "die", "das"):
        return "e"
    return "en" if word and re.fullmatch(_WEAK, word) else "er"


def _day_month(match: re.Match[str]) -> str:
    before = match[1] or ""
    in_year = int(match[4]) if match[4] else None
    month = _MONTH_NUMBERS[match[3][:3].lower()]
    return f"{before} {date(int(match[2]), month, in_year, before)}".lstrip()


def _ordinal(match: re.Match[str]) -> str:
    before = match[1] or ""
    return f"{before} {ordinal(int(match[2]), _ending(before))}".lstrip()


def _hours(match: re.Match[str]) -> str:
    return clock(int(match[1]), int(match[2] or 0))


_RULES: tuple[Rule, ...] = (
    (
        re.compile(rf"{_BEFORE}(?<![0-9.,:]){_DAY} ?{_MONTH}(?: ([12][0-9]{{3}})(?![0-9]|[.,:][0-9]))?"),
        _day_month,
    ),
    (
        re.compile(
            r"\b(Jahre?n?|[Ss]eit|[Aa]nno|Sommer|Winter|Herbst|Frühling|" + "|".join(MONTHS) + r") "
            r"(1[1-9][0-9]{2})(?![0-9]|[.,:][0-9])"
        ),
        lambda m: f"{m[1]} {year(int(m[2]))}",
    ),
    (re.compile(r"(?<![0-9.,:])([01]?[0-9]|2[0-4])(?:[.:]([0-5][0-9]))? ?Uhr\b(?! [0-9])"), _hours),
    (re.compile(r"(?<![0-9.,:])([01]?[0-9]|2[0-4]) ?Uhr ([0-5]?[0-9])\b(?![.,:][0-9])"), _hours),
    (re.compile(r"(?<=[a-zäöüß])str\.(?=[\s,]|$)"), lambda _: "straße"),
    # A number with a point that goes on in lower case or before a noun is an ordinal. At the end of a piece it is
    # one only after a word that wants it ("am 5." was cut off from its month).
    (re.compile(rf"{_BEFORE}(?<![0-9.,:])([1-9][0-9]{{0,3}})\.(?= [^\W0-9_])"), _ordinal),
    (re.compile(rf"\b({_WEAK}|Am|Vom|Zum|Im) ([1-9][0-9]?)\.(?=\s*$)"), _ordinal),
)


_FEMININE_ENDINGS = ("e", "ung", "heit", "keit", "schaft", "ion", "tät", "ei", "nacht", "person", "nummer", "mail")
_MASCULINE_IN_E = frozenset(["Name", "Kunde", "Kollege", "Käse", "Gedanke", "Buchstabe", "Junge", "Kaffee", "Tee"])


def _gender_before(following: str) -> Gender:
    """Nouns have a capital, and their endings tell "eine" from "ein" nearly always."""
    if not following[:1].isupper():
        return Gender.COUNTING
    feminine = following.lower().endswith(_FEMININE_ENDINGS) and following not in _MASCULINE_IN_E
    return Gender.FEMININE if feminine else Gender.MASCULINE


_N = Gender.NEUTER
_F = Gender.FEMININE
_CENT = Noun("Cent", "Cent")
_UNITS = {
    "km/h": Noun("Kilometer pro Stunde", "Kilometer pro Stunde"),
    "km": Noun("Kilometer", "Kilometer"),
    "cm": Noun("Zentimeter", "Zentimeter"),
    "mm": Noun("Millimeter", "Millimeter"),
    "m²": Noun("Quadratmeter", "Quadratmeter"),
    "qm": Noun("Quadratmeter", "Quadratmeter"),
    "m³": Noun("Kubikmeter", "Kubikmeter"),
    "km²": Noun("Quadratkilometer", "Quadratkilometer"),
    "m": Noun("Meter", "Meter"),
    "kg": Noun("Kilogramm", "Kilogramm", _N),
    "mg": Noun("Milligramm", "Milligramm", _N),
    "g": Noun("Gramm", "Gramm", _N),
    "ml": Noun("Milliliter", "Milliliter"),
    "l": Noun("Liter", "Liter"),
    "L": Noun("Liter", "Liter"),
    "h": Noun("Stunde", "Stunden", _F),
    "Std.": Noun("Stunde", "Stunden", _F),
    "min": Noun("Minute", "Minuten", _F),
    "Min.": Noun("Minute", "Minuten", _F),
    "s": Noun("Sekunde", "Sekunden", _F),
    "Sek.": Noun("Sekunde", "Sekunden", _F),
    "ms": Noun("Millisekunde", "Millisekunden", _F),
    "kB": Noun("Kilobyte", "Kilobyte", _N),
    "MB": Noun("Megabyte", "Megabyte", _N),
    "GB": Noun("Gigabyte", "Gigabyte", _N),
    "TB": Noun("Terabyte", "Terabyte", _N),
    "Mbit/s": Noun("Megabit pro Sekunde", "Megabit pro Sekunde", _N),
    "W": Noun("Watt", "Watt", _N),
    "kW": Noun("Kilowatt", "Kilowatt", _N),
    "kWh": Noun("Kilowattstunde", "Kilowattstunden", _F),
    "V": Noun("Volt", "Volt", _N),
    "Hz": Noun("Hertz", "Hertz", _N),
    "kHz": Noun("Kilohertz", "Kilohertz", _N),
    "°C": Noun("Grad Celsius", "Grad Celsius", _N),
    "°F": Noun("Grad Fahrenheit", "Grad Fahrenheit", _N),
    "°": Noun("Grad", "Grad", _N),
    "%": Noun("Prozent", "Prozent", _N),
    "Mio.": Noun("Million", "Millionen", _F),
    "Mrd.": Noun("Milliarde", "Milliarden", _F),
}
_ABBREVIATIONS = {
    "z.b.": "zum Beispiel",
    "z. b.": "zum Beispiel",
    "d.h.": "das heißt",
    "d. h.": "das heißt",
    "u.a.": "unter anderem",
    "u. a.": "unter anderem",
    "usw.": "und so weiter",
    "bzw.": "beziehungsweise",
    "ca.": "circa",
    "evtl.": "eventuell",
    "ggf.": "gegebenenfalls",
    "inkl.": "inklusive",
    "zzgl.": "zuzüglich",
    "max.": "maximal",
    "mind.": "mindestens",
    "nr.": "Nummer",
    "tel.": "Telefon",
    "str.": "Straße",
    "dr.": "Doktor",
    "prof.": "Professor",
    "hr.": "Herr",
    "fr.": "Frau",
    "st.": "Sankt",
    "abt.": "Abteilung",
    "abs.": "Absatz",
    "tägl.": "täglich",
    "vgl.": "vergleiche",
}
_SYMBOLS = {
    "&": "und",
    "@": "at",
    "%": "Prozent",
    "‰": "Promille",
    "+": "plus",
    "=": "gleich",
    "×": "mal",
    "÷": "geteilt durch",
    "±": "plus minus",
    "§": "Paragraf",
    "°": "Grad",
    "№": "Nummer",
    "©": "Copyright",
}

GERMAN = Language(
    tags=("de",),
    cardinal=cardinal,
    year=year,
    clock=clock,
    date=date,
    digits=_SMALL[:10],
    decimal_mark=",",
    group_marks=".'’",
    joints=Joints(
        point="Komma",
        minus="minus",
        plus="plus",
        to="bis",
        ratio="zu",
        slash="Schrägstrich",
        money_and=" ",
        money_part=False,
    ),
    addresses=Addresses(
        at="at", dot="Punkt", dash="Minus", underscore="Unterstrich", slash="Schrägstrich", plus="Plus"
    ),
    currencies={
        "USD": Currency(Noun("Dollar", "Dollar"), _CENT),
        "EUR": Currency(Noun("Euro", "Euro"), _CENT),
        "GBP": Currency(Noun("Pfund", "Pfund", _N), Noun("Penny", "Pence")),
        "CHF": Currency(Noun("Schweizer Franken", "Schweizer Franken"), Noun("Rappen", "Rappen")),
        "JPY": Currency(Noun("Yen", "Yen"), None),
    },
    units=_UNITS,
    symbols=_SYMBOLS,
    abbreviations=_ABBREVIATIONS,
    fractions={
        "1/2": "einhalb",
        "1/3": "ein Drittel",
        "2/3": "zwei Drittel",
        "1/4": "ein Viertel",
        "3/4": "drei Viertel",
        "24/7": "rund um die Uhr",
        "½": "einhalb",
        "¼": "ein Viertel",
        "¾": "drei Viertel",
    },
    scales={
        **{word: word for word in ("tausend", "Millionen", "Million", "Milliarden", "Milliarde")},
        "Tsd.": "tausend",
        "Mio.": "Millionen",
        "Mrd.": "Milliarden",
    },
    rules=_RULES,
    acronyms={"OK": "okay"},
    read_capitals=frozenset(
        [
            *(
                "PIN",
                "TAN",
                "SIM",
                "TÜV",
                "SIE",
                "DAS",
                "DIE",
                "DER",
                "DEN",
                "UND",
                "NUR",
                "JA",
                "NIE",
                "IST",
                "EIN",
            ),
            *(
                "IHR",
                "ICH",
                "WIR",
                "MIT",
                "VOR",
                "AUF",
                "AUS",
                "ZU",
                "AN",
                "AB",
                "IM",
                "AM",
                "OB",
                "WER",
                "WIE",
                "WAS",
            ),
        ]
    ),
    gender_before=_gender_before,
)
