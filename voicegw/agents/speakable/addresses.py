"""E-mail and web addresses and telephone numbers: what people dictate sign by sign."""

from __future__ import annotations

import re
from functools import lru_cache

from voicegw.agents.speakable.figures import dictated, spelled_digits
from voicegw.agents.speakable.language import Gender, Language, Rule

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_EMAIL = re.compile(rf"(?<![\w.+-])(?:mailto:)?([A-Za-z0-9][\w.+-]*@{_NAME}(?:\.{_NAME})+)", re.ASCII)
_URL = re.compile(r"\bhttps?://(?:www\.)?([^\s<>\"'()\[\]{}|\\^`]+)", re.IGNORECASE)
_DOMAINS = (
    *("com", "org", "net", "edu", "gov", "info", "biz", "io", "ai", "app", "dev", "eu", "de", "at", "ch", "es"),
    *("mx", "fr", "be", "uk", "ie", "us", "ca", "au", "nl", "it"),
)
_BARE = re.compile(
    rf"(?<![\w.@/-])(?:www\.((?:{_NAME}\.)+[A-Za-z]{{2,}})|((?:{_NAME}\.)+(?:{'|'.join(_DOMAINS)})))(?![\w@-])"
    r"((?:/[\w./~%-]*[\w/])?)",
    re.ASCII,
)
_READ_DOMAINS = frozenset(["com", "org", "net", "info", "gov", "app", "biz"])

_GAP = r"(?:[ ./-]|\) ?|[ ]?\()"
_INTERNATIONAL = re.compile(
    rf"(?<![\w+])(?:\+|00(?=[1-9][0-9]{{9}}))[1-9][0-9]{{0,3}}(?:{_GAP}?[0-9]+){{1,7}}(?![0-9])"
)
_NATIONAL = re.compile(
    r"(?<![\w.,+:/-])(?:\([0-9]{2,5}\) ?|0[0-9]{1,4}[ /-])[0-9]{2,}(?:[ ./-][0-9]{2,}){0,4}(?![0-9]|[.,:/-][0-9])"
)
_HYPHENED = re.compile(r"(?<![\w.,+:/-])(?:1[-.])?(?:[0-9]{3}[-.])?[0-9]{3}[-.][0-9]{4}(?![\w]|[.,:/-][0-9])")
_PAIRS = re.compile(r"(?<![\w.,+:/-])0[1-9](?:[ .-][0-9]{2}){4}(?![0-9]|[.,:/-][0-9])")

_CARD = re.compile(r"(?<![\w.,+-])[0-9]{4}(?:[ -][0-9]{4}){2,3}(?![\w]|[ .,-][0-9])")
_ACCOUNT = re.compile(r"(?<!\w)[A-Z]{2}[0-9]{2}(?: ?[0-9A-Z]{4}){2,7}(?: ?[0-9A-Z]{1,3})?(?!\w)", re.ASCII)


@lru_cache(maxsize=32)
def address_rules(language: Language) -> tuple[Rule, ...]:
    """E-mail first, because the end of one looks like a web address."""
    return (
        (_EMAIL, lambda m: _email(language, m[1])),
        (_URL, lambda m: _url(language, m[1])),
        (_BARE, lambda m: _url(language, (m[1] or m[2]) + m[3])),
    )


@lru_cache(maxsize=32)
def phone_rules(language: Language) -> tuple[Rule, ...]:
    """Numbers of telephones, cards and accounts, in the groups in which they are written."""

    def say(match: re.Match[str]) -> str:
        return _phone(language, match[0])

    patterns = [_CARD, _INTERNATIONAL, _PAIRS, _NATIONAL, _HYPHENED]
    if language.local_phone is not None:
        patterns.append(language.local_phone)
    return ((_ACCOUNT, lambda m: _account(language, m[0])), *((pattern, say) for pattern in patterns))


def _email(language: Language, text: str) -> str:
    local, _, domain = text.rpartition("@")
    return f" {_signs(language, local)} {language.addresses.at} {_domain(language, domain)} "


def _url(language: Language, text: str) -> str:
    """Without the query and the fragment, which nobody types from hearing; a full stop after it stays outside."""
    address = text.rstrip(".,;:!?…")
    end = text[len(address) :]
    host, _, path = re.split(r"[?#]", address)[0].partition("/")
    host = host.rpartition("@")[2].partition(":")[0]
    spoken = [_domain(language, host)]
    for part in filter(None, path.split("/")):
        spoken += [language.addresses.slash, _signs(language, part)]
    return f" {' '.join(spoken)}{end} "


def _domain(language: Language, text: str) -> str:
    *names, top = text.split(".")
    spoken = [_signs(language, name) for name in names]
    readable = len(top) > 3 or top.lower() in _READ_DOMAINS
    spoken.append(_signs(language, top) if readable else " ".join(top.upper()))
    return f" {language.addresses.dot} ".join(part for part in spoken if part)


def _signs(language: Language, text: str) -> str:
    """Letters stay words; digits are said one by one; signs by their names."""
    names = language.addresses
    signs = {".": names.dot, "-": names.dash, "_": names.underscore, "+": names.plus, "/": names.slash}
    pieces = re.findall(r"[0-9]+|[^\W0-9_]+|[._+/-]", text)
    return " ".join(
        spelled_digits(language, piece) if piece.isascii() and piece.isdigit() else signs.get(piece, piece)
        for piece in pieces
    )


def _phone(language: Language, text: str) -> str:
    spoken = [_group(language, group) for group in re.findall(r"[0-9]+", text)]
    plus = f"{language.joints.plus} " if text.startswith("+") else ""
    return f" {plus}{', '.join(spoken)} "


def _account(language: Language, text: str) -> str:
    """An IBAN (ISO 13616) in fours, as it is printed."""
    signs = text.replace(" ", "")
    fours = [signs[at : at + 4] for at in range(0, len(signs), 4)]
    return ", ".join(
        " ".join(language.digits[int(sign)] if sign.isdigit() else sign for sign in four) for four in fours
    )


def _group(language: Language, digits: str) -> str:
    if language.phone_in_pairs and len(digits) == 2 and digits[0] != "0":
        return language.cardinal(int(digits), Gender.COUNTING)
    return dictated(language, digits)
