"""French of France: seventy and ninety are "soixante-dix" and "quatre-vingt-dix"."""

from __future__ import annotations

import re

from voicegw.agents.speakable.language import Addresses, Currency, Gender, Joints, Language, Noun, Rule

_SMALL = (
    *("zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix", "onze", "douze"),
    *("treize", "quatorze", "quinze", "seize", "dix-sept", "dix-huit", "dix-neuf"),
)
_TENS = ("vingt", "trente", "quarante", "cinquante", "soixante", "soixante", "quatre-vingt", "quatre-vingt")
_LARGE = ((10**12, "billion"), (10**9, "milliard"), (10**6, "million"))
MONTHS = (
    *("janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre"),
    *("novembre", "décembre"),
)
_MONTH = "(" + "|".join(MONTHS) + ")"
_M = Gender.MASCULINE
_F = Gender.FEMININE


def cardinal(value: int, gender: Gender = Gender.COUNTING) -> str:
    """``281`` → ``deux cent quatre-vingt-un``; feminine ``… quatre-vingt-une``."""
    for size, name in _LARGE:
        if value >= size:
            head, rest = divmod(value, size)
            words = f"{_below_million(head, final=True)} {name}{'s' if head > 1 else ''}"
            return f"{words} {cardinal(rest, gender)}" if rest else words
    words = _below_million(value, final=True)
    ends_in_one = value % 10 == 1 and value % 100 not in (11, 71, 91)
    return f"{words}e" if gender is _F and ends_in_one else words


def _below_million(value: int, *, final: bool) -> str:
    """``final``: nothing follows, so that "cents" and "quatre-vingts" keep their s."""
    if value >= 1000:
        head, rest = divmod(value, 1000)
        words = "mille" if head == 1 else f"{_below_million(head, final=False)} mille"
        return f"{words} {_below_million(rest, final=final)}" if rest else words
    if value >= 100:
        head, rest = divmod(value, 100)
        words = "cent" if head == 1 else f"{_SMALL[head]} cent"
        if rest:
            return f"{words} {_below_hundred(rest, final=final)}"
        return f"{words}s" if final and head > 1 else words
    return _below_hundred(value, final=final)


def _below_hundred(value: int, *, final: bool) -> str:
    if value < 20:
        return _SMALL[value]
    tens = value // 10
    unit = value % 10 + (10 if tens in (7, 9) else 0)
    word = _TENS[tens - 2]
    if not unit:
        return f"{word}s" if tens == 8 and final else word
    if unit in (1, 11) and tens < 8:
        return f"{word} et {_SMALL[unit]}"
    return f"{word}-{_SMALL[unit]}"


def ordinal(value: int, gender: Gender = Gender.COUNTING) -> str:
    """``21`` → ``vingt et unième``."""
    if value == 1:
        return "première" if gender is _F else "premier"
    words = cardinal(value)
    if words.endswith(("cents", "vingts", "millions", "milliards")):
        words = words[:-1]
    if words.endswith("cinq"):
        return f"{words}uième"
    if words.endswith("neuf"):
        return f"{words[:-1]}vième"
    return f"{words.removesuffix('e')}ième"


def year(value: int) -> str:
    """As any number."""
    return cardinal(value)


def clock(hour: int, minute: int) -> str:
    """``21:05`` → ``vingt et une heures cinq``."""
    spoken = f"{cardinal(hour, _F)} heure{'s' if hour > 1 else ''}"
    return f"{spoken} {cardinal(minute)}" if minute else spoken


def date(day: int, month: int, in_year: int | None, _before: str = "") -> str:
    """``01/03/2026`` → ``premier mars deux mille vingt-six``."""
    spoken = f"{'premier' if day == 1 else cardinal(day)} {MONTHS[month - 1]}"
    return spoken if in_year is None else f"{spoken} {year(in_year)}"


def _ordinal(match: re.Match[str]) -> str:
    return ordinal(int(match[1]), _F if match[2] in ("re", "ère") else _M)


_RULES: tuple[Rule, ...] = (
    (
        re.compile(r"(?<![0-9.,:])([01]?[0-9]|2[0-4]) ?[hH] ?([0-5][0-9])(?: ?min)?\b"),
        lambda m: clock(int(m[1]), int(m[2])),
    ),
    (re.compile(r"(?<![0-9.,:])([01]?[0-9]|2[0-4]) ?h(?![^\W_]|/)"), lambda m: clock(int(m[1]), 0)),
    (re.compile(rf"(?<![0-9.,:])0?1(?:er)? {_MONTH}\b"), lambda m: f"premier {m[1]}"),
    (re.compile(r"(?<![0-9.,:])([1-9][0-9]{0,5})(er|re|ère|nde?|e|è|ème|ième)(?![^\W_])"), _ordinal),
    (re.compile(r"\bM\.(?= [A-ZÀÂÉÈ])"), lambda _: "monsieur"),
    (re.compile(r"\bp\. ?(?=[0-9])"), lambda _: "page "),
    (re.compile(r"\b([Nn])[°º] ?(?=[0-9])"), lambda m: f"{'N' if m[1] == 'N' else 'n'}uméro "),
)

_UNITS = {
    "km/h": Noun("kilomètre heure", "kilomètres heure"),
    "km": Noun("kilomètre", "kilomètres"),
    "cm": Noun("centimètre", "centimètres"),
    "mm": Noun("millimètre", "millimètres"),
    "m²": Noun("mètre carré", "mètres carrés"),
    "m³": Noun("mètre cube", "mètres cubes"),
    "km²": Noun("kilomètre carré", "kilomètres carrés"),
    "m": Noun("mètre", "mètres"),
    "kg": Noun("kilo", "kilos"),
    "mg": Noun("milligramme", "milligrammes"),
    "g": Noun("gramme", "grammes"),
    "ml": Noun("millilitre", "millilitres"),
    "l": Noun("litre", "litres"),
    "L": Noun("litre", "litres"),
    "min": Noun("minute", "minutes", _F),
    "mn": Noun("minute", "minutes", _F),
    "s": Noun("seconde", "secondes", _F),
    "ms": Noun("milliseconde", "millisecondes", _F),
    "ko": Noun("kilooctet", "kilooctets"),
    "Mo": Noun("mégaoctet", "mégaoctets"),
    "Go": Noun("gigaoctet", "gigaoctets"),
    "To": Noun("téraoctet", "téraoctets"),
    "Mbit/s": Noun("mégabit par seconde", "mégabits par seconde"),
    "W": Noun("watt", "watts"),
    "kW": Noun("kilowatt", "kilowatts"),
    "kWh": Noun("kilowattheure", "kilowattheures"),
    "V": Noun("volt", "volts"),
    "Hz": Noun("hertz", "hertz"),
    "kHz": Noun("kilohertz", "kilohertz"),
    "°C": Noun("degré Celsius", "degrés Celsius"),
    "°F": Noun("degré Fahrenheit", "degrés Fahrenheit"),
    "°": Noun("degré", "degrés"),
}
_ABBREVIATIONS = {
    "mme": "madame",
    "mme.": "madame",
    "mlle": "mademoiselle",
    "dr.": "docteur",
    "pr.": "professeur",
    "p. ex.": "par exemple",
    "p.ex.": "par exemple",
    "c.-à-d.": "c'est-à-dire",
    "etc.": "et cetera",
    "env.": "environ",
    "av.": "avenue",
    "bd.": "boulevard",
    "tél.": "téléphone",
    "rdv": "rendez-vous",
    "svp": "s'il vous plaît",
    "max.": "maximum",
}
_SYMBOLS = {
    "&": "et",
    "@": "arobase",
    "%": "pour cent",
    "‰": "pour mille",
    "+": "plus",
    "=": "égale",
    "×": "fois",
    "÷": "divisé par",
    "±": "plus ou moins",
    "§": "paragraphe",
    "°": "degrés",
    "№": "numéro",
    "©": "copyright",
}


_FEMININE_ENDINGS = (
    *(
        "tion",
        "sion",
        "té",
        "ée",
        "ette",
        "ance",
        "ence",
        "ure",
        "onne",
        "esse",
        "ille",
        "ie",
        "aine",
        "ade",
        "ude",
    ),
    *(
        "nuit",
        "fois",
        "table",
        "chambre",
        "heure",
        "minute",
        "seconde",
        "place",
        "ligne",
        "carte",
        "adresse",
        "page",
    ),
)


def _gender_before(following: str) -> Gender:
    """By the ending; the commonest words of the telephone whose ending does not tell are named."""
    feminine = following.endswith(_FEMININE_ENDINGS) or following.removesuffix("s").endswith(_FEMININE_ENDINGS)
    return _F if feminine else Gender.COUNTING


def _of_money(currency: str) -> str:
    return " d'" if currency[0] in "aeiouyé" and not currency.startswith("yen") else " de "


FRENCH = Language(
    tags=("fr",),
    cardinal=cardinal,
    year=year,
    clock=clock,
    date=date,
    digits=_SMALL[:10],
    decimal_mark=",",
    group_marks=" .",
    joints=Joints(
        point="virgule",
        minus="moins",
        plus="plus",
        to="à",
        ratio="à",
        slash="barre oblique",
        money_and=" ",
        money_part=False,
        of_money=_of_money,
    ),
    addresses=Addresses(
        at="arobase", dot="point", dash="tiret", underscore="tiret bas", slash="barre oblique", plus="plus"
    ),
    currencies={
        "USD": Currency(Noun("dollar", "dollars"), Noun("cent", "cents")),
        "EUR": Currency(Noun("euro", "euros"), Noun("centime", "centimes")),
        "GBP": Currency(Noun("livre", "livres", _F), Noun("penny", "pence")),
        "CHF": Currency(Noun("franc suisse", "francs suisses"), Noun("centime", "centimes")),
        "JPY": Currency(Noun("yen", "yens"), None),
    },
    units=_UNITS,
    symbols=_SYMBOLS,
    abbreviations=_ABBREVIATIONS,
    fractions={
        "1/2": "un demi",
        "1/3": "un tiers",
        "2/3": "deux tiers",
        "1/4": "un quart",
        "3/4": "trois quarts",
        "24/7": "vingt-quatre heures sur vingt-quatre",
        "½": "et demi",
        "¼": "et quart",
        "¾": "trois quarts",
    },
    scales={
        **{word: word for word in ("mille", "millions", "million", "milliards", "milliard")},
        "k": "mille",
        "M": "millions",
        "Md": "milliards",
    },
    rules=_RULES,
    acronyms={"OK": "okay"},
    read_capitals=frozenset(
        [
            *(
                "PIN",
                "SIM",
                "ONU",
                "NON",
                "OUI",
                "PAS",
                "LES",
                "LE",
                "LA",
                "UN",
                "UNE",
                "TOUT",
                "DES",
                "ET",
                "OU",
                "NE",
            ),
            *("QUE", "QUI", "SUR", "EST", "VOS", "SES", "MES", "PAR"),
        ]
    ),
    gender_before=_gender_before,
    phone_in_pairs=True,
    decimals_as_number=True,
)
