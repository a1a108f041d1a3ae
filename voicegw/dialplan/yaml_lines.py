"""YAML that remembers its lines, so that every error in an administrator's file can point at the place.

Scalars follow the YAML 1.2 core schema, not 1.1 as PyYAML does by default: in a telephone product ``0123`` must not
become 83, ``12:30`` not 750, and ``on:`` or ``no`` not a truth value. Duplicate keys, which YAML forbids
and PyYAML lets pass, are errors. Anchors, aliases and merge keys (``<<``) work.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TypeAlias

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from voicegw.base.errors import ConfigError
from voicegw.base.texts import whole

YamlValue: TypeAlias = "bool | int | float | str | list[YamlValue] | dict[str, YamlValue] | None"
Path: TypeAlias = tuple[str | int, ...]

MAX_NODES = 100_000
"""Aliases of aliases grow without bound ("billion laughs"); no honest file is this long."""


class ConfigProblems(ConfigError):
    """Everything that is wrong with a file, not only the first thing; ``problems`` in the order of lines."""

    def __init__(self, problems: list[ConfigError]) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.file, p.line)))
        first = self.problems[0]
        super().__init__(first.message, file=first.file, line=first.line, fix=first.fix)
        self.args = ("\n".join(str(problem) for problem in self.problems),)


@dataclass(slots=True)
class Document:
    """Plain data and, for every path in it, the line where its key (or list item) stands."""

    file: str
    data: YamlValue
    lines: dict[Path, int]
    duplicates: list[ConfigError] = field(default_factory=list)

    def line(self, path: Path) -> int:
        """The line of ``path``, or of the nearest thing above it that is in the file."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def error(self, path: Path, message: str, fix: str = "") -> ConfigError:
        """An error that points at ``path``."""
        return ConfigError(message, file=self.file, line=self.line(path), fix=fix)


class _CoreLoader(yaml.SafeLoader):
    """Composes as usual, resolves scalars by YAML 1.2."""


_CORE_SCHEMA = (
    ("tag:yaml.org,2002:bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("tag:yaml.org,2002:null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:int", r"[-+]?(?:0|[1-9][0-9]{0,17})", "-+0123456789"),
    ("tag:yaml.org,2002:float", r"[-+]?(?:0|[1-9][0-9]*)?\.[0-9]+(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("tag:yaml.org,2002:merge", r"<<", "<"),
)
_CoreLoader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in _CORE_SCHEMA:
    _CoreLoader.add_implicit_resolver(_tag, re.compile(f"^(?:{_pattern})$"), list(_first))


class _Builder:
    """Turns composed nodes into data, noting lines on the way."""

    def __init__(self, loader: _CoreLoader, document: Document) -> None:
        self._loader = loader
        self._document = document
        self._open: set[int] = set()
        self._seen: set[int] = set()
        self._nodes = 0

    def build(self, node: Node, path: Path) -> YamlValue:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise self._at(node, f"more than {MAX_NODES} values once the aliases are followed")
        if id(node) in self._open:
            raise self._at(node, "an anchor that contains itself")
        self._open.add(id(node))
        value = self._value(node, path)
        self._open.discard(id(node))
        return value

    def _value(self, node: Node, path: Path) -> YamlValue:
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self._item(child, (*path, i)) for i, child in enumerate(node.value)]
        return self._scalar(node)

    def _item(self, node: Node, path: Path) -> YamlValue:
        self._document.lines[path] = node.start_mark.line + 1
        return self.build(node, path)

    def _mapping(self, node: MappingNode, path: Path) -> YamlValue:
        if id(node) not in self._seen:
            self._seen.add(id(node))
            self._note_duplicates(node)
            self._loader.flatten_mapping(node)
        result: dict[str, YamlValue] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node)
            self._document.lines[(*path, key)] = key_node.start_mark.line + 1
            result[key] = self.build(value_node, (*path, key))
        return result

    def _note_duplicates(self, node: MappingNode) -> None:
        first: dict[str, int] = {}
        for key_node, _ in node.value:
            key = self._key(key_node)
            if key in first and key != "<<":
                message = f"the key '{key}' stands twice; it is already in line {first[key]}"
                self._document.duplicates.append(self._at(key_node, message, "remove one of the two"))
            first.setdefault(key, key_node.start_mark.line + 1)

    def _key(self, node: Node) -> str:
        if not isinstance(node, ScalarNode):
            raise self._at(node, "a key must be a word or a number", "quote it")
        return self._readable(node, str(node.value))

    def _readable(self, node: Node, text: str) -> str:
        if whole(text) != text:
            raise self._at(node, "half of a surrogate pair is no character", "write the character itself")
        return text

    def _scalar(self, node: Node) -> YamlValue:
        if node.tag.rsplit(":", 1)[-1] not in ("bool", "null", "int", "float", "str"):
            raise self._at(node, f"the tag {node.tag} is not allowed", "remove it")
        try:
            value: YamlValue = self._loader.construct_object(node)
        except (ValueError, KeyError):
            raise self._at(node, f"{node.value!r} is not a {node.tag.rsplit(':', 1)[-1]}") from None
        return self._readable(node, value) if isinstance(value, str) else value

    def _at(self, node: Node, message: str, fix: str = "") -> ConfigError:
        return ConfigError(message, file=self._document.file, line=node.start_mark.line + 1, fix=fix)


def parse_yaml(text: str, file: str) -> Document:
    """Parse one YAML document; raises :class:`ConfigError` where it is not YAML.

    Duplicate keys are collected in :attr:`Document.duplicates`, so that they are reported with the rest.
    """
    document = Document(file, None, {})
    try:
        loader = _CoreLoader(text)
        root = loader.get_single_node()
        if root is not None:
            document.data = _Builder(loader, document).build(root, ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        problem = str(error.problem or error.context)
        raise ConfigError(problem, file=file, line=line, fix=_syntax_fix(problem)) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"not YAML: {error}".replace("\n", " "), file=file, line=1) from None
    except RecursionError:
        raise ConfigError("nested too deeply", file=file, line=1) from None
    return document


def _syntax_fix(problem: str) -> str:
    """What the author most likely has to do; question marks and lists inside braces are the commonest slips."""
    if "but got '?'" in problem or "but got '['" in problem:
        return "inside { } and [ ], quote a text that contains ? or [ ] or a comma"
    return "quote the text, or check the indentation of this line and the one above"
