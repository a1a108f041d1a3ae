"""Every setting of the configuration file with default, meaning and when a change counts: read out of the code."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, cast, get_args, get_origin, get_type_hints

from voicegw.config import Config
from voicegw.config_classes import effect_of


@dataclass(frozen=True, slots=True)
class Setting:
    """One key. ``name`` has ``[]`` for any entry of a list, and ``NAME`` for that of a mapping."""

    name: str
    default: str
    """As a file would say it; empty: it has to be there."""
    text: str
    effect: str


def sections() -> Iterator[tuple[str, str]]:
    """The sections and what each is about."""
    for item in dataclasses.fields(Config):
        kind = get_type_hints(Config)[item.name]
        yield item.name, (kind.__doc__ or "").strip().partition("\n")[0].replace("``", "")


def settings(beginning: str = "") -> Iterator[Setting]:
    """All whose name begins so, in the order of the file."""
    for one in _of(Config, "", ""):
        if one.name == beginning or one.name.startswith((f"{beginning}.", f"{beginning}[")) or not beginning:
            yield one


def _of(kind: type[Any], prefix: str, table: str) -> Iterator[Setting]:
    texts, hints = _texts(kind), get_type_hints(kind)
    for item in dataclasses.fields(kind):
        hint, name, known = hints[item.name], prefix + item.name, table + item.name
        if dataclasses.is_dataclass(hint):
            yield from _of(cast(type[Any], hint), f"{name}.", f"{known}.")
            continue
        yield Setting(name, _default(item), texts.get(item.name, ""), effect_of(known).value)
        arguments = get_args(hint) if get_origin(hint) in (tuple, dict) else ()
        for inner in filter(dataclasses.is_dataclass, arguments):
            mark = "[]" if get_origin(hint) is tuple else ".NAME"
            yield from _of(cast(type[Any], inner), f"{name}{mark}.", f"{known}[]." if mark == "[]" else f"{known}.")


def _texts(kind: type[Any]) -> dict[str, str]:
    """What stands below each field, those of parents included."""
    found: dict[str, str] = {}
    for one in reversed(kind.__mro__[:-1]):
        (body,) = ast.parse(textwrap.dedent(inspect.getsource(one))).body
        assert isinstance(body, ast.ClassDef)
        for field, below in zip(body.body, body.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                match below:
                    case ast.Expr(ast.Constant(str(text))):
                        found[field.target.id] = " ".join(text.replace("``", "").split())
    return found


def _default(item: dataclasses.Field[Any]) -> str:
    if item.default is not dataclasses.MISSING:
        return _written(item.default)
    if item.default_factory is not dataclasses.MISSING:
        return _written(item.default_factory())
    return ""


def _written(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case Enum():
            return _written(value.value)
        case str():
            return value or '""'
        case None:
            return "null"
        case tuple() | list() | frozenset():
            return f"[{', '.join(map(_written, value))}]"
        case dict():
            return "{" + ", ".join(f"{key}: {_written(one)}" for key, one in value.items()) + "}"
        case _ if dataclasses.is_dataclass(value):
            return _written({one.name: getattr(value, one.name) for one in dataclasses.fields(value)})
        case _:
            return str(value)
