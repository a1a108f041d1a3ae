"""Call control in the words of the API, carried out by a runtime that says what the test wrote."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from voicegw.agents.tools.approval import Approvals, Asked, Verdict
from voicegw.api import control as api
from voicegw.base.ids import CallId
from voicegw.gateway.toll_desk import refused
from voicegw.gateway.tolls.calls import Barred, Payer
from voicegw.ports.tools import IdempotencyKey
from voicegw.runtime.browser_legs import browser_uri
from voicegw.runtime.orders import NoSuchCall, Refused
from voicegw.server_control import NodeControl
from voicegw.testing.manual_clock import ManualClock

CALL = CallId("c")
ADA = api.Supervisor("u1", "Ada", "sip:201@192.0.2.8")


class Runtime:
    """Writes down what it is asked, and refuses what ``error`` says."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self._error = error

    def __getattr__(self, name: str) -> Any:
        def plain(*values: Any) -> CallId:
            self.asked.append((name, *(getattr(value, "value", value) for value in values)))
            if self._error is not None:
                raise self._error
            return CallId("new")

        async def waiting(*values: Any) -> None:
            plain(*values)

        return plain if name == "originate" else waiting


def control(error: Exception | None = None) -> tuple[NodeControl, Runtime]:
    runtime = Runtime(error)
    return NodeControl(runtime, Approvals()), runtime  # type: ignore[arg-type]


def test_every_order_is_passed_on() -> None:
    async def story() -> None:
        node, runtime = control()
        await node.supervise(CALL, ADA, api.Mode.TAKEOVER)
        await node.whisper_text(CALL, ADA, "be kind")
        await node.hand_back(CALL, ADA)
        await node.transfer(CALL, ADA, "desk", api.TransferKind.ATTENDED)
        await node.end(CALL, ADA)
        assert await node.originate(api.OutgoingCall("sip:a@b", "demo")) == "new"
        ordered = {"variables": (("order", "1"),), "user": "ada", "key": "k1"}
        await node.originate(api.OutgoingCall("+49 30 123", "demo", trunk="main", **ordered))  # type: ignore[arg-type]
        assert runtime.asked == [
            ("supervise", CALL, "Ada", ADA.address, "takeover"),
            ("whisper_text", CALL, "Ada", "be kind"),
            ("hand_back", CALL, "Ada"),
            ("transfer", CALL, "Ada", "desk", "attended"),
            ("end", CALL, "Ada"),
            ("originate", "sip:a@b", "demo", "", {}, Payer("demo")),
            ("originate", "tel:+4930123;tgrp=main", "demo", "", {"order": "1"}, Payer("demo", "ada", "k1")),
        ]

    asyncio.run(story())


@pytest.mark.parametrize("refusal", [NoSuchCall("x"), Refused("x")])
def test_refusals_of_the_runtime_are_those_of_the_api(refusal: Exception) -> None:
    with pytest.raises(type(refusal), match="x"):
        asyncio.run(control(refusal)[0].end(CALL, ADA))


def test_a_call_that_a_toll_rule_does_not_allow_is_not_placed() -> None:
    barred = Barred("night", "hours", "such calls are made by day", "change hours")

    def check(uri: str, payer: Payer) -> None:
        assert (uri, payer) == ("tel:+4930123", Payer("demo", "ada"))
        raise refused(barred)

    runtime = Runtime()
    node = NodeControl(runtime, Approvals(), check)  # type: ignore[arg-type]
    with pytest.raises(api.CallBarred, match="rule 'night'") as told:
        asyncio.run(node.originate(api.OutgoingCall("+4930123", "demo", user="ada")))
    assert told.value.barred == barred
    assert not runtime.asked


def test_a_browser_is_ones_own() -> None:
    async def story() -> None:
        node, runtime = control()
        await node.supervise(CALL, api.Supervisor("u1", "Ada", "webrtc"), api.Mode.LISTEN)
        assert runtime.asked == [("supervise", CALL, "Ada", browser_uri(CALL, "u1"), "listen")]
        with pytest.raises(api.Refused, match="one's own"):
            await node.supervise(CALL, api.Supervisor("u1", "Ada", browser_uri(CALL, "u2")), api.Mode.LISTEN)

    asyncio.run(story())


def test_a_tool_that_waits_is_approved_in_the_supervisors_name() -> None:
    async def story() -> None:
        desk = Approvals()
        node = NodeControl(Runtime(), desk)  # type: ignore[arg-type]
        with Asked(desk, CALL, IdempotencyKey("key"), 45.0, ManualClock()) as asked:
            await node.approve_tool(CALL, ADA, "key", True)
            assert asked.verdict == Verdict(True, "Ada")

    asyncio.run(story())


def test_what_is_not_there_yet_is_refused() -> None:
    async def story() -> None:
        node, runtime = control()
        with pytest.raises(api.Refused, match="no such tool"):
            await node.approve_tool(CALL, ADA, "key", True)
        with pytest.raises(api.Refused, match="trunk"):
            await node.originate(api.OutgoingCall("sip:a@b", "demo", trunk="main"))
        assert not runtime.asked
        with pytest.raises(api.Refused):
            await control(Refused("full"))[0].originate(api.OutgoingCall("sip:a@b", "demo"))

    asyncio.run(story())
