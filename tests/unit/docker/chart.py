"""Enough of Go templates to render our own chart: if, else, end, include, pipelines of a few functions.

What the chart uses beyond that fails here, so that it stays simple enough to be checked without helm.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|\S+')


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
        """Everything that would be applied."""
        texts = [self._render(path.read_text()) for path in self._templates]
        return [one for text in texts for one in yaml.safe_load_all(text) if one]

    def _render(self, text: str) -> str:
        pieces = _pieces(text)
        out, at = self._block(pieces, 0)
        assert at == len(pieces), "an end without a beginning"
        return out

    def _block(self, pieces: list[tuple[bool, str]], at: int) -> tuple[str, int]:
        out = ""
        while at < len(pieces):
            is_action, text = pieces[at]
            if not is_action:
                out, at = out + text, at + 1
            elif text.startswith("if "):
                holds = bool(self._value(text[3:]))
                inside, at = self._block(pieces, at + 1)
                assert pieces[at][1] == "end", f"{pieces[at]} within an if"
                out, at = out + (inside if holds else ""), at + 1
            elif text == "end":
                return out, at
            else:
                out, at = out + _text(self._value(text)), at + 1
        return out, at

    def _value(self, expression: str) -> Any:
        value: Any = None
        for number, part in enumerate(expression.split(" | ")):
            words = _WORD.findall(part)
            value = self._call(words, [value] if number else [])
        return value

    def _call(self, words: list[str], piped: list[Any]) -> Any:
        name, given = words[0], [self._word(word) for word in words[1:]] + piped
        match name:
            case "include":
                return self._render(self._named[given[0]])
            case "toYaml":
                return yaml.safe_dump(given[0]).rstrip("\n")
            case "nindent":
                return "\n" + "\n".join(" " * given[0] + line for line in str(given[1]).splitlines())
            case "quote":
                return yaml.dump(str(given[0]), default_style='"', width=10_000).strip()
            case "eq":
                return given[0] == given[1]
            case "not":
                return not given[0]
            case "add":
                return given[0] + given[1]
            case _:
                assert not given, f"{name} is no function that is known here"
                return self._word(name)

    def _word(self, word: str) -> Any:
        if word.startswith('"'):
            return word[1:-1]
        if word.lstrip("-").isdigit():
            return int(word)
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
