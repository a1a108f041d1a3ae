"""What is different between two configurations, by the dotted names of the file; and a mixture of the two. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, TypeAlias, TypeVar

from voicegw.gateway.audiosocket.config import AudioSocketListener
from voicegw.gateway.listener_config import ListenerConfig

T = TypeVar("T")
_Socket: TypeAlias = ListenerConfig | AudioSocketListener


def changes(old: Any, new: Any, prefix: str = "") -> tuple[str, ...]:
    """The names of all fields that differ, such as ``sip.guard.ban_s``; a list or a mapping counts as one field.

    Of lists of sockets those entries that are in both are compared, too: ``sip.listeners[0].allow``, by their place
    in the old list.
    """
    found: list[str] = []
    for item in dataclasses.fields(old):
        name, before, after = prefix + item.name, getattr(old, item.name), getattr(new, item.name)
        if before == after:
            continue
        if dataclasses.is_dataclass(before) and type(before) is type(after):
            found += changes(before, after, name + ".")
        elif (places := _places(before)) is not None and (others := _places(after)) is not None:
            for place in places.keys() & others.keys():
                index = places[place]
                found += changes(before[index], after[others[place]], f"{name}[{index}].")
            found += [] if list(places) == list(others) else [name]
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
        field, _, index = head.partition("[")
        before, after = taken.get(field, getattr(old, field)), getattr(new, field)
        if index:
            taken[field] = _with_entry(before, after, int(index.rstrip("]")), rests)
        else:
            taken[field] = after if "" in rests else mixed(before, after, rests)
    return dataclasses.replace(old, **taken)  # type: ignore[type-var]


def covers(prefix: str, name: str) -> bool:
    """Whether a name is this one, or within it."""
    return name == prefix or name.startswith((prefix + ".", prefix + "["))


def covered(name: str, prefixes: Iterable[str]) -> bool:
    """Whether a name is one of these, or within one of them."""
    return any(covers(prefix, name) for prefix in prefixes)


def _with_entry(before: tuple[Any, ...], after: tuple[Any, ...], index: int, names: list[str]) -> tuple[Any, ...]:
    places = _places(after) or {}
    entry = mixed(before[index], after[places[_place(before[index])]], names)
    return (*before[:index], entry, *before[index + 1 :])


def _places(value: Any) -> dict[tuple[Any, ...], int] | None:
    """Where in a list of sockets each one is; None for everything else, and where two cannot be told apart."""
    if not isinstance(value, tuple) or not all(isinstance(one, _Socket) for one in value):
        return None
    places = {_place(one): index for index, one in enumerate(value)}
    return places if value and len(places) == len(value) else None


def _place(socket: _Socket) -> tuple[Any, ...]:
    kind = socket.transport if isinstance(socket, ListenerConfig) else "audiosocket"
    return kind, socket.ip, socket.port
