"""``voicegw serve`` with its API: calls in the hands of a supervisor, and a node that goes on without it."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.interop.api_desk import ApiDesk
from tests.interop.baresip_peer import Baresip, dial, hang_up, listen, press
from tests.interop.fault_server import FaultServer
from tests.interop.namespace import Namespace
from tests.interop.process import BusyMachine, Process
from tests.interop.server import CallLog
from tests.interop.sound import RATE_HZ, Samples, seconds_with, silence, speech, tone

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

CALLER_HZ, BOSS_HZ = 1000, 1700
CHAT_PORT, API_PORT = 8000, 8080
REPLY = "This is the answer of the agent."
CLERK = """
kind: llm
name: clerk
models: [local]
greeting: Clerk here.
instructions: You answer.
fallback: echo_keys
"""


class World:
    """A node with its API, a chat server, a caller and the phone of a supervisor, all in one namespace."""

    def __init__(
        self, server: FaultServer, chat: Process, caller: Baresip, boss: Baresip, desk: ApiDesk, address: str
    ) -> None:
        self.server, self.chat, self.caller, self.boss, self.desk = server, chat, caller, boss, desk
        self.boss_uri = f"sip:bare@{address}:{boss.port}"

    def wait_asked(self, text: str) -> str:
        """Until a request to the language model holds this; all that it said."""

        def found() -> list[str]:
            return [line for line in self.chat.output.splitlines() if text in line]

        self.server.wait(lambda: bool(found()), 30, f"the model is told {text!r}: {self.chat.output[-3000:]}")
        return " ".join(str(message["content"]) for message in json.loads(found()[-1])["messages"])

    def wait_spoken_to_caller(self, live: str) -> None:
        """Until the live transcript has something that the supervisor said to the caller."""

        def speakers() -> set[str]:
            return {line["speaker"] for line in self.desk.get(live)["transcript"]}

        self.server.wait(lambda: "supervisor" in speakers(), 30, "the supervisor is understood")


@contextmanager
def running(work: Path, namespace: Namespace) -> Iterator[World]:
    settings: dict[str, dict[str, Any]] = {
        "api": {"enabled": True, "listen_port": API_PORT, "key_file": "secrets.key"},
        "llm": {"servers": [{"name": "local", "base_url": f"http://127.0.0.1:{CHAT_PORT}/v1", "model": "any"}]},
    }
    server = FaultServer(work, namespace=namespace, settings=settings)
    clerk = work / "clerk.yaml"
    clerk.write_text(CLERK)
    server.use_agent(clerk)
    once = np.concatenate([tone(BOSS_HZ, 1.0), speech("let us offer a refund", work), silence(0.8)])
    voice = np.tile(once, 20)  # a phone whose file ends hangs up
    talk = [sys.executable, "-m", "tests.interop.chat_process", str(CHAT_PORT), REPLY]
    with (
        Process(talk, work / "chat.log", namespace=namespace, cwd=Path(__file__).parents[2]) as chat,
        server,
        Baresip(work, namespace, tone(CALLER_HZ, 60)) as caller,
        Baresip(work, namespace, voice) as boss,
        ApiDesk(server, namespace, f"http://127.0.0.1:{API_PORT}") as desk,
    ):
        yield World(server, chat, caller, boss, desk, namespace.address)


def part(sound: Samples, from_ms: float, until_ms: float) -> Samples:
    """Between two moments of the call, without the quarter of a second in which a change is under way."""
    return sound[int((from_ms + 250) / 1000 * RATE_HZ) : int((until_ms - 250) / 1000 * RATE_HZ)]


@pytest.mark.long
def test_a_supervisor_goes_through_all_modes_and_the_agent_knows_what_was_said(
    tmp_path: Path, namespace: Namespace
) -> None:
    with running(tmp_path, namespace) as world:
        desk, caller = world.desk, world.caller
        assert f"the console is at http://127.0.0.1:{API_PORT}/console" in world.server.process.output
        caller.do(dial(world.server.uri))
        call_id = desk.wait_call()
        live, before = f"/v1/live/calls/{call_id}", desk.get("/v1/live/calls")["last_event_id"]

        busy_ms: list[float] = []

        def order(path: str, body: dict[str, Any] | None = None) -> float:
            """How long it took, in ms, without what a busy machine made of it."""
            busy = BusyMachine(world.server.process.pid)
            desk.post(f"{live}/{path}", body)
            busy_ms.append(busy.took_s * 1000)
            return desk.took_ms - busy_ms[-1]

        def take(mode: str) -> float:
            return order("supervision", {"mode": mode, "address": world.boss_uri})

        take("listen")
        desk.post(f"{live}/whisper", {"text": "Offer a refund of ten euros."})
        caller.do([*press("1#"), *listen(1.0)])
        assert "the caller cannot hear it: Offer a refund of ten euros." in world.wait_asked("ten euros")
        took = [take("barge")]
        caller.do(listen(4.0))
        took.append(take("takeover"))
        caller.do(listen(4.0))
        world.wait_spoken_to_caller(live)
        took.append(order("hand-back"))
        told = desk.events(call_id, before, "SupervisorHasLeft")
        caller.do([*press("3#"), *listen(1.0)])
        assert "A supervisor said to the caller: " in world.wait_asked("A supervisor said to the caller")
        assert max(took) < 1000, took
        audit = desk.get("/v1/audit?limit=100")["items"]
        desk.post(f"{live}/end")
        log = world.server.call()
        judge(log, world, busy_ms)
    shown = [event["mode"] for event in told if event["fact"] == "SupervisorModeHasChanged"]
    assert shown == ["listen", "barge", "takeover"]
    deeds = [row for row in audit if row["action"].startswith("call.")]
    assert [row["action"] for row in reversed(deeds)] == [
        "call.supervise",
        "call.whisper",
        "call.supervise",
        "call.supervise",
        "call.hand_back",
    ]
    assert {row["actor"] for row in deeds} == {"ada"} and all(row["at"] for row in deeds)
    assert log.cause == "supervisor_ended" and log.one("CallWasOrdered")["by"] == "ada"


def judge(log: CallLog, world: World, busy_ms: Sequence[float]) -> None:
    """What the caller was sent in which mode, and that it was heard. ``busy_ms``: of the order of each change."""
    changes = log.dated("SupervisorModeHasChanged")
    for (fact, _), excused_ms in zip(changes, busy_ms, strict=False):  # the last order ends it
        assert 0 <= fact["effect_ms"] <= 200 + excused_ms
    (answered,) = (moment for _, moment in log.dated("CallWasAnswered"))
    _said, sent = world.server.recording(log)
    ends = [*(moment for _, moment in changes[1:]), log.dated("SupervisorHasLeft")[0][1]]
    for (fact, began), ended in zip(changes, ends, strict=True):
        sent_s = seconds_with(part(sent, began - answered, ended - answered), BOSS_HZ)
        assert (sent_s > 0.4) == (fact["mode"] in ("barge", "takeover")), (fact["mode"], sent_s)
    # What the phone kept has no clock: where packets were late or missing, all that follows is earlier in it.
    whole_s = seconds_with(sent, BOSS_HZ)
    assert whole_s / 2 <= seconds_with(world.caller.heard(), BOSS_HZ) <= whole_s + 0.6, "no less and no more"
    assert log.one("SupervisorHasLeft")["had_taken_over"] is True


def test_a_call_is_moved_by_the_api(tmp_path: Path, namespace: Namespace) -> None:
    with running(tmp_path, namespace) as world:
        world.caller.do(dial(world.server.uri))
        call_id = world.desk.wait_call()
        live = f"/v1/live/calls/{call_id}"
        world.desk.post(f"{live}/transfer", {"target": "nobody-we-know", "kind": "bridged"}, status=409)
        world.desk.post(f"{live}/transfer", {"target": world.boss_uri, "kind": "bridged"})
        world.server.wait_happened(lambda log: bool(log.all("CallerWasConnected")), "the call is moved")
        world.caller.do(listen(6.0))  # the tone comes twice
        world.caller.do(hang_up())
        log = world.server.call()
        assert seconds_with(world.caller.heard(), BOSS_HZ) >= 1
    assert log.one("CallWasOrdered")["to"] == world.boss_uri
    assert log.one("CallerWasConnected")["uri"] == world.boss_uri


def test_calls_are_served_where_the_port_of_the_api_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        api = {"enabled": True, "listen_port": port, "key_file": "secrets.key"}
        complaint = f"the API cannot listen on TCP 127.0.0.1:{port}: Address already in use"
        server = FaultServer(tmp_path, settings={"api": api}, expected=(complaint,))
        with server:
            with server.phone() as phone:
                assert phone.dial() == 200
            said = server.wait_logged(complaint)["msg"]
    assert "fix: stop what has the port, choose another api.listen_port, or say api.enabled: false" in said
    assert server.counters["api_start_failed"] == 1
