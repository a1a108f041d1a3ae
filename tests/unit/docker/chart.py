"""Enough of Go templates to render our own chart: if, end, include, brackets, pipelines of a few functions.

What the chart uses beyond that fails here, so that it stays simple enough to be checked without helm.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|[()|]|[^\s()|]+')


class ChartFailed(Exception):
    """The chart says that its values do not go together."""


class Chart:
    """The templates of a directory, rendered with ``values`` over those of the chart."""

    def __init__(self, directory: Path, values: Mapping[str, Any]) -> None:
        known = yaml.safe_load((directory / "values.yaml").read_text())
        self._scope = {
            "Values": _over(known, values, "values"),
            "Release": {"Name": "line", "Namespace": "voice"},
        }
        self._named: dict[str, str] = {}
        for helper in directory.glob("templates/*.tpl"):
            for name, body in re.findall(
                r'\{\{- define "(.*?)" -\}\}(.*?)\{\{- end -\}\}', helper.read_text(), re.DOTALL
            ):
                self._named[name] = body.strip()
        self._templates = sorted(directory.glob("templates/*.yaml"))

    def objects(self) -> list[dict[str, Any]]:
        """Everything that would be applied; raises ChartFailed where the chart refuses its values."""
        texts = [self._render(path.read_text()) for path in self._templates]
        return [one for text in texts for one in yaml.safe_load_all(text) if one]

    def _render(self, text: str) -> str:
        pieces = _pieces(text)
        out, at = self._block(pieces, 0, taken=True)
        assert at == len(pieces), "an end without a beginning"
        return out

    def _block(self, pieces: list[tuple[bool, str]], at: int, *, taken: bool) -> tuple[str, int]:
        out = ""
        while at < len(pieces):
            is_action, text = pieces[at]
            if not is_action:
                out, at = out + text, at + 1
            elif text.startswith("if "):
                holds = taken and bool(self._value(text[3:]))
                inside, at = self._block(pieces, at + 1, taken=holds)
                assert pieces[at][1] == "end", f"{pieces[at]} within an if"
                out, at = out + (inside if holds else ""), at + 1
            elif text == "end":
                return out, at
            else:
                out, at = out + (_text(self._value(text)) if taken else ""), at + 1
        return out, at

    def _value(self, expression: str) -> Any:
        words = _WORD.findall(expression)
        value = self._pipeline(words)
        assert not words, f"{expression}: too many brackets are closed"
        return value

    def _pipeline(self, words: list[str]) -> Any:
        """Takes its words from the front, and the bracket that closes it."""
        piped: list[Any] = []
        while True:
            given: list[Any] = []
            while words and words[0] not in ("|", ")"):
                word = words.pop(0)
                given.append(self._pipeline(words) if word == "(" else self._word(word))
            if callable(given[0]):
                value = given[0](*given[1:], *piped)
            else:
                (value,) = given + piped
            if not words or words.pop(0) == ")":
                return value
            piped = [value]

    def _include(self, name: str, scope: Any) -> str:
        assert scope is self._scope, "only the whole is handed on"
        return self._render(self._named[name])

    def _word(self, word: str) -> Any:
        if word.startswith('"'):
            return word[1:-1]
        if word.lstrip("-").isdigit():
            return int(word)
        if not word.startswith("."):
            assert word in _FUNCTIONS or word == "include", f"{word} is no function that is known here"
            return _FUNCTIONS.get(word, self._include)
        value: Any = self._scope
        if word == ".":
            return value
        for part in word.removeprefix(".").split("."):
            assert isinstance(value, dict), f"{word}: nothing below {part}"
            value = value.get(part)
        return value


def _pieces(text: str) -> list[tuple[bool, str]]:
    """Text and actions by turns; ``{{-`` and ``-}}`` take the white space on their side away."""
    found: list[tuple[bool, str]] = []
    rest = text
    while (start := rest.find("{{")) >= 0:
        end = rest.index("}}", start)
        before, action, rest = rest[:start], rest[start + 2 : end], rest[end + 2 :]
        if action.startswith("-"):
            before, action = before.rstrip(), action[1:]
        if action.endswith("-"):
            rest, action = rest.lstrip(), action[:-1]
        found += [(False, before), (True, action.strip())]
    return [*found, (False, rest)]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _over(known: Any, changed: Any, place: str) -> Any:
    if not isinstance(known, dict) or not known or not isinstance(changed, Mapping):
        return changed
    unknown = set(changed) - set(known)
    assert not unknown, f"{place} has no {unknown}"
    return {
        name: _over(value, changed[name], f"{place}.{name}") if name in changed else value
        for name, value in known.items()
    }


def _dig(*words: Any) -> Any:
    """KEY... DEFAULT DICTIONARY, as of Sprig."""
    *keys, default, value = words
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            return default
        value = value[key]
    return value


def _merged(under: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(under)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(found.get(key), dict)
        found[key] = _merged(found[key], value) if both else value
    return found


def _fail(message: str) -> None:
    raise ChartFailed(message)


_FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "add": lambda one, other: one + other,
    "and": lambda one, other: one and other,
    "dig": _dig,
    "eq": lambda one, other: one == other,
    "fail": _fail,
    "fromYaml": yaml.safe_load,
    "hasPrefix": lambda prefix, text: text.startswith(prefix),
    "mergeOverwrite": _merged,
    "nindent": lambda width, text: "\n" + "\n".join(" " * width + line for line in str(text).splitlines()),
    "not": lambda value: not value,
    "quote": lambda value: yaml.dump(str(value), default_style='"', width=10_000).strip(),
    "toYaml": lambda value: yaml.safe_dump(value, width=10_000).rstrip("\n"),
}
