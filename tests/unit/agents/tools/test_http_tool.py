"""Web services as tools: the request on the wire, the retries, and what is said of the outcome."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from pydantic import JsonValue

from tests.unit.agents.tools.rig import FACTS
from voicegw.agents.tools.config import HttpToolConfig
from voicegw.agents.tools.http_tool import effect_of, make_http_tool
from voicegw.agents.tools.tool import Action
from voicegw.base.errors import ConfigError, ProviderError
from voicegw.ports.http import HttpResponse
from voicegw.ports.tools import (
    IdempotencyKey,
    ToolCall,
    ToolEffect,
    ToolRequest,
    ToolResult,
    ToolRunner,
    ToolStatus,
)
from voicegw.testing.manual_clock import ManualClock

PARAMETERS: JsonValue = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "n": {"type": "number"}, "tags": {"type": "array"}, "o": {}},
}


@dataclass
class Web:
    """Answers in order what the test wants; None is no answer."""

    answers: list[HttpResponse | None]
    clock: ManualClock = field(default_factory=ManualClock)
    sent: list[tuple[str, str, Mapping[str, str], object]] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    max_body_bytes: int = 1000

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], json_body: object | None, timeout_s: float
    ) -> HttpResponse:
        self.sent.append((method, url, headers, json_body))
        answer = self.answers.pop(0)
        if answer is None:
            raise ProviderError("webhook", f"no answer from {url}", retryable=True)
        return answer

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.clock.advance(seconds)


def config(**more: object) -> HttpToolConfig:
    facts = {
        "type": "http",
        "name": "t",
        "description": "d",
        "url": "https://shop.test/o",
        "parameters": PARAMETERS,
    }
    return HttpToolConfig.model_validate({**facts, **more})


def run(
    settings: HttpToolConfig,
    web: Web,
    arguments: object | None = None,
    environment: Mapping[str, str] | None = None,
) -> ToolResult:
    tool = make_http_tool(settings, web, environment or {}, web.clock, web.sleep)
    call = ToolCall("x", "t", json.dumps(arguments or {}))
    request = ToolRequest(
        call, IdempotencyKey("k1"), settings.timeout_s, FACTS.call_id, FACTS.calling, FACTS.called
    )
    assert not isinstance(tool.work, Action)
    return asyncio.run(_body(tool.work, request))


async def _body(runner: ToolRunner, request: ToolRequest) -> ToolResult:
    return await runner.run(request)


def ok(body: str = "{}") -> HttpResponse:
    return HttpResponse(200, {}, body)


def test_a_value_is_data_in_the_address_never_structure() -> None:
    web = Web([ok()])
    run(config(url="https://shop.test/o/{{ id }}?a={{ n }}"), web, {"id": "a/b?c#d e&é", "n": 1.5})
    assert web.sent[0][1] == "https://shop.test/o/a%2Fb%3Fc%23d%20e%26%C3%A9?a=1.5"


@pytest.mark.parametrize("value", ["..", ".", "", None])
def test_a_value_that_would_leave_its_place_is_never_sent(value: str | None) -> None:
    web = Web([])
    result = run(config(url="https://shop.test/o/{{ id }}/x"), web, {"id": value} if value is not None else {})
    assert result.status is ToolStatus.FAILED
    assert web.sent == []


def test_query_parameters_without_their_argument_are_left_out() -> None:
    web = Web([ok(), ok()])
    settings = config(query={"lang": "en", "q": "{{ id }}", "from": "{{ calling }}"})
    run(settings, web, {"id": "a&b"})
    run(settings, web, {})
    assert web.sent[0][1] == "https://shop.test/o?lang=en&q=a%26b&from=%2B491234"
    assert web.sent[1][1] == "https://shop.test/o?lang=en&from=%2B491234"


def test_a_post_sends_what_is_used_nowhere_else() -> None:
    web = Web([ok()])
    run(config(method="POST", url="https://shop.test/o/{{ id }}"), web, {"id": "7", "n": 2, "tags": ["a"]})
    assert web.sent[0][3] == {"n": 2, "tags": ["a"]}


def test_a_body_of_holes_keeps_types_and_leaves_out_what_is_missing() -> None:
    web = Web([ok()])
    body: JsonValue = {"all": ["{{ n }}", "{{ tags }}"], "o": "{{ o }}", "text": "no {{ id }}", "none": "{{ id }}"}
    run(config(method="PUT", body=body), web, {"n": 2, "tags": [{"x": 1}], "o": {"deep": [1]}})
    assert web.sent[0][3] == {"all": [2, [{"x": 1}]], "o": {"deep": [1]}, "text": "no "}


def test_the_key_is_always_sent_and_a_header_cannot_be_broken() -> None:
    web = Web([ok()])
    run(config(headers={"X-Id": "{{ id }}"}), web, {"id": "a\r\nX-Evil: 1"})
    assert web.sent[0][2] == {"X-Id": "aX-Evil: 1", "Idempotency-Key": '"k1"'}


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ({"bearer": {"env": "S"}}, "Authorization", "Bearer pass:word"),
        ({"basic": {"user": "me", "password": {"env": "S"}}}, "Authorization", "Basic bWU6cGFzczp3b3Jk"),
        ({"header": {"name": "X-Api-Key", "value": {"env": "S"}}}, "X-Api-Key", "pass:word"),
    ],
)
def test_secrets_come_from_the_environment_and_are_in_no_log_and_no_result(
    auth: JsonValue, header: str, value: str, caplog: pytest.LogCaptureFixture
) -> None:
    web = Web([None])
    with caplog.at_level(logging.DEBUG):
        result = run(config(auth=auth, retries=0), web, {"id": "x"}, {"S": "pass:word"})
    assert web.sent[0][2][header] == value
    tool = make_http_tool(config(auth=auth), web, {"S": "pass:word"}, web.clock)
    assert "pass:word" not in caplog.text + repr(result) + repr(tool) + repr(config(auth=auth))
    with pytest.raises(ConfigError, match="S is not set"):
        make_http_tool(config(auth=auth), web, {}, web.clock)
    with pytest.raises(ConfigError, match="line break"):
        make_http_tool(config(auth=auth), web, {"S": "a\nb"}, web.clock)


@pytest.mark.parametrize(
    ("method", "effect"),
    [("GET", "none"), ("HEAD", "none"), ("PUT", "idempotent"), ("DELETE", "idempotent"), ("POST", "once")],
)
def test_the_method_says_what_may_be_repeated(method: str, effect: str) -> None:
    assert effect_of(config(method=method)) is ToolEffect(effect)
    assert effect_of(config(method=method, effect="once")) is ToolEffect.ONCE


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        *[(204, "done"), (303, "unknown"), (400, "failed"), (404, "failed"), (408, "unknown"), (409, "failed")],
        *[(429, "failed"), (500, "unknown"), (503, "unknown")],
    ],
)
def test_only_a_refusal_is_certain_to_have_had_no_effect(status: int, expected: str) -> None:
    result = run(config(method="POST"), Web([HttpResponse(status, {}, "because")]))
    assert result.status is ToolStatus(expected)


def test_a_request_that_must_not_be_repeated_is_sent_once() -> None:
    web = Web([None])
    result = run(config(method="POST", retries=5), web)
    assert (result.status, len(web.sent)) == (ToolStatus.UNKNOWN, 1)


def test_one_that_may_is_tried_again_with_the_same_key_and_growing_pauses() -> None:
    web = Web([None, HttpResponse(503), ok('{"id":1}')])
    result = run(config(method="POST", effect="idempotent"), web)
    assert result == ToolResult.done({"id": 1})
    assert {headers["Idempotency-Key"] for _, _, headers, _ in web.sent} == {'"k1"'}
    assert web.pauses == [0.2, 0.4]


def test_the_service_may_ask_for_a_longer_pause_and_the_time_limit_holds() -> None:
    patient = Web([HttpResponse(429, {"Retry-After": "3"}), ok()])
    assert run(config(), patient).status is ToolStatus.DONE
    assert patient.pauses == [3.0]
    hurried = Web([HttpResponse(429, {"Retry-After": "30"})])
    assert run(config(), hurried).status is ToolStatus.FAILED
    assert hurried.pauses == []


def test_a_refusal_after_an_unclear_attempt_proves_nothing() -> None:
    web = Web([None, HttpResponse(404)])
    assert run(config(method="DELETE"), web).status is ToolStatus.UNKNOWN


@pytest.mark.parametrize(
    ("body", "content"),
    [
        ('{"a": 1}', {"a": 1}),
        ("", {"status": 200}),
        ("plain", {"text": "plain"}),
        ("[NaN]", {"text": "[NaN]"}),
        ("[1e999]", {"text": "[1e999]"}),
        ('"\\ud83d!"', "\ufffd!"),
    ],
)
def test_any_answer_becomes_json(body: str, content: object) -> None:
    told = run(config(), Web([ok(body)])).content_json
    assert json.loads(told.encode()) == content


def test_neither_log_nor_model_gets_the_address(caplog: pytest.LogCaptureFixture) -> None:
    web = Web([None])
    with caplog.at_level(logging.DEBUG):
        result = run(config(url="https://shop.test/{{ id }}", retries=0), web, {"id": "4711"})
    told = "".join(str(record.__dict__) for record in caplog.records)
    assert "shop.test" in told
    assert "4711" not in told + result.content_json


def test_a_base_address_comes_from_the_environment() -> None:
    web = Web([ok(), ok()])
    settings = config(url="/o/{{ id }}", base={"env": "BASE", "default": "http://127.0.0.1:8085/"})
    run(settings, web, {"id": "7"})
    run(settings, web, {"id": "7"}, {"BASE": "https://shop.test/v1"})
    assert [url for _, url, _, _ in web.sent] == ["http://127.0.0.1:8085/o/7", "https://shop.test/v1/o/7"]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"url": "https://{{ id }}/x"}, "without holes"),
        ({"url": "https://shop.test"}, "without holes"),
        ({"url": "https://shop.test/{{ idd }}"}, "did you mean 'id'"),
        ({"body": {"a": ["{{ nope }}"]}}, "'nope' is not an argument"),
        ({"body": {"a": "{{ broken"}}, "without its counterpart"),
        ({"parameters": {"type": "string"}}, "type: object"),
        ({"parameters": {"type": "object", "properties": {"calling": {}}}}, "fact of the call"),
        ({"parameters": {"type": "object", "properties": {"a": {"pattern": "("}}}}, "JSON Schema"),
        ({"result": {"$ref": "https://elsewhere.test/schema"}}, "JSON Schema"),
        ({"auth": {}}, "exactly one"),
        ({"headers": {"X Y": "1"}}, "not the name of a header"),
        ({"unknown": 1}, "Extra inputs"),
    ],
)
def test_a_wrong_configuration_says_what_is_wrong(more: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        config(**more)
