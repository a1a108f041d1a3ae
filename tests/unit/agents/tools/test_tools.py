"""Built-ins, caller look-up, the registry and schemas."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from pydantic import TypeAdapter

from tests.unit.agents.tools.rig import FACTS, At, Bodies, House, scene, tool
from voicegw.agents.actions import AgentAction, SendDtmf, SlotFilled, Transfer
from voicegw.agents.tools.builtin import make_builtin_tool
from voicegw.agents.tools.caller_lookup import check_lookup, look_up
from voicegw.agents.tools.config import (
    CallerLookupConfig,
    HangUpConfig,
    HttpToolConfig,
    McpToolConfig,
    SendDtmfConfig,
    ToolConfig,
    TransferConfig,
)
from voicegw.agents.tools.registry import ToolRegistry
from voicegw.agents.tools.schema import MAX_REPORTED, Schema, SchemaError
from voicegw.agents.tools.tool import make_tool
from voicegw.base.errors import ConfigError
from voicegw.ports.tools import ToolCall, ToolEffect, ToolResult, ToolStatus

TRANSFER = TransferConfig.model_validate(
    {
        "type": "builtin",
        "builtin": "transfer",
        "targets": {"sales": {"target": "sip:7@pbx", "description": "Orders"}, "night": {"target": "sip:9@pbx"}},
        "apology": "Sorry.",
    }
)
KEYS = SendDtmfConfig(type="builtin", builtin="send_dtmf", max_digits=4)
LOOKUP = CallerLookupConfig.model_validate(
    {
        "type": "builtin",
        "builtin": "caller_lookup",
        "tool": "crm",
        "arguments": {"phone": "{{ calling }}"},
        "save": {"name": "customer.name", "vip": "customer.vip", "first": "orders.0", "gone": "no.such"},
        "timeout_s": 0.05,
    }
)
PHONE = {"type": "object", "properties": {"phone": {"type": "string"}}, "required": ["phone"]}


def act(house: House, name: str, arguments: str) -> tuple[ToolResult, tuple[AgentAction, ...]]:
    outcome = asyncio.run(house.tools.run(house.ask(name, arguments)))
    return outcome.result, outcome.actions


def test_a_model_transfers_to_the_targets_it_was_given_and_never_sees_where_they_are() -> None:
    house = House(make_builtin_tool(TRANSFER))
    assert act(house, "transfer", '{"to":"sales"}')[1] == (Transfer("sip:7@pbx", "Sorry."),)
    refused = house.tools.prepare(ToolCall("x", "transfer", '{"to":"sip:evil@pbx"}'))
    assert isinstance(refused, ToolResult)
    assert "pbx" not in house.tools.specs[0].parameters_json_schema


def test_keys_are_checked() -> None:
    house = House(make_builtin_tool(KEYS))
    assert act(house, "send_dtmf", '{"keys":"1 2#a"}')[1] == (SendDtmf("12#A"),)
    for keys in ("", "12345", "x"):
        result, actions = act(house, "send_dtmf", json.dumps({"keys": keys}))
        assert (result.status, actions) == (ToolStatus.FAILED, ())


def test_the_caller_is_known_before_the_call_is_answered() -> None:
    async def story() -> None:
        answer = {"customer": {"name": "Ada", "vip": True}, "orders": [7]}
        crm = At(ToolResult.done(answer))
        house = House(make_tool("crm", "", PHONE, crm, effect=ToolEffect.NONE, offered=False))
        found = await look_up(LOOKUP, house.tools, FACTS)
        assert found.values == {"name": "Ada", "vip": True, "first": 7}
        assert found.actions == (SlotFilled("name", "Ada"), SlotFilled("vip", "true"), SlotFilled("first", "7"))
        assert crm.requests[0].call.arguments_json == '{"phone":"+491234"}'
        assert house.tools.specs == ()
        assert isinstance(house.tools.prepare(ToolCall("x", "crm", '{"phone":"1"}')), ToolResult)

    scene(story)


def test_a_look_up_that_takes_too_long_or_fails_leaves_the_caller_unknown() -> None:
    async def story() -> None:
        slow = House(make_tool("crm", "", PHONE, Bodies(), effect=ToolEffect.NONE))
        assert (await look_up(LOOKUP, slow.tools, FACTS)).values == {}
        down = House(make_tool("crm", "", PHONE, At(ToolResult.failed("no")), effect=ToolEffect.NONE))
        assert (await look_up(LOOKUP, down.tools, FACTS)).result.status is ToolStatus.FAILED
        missing = await look_up(LOOKUP, House().tools, FACTS)
        assert missing.result.status is ToolStatus.FAILED
        await slow.desk.close(0)

    scene(story)


def test_a_look_up_must_only_read() -> None:
    reads = tool("crm", At(ToolResult.done(1)), ToolEffect.NONE)
    check_lookup(LOOKUP, ToolRegistry([reads]))
    with pytest.raises(ConfigError, match="does more than read"):
        check_lookup(LOOKUP, ToolRegistry([tool("crm", At(ToolResult.done(1)))]))
    with pytest.raises(ConfigError, match="no tool 'crm'"):
        check_lookup(LOOKUP, ToolRegistry())


def test_a_registry_has_each_name_once_and_a_fixed_order() -> None:
    body = At(ToolResult.done(1))
    assert [spec.name for spec in ToolRegistry([tool("b", body), tool("a", body)]).specs] == ["a", "b"]
    with pytest.raises(ConfigError, match="two tools"):
        ToolRegistry([tool("a", body), tool("a", body)])
    with pytest.raises(ConfigError, match="cannot be the name"):
        ToolRegistry([tool("a b", body)])


def test_the_kind_of_a_tool_is_found_by_its_type() -> None:
    adapter: TypeAdapter[ToolConfig] = TypeAdapter(ToolConfig)
    http = {"type": "http", "name": "a", "description": "d", "url": "http://h/"}
    assert isinstance(adapter.validate_python(http), HttpToolConfig)
    assert isinstance(adapter.validate_python({"type": "mcp", "name": "m", "url": "http://h/mcp"}), McpToolConfig)
    assert isinstance(adapter.validate_python({"type": "builtin", "builtin": "hang_up"}), HangUpConfig)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"url": "http://h/", "command": ["x"]},
        {"url": "ftp://h/"},
        {"command": ["x"], "auth": {"bearer": {"env": "S"}}},
    ],
)
def test_an_mcp_server_is_reached_in_exactly_one_way(more: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"exactly one|must begin|is for 'url'"):
        McpToolConfig.model_validate({"type": "mcp", "name": "m", **more})


def test_a_schema_reports_the_first_problems_with_their_places() -> None:
    schema = Schema({"type": "object", "properties": {"l": {"items": {"type": "integer"}}}})
    problems = schema.problems({"l": ["x"] * 20})
    assert len(problems) == MAX_REPORTED
    assert problems[0] == 'l/0: "x" is not of type "integer"'


def test_formats_and_older_drafts_count() -> None:
    assert Schema({"format": "date"}).problems("2026-02-30")
    draft_7 = {"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "string"}]}
    assert Schema(draft_7).problems([1])


@pytest.mark.parametrize(
    "schema", [{"type": "nope"}, {"$ref": "http://h/s"}, {"pattern": "(?=a)"}, {"$ref": "#/x"}]
)
def test_a_schema_that_cannot_be_checked_safely_is_refused(schema: dict[str, object]) -> None:
    with pytest.raises(SchemaError):
        Schema(schema)


def test_a_pattern_cannot_stop_the_server() -> None:
    started = time.process_time()
    assert Schema({"pattern": "^(a+)+$"}).problems("a" * 10_000 + "b")
    assert time.process_time() - started < 1
