"""What is different between two configurations, by the dotted names of the file; and a mixture of the two. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, TypeVar

T = TypeVar("T")


def changes(old: Any, new: Any, prefix: str = "") -> tuple[str, ...]:
    """The names of all fields that differ, such as ``sip.guard.ban_s``; a list or a mapping counts as one field."""
    found: list[str] = []
    for item in dataclasses.fields(old):
        name, before, after = prefix + item.name, getattr(old, item.name), getattr(new, item.name)
        if before == after:
            continue
        if dataclasses.is_dataclass(before) and type(before) is type(after):
            found += changes(before, after, name + ".")
        else:
            found.append(name)
    return tuple(found)


def mixed(old: T, new: Any, names: Iterable[str]) -> T:
    """``old`` with the fields of these names as ``new`` has them. Raises ConfigError where that cannot be."""
    heads: dict[str, list[str]] = {}
    for name in names:
        head, _, rest = name.partition(".")
        heads.setdefault(head, []).append(rest)
    taken: dict[str, Any] = {}
    for head, rests in heads.items():
        before, after = getattr(old, head), getattr(new, head)
        taken[head] = after if "" in rests else mixed(before, after, rests)
    return dataclasses.replace(old, **taken)  # type: ignore[type-var]


def covered(name: str, prefixes: Iterable[str]) -> bool:
    """Whether a name is one of these, or within one of them."""
    return any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)
