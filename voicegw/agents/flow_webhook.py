"""One webhook of a flow: build the request, send it through the port, pick the fields out of the answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time
from decimal import Decimal

from voicegw.agents.entities.slot import Value
from voicegw.agents.flow_model import JsonTemplate, WebhookStep
from voicegw.agents.template import Variable, Variables, parse_template, plain
from voicegw.base.errors import ProviderError
from voicegw.base.texts import whole
from voicegw.ports.http import HttpClient, HttpResponse

MAX_TEXT_CHARS = 2000
"""A longer text field is cut: nobody listens to it."""


@dataclass(frozen=True, slots=True)
class WebhookResult:
    """``status`` 0: no answer. ``error`` is empty where all went well."""

    status: int
    error: str = ""
    values: Mapping[str, Variable] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """What is sent."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: object | None


def build_request(step: WebhookStep, variables: Variables) -> WebhookRequest:
    """Fill the holes of the step."""
    headers = {name: _one_line(text.plain(variables)) for name, text in step.headers.items()}
    body = _fill(step.body, variables) if step.body is not None else None
    return WebhookRequest(step.method, step.url.url(variables), headers, body)


async def send_request(step: WebhookStep, request: WebhookRequest, http: HttpClient) -> WebhookResult:
    """Send and read; every failure is a result, nothing is raised."""
    try:
        response = await http.request(
            request.method,
            request.url,
            headers=request.headers,
            json_body=request.body,
            timeout_s=step.timeout_s,
        )
    except ProviderError as error:
        return WebhookResult(0, str(error))
    return _read(step, response)


def _read(step: WebhookStep, response: HttpResponse) -> WebhookResult:
    if response.status >= 400:
        return WebhookResult(response.status, f"HTTP status {response.status}")
    if not step.save:
        return WebhookResult(response.status)
    try:
        answer: object = json.loads(response.body, parse_float=Decimal)
    except (ValueError, RecursionError):
        return WebhookResult(response.status, "the answer is not JSON")
    values = {name: to_variable(_at(answer, path)) for name, path in step.save.items()}
    return WebhookResult(response.status, values=values)


def _at(answer: object, path: str) -> object:
    """The value at ``order.items.0.name``; None where there is nothing."""
    for part in path.split("."):
        if isinstance(answer, dict):
            answer = answer.get(part)
        elif isinstance(answer, list) and part.isascii() and part.isdigit() and int(part) < len(answer):
            answer = answer[int(part)]
        else:
            return None
    return answer


def to_variable(value: object) -> Variable:
    """JSON as a variable; an object inside counts as nothing."""
    if isinstance(value, list):
        return tuple(item for entry in value if (item := _scalar(entry)) is not None)
    return _scalar(value)


def _scalar(value: object) -> Value | None:
    if isinstance(value, bool | int):
        return value
    if isinstance(value, Decimal | float):
        number = Decimal(str(value))
        return number if number.is_finite() else None
    return whole(value[:MAX_TEXT_CHARS]) if isinstance(value, str) else None


def _fill(body: JsonTemplate, variables: Variables) -> object:
    """The body with its holes filled; a text that is one bare hole keeps the variable's type."""
    if isinstance(body, dict):
        return {key: _fill(value, variables) for key, value in body.items()}
    if isinstance(body, list):
        return [_fill(value, variables) for value in body]
    return _json(parse_template(body).value(variables)) if isinstance(body, str) else body


def _json(value: Variable) -> object:
    if isinstance(value, tuple):
        return [_json(item) for item in value]
    if isinstance(value, Decimal):
        return float(value)
    return plain(value) if isinstance(value, date | time) else value


def _one_line(text: str) -> str:
    """A header value cannot hold a line break, whatever a caller or a service put into the variable."""
    return "".join(char for char in text if char.isprintable())
