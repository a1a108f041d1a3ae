"""Tools that change while calls are under way."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.unit.agents.tools.rig import FACTS, SCHEMA, At, House
from voicegw.agents.tools.call_tools import CallTools
from voicegw.agents.tools.live import LiveTools
from voicegw.agents.tools.tool import Tool, make_tool
from voicegw.base.errors import ConfigError
from voicegw.ports.tools import ToolResult

RUNNER = At(ToolResult.done({}))


def named(name: str, description: str = "") -> Tool:
    return make_tool(name, description, SCHEMA, RUNNER)


@dataclass
class Server:
    """A server of tools whose list the test changes."""

    tools: tuple[Tool, ...] = ()
    version: int = 0

    def lists(self, *names: str) -> None:
        self.tools = tuple(named(name) for name in names)
        self.version += 1


def test_the_registry_is_the_same_until_a_server_lists_other_tools() -> None:
    crm, calendar = Server(), Server()
    live = LiveTools([named("own")], [crm, calendar])
    first = live()
    assert (first.names, live()) == (("own",), first)
    crm.lists("find")
    second = live()
    assert second.names == ("find", "own")
    assert second.version != first.version
    calendar.lists("book")
    assert live().names == ("book", "find", "own")
    assert len({first.version, second.version, live().version}) == 3


def test_a_server_that_was_up_before_the_agent_is_known_at_once() -> None:
    crm = Server()
    crm.lists("find")
    assert LiveTools([], [crm])().names == ("find",)


def test_a_name_that_is_taken_belongs_to_who_had_it() -> None:
    crm, other = Server(), Server()
    crm.lists("own", "find")
    other.lists("find")
    registry = LiveTools([named("own", "mine")], [crm, other])()
    own, find = registry.get("own"), registry.get("find")
    assert own is not None
    assert own.spec.description == "mine"
    assert find is crm.tools[1]


def test_two_tools_of_its_own_with_one_name_are_a_mistake() -> None:
    with pytest.raises(ConfigError):
        LiveTools([named("own"), named("own")])


def test_a_reply_keeps_the_tools_it_began_with_and_the_call_knows_that_there_are_others() -> None:
    crm = Server()
    crm.lists("find")
    tools = CallTools(FACTS, LiveTools([], [crm]), House().desk)
    tools.begin_reply(1)
    before = tools.version
    crm.lists("find", "add")
    assert [spec.name for spec in tools.specs] == ["find"]
    assert tools.version != before
    tools.begin_reply(2)
    assert [spec.name for spec in tools.specs] == ["add", "find"]
