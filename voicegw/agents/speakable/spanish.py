"""Spanish. "Uno" is cut before a masculine noun, and hundreds agree with a feminine one."""

from __future__ import annotations

import re

from voicegw.agents.speakable.language import Addresses, Currency, Gender, Joints, Language, Noun, Rule

_SMALL = (
    *("cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve", "diez", "once", "doce"),
    *("trece", "catorce", "quince", "dieciséis", "diecisiete", "dieciocho", "diecinueve", "veinte", "veintiuno"),
    *("veintidós", "veintitrés", "veinticuatro", "veinticinco", "veintiséis", "veintisiete", "veintiocho"),
    "veintinueve",
)
_TENS = ("treinta", "cuarenta", "cincuenta", "sesenta", "setenta", "ochenta", "noventa")
_HUNDREDS = (
    *("ciento", "doscientos", "trescientos", "cuatrocientos", "quinientos", "seiscientos", "setecientos"),
    *("ochocientos", "novecientos"),
)
_ORDINALS = (
    *("primero", "segundo", "tercero", "cuarto", "quinto", "sexto", "séptimo", "octavo", "noveno", "décimo"),
    *("undécimo", "duodécimo", "decimotercero", "decimocuarto", "decimoquinto", "decimosexto", "decimoséptimo"),
    *("decimoctavo", "decimonoveno"),
)
_ORDINAL_TENS = (
    *("vigésimo", "trigésimo", "cuadragésimo", "quincuagésimo", "sexagésimo", "septuagésimo", "octogésimo"),
    "nonagésimo",
)
MONTHS = (
    *("enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre"),
    *("noviembre", "diciembre"),
)
_MONTH = "(" + "|".join((*MONTHS, "setiembre")) + ")"
_M = Gender.MASCULINE
_F = Gender.FEMININE


def cardinal(value: int, gender: Gender = Gender.COUNTING) -> str:
    """``231`` → ``doscientos treinta y uno``; feminine ``doscientas treinta y una``."""
    for size, one, many in ((10**12, "un billón", "billones"), (10**6, "un millón", "millones")):
        if value >= size:
            head, rest = divmod(value, size)
            words = one if head == 1 else f"{cardinal(head, _M)} {many}"
            return f"{words} {cardinal(rest, gender)}" if rest else words
    if value < 1000:
        return _below_thousand(value, gender)
    head, rest = divmod(value, 1000)
    words = "mil" if head == 1 else f"{_below_thousand(head, _F if gender is _F else _M)} mil"
    return f"{words} {_below_thousand(rest, gender)}" if rest else words


def _below_thousand(value: int, gender: Gender) -> str:
    if value == 100:
        return "cien"
    hundreds, rest = divmod(value, 100)
    words = _HUNDREDS[hundreds - 1] if hundreds else ""
    if gender is _F and hundreds > 1:
        words = words[:-2] + "as"
    if not rest and hundreds:
        return words
    return f"{words} {_below_hundred(rest, gender)}".lstrip()


def _below_hundred(value: int, gender: Gender) -> str:
    if value % 10 == 1 and value != 11 and gender is not Gender.COUNTING:
        short = {1: "un", 21: "veintiún"} if gender is not _F else {1: "una", 21: "veintiuna"}
        return short.get(value) or f"{_TENS[value // 10 - 3]} y {short[1]}"
    if value < 30:
        return _SMALL[value]
    tens, unit = divmod(value, 10)
    return f"{_TENS[tens - 3]} y {_SMALL[unit]}" if unit else _TENS[tens - 3]


def ordinal(value: int, gender: Gender = Gender.COUNTING) -> str:
    """``21`` → ``vigésimo primero``; from 100 on the cardinal is usual."""
    if not 0 < value < 100:
        return cardinal(value)
    words = _ORDINALS[value - 1] if value < 20 else _ORDINAL_TENS[value // 10 - 2]
    if value >= 20 and value % 10:
        words = f"{words} {_ORDINALS[value % 10 - 1]}"
    if gender is _F:
        return " ".join(word[:-1] + "a" for word in words.split())
    if gender is _M and words.endswith(("primero", "tercero")):
        return words[:-1]
    return words


def year(value: int) -> str:
    """As any number."""
    return cardinal(value)


def clock(hour: int, minute: int) -> str:
    """``21:05`` → ``veintiuna cero cinco``."""
    spoken = cardinal(hour, _F)
    if minute == 0:
        return f"{spoken} en punto" if 1 <= hour <= 12 else f"{spoken} horas"
    return f"{spoken} {'cero ' if minute < 10 else ''}{cardinal(minute)}"


def date(day: int, month: int, in_year: int | None, _before: str = "") -> str:
    """``5/3/2026`` → ``cinco de marzo de dos mil veintiséis``."""
    spoken = f"{'primero' if day == 1 else cardinal(day)} de {MONTHS[month - 1]}"
    return spoken if in_year is None else f"{spoken} de {year(in_year)}"


def _ordinal(match: re.Match[str]) -> str:
    mark = match[2].lower()
    if mark in ("ª", "ra", "da", "ta", "va", "na"):
        return ordinal(int(match[1]), _F)
    return ordinal(int(match[1]), _M if mark == "er" else Gender.COUNTING)


_RULES: tuple[Rule, ...] = (
    (
        re.compile(rf"\b(?<![0-9.,:])1(?:\.?º)? de {_MONTH}\b", re.IGNORECASE),
        lambda m: f"primero de {m[1]}",
    ),
    (
        re.compile(r"(?<![0-9.,:])([1-9][0-9]{0,2})\.?([ºª]|er|r[oa]|d[oa]|t[oa]|v[oa]|n[oa])(?![^\W_])"),
        _ordinal,
    ),
    (
        re.compile(r"(?<![0-9.,:])([01]?[0-9]|2[0-4])[:.]([0-5][0-9]) ?(?:h|hs|hrs|horas)\b\.?"),
        lambda m: clock(int(m[1]), int(m[2])),
    ),
    (re.compile(r"\bD\.(?= [A-ZÁÉÍÓÚ][a-z])"), lambda _: "don"),
    (re.compile(r"\b([Nn])\.?º\.? ?(?=[0-9])"), lambda m: f"{'N' if m[1] == 'N' else 'n'}úmero "),
)

_LINKS = frozenset(
    [
        *(
            "para",
            "y",
            "o",
            "de",
            "del",
            "si",
            "en",
            "a",
            "al",
            "por",
            "con",
            "es",
            "u",
            "e",
            "que",
            "se",
            "no",
            "la",
        ),
        *("el", "las", "los", "como", "desde", "hasta", "mil"),
    ]
)


def _gender_before(following: str) -> Gender:
    """Most nouns in -a and -as are feminine, and most others are not."""
    if not following or following.lower() in _LINKS or not following[0].islower():
        return Gender.COUNTING
    return _F if following.endswith(("a", "as", "ción", "ciones", "dad", "dades")) else _M


_CENTAVO = Noun("centavo", "centavos")
_UNITS = {
    "km/h": Noun("kilómetro por hora", "kilómetros por hora"),
    "km": Noun("kilómetro", "kilómetros"),
    "cm": Noun("centímetro", "centímetros"),
    "mm": Noun("milímetro", "milímetros"),
    "m²": Noun("metro cuadrado", "metros cuadrados"),
    "m³": Noun("metro cúbico", "metros cúbicos"),
    "km²": Noun("kilómetro cuadrado", "kilómetros cuadrados"),
    "m": Noun("metro", "metros"),
    "kg": Noun("kilo", "kilos"),
    "mg": Noun("miligramo", "miligramos"),
    "g": Noun("gramo", "gramos"),
    "ml": Noun("mililitro", "mililitros"),
    "l": Noun("litro", "litros"),
    "L": Noun("litro", "litros"),
    "h": Noun("hora", "horas", _F),
    "hs": Noun("hora", "horas", _F),
    "min": Noun("minuto", "minutos"),
    "s": Noun("segundo", "segundos"),
    "ms": Noun("milisegundo", "milisegundos"),
    "kB": Noun("kilobyte", "kilobytes"),
    "MB": Noun("megabyte", "megabytes"),
    "GB": Noun("gigabyte", "gigabytes"),
    "TB": Noun("terabyte", "terabytes"),
    "Mbit/s": Noun("megabit por segundo", "megabits por segundo"),
    "W": Noun("vatio", "vatios"),
    "kW": Noun("kilovatio", "kilovatios"),
    "kWh": Noun("kilovatio hora", "kilovatios hora"),
    "V": Noun("voltio", "voltios"),
    "Hz": Noun("hercio", "hercios"),
    "kHz": Noun("kilohercio", "kilohercios"),
    "°C": Noun("grado Celsius", "grados Celsius"),
    "°F": Noun("grado Fahrenheit", "grados Fahrenheit"),
    "°": Noun("grado", "grados"),
}
_ABBREVIATIONS = {
    "sr.": "señor",
    "sra.": "señora",
    "srta.": "señorita",
    "dr.": "doctor",
    "dra.": "doctora",
    "dña.": "doña",
    "ud.": "usted",
    "uds.": "ustedes",
    "vd.": "usted",
    "p. ej.": "por ejemplo",
    "p.ej.": "por ejemplo",
    "etc.": "etcétera",
    "aprox.": "aproximadamente",
    "av.": "avenida",
    "avda.": "avenida",
    "c/": "calle",
    "núm.": "número",
    "tel.": "teléfono",
    "tfno.": "teléfono",
    "ext.": "extensión",
    "dpto.": "departamento",
    "pág.": "página",
    "máx.": "máximo",
    "mín.": "mínimo",
    "ee. uu.": "Estados Unidos",
    "ee.uu.": "Estados Unidos",
    "a. m.": "de la mañana",
    "a.m.": "de la mañana",
    "p. m.": "de la tarde",
    "p.m.": "de la tarde",
}
_SYMBOLS = {
    "&": "y",
    "@": "arroba",
    "%": "por ciento",
    "‰": "por mil",
    "+": "más",
    "=": "igual a",
    "×": "por",
    "÷": "entre",
    "±": "más menos",
    "§": "sección",
    "°": "grados",
    "º": "grados",
    "№": "número",
    "©": "copyright",
}

SPANISH = Language(
    tags=("es",),
    cardinal=cardinal,
    year=year,
    clock=clock,
    date=date,
    digits=_SMALL[:10],
    decimal_mark=",",
    group_marks=". ",
    joints=Joints(
        point="coma",
        minus="menos",
        plus="más",
        to="a",
        ratio="a",
        slash="barra",
        money_and=" con ",
        of_money=lambda _: " de ",
    ),
    addresses=Addresses(at="arroba", dot="punto", dash="guion", underscore="guion bajo", slash="barra", plus="más"),
    currencies={
        "USD": Currency(Noun("dólar", "dólares"), _CENTAVO),
        "EUR": Currency(Noun("euro", "euros"), Noun("céntimo", "céntimos")),
        "GBP": Currency(Noun("libra", "libras", _F), Noun("penique", "peniques")),
        "CHF": Currency(Noun("franco suizo", "francos suizos"), Noun("céntimo", "céntimos")),
        "JPY": Currency(Noun("yen", "yenes"), None),
        "MXN": Currency(Noun("peso", "pesos"), _CENTAVO),
    },
    units=_UNITS,
    symbols=_SYMBOLS,
    abbreviations=_ABBREVIATIONS,
    fractions={
        "1/2": "un medio",
        "1/3": "un tercio",
        "2/3": "dos tercios",
        "1/4": "un cuarto",
        "3/4": "tres cuartos",
        "24/7": "las veinticuatro horas",
        "½": "y medio",
        "¼": "y cuarto",
        "¾": "y tres cuartos",
    },
    scales={word: word for word in ("mil", "millones", "millón", "billones", "billón")} | {"M": "millones"},
    rules=_RULES,
    acronyms={"OK": "okey"},
    read_capitals=frozenset(
        [
            *(
                "PIN",
                "SIM",
                "IVA",
                "ONU",
                "NO",
                "SÍ",
                "SI",
                "YA",
                "UN",
                "UNA",
                "DOS",
                "LOS",
                "LAS",
                "EL",
                "LA",
                "SU",
            ),
            *("QUE", "POR", "CON", "SIN", "MÁS", "MUY", "NI", "ES", "SON"),
        ]
    ),
    gender_before=_gender_before,
    decimals_as_number=True,
    local_phone=re.compile(r"(?<![0-9.,+])[6-9][0-9]{2}(?: [0-9]{3}){2}(?![0-9]| [0-9]{3})"),
)
