"""Running tools: once per wish, whatever happens to the one who waits."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest

from tests.unit.agents.tools.rig import FACTS, SCHEMA, At, Bodies, House, MemoryToolLedger, scene, tool, turns
from voicegw.agents.actions import Hangup
from voicegw.agents.tools.builtin import make_builtin_tool
from voicegw.agents.tools.config import HangUpConfig
from voicegw.agents.tools.desk import MAX_RESULT_CHARS
from voicegw.agents.tools.exactly_once import FRESH_READ_S
from voicegw.agents.tools.tool import make_tool
from voicegw.base.errors import LocalError
from voicegw.ports.tools import ToolCall, ToolEffect, ToolRequest, ToolResult, ToolStatus

DONE = ToolResult.done({"ok": True})


def test_an_interruption_neither_stops_a_tool_nor_runs_it_again() -> None:
    async def story() -> None:
        bodies = Bodies()
        house = House(tool("book", bodies))
        house.tools.begin_reply(0)
        first = asyncio.create_task(house.tools.run(house.ask("book")))
        await turns()
        first.cancel()
        await turns()
        house.tools.begin_reply(1)
        second = asyncio.create_task(house.tools.run(house.ask("book")))
        await turns()
        bodies.end(DONE)
        assert (await second).result == DONE
        house.tools.begin_reply(2)
        assert (await house.tools.run(house.ask("book"))).result == DONE
        assert len(bodies.runs) == 1
        assert house.counters.get("tool_joined") == 1
        assert house.counters.get("tool_replayed") == 1

    scene(story)


def test_a_settled_wish_asked_again_runs_again() -> None:
    async def story() -> None:
        at_once = At(DONE)
        house = House(tool("book", at_once))
        house.tools.begin_reply(0)
        prepared = house.ask("book")
        await house.tools.run(prepared)
        house.tools.settle([prepared])
        house.tools.begin_reply(1)
        await house.tools.run(house.ask("book"))
        assert len(at_once.requests) == 2

    scene(story)


def test_a_body_gets_canonical_arguments_and_the_facts_of_the_call() -> None:
    async def story() -> None:
        at_once = At(DONE)
        house = House(tool("book", at_once))
        await house.tools.run(house.ask("book", '{ "n": 2.0 }'))
        (request,) = at_once.requests
        assert request.call == ToolCall("x", "book", '{"n":2}')
        assert (request.call_id, request.calling, request.called) == (FACTS.call_id, FACTS.calling, FACTS.called)

    scene(story)


@pytest.mark.parametrize(
    ("name", "arguments", "reason"),
    [
        ("boook", "{}", "did you mean 'book'"),
        ("book", '{"n":"x"}', 'n: "x" is not of type "integer"'),
        ("book", '{"m":1}', "Additional properties"),
        ("book", "{", "not JSON"),
    ],
)
def test_what_does_not_fit_is_told_and_never_runs(name: str, arguments: str, reason: str) -> None:
    house = House(tool("book", At(DONE)))
    refused = house.tools.prepare(ToolCall("x", name, arguments))
    assert isinstance(refused, ToolResult)
    assert refused.status is ToolStatus.FAILED
    assert reason in json.loads(refused.content_json)["error"]
    assert house.disk == {}


def test_without_a_ledger_nothing_runs() -> None:
    async def story() -> None:
        at_once = At(DONE)
        house = House(tool("book", at_once), ledger=MemoryToolLedger({}, full=True))
        assert (await house.tools.run(house.ask("book"))).result.status is ToolStatus.FAILED
        assert at_once.requests == []
        assert house.counters.get("tool_ledger_errors") == 1

    scene(story)


def test_a_result_that_cannot_be_written_is_given_and_never_run_again() -> None:
    async def story() -> None:
        bodies = Bodies()
        ledger = MemoryToolLedger({})
        house = House(tool("book", bodies), ledger=ledger)
        waiting = asyncio.create_task(house.tools.run(house.ask("book")))
        await turns()
        ledger.full = True
        bodies.end(DONE)
        assert (await waiting).result == DONE
        ledger.full = False
        house.tools.begin_reply(1)
        assert (await house.tools.run(house.ask("book"))).result.status is ToolStatus.UNKNOWN
        assert len(bodies.runs) == 1

    scene(story)


class _Breaks:
    async def run(self, request: ToolRequest) -> ToolResult:
        raise KeyError("a bug")


class _Hangs:
    async def run(self, request: ToolRequest) -> ToolResult:
        await asyncio.Event().wait()
        return DONE


@pytest.mark.parametrize("body", [_Breaks(), _Hangs()])
@pytest.mark.parametrize(
    ("effect", "status"), [(ToolEffect.ONCE, ToolStatus.UNKNOWN), (ToolEffect.NONE, ToolStatus.FAILED)]
)
def test_a_body_that_breaks_or_hangs_is_unknown_unless_it_only_reads(
    body: _Breaks | _Hangs, effect: ToolEffect, status: ToolStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicegw.agents.tools.desk.GRACE_S", 0.0)

    async def story() -> None:
        house = House(make_tool("book", "", SCHEMA, body, effect=effect, timeout_s=0.01))
        result = (await house.tools.run(house.ask("book"))).result
        assert result.status is status
        assert ("error" if status is ToolStatus.FAILED else "unknown") in json.loads(result.content_json)
        (entry,) = house.disk.values()
        assert entry.result == result

    scene(story)


def test_a_reading_is_replayed_while_fresh_and_read_again_later() -> None:
    async def story() -> None:
        at_once = At(DONE)
        house = House(tool("find", at_once, ToolEffect.NONE))
        house.tools.begin_reply(0)
        await house.tools.run(house.ask("find"))
        house.tools.begin_reply(1)
        await house.tools.run(house.ask("find"))
        assert len(at_once.requests) == 1
        house.clock.advance(FRESH_READ_S + 1)
        house.tools.begin_reply(2)
        await house.tools.run(house.ask("find"))
        assert len(at_once.requests) == 2

    scene(story)


def test_only_a_reading_tool_runs_before_its_reply_is_committed() -> None:
    async def story() -> None:
        house = House(tool("find", At(DONE), ToolEffect.NONE), tool("book", At(DONE)))
        assert (await house.tools.run(house.ask("find"), committed=False)).result == DONE
        assert not house.ask("book").may_speculate
        with pytest.raises(LocalError):
            await house.tools.run(house.ask("book"), committed=False)

    scene(story)


def test_an_answer_of_the_wrong_shape_is_withheld_but_stays_done() -> None:
    async def story() -> None:
        schema = {"type": "object", "required": ["id"]}
        house = House(make_tool("book", "", SCHEMA, At(DONE), result=schema))
        result = (await house.tools.run(house.ask("book"))).result
        assert result.status is ToolStatus.DONE
        assert "withheld" in result.content_json
        assert "id" in result.content_json

    scene(story)


def test_a_long_answer_is_cut() -> None:
    async def story() -> None:
        house = House(tool("book", At(ToolResult.done("x" * 100_000))))
        result = (await house.tools.run(house.ask("book"))).result
        assert len(result.content_json) < MAX_RESULT_CHARS
        assert json.loads(result.content_json)["truncated"] is True

    scene(story)


def test_closing_waits_for_bodies_and_records_those_it_cannot_wait_for() -> None:
    async def story() -> None:
        bodies = Bodies()
        house = House(tool("book", bodies))
        waiting = [asyncio.create_task(house.tools.run(house.ask("book", f'{{"n":{n}}}'))) for n in range(2)]
        await turns()
        bodies.end(DONE)
        await house.desk.close(grace_s=0.01)
        results = [(await task).result.status for task in waiting]
        assert sorted(results, key=str) == [ToolStatus.DONE, ToolStatus.UNKNOWN]
        assert all(entry.result for entry in house.disk.values())
        assert (await house.tools.run(house.ask("book"))).result.status is ToolStatus.FAILED

    scene(story)


def test_logs_hold_neither_arguments_nor_results(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        house = House(tool("book", At(ToolResult.done("secret answer"))))
        await house.tools.run(house.ask("book", '{"n":424242}'))

    with caplog.at_level(logging.DEBUG):
        scene(story)
    told = "".join(str(record.__dict__) for record in caplog.records)
    assert "tool ended" in told
    assert "424242" not in told
    assert "secret answer" not in told


def test_an_action_needs_no_ledger() -> None:
    async def story() -> None:
        house = House(make_builtin_tool(HangUpConfig(type="builtin", builtin="hang_up")))
        outcome = await house.tools.run(house.ask("hang_up", "{}"))
        assert outcome.actions == (Hangup(),)
        assert outcome.result.status is ToolStatus.DONE
        assert house.disk == {}

    scene(story)
