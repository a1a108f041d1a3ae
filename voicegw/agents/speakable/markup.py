"""What language models write for the eye: Markdown, HTML, emoji. Made speakable or dropped, in any language."""

from __future__ import annotations

import html
import re
import unicodedata

from voicegw.agents.speakable.language import Rule

_PAIRED = re.compile(r"(\*\*\*|\*\*|\*|~~|`+)(?=\S)([^\n]+?)(?<=\S)\1")
_UNDERSCORED = re.compile(r"(?<!\w)(___|__|_)(?=\S)([^\n]+?)(?<=\S)\1(?!\w)")
_BLOCK_RULES: tuple[Rule, ...] = (
    (re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)", re.DOTALL), lambda _: " "),
    (re.compile(r"<!--.*?-->", re.DOTALL), lambda _: " "),
    (re.compile(r"<((?:https?://|mailto:)[^\s<>]+|[^\s<>@]+@[^\s<>@]+)>"), lambda m: m[1]),
    (re.compile(r"</?[A-Za-z][^<>]*>"), lambda _: " "),
    (re.compile(r"!?\[([^\[\]]*)\]\([^()\s]*(?:\([^()]*\))?[^()]*\)"), lambda m: m[1]),
    (re.compile(r"\[\^[^\[\]]*\]:?"), lambda _: " "),
    (re.compile(r"^[ \t]*(?:(?:[-*_=][ \t]*){3,}|[|:][-|: \t]*-[-|: \t]*)$", re.MULTILINE), lambda _: ""),
    (re.compile(r"^[ \t]*(?:>[ \t]*)+", re.MULTILINE), lambda _: ""),
    (re.compile(r"^[ \t]*#{1,6}[ \t]+(.*?)[ \t#]*$", re.MULTILINE), lambda m: _ended(m[1], ".")),
    (re.compile(r"^[ \t]*[-*+•‣◦▪–][ \t]+(?:\[[ xX]\][ \t]+)?(.*)$", re.MULTILINE), lambda m: _item(m, m[1])),
    (re.compile(r"^[ \t]*\|(.*?)\|?[ \t]*$", re.MULTILINE), lambda m: _row(m[1])),
)
_LAST = re.compile(r"\*\*|__|~~|`+")
_UNMARKED = re.compile(r"[A-Za-z0-9\s.,;:!?'\"()$%/@]*", re.ASCII)
"""Nothing below begins or ends with any of these: most sentences consist of them."""
_SELECTORS = re.compile("[\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\u00ad\u20e3]")


def without_markup(text: str) -> str:
    """The text as plain prose; lists and headings end in punctuation, so that the voice falls."""
    if _UNMARKED.fullmatch(text):
        return text
    while "&" in text and (plain := html.unescape(text)) != text:
        text = plain
    text = _SELECTORS.sub("", text)
    for pattern, replacement in _BLOCK_RULES:
        text = pattern.sub(replacement, text)
    for _ in range(3):  # bold in italics in a strike
        text = _PAIRED.sub(r"\2", text)
        text = _UNDERSCORED.sub(r"\2", text)
    return "".join(" " if is_pictogram(char) else char for char in _LAST.sub("", text))


def is_pictogram(char: str) -> bool:
    """Emoji, dingbats, arrows, boxes and skin tones: drawn, not said."""
    if char < "\u2190":
        return False
    return "\u2190" <= char <= "\u21ff" or unicodedata.category(char) in ("So", "Sk")


def _item(match: re.Match[str], text: str) -> str:
    """One entry of a list: a comma after it unless it is the last line."""
    last = not match.string[match.end() :].strip()
    return text if last else _ended(text, ",")


def _ended(text: str, mark: str) -> str:
    stripped = text.rstrip()
    return f"{stripped}{mark}" if stripped and stripped[-1].isalnum() else stripped


def _row(cells: str) -> str:
    return ", ".join(cell.strip() for cell in cells.split("|") if cell.strip())
