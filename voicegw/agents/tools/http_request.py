"""From checked arguments to one web request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from urllib.parse import quote, urlsplit

from pydantic import JsonValue

from voicegw.agents.flow_webhook import to_variable
from voicegw.agents.template import Hole, Template, Variable, parse_template
from voicegw.agents.tools.canonical import Json, JsonObject
from voicegw.agents.tools.config import FACTS, HttpToolConfig
from voicegw.ports.tools import ToolRequest

_BODY_METHODS = ("POST", "PUT", "PATCH")


class AddressError(ValueError):
    """The arguments make no usable address; nothing was sent."""


@dataclass(frozen=True, slots=True)
class HttpToolRequest:
    """What is sent, without what is secret."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: object | None = None


def build_request(
    config: HttpToolConfig, base: str, arguments: JsonObject, request: ToolRequest
) -> HttpToolRequest:
    """Fill the holes of the tool; raises :class:`AddressError`."""
    facts: JsonObject = dict(zip(FACTS, (str(request.call_id), request.calling, request.called), strict=True))
    values: JsonObject = {**arguments, **facts}
    variables = {name: _variable(value) for name, value in values.items()}
    url = base.rstrip("/") + _address(config.url, variables) + _query(config, variables)
    headers = {name: _one_line(text.plain(variables)) for name, text in config.headers.items()}
    headers["Idempotency-Key"] = f'"{request.key}"'
    return HttpToolRequest(config.method, url, headers, _body(config, arguments, values))


def _variable(value: Json) -> Variable:
    return to_variable(Decimal(str(value)) if isinstance(value, float) else value)


def _address(template: Template, variables: Mapping[str, Variable]) -> str:
    """RFC 3986 §2.1: what a model wrote can be data in the address, never structure of it."""
    for name in sorted(template.names):
        if variables.get(name) in (None, "", ()):
            raise AddressError(f"the address needs {name!r}")
    url = template.url(variables)
    # Dots are unreserved, so encoding leaves them: two of them alone would climb a level (§5.2.4).
    if {".", ".."} & set(urlsplit(url).path.split("/")):
        raise AddressError("an argument cannot be '.' or '..'")
    return url


def _query(config: HttpToolConfig, variables: Mapping[str, Variable]) -> str:
    pairs = []
    for name, text in config.query.items():
        if text.names and all(variables.get(hole) is None for hole in text.names):
            continue
        pairs.append(f"{quote(name, safe='')}={quote(text.plain(variables), safe='')}")
    if not pairs:
        return ""
    return ("&" if "?" in config.url.source else "?") + "&".join(pairs)


def _body(config: HttpToolConfig, arguments: JsonObject, values: JsonObject) -> object | None:
    if config.body is not None:
        return _fill(config.body, values)
    if config.method not in _BODY_METHODS:
        return None
    elsewhere = config.url.names.union(
        *(text.names for text in config.query.values()), *(text.names for text in config.headers.values())
    )
    return {name: value for name, value in arguments.items() if name not in elsewhere}


def _fill(body: JsonValue, values: JsonObject) -> Json:
    """The body with its holes filled; a name whose bare hole has no argument is left out."""
    if isinstance(body, dict):
        return {name: _fill(item, values) for name, item in body.items() if not _is_missing(item, values)}
    if isinstance(body, list):
        return [_fill(item, values) for item in body if not _is_missing(item, values)]
    if not isinstance(body, str):
        return body
    if name := _bare_hole(body):
        return values.get(name)
    return parse_template(body).plain({name: _variable(value) for name, value in values.items()})


def _is_missing(body: JsonValue, values: JsonObject) -> bool:
    name = _bare_hole(body) if isinstance(body, str) else None
    return name is not None and name not in values


def _bare_hole(text: str) -> str | None:
    match parse_template(text).parts:
        case (Hole(name, ()),):
            return name
    return None


def _one_line(text: str) -> str:
    """A header cannot hold a line break, whatever a model put into the argument."""
    return "".join(char for char in text if char.isprintable())
